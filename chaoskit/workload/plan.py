"""Who pushes, pulls, deletes and lists what, where and when: pure, seeded, made before the first byte is sent.

A plan is a merge of *streams* (one a pinned zone, one regional), each with a random source of its own: one stream more changes neither
the times nor the pushes of the others; only what a pull asks for is chosen among the pushes of all.

Only tags `v…` are deleted, each at most once, and none is pushed again: more than one delete of a tag would make reads of *absent*
ambiguous (docs/checks.md). So are blobs: a push may send deleted ones again, under a tag of its own, and that image is never deleted.
"""

import hashlib
import math
import random
import re
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from heapq import merge
from typing import Literal, assert_never

from chaoskit.errors import BadExperiment
from chaoskit.model.workload import PlannedBlob, Session, WorkloadSpec

REPOSITORIES = 4
MOVING_TAGS = 2
RIPE_NS = 3_000_000_000  # how long a push must be due before another session asks for its tag, at most
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
_PURGED_SHARE = 0.5
_PAGES = (1, 2, 3, 5)  # of a list, about; 1: whatever the registry gives
_EVERY = 5  # intervals of pushes and pulls to one of a housekeeping stream
_CONFIG_BYTES = (200, 2_000)
_LAYER_BYTES = (300, 64_000)
_STREAM_NUMBERS = 1_000_000  # of sessions a stream; a tag shows stream and number in eight digits
_PINNED_STREAMS = 99
_HOUSED = 20  # zones of a housekeeping plan are fewer, so that its streams too have numbers below 100

Kind = Literal["push-pull", "delete", "list", "push-again"]


@dataclass(frozen=True, slots=True)
class Stream:
    """Evenly spaced sessions of one lane, `offset_ns` after the load starts; `entries` is the zones they begin at, in turn.

    `moving_share` of its pushes overwrite one of the few moving tags. Where there is nothing for a session to delete, list or push
    again yet, the plan goes without it.
    """

    number: int
    lane: str
    entries: tuple[str, ...]
    interval_ns: int
    offset_ns: int
    moving_share: float = _MOVING_SHARE
    kind: Kind = "push-pull"


def sessions(spec: WorkloadSpec, zones: Sequence[str], *, run_id: str, seed: int, duration_ns: int) -> Iterator[Session]:
    """All sessions due within the duration, by due time. Same arguments, same plan to the byte."""
    if spec.mix not in MIXES:
        raise BadExperiment(f"workload.mix: {spec.mix!r} is not known; choose one of {', '.join(MIXES)}")
    ripe_ns = min(RIPE_NS, round(RIPE_SESSIONS * _NS / spec.rate))
    drafts = [_drafts(stream, seed, duration_ns, ripe_ns) for stream in MIXES[spec.mix](spec.rate, tuple(zones))]
    slug = re.sub(r"[^a-z0-9]+", "-", run_id.lower()).strip("-")
    merged = merge(*drafts, key=lambda draft: (draft.due_ns, draft.stream.number))
    past = _Past(slug, ripe_ns)
    return (session for session in map(past.completed, merged) if session is not None)


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


def _slower(stream: Stream, kind: Kind, first: int, every: int, *, at: float) -> Stream:
    """A companion of a stream, once every so many intervals, `at` intervals after it."""
    interval_ns, offset_ns = every * stream.interval_ns, stream.offset_ns + round(at * stream.interval_ns)
    return Stream(first + stream.number, stream.lane, stream.entries, interval_ns, offset_ns, moving_share=0.0, kind=kind)


MIXES: dict[str, Callable[[float, tuple[str, ...]], tuple[Stream, ...]]] = {
    "basic": basic,
    "tag-race": tag_race,
    "housekeeping": housekeeping,
}


@dataclass(frozen=True, slots=True)
class _Draft:
    """A session but for what is decided with the other streams in sight: which tag a pull asks for, what is deleted or listed."""

    stream: Stream
    sequence: int
    due_ns: int
    is_push: bool
    source: random.Random


