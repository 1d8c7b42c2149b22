"""Faults of one process, named `KIND.ZONE`: killed, frozen, restarted."""

from typing import Literal

from chaoskit.faults.base import Fault, unknown
from chaoskit.model.strike import Change, ProcessFrozen, ProcessKilled, ProcessRestarted, ProxyDown
from chaoskit.model.topology import Component, Topology


def killed(component: Component, topology: Topology) -> tuple[Change, ...]:
    """A kill, and the links into the dead process refused: Toxiproxy would accept and close, which no dead host does."""
    return (ProcessKilled(component.name), *(ProxyDown(link.name) for link in topology.into(component)))


class _OfComponent(Fault):
    component: str

    def found(self, topology: Topology) -> Component:
        """The component; BadExperiment if the topology has none of that name."""
        for component in topology.components:
            if component.name == self.component:
                return component
        raise unknown(self.kind, "component", self.component, (c.name for c in topology.components))

    def zones(self, topology: Topology) -> tuple[str, ...]:
        """The component's zone."""
        return (self.found(topology).zone,)


class ProcessKill(_OfComponent):
    """SIGKILL; the process stays away until healed. Not a power loss: the page cache survives."""

    kind: Literal["process-kill"] = "process-kill"

    def changes(self, topology: Topology) -> tuple[Change, ...]:
        """The kill, and the links into the process refused."""
        return killed(self.found(topology), topology)


class ProcessFreeze(_OfComponent):
    """The process stops in its tracks: connections are accepted by the kernel, nothing answers."""

    kind: Literal["process-freeze"] = "process-freeze"

    def changes(self, topology: Topology) -> tuple[Change, ...]:
        """The freeze."""
        return (ProcessFrozen(self.found(topology).name),)


class ProcessRestart(_OfComponent):
    """The process is stopped gracefully and started, once, when the strike begins."""

    kind: Literal["process-restart"] = "process-restart"

    def changes(self, topology: Topology) -> tuple[Change, ...]:
        """The restart."""
        return (ProcessRestarted(self.found(topology).name),)
