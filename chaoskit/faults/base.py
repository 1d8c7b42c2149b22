"""What every fault is: data that says, for a topology, what is to be changed. Pure: nothing here touches a network or a process."""

import difflib
from abc import abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from chaoskit.errors import BadExperiment
from chaoskit.model.strike import Change, ProxyDown, ToxicOn
from chaoskit.model.topology import Link, Topology
from chaoskit.model.units import Duration, format_duration, nanoseconds

LONGEST = timedelta(minutes=10)
FASTEST_KB_S = 1_000_000
_SHOWN = 9


class Shape(StrEnum):
    """How a struck link fails. Systems survive one shape and fail on another."""

    REFUSED = "refused"
    RESET = "reset"
    BLACK_HOLE = "black-hole"
    STALL = "stall"
    SLOW = "slow"
    TRICKLE = "trickle"


class Direction(StrEnum):
    """Which way bytes are struck: `to` the named end, `from` it, or both."""

    BOTH = "both"
    TO = "to"
    FROM = "from"


@dataclass(frozen=True, slots=True)
class Severity:
    """How much, for the shapes that have an amount: ms a round trip and ± ms (slow), KB/s of 1000 B (trickle)."""

    latency_ms: int = 0
    jitter_ms: int = 0
    rate_kb_s: int = 0


def _within_latency(value: timedelta) -> timedelta:
    if not timedelta(milliseconds=1) <= value <= LONGEST:
        raise ValueError(f"latency {format_duration(value)} is outside 1ms..{format_duration(LONGEST)}")
    return value


def _within_jitter(value: timedelta) -> timedelta:
    if not timedelta(0) <= value <= LONGEST:
        raise ValueError(f"jitter {format_duration(value)} is outside 0s..{format_duration(LONGEST)}")
    return value


def _within_rate(value: int) -> int:
    if not 0 <= value <= FASTEST_KB_S:
        raise ValueError(f"rate_kb_s {value} is outside 0..{FASTEST_KB_S}")
    return value


LatencyTime = Annotated[Duration, AfterValidator(_within_latency)]
JitterTime = Annotated[Duration, AfterValidator(_within_jitter)]
RateKbS = Annotated[int, Field(strict=True), AfterValidator(_within_rate)]


def milliseconds(value: timedelta) -> int:
    """A duration in whole ms."""
    return nanoseconds(value) // 1_000_000


def check_jitter(latency: timedelta, jitter: timedelta) -> None:
    """ValueError if the jitter is more than half of the latency: a delay that may be nothing cannot be seen by a canary."""
    if jitter * 2 > latency:
        raise ValueError(
            f"jitter {format_duration(jitter)} is more than half of latency {format_duration(latency)}; no canary could see it"
        )


class Fault(BaseModel):
    """A fault of an experiment. Subclasses add `kind: Literal[...]`, by which YAML chooses them."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    kind: str

    @abstractmethod
    def changes(self, topology: Topology) -> tuple[Change, ...]:
        """What the fault changes there, never empty. BadExperiment for a name that the topology does not have."""

    @abstractmethod
    def zones(self, topology: Topology) -> tuple[str, ...]:
        """Zones that the fault takes away or degrades: an entry in one of them is not 'untouched'."""


def unknown(kind: str, field: str, value: str, choices: Iterable[str]) -> BadExperiment:
    """The error for a name that does not exist: field, value, choices with the nearest first."""
    names = list(choices)
    nearest = difflib.get_close_matches(value, names, n=max(1, len(names)), cutoff=0.0)
    more = f", ... ({len(names)} in all)" if len(names) > _SHOWN else ""
    return BadExperiment(f"{kind}: {field} {value!r} is not in the topology; choose one of {', '.join(nearest[:_SHOWN])}{more}")


def known_zone(kind: str, zone: str, topology: Topology) -> str:
    """The zone, if the topology has it; else BadExperiment."""
    if zone not in topology.zones:
        raise unknown(kind, "zone", zone, topology.zones)
    return zone


def known_links(kind: str, glob: str, topology: Topology) -> tuple[Link, ...]:
    """The links a name or shell pattern matches; BadExperiment if none."""
    links = topology.named(glob)
    if not links:
        raise unknown(kind, "link", glob, (link.name for link in topology.links))
    return links


def streams(direction: Direction) -> tuple[str, ...]:
    """Toxiproxy's streams of a link for a direction as seen from its target: `to` it is upstream."""
    match direction:
        case Direction.BOTH:
            return ("upstream", "downstream")
        case Direction.TO:
            return ("upstream",)
        case Direction.FROM:
            return ("downstream",)


def shape_changes(shape: Shape, link: str, severity: Severity, direction: Direction = Direction.BOTH) -> tuple[Change, ...]:
    """What gives one link this shape.

    `slow` in both directions halves latency and jitter onto the two streams, since Toxiproxy delays each stream on its own: a round
    trip is `latency_ms` longer whatever the direction. BadExperiment for `refused` in one direction: a dial has none.
    """
    on = streams(direction)
    match shape:
        case Shape.REFUSED:
            if direction is not Direction.BOTH:
                raise BadExperiment(f"shape 'refused' has no direction {direction.value!r}; leave it out, or choose another shape")
            return (ProxyDown(link),)
        case Shape.RESET:
            return _toxics(link, "reset_peer", on, [{"timeout": 0}] * len(on))
        case Shape.BLACK_HOLE:
            return _toxics(link, "timeout", on, [{"timeout": 0}] * len(on))
        case Shape.STALL:
            return _toxics(link, "bandwidth", on, [{"rate": 0}] * len(on))
        case Shape.SLOW:
            parts = zip(_split(severity.latency_ms, len(on)), _split(severity.jitter_ms, len(on)), strict=True)
            return _toxics(link, "latency", on, [{"latency": latency, "jitter": jitter} for latency, jitter in parts])
        case Shape.TRICKLE:
            return _toxics(link, "bandwidth", on, [{"rate": severity.rate_kb_s}] * len(on))


def _toxics(link: str, toxic: str, on: Sequence[str], attributes: Sequence[dict[str, int]]) -> tuple[Change, ...]:
    return tuple(
        ToxicOn(link, toxic, stream, tuple(sorted(values.items())))
        for stream, values in zip(on, attributes, strict=True)
        if _acts(toxic, values)
    )


def _acts(toxic: str, values: dict[str, int]) -> bool:
    return toxic != "latency" or values["latency"] > 0


def _split(total: int, parts: int) -> list[int]:
    return [total] if parts == 1 else [total - total // 2, total // 2]