def _drafts(stream: Stream, seed: int, duration_ns: int, ripe_ns: int) -> Iterator[_Draft]:
    """Push and pull in turn, where the stream is of that kind; pushes only, until its own first push is ripe."""
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


@dataclass(slots=True)
class _Past:
    """What the sessions so far leave for later ones: the first `ripe` of `pushed` may be asked for, `kept` of them deleted."""

    slug: str
    ripe_ns: int
    pushed: list[Session] = field(default_factory=list)
    ripe: int = 0
    kept: list[Session] = field(default_factory=list)
    purges: "deque[tuple[Session, Session]]" = field(default_factory=deque)  # each with the push of what it deletes
    tags: "Counter[str]" = field(default_factory=Counter)  # of each repository, about

    def completed(self, draft: _Draft) -> Session | None:
        """The draft with what was missing in it; None where there is nothing for it yet."""
        self._ripen(draft.due_ns)
        match draft.stream.kind:
            case "push-pull":
                session = _push(draft, self.slug) if draft.is_push else _pull(draft, self.pushed, self.ripe)
            case "push-again":
                return self._push_again(draft)
            case "delete":
                return self._delete(draft)
            case "list":
                return self._list(draft)
            case _:
                assert_never(draft.stream.kind)
        if draft.is_push:
            self.pushed.append(session)
        return session

    def _ripen(self, due_ns: int) -> None:
        while self.ripe < len(self.pushed) and self.pushed[self.ripe].due_ns <= due_ns - self.ripe_ns:
            push = self.pushed[self.ripe]
            self.ripe += 1
            if push.tag.startswith("v"):
                self.tags[push.repository] += 1
                if push.after < 0:
                    self.kept.append(push)

    def _delete(self, draft: _Draft) -> Session | None:
        if not self.kept:
            return None
        place = draft.source.randrange(len(self.kept))
        self.kept[place], self.kept[-1] = self.kept[-1], self.kept[place]
        push = self.kept.pop()
        session = replace(_session(draft, "delete", push.repository, push.tag), purges=draft.source.random() < _PURGED_SHARE)
        if session.purges:
            self.purges.append((session, push))
        return session

    def _list(self, draft: _Draft) -> Session | None:
        if not self.ripe:
            return None
        repository = self.pushed[draft.source.randrange(self.ripe)].repository
        pages = draft.source.choice(_PAGES)
        size = math.ceil((self.tags[repository] + MOVING_TAGS) / pages)
        return replace(_session(draft, "list", repository, ""), page_size=size if pages > 1 else 0)

    def _push_again(self, draft: _Draft) -> Session | None:
        if not self.purges or self.purges[0][0].due_ns > draft.due_ns - self.ripe_ns:
            return None
        purge, push = self.purges.popleft()
        session = replace(_push(draft, self.slug), repository=push.repository, after=purge.number, again=push.blobs)
        self.pushed.append(session)
        return session


def _push(draft: _Draft, slug: str) -> Session:
    number, source = _number(draft), draft.source
    repository = f"chaos/{slug}/r{source.randrange(REPOSITORIES)}"
    is_moving = source.random() < draft.stream.moving_share
    tag = f"latest-{source.randint(1, MOVING_TAGS):04d}" if is_moving else f"v{number:08d}"
    blobs = tuple(
        PlannedBlob(_blob_seed(slug, number, part), _log_uniform(source, *limits), source.random() < _CHUNKED_SHARE)
        for part, limits in enumerate((_CONFIG_BYTES, *[_LAYER_BYTES] * source.choice(_LAYERS)))
    )
    return replace(_session(draft, "push", repository, tag), blobs=blobs)


def _pull(draft: _Draft, pushed: Sequence[Session], ripe: int) -> Session:
    source = draft.source
    oldest = max(0, ripe - _RECENT) if source.random() < 0.5 else 0
    target = pushed[source.randrange(oldest, ripe)]
    return _session(draft, "pull", target.repository, target.tag)


def _session(draft: _Draft, action: str, repository: str, tag: str) -> Session:
    pings = draft.source.choice(_PINGS)
    return Session(_number(draft), draft.due_ns, draft.stream.lane, _entry(draft), action, repository, tag, pings=pings)


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
