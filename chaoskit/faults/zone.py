"""Faults of a whole zone: gone, cut off from its peers, frozen, killed."""

from datetime import timedelta
from typing import Literal, Self

from pydantic import model_validator

from chaoskit.errors import BadExperiment
from chaoskit.faults.base import (
    Direction,
    Fault,
    JitterTime,
    LatencyTime,
    RateKbS,
    Severity,
    Shape,
    check_jitter,
    known_zone,
    milliseconds,
    shape_changes,
)
from chaoskit.faults.link import check_cut
from chaoskit.faults.process import killed
from chaoskit.model.strike import Change, ProcessFrozen
from chaoskit.model.topology import Link, Topology


class _OfZone(Fault):
    zone: str

    def zones(self, topology: Topology) -> tuple[str, ...]:
        """The zone itself."""
        return (known_zone(self.kind, self.zone, topology),)


class ZoneOutage(_OfZone):
    """Every link with an end in the zone, its inner links and its entry among them, takes the shape.

    `latency` and `jitter` count for the shape slow, `rate_kb_s` for trickle: by default 8 KB/s, an image layer of 64 KB in 8 s.
    """

    kind: Literal["zone-outage"] = "zone-outage"
    shape: Shape = Shape.REFUSED
    latency: LatencyTime = timedelta(seconds=2)
    jitter: JitterTime = timedelta(0)
    rate_kb_s: RateKbS = 8

    @model_validator(mode="after")
    def _seen(self) -> Self:
        check_jitter(self.latency, self.jitter)
        if self.shape is Shape.TRICKLE and self.rate_kb_s == 0:
            raise ValueError("rate_kb_s 0 is no trickle; write at least 1, or shape stall")
        return self

    def changes(self, topology: Topology) -> tuple[Change, ...]:
        """The shape on all links touching the zone (11 of the 21 of three zones)."""
        severity = Severity(milliseconds(self.latency), milliseconds(self.jitter), self.rate_kb_s)
        zone = known_zone(self.kind, self.zone, topology)
        return tuple(c for link in topology.touching(zone) for c in shape_changes(self.shape, link.name, severity))


class ZonePartition(_OfZone):
    """The zone and the others cannot talk; clients still reach it, and it still reaches itself. `to` cuts only what flows into it."""

    kind: Literal["zone-partition"] = "zone-partition"
    shape: Shape = Shape.REFUSED
    direction: Direction = Direction.BOTH

    @model_validator(mode="after")
    def _cuts(self) -> Self:
        check_cut(self.shape, self.direction)
        return self

    def changes(self, topology: Topology) -> tuple[Change, ...]:
        """The shape on the links that cross the zone's border. BadExperiment if none does."""
        links = topology.crossing([known_zone(self.kind, self.zone, topology)])
        if not links:
            raise BadExperiment(f"{self.kind}: zone {self.zone!r} has no link to another zone in topology {topology.name!r}")
        return tuple(c for link in links for c in shape_changes(self.shape, link.name, Severity(), self._along(link)))

    def _along(self, link: Link) -> Direction:
        """The direction as the link has it: what flows into the zone flows `from` the target of a link that leaves the zone."""
        if self.direction is Direction.BOTH or link.target.partition(".")[2] == self.zone:
            return self.direction
        return Direction.FROM if self.direction is Direction.TO else Direction.TO


class ZoneFreeze(_OfZone):
    """All processes of the zone stop in their tracks: connections are accepted by the kernel, nothing answers."""

    kind: Literal["zone-freeze"] = "zone-freeze"

    def changes(self, topology: Topology) -> tuple[Change, ...]:
        """One freeze per component."""
        zone = known_zone(self.kind, self.zone, topology)
        return tuple(ProcessFrozen(component.name) for component in topology.in_zone(zone))


class ZoneKill(_OfZone):
    """All processes of the zone get SIGKILL at once and stay away."""

    kind: Literal["zone-kill"] = "zone-kill"

    def changes(self, topology: Topology) -> tuple[Change, ...]:
        """One kill per component, and the links into them refused."""
        zone = known_zone(self.kind, self.zone, topology)
        return tuple(c for component in topology.in_zone(zone) for c in killed(component, topology))
