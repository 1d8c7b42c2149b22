"""Faults of links, by name or shell pattern: cut, slowed, narrowed."""

from datetime import timedelta
from typing import Literal, Self

from pydantic import model_validator

from chaoskit.faults.base import (
    Direction,
    Fault,
    JitterTime,
    LatencyTime,
    RateKbS,
    Severity,
    Shape,
    check_jitter,
    known_links,
    milliseconds,
    shape_changes,
)
from chaoskit.model.strike import Change
from chaoskit.model.topology import Topology

CUTS = (Shape.REFUSED, Shape.RESET, Shape.BLACK_HOLE, Shape.STALL)


def check_cut(shape: Shape, direction: Direction) -> None:
    """ValueError for a shape that lets bytes through, and for a refusal in one direction."""
    if shape not in CUTS:
        raise ValueError(f"shape {shape.value!r} does not cut; choose one of {', '.join(CUTS)}, or the fault 'latency' or 'bandwidth'")
    if shape is Shape.REFUSED and direction is not Direction.BOTH:
        raise ValueError(f"shape 'refused' has no direction {direction.value!r}; choose one of reset, black-hole, stall")


class _OfLinks(Fault):
    link: str
    direction: Direction = Direction.BOTH

    def zones(self, topology: Topology) -> tuple[str, ...]:
        """The zones at both ends of the links, in the topology's order."""
        ends = {zone for link in known_links(self.kind, self.link, topology) for zone in link.zones}
        return tuple(zone for zone in topology.zones if zone in ends)


class LinkCut(_OfLinks):
    """Links that match `link` carry nothing, in one of the shapes refused, reset, black-hole and stall."""

    kind: Literal["link-cut"] = "link-cut"
    shape: Shape = Shape.REFUSED

    @model_validator(mode="after")
    def _cuts(self) -> Self:
        check_cut(self.shape, self.direction)
        return self

    def changes(self, topology: Topology) -> tuple[Change, ...]:
        """One proxy down, or the shape's toxics, per link."""
        links = known_links(self.kind, self.link, topology)
        return tuple(c for link in links for c in shape_changes(self.shape, link.name, Severity(), self.direction))


class Latency(_OfLinks):
    """Round trips over links that match `link` take `latency` ± `jitter` longer."""

    kind: Literal["latency"] = "latency"
    latency: LatencyTime
    jitter: JitterTime = timedelta(0)

    @model_validator(mode="after")
    def _seen(self) -> Self:
        check_jitter(self.latency, self.jitter)
        return self

    def changes(self, topology: Topology) -> tuple[Change, ...]:
        """Latency toxics per link."""
        severity = Severity(latency_ms=milliseconds(self.latency), jitter_ms=milliseconds(self.jitter))
        links = known_links(self.kind, self.link, topology)
        return tuple(c for link in links for c in shape_changes(Shape.SLOW, link.name, severity, self.direction))


class Bandwidth(_OfLinks):
    """Each connection over links that match `link` carries `rate_kb_s` KB/s (1 KB = 1000 B); 0 is a stall that loses nothing."""

    kind: Literal["bandwidth"] = "bandwidth"
    rate_kb_s: RateKbS

    def changes(self, topology: Topology) -> tuple[Change, ...]:
        """Bandwidth toxics per link."""
        severity = Severity(rate_kb_s=self.rate_kb_s)
        links = known_links(self.kind, self.link, topology)
        return tuple(c for link in links for c in shape_changes(Shape.TRICKLE, link.name, severity, self.direction))
