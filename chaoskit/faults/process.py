"""Faults of processes, named `KIND.ZONE`: killed, frozen, restarted, alone or all of a kind in turn."""

from datetime import timedelta
from typing import Literal

from chaoskit.faults.base import Fault, milliseconds, unknown
from chaoskit.model.strike import Change, ProcessFrozen, ProcessKilled, ProcessRestarted, ProxyDown
from chaoskit.model.topology import Component, Topology
from chaoskit.model.units import Duration


def killed(component: Component, topology: Topology) -> tuple[Change, ...]:
    """A kill, and the links into the dead process refused: Toxiproxy would accept and close, which no dead host does."""
    return (ProcessKilled(component.name), *(ProxyDown(link.name) for link in topology.into(component)))


class OfComponent(Fault):
    """A fault of one component."""

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


class ProcessKill(OfComponent):
    """SIGKILL; the process stays away until healed. Not a power loss: the page cache survives."""

    kind: Literal["process-kill"] = "process-kill"

    def changes(self, topology: Topology) -> tuple[Change, ...]:
        """The kill, and the links into the process refused."""
        return killed(self.found(topology), topology)


class ProcessFreeze(OfComponent):
    """The process stops in its tracks: connections are accepted by the kernel, nothing answers."""

    kind: Literal["process-freeze"] = "process-freeze"

    def changes(self, topology: Topology) -> tuple[Change, ...]:
        """The freeze."""
        return (ProcessFrozen(self.found(topology).name),)


class ProcessRestart(OfComponent):
    """The process is stopped gracefully and started, once, when the strike begins."""

    kind: Literal["process-restart"] = "process-restart"

    def changes(self, topology: Topology) -> tuple[Change, ...]:
        """The restart."""
        return (ProcessRestarted(self.found(topology).name),)


class RollingRestart(Fault):
    """All components of a kind are restarted gracefully: one by one, the next when the last answers and `settle` is over; or at once."""

    kind: Literal["rolling-restart"] = "rolling-restart"
    component_kind: Literal["lb", "registry", "store"] = "registry"
    order: Literal["one-by-one", "at-once"] = "one-by-one"
    settle: Duration = timedelta(seconds=5)

    def changes(self, topology: Topology) -> tuple[Change, ...]:
        """The restarts, in the topology's order."""
        settle_ms = milliseconds(self.settle)
        names = [component.name for component in topology.components if component.kind == self.component_kind]
        one_by_one = self.order == "one-by-one"
        return tuple(ProcessRestarted(name, turn, settle_ms) if one_by_one else ProcessRestarted(name) for turn, name in enumerate(names))

    def zones(self, topology: Topology) -> tuple[str, ...]:
        """All of them: each has its turn."""
        return topology.zones
