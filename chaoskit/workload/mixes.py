"""Which streams of sessions each mix is made of: rates, lanes and kinds, no content. Every mix has both lanes, pinned and regional."""

from collections.abc import Callable
from dataclasses import replace

from chaoskit.errors import BadExperiment
from chaoskit.model.workload import TRACED
from chaoskit.workload.drafts import Kind, Stream

_NS = 1_000_000_000
_EVERY = 5  # intervals of pushes and pulls to one of a housekeeping stream
_PINNED_STREAMS = 99
_HOUSED = 20  # zones of a housekeeping plan are fewer, so that its streams too have numbers below 100
_STORM = 99
COLD_PULLS = 200


def basic(rate: float, zones: tuple[str, ...]) -> tuple[Stream, ...]:
    """Half of the rate pinned, spread evenly over the zones; half regional. No two streams are in step."""
    if not 0 < len(zones) <= _PINNED_STREAMS:
        raise BadExperiment(f"workload: {len(zones)} zones; a plan is for 1 to {_PINNED_STREAMS}")
    regional_ns = round(_NS * 2 / rate)
    pinned_ns = regional_ns * len(zones)
    pinned = (
        Stream(number, "pinned", (zone,), interval_ns=pinned_ns, offset_ns=round(pinned_ns * (number - 0.5) / len(zones)))
        for number, zone in enumerate(zones, 1)
    )
    return (Stream(0, "regional", zones, interval_ns=regional_ns, offset_ns=regional_ns // 5), *pinned)


def tag_race(rate: float, zones: tuple[str, ...]) -> tuple[Stream, ...]:
    """As basic, but every push overwrites a moving tag: each of them is written from all zones many times a second."""
    return tuple(replace(stream, moving_share=1.0) for stream in basic(rate, zones))


def housekeeping(rate: float, zones: tuple[str, ...]) -> tuple[Stream, ...]:
    """All of basic, and 35 % more: lists in both lanes, and pinned deletes and pushes of what they purged.

    A DELETE is never tried again, so in the regional lane, which stands for what a client's persistence mends, it would be out of place.
    """
    if len(zones) >= _HOUSED:
        raise BadExperiment(f"workload: {len(zones)} zones; a housekeeping plan is for 1 to {_HOUSED - 1}")
    kept = basic(rate, zones)
    lists = (_slower(stream, "list", 2 * _HOUSED, _EVERY, at=4.5) for stream in kept)
    deletes = (_slower(stream, "delete", _HOUSED, _EVERY, at=2.5) for stream in kept[1:])
    again = (_slower(stream, "push-again", 3 * _HOUSED, 2 * _EVERY, at=3.5) for stream in kept[1:])
    return (*kept, *lists, *deletes, *again)


def traced(rate: float, zones: tuple[str, ...]) -> tuple[Stream, ...]:
    """Streams as those of basic; what they ask for, and their bursts, are those of a trace (`workload.trace`)."""
    return tuple(replace(stream, kind="trace") for stream in basic(rate, zones))


def pull_storm(rate: float, zones: tuple[str, ...]) -> tuple[Stream, ...]:
    """All of basic, and in the regional lane as many pulls again, but `COLD_PULLS` of them at one instant, of one image nobody has."""
    if len(zones) >= _STORM:
        raise BadExperiment(f"workload: {len(zones)} zones; a pull-storm plan is for 1 to {_STORM - 1}")
    interval_ns = round(_NS * COLD_PULLS / rate)
    return (*basic(rate, zones), Stream(_STORM, "regional", zones, interval_ns=interval_ns, offset_ns=0, kind="storm"))


def _slower(stream: Stream, kind: Kind, first: int, every: int, *, at: float) -> Stream:
    """A companion of a stream, once every so many intervals, `at` intervals after it."""
    interval_ns, offset_ns = every * stream.interval_ns, stream.offset_ns + round(at * stream.interval_ns)
    return Stream(first + stream.number, stream.lane, stream.entries, interval_ns, offset_ns, moving_share=0.0, kind=kind)


MIXES: dict[str, Callable[[float, tuple[str, ...]], tuple[Stream, ...]]] = {
    "basic": basic,
    "tag-race": tag_race,
    "housekeeping": housekeeping,
    "pull-storm": pull_storm,
    **dict.fromkeys(TRACED, traced),
}
