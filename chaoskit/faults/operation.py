"""Faults that leave every process and every link alone and change what a component does: permissions, secrets, the collector."""

from typing import Literal

from chaoskit.errors import BadExperiment
from chaoskit.faults.base import Fault, known_zone
from chaoskit.faults.process import OfComponent
from chaoskit.model.strike import Altered, Change, Collected
from chaoskit.model.topology import Component, Topology


class WritePermission(Fault):
    """The registries' key may no longer write to the stores, in any zone; reading goes on. Health checks that only read see nothing."""

    kind: Literal["write-permission"] = "write-permission"

    def changes(self, topology: Topology) -> tuple[Change, ...]:
        """Every store read-only."""
        return tuple(Altered(component.name, "read-only") for component in topology.components if component.kind == "store")

    def zones(self, topology: Topology) -> tuple[str, ...]:
        """All of them."""
        return topology.zones


class WrongSecret(OfComponent):
    """One registry is restarted with another `http.secret` than the others: no replica can read the other's upload sessions."""

    kind: Literal["wrong-secret"] = "wrong-secret"

    def changes(self, topology: Topology) -> tuple[Change, ...]:
        """The registry, altered. BadExperiment for a component that is none."""
        return (Altered(_registry(self.kind, self.found(topology)).name, "other-secret"),)


class Collection(Fault):
    """The collector of the zone's registry runs once, when the strike begins, beside whatever is pushed meanwhile."""

    kind: Literal["collection"] = "collection"
    zone: str

    def changes(self, topology: Topology) -> tuple[Change, ...]:
        """The run of the collector."""
        zone = known_zone(self.kind, self.zone, topology)
        return (Collected(topology.component(f"registry.{zone}").name),)

    def zones(self, topology: Topology) -> tuple[str, ...]:
        """All of them: the zones share what is stored."""
        known_zone(self.kind, self.zone, topology)
        return topology.zones


def _registry(kind: str, component: Component) -> Component:
    if component.kind != "registry":
        raise BadExperiment(f"{kind}: component {component.name!r} is no registry and has no such secret; choose registry.{component.zone}")
    return component
