"""Who pushes and pulls what, where and when: pure, seeded, made before the first byte is sent.

A plan is a merge of *streams* (one a pinned zone, one regional), each with a random source of its own: one stream more changes neither
the times nor the pushes of the others; only what a pull asks for is chosen among the pushes of all.
"""

import hashlib
import math
import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from heapq import merge

from chaoskit.errors import BadExperiment
from chaoskit.model.workload import PlannedBlob, Session, WorkloadSpec

REPOSITORIES = 4
MOVING_TAGS = 2
RIPE_NS = 3_000_000_000  # how long a push must be due before a pull asks for its tag, at most
RIPE_SESSIONS = 10  # and no longer than this many sessions take to come due

_NS = 1_000_000_000
_JITTER = 0.1  # of an interval, to either side
_MOVING_SHARE = 1 / 3
_CHUNKED_SHARE = 0.66
_RECENT = 16  # every second pull asks for one of the newest tags: old ones hardly ever go wrong
# Layers of an image, and pings before a session. Were both fixed, sessions and a balancer that deals over three servers would fall in
# step: the same step of each would meet the same server, and a session that fails there makes the next one begin after it.
_LAYERS = (0, 1, 2)
_PINGS = (0, 1, 2)
_CONFIG_BYTES = (200, 2_000)
_LAYER_BYTES = (300, 64_000)
_STREAM_NUMBERS = 1_000_000  # of sessions a stream; a tag shows stream and number in eight digits
_PINNED_STREAMS = 99


@dataclass(frozen=True, slots=True)
class Stream:
    """Evenly spaced sessions of one lane, `offset_ns` after the load starts; `entries` is the zones they begin at, in turn.

    `moving_share` of its pushes overwrite one of the few moving tags.
    """

    number: int
    lane: str
    entries: tuple[str, ...]
    interval_ns: int
    offset_ns: int
    moving_share: float = _MOVING_SHARE


def sessions(spec: WorkloadSpec, zones: Sequence[str], *, run_id: str, seed: int, duration_ns: int) -> Iterator[Session]:
    """All sessions due within the duration, by due time. Same arguments, same plan to the byte."""
    if spec.mix not in MIXES:
        raise BadExperiment(f"workload.mix: {spec.mix!r} is not known; choose one of {', '.join(MIXES)}")
    ripe_ns = min(RIPE_NS, round(RIPE_SESSIONS * _NS / spec.rate))
    drafts = [_drafts(stream, seed, duration_ns, ripe_ns) for stream in MIXES[spec.mix](spec.rate, tuple(zones))]
    slug = re.sub(r"[^a-z0-9]+", "-", run_id.lower()).strip("-")
    return _completed(merge(*drafts, key=lambda draft: (draft.due_ns, draft.stream.number)), slug=slug, ripe_ns=ripe_ns)


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


MIXES: dict[str, Callable[[float, tuple[str, ...]], tuple[Stream, ...]]] = {"basic": basic, "tag-race": tag_race}


@dataclass(frozen=True, slots=True)
class _Draft:
    """A session but for what is decided with the other streams in sight: which tag a pull asks for."""

    stream: Stream
    sequence: int
    due_ns: int
    is_push: bool
    source: random.Random


def _drafts(stream: Stream, seed: int, duration_ns: int, ripe_ns: int) -> Iterator[_Draft]:
    """Push and pull in turn; pushes only, until the stream's own first push is ripe."""
    first_ns, is_push = None, False
    for sequence in range(_STREAM_NUMBERS):
        source = random.Random(f"{seed}/{stream.lane}/{stream.number}/{sequence}")
        jitter_ns = round(source.uniform(-_JITTER, _JITTER) * stream.interval_ns)
        due_ns = stream.offset_ns + sequence * stream.interval_ns + jitter_ns
        if due_ns >= duration_ns:
            return
        first_ns = due_ns if first_ns is None else first_ns
        is_push = not is_push or due_ns - first_ns < ripe_ns
        yield _Draft(stream, sequence, due_ns, is_push, source)


def _completed(drafts: Iterator[_Draft], *, slug: str, ripe_ns: int) -> Iterator[Session]:
    pushed: list[Session] = []
    ripe = 0
    for draft in drafts:
        if draft.is_push:
            session = _push(draft, slug)
            pushed.append(session)
        else:
            while ripe < len(pushed) and pushed[ripe].due_ns <= draft.due_ns - ripe_ns:
                ripe += 1
            session = _pull(draft, pushed, ripe)
        yield session


def _push(draft: _Draft, slug: str) -> Session:
    number, source = _number(draft), draft.source
    repository = f"chaos/{slug}/r{source.randrange(REPOSITORIES)}"
    is_moving = source.random() < draft.stream.moving_share
    tag = f"latest-{source.randint(1, MOVING_TAGS):04d}" if is_moving else f"v{number:08d}"
    blobs = tuple(
        PlannedBlob(_blob_seed(slug, number, part), _log_uniform(source, *limits), source.random() < _CHUNKED_SHARE)
        for part, limits in enumerate((_CONFIG_BYTES, *[_LAYER_BYTES] * source.choice(_LAYERS)))
    )
    pings = source.choice(_PINGS)
    return Session(number, draft.due_ns, draft.stream.lane, _entry(draft), "push", repository, tag, blobs, pings)


def _pull(draft: _Draft, pushed: Sequence[Session], ripe: int) -> Session:
    source = draft.source
    oldest = max(0, ripe - _RECENT) if source.random() < 0.5 else 0
    target = pushed[source.randrange(oldest, ripe)]
    pings = source.choice(_PINGS)
    return Session(_number(draft), draft.due_ns, draft.stream.lane, _entry(draft), "pull", target.repository, target.tag, pings=pings)


def _number(draft: _Draft) -> int:
    return draft.stream.number * _STREAM_NUMBERS + draft.sequence


def _entry(draft: _Draft) -> str:
    """Entries rotate after every pair, so that each entry sees pushes and pulls, however many entries there are."""
    entries = draft.stream.entries
    return entries[draft.sequence // 2 % len(entries)]


def _blob_seed(slug: str, number: int, part: int) -> int:
    """Unique to the run: a blob that an earlier run left behind would make a lost one look safe."""
    return int.from_bytes(hashlib.sha256(f"{slug}/{number}/{part}".encode()).digest()[:8], "big")


def _log_uniform(source: random.Random, low: int, high: int) -> int:
    return round(low * math.exp(source.random() * math.log(high / low)))
