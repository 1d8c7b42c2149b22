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
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from heapq import merge
from itertools import islice
from typing import assert_never

from chaoskit.errors import BadExperiment
from chaoskit.model.workload import PlannedBlob, Session, WorkloadSpec
from chaoskit.workload import storm, trace
from chaoskit.workload.drafts import CHUNKED_SHARE, STREAM_NUMBERS, Draft, Stream, blob_seed, source_of
from chaoskit.workload.mixes import MIXES

REPOSITORIES = 4
MOVING_TAGS = 2
RIPE_NS = 3_000_000_000  # how long a push must be due before another session asks for its tag, at most
RIPE_SESSIONS = 10  # and no longer than this many sessions take to come due
DIGESTED = 2_000  # sessions, at most: some tenths of a second

_NS = 1_000_000_000
_JITTER = 0.1  # of an interval, to either side
_RECENT = 16  # every second pull asks for one of the newest tags: old ones hardly ever go wrong
# Layers of an image, and pings before a session. Were both fixed, sessions and a balancer that deals over three servers would fall in
# step: the same step of each would meet the same server, and a session that fails there makes the next one begin after it.
_LAYERS = (0, 1, 2)
_PINGS = (0, 1, 2)
_PURGED_SHARE = 0.5
_PAGES = (1, 2, 3, 5)  # of a list, about; 1: whatever the registry gives
_CONFIG_BYTES = (200, 2_000)
_LAYER_BYTES = (300, 64_000)


def sessions(spec: WorkloadSpec, zones: Sequence[str], *, run_id: str, seed: int, duration_ns: int) -> Iterator[Session]:
    """All sessions due within the duration, by due time. Same arguments, same plan to the byte."""
    if spec.mix not in MIXES:
        raise BadExperiment(f"workload.mix: {spec.mix!r} is not known; choose one of {', '.join(MIXES)}")
    ripe_ns = min(RIPE_NS, round(RIPE_SESSIONS * _NS / spec.rate))
    slug = re.sub(r"[^a-z0-9]+", "-", run_id.lower()).strip("-")
    streams = MIXES[spec.mix](spec.rate, tuple(zones))
    drafts = [_DRAFTS[stream.kind](stream, spec, slug=slug, seed=seed, duration_ns=duration_ns, ripe_ns=ripe_ns) for stream in streams]
    merged = merge(*drafts, key=lambda draft: (draft.due_ns, draft.stream.number))
    past = _Past(slug, ripe_ns, spec.tenants)
    return (session for session in map(past.completed, merged) if session is not None)


def _drafts(stream: Stream, spec: WorkloadSpec, *, slug: str, seed: int, duration_ns: int, ripe_ns: int) -> Iterator[Draft]:
    """Push and pull in turn, where the stream is of that kind; pushes only, until its own first push is ripe."""
    first_ns, is_push = None, False
    for sequence in range(STREAM_NUMBERS):
        source = source_of(stream, seed, sequence)
        jitter_ns = round(source.uniform(-_JITTER, _JITTER) * stream.interval_ns)
        due_ns = stream.offset_ns + sequence * stream.interval_ns + jitter_ns
        if due_ns >= duration_ns:
            return
        first_ns = due_ns if first_ns is None else first_ns
        is_push = not is_push or due_ns - first_ns < ripe_ns
        yield Draft(stream, sequence, due_ns, is_push, source)


def digest(spec: WorkloadSpec, zones: Sequence[str], *, seed: int, duration_ns: int) -> str:
    """SHA-256 (hex) of the first sessions of a plan, at most `DIGESTED` of them, but for the names that a run gives its own content."""
    content = hashlib.sha256()
    for session in islice(sessions(spec, zones, run_id="", seed=seed, duration_ns=duration_ns), DIGESTED):
        content.update(repr(session).encode())
    return content.hexdigest()


_DRAFTS = {"trace": trace.drafts, "storm": storm.drafts} | dict.fromkeys(("push-pull", "delete", "list", "push-again"), _drafts)


@dataclass(slots=True)
class _Past:
    """What the sessions so far leave for later ones: the first `ripe` of `pushed` may be asked for, `kept` of them deleted."""

    slug: str
    ripe_ns: int
    tenants: int
    shelf: trace.Shelf = field(default_factory=trace.Shelf)
    pushed: list[Session] = field(default_factory=list)
    ripe: int = 0
    kept: list[Session] = field(default_factory=list)
    purges: "deque[tuple[Session, Session]]" = field(default_factory=deque)  # each with the push of what it deletes
    tags: "Counter[str]" = field(default_factory=Counter)  # of each repository, about

    def completed(self, draft: Draft) -> Session | None:
        """The draft with what was missing in it; None where there is nothing for it yet."""
        self._ripen(draft.due_ns)
        match draft.stream.kind:
            case "push-pull":
                session = _push(draft, self.slug) if draft.is_push else _pull(draft, self.pushed, self.ripe)
            case "trace":
                session = draft.made or self.shelf.pull(draft, self.slug, self.tenants)
            case "storm":
                return draft.made
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
            self.shelf.add(push)
            if push.tag.startswith("v"):
                self.tags[push.repository] += 1
                if push.after < 0:
                    self.kept.append(push)

    def _delete(self, draft: Draft) -> Session | None:
        if not self.kept:
            return None
        pings, is_purge = _pings(draft), draft.source.random() < _PURGED_SHARE
        place = draft.source.randrange(len(self.kept))
        self.kept[place], self.kept[-1] = self.kept[-1], self.kept[place]
        push = self.kept.pop()
        session = replace(draft.session("delete", push.repository, push.tag, pings=pings), purges=is_purge)
        if session.purges:
            self.purges.append((session, push))
        return session

    def _list(self, draft: Draft) -> Session | None:
        if not self.ripe:
            return None
        pings, pages = _pings(draft), draft.source.choice(_PAGES)
        repository = self.pushed[draft.source.randrange(self.ripe)].repository
        size = math.ceil((self.tags[repository] + MOVING_TAGS) / pages)
        return replace(draft.session("list", repository, "", pings=pings), page_size=size if pages > 1 else 0)

    def _push_again(self, draft: Draft) -> Session | None:
        if not self.purges or self.purges[0][0].due_ns > draft.due_ns - self.ripe_ns:
            return None
        purge, push = self.purges.popleft()
        session = replace(_push(draft, self.slug), repository=push.repository, after=purge.number, again=push.blobs)
        self.pushed.append(session)
        return session


def _push(draft: Draft, slug: str) -> Session:
    number, source = draft.number, draft.source
    repository = f"chaos/{slug}/r{source.randrange(REPOSITORIES)}"
    is_moving = source.random() < draft.stream.moving_share
    tag = f"latest-{source.randint(1, MOVING_TAGS):04d}" if is_moving else f"v{number:08d}"
    blobs = tuple(
        PlannedBlob(blob_seed(slug, number, part), _log_uniform(source, *limits), source.random() < CHUNKED_SHARE)
        for part, limits in enumerate((_CONFIG_BYTES, *[_LAYER_BYTES] * source.choice(_LAYERS)))
    )
    return replace(draft.session("push", repository, tag, pings=_pings(draft)), blobs=blobs)


def _pull(draft: Draft, pushed: Sequence[Session], ripe: int) -> Session:
    source, pings = draft.source, _pings(draft)
    oldest = max(0, ripe - _RECENT) if source.random() < 0.5 else 0
    target = pushed[source.randrange(oldest, ripe)]
    return draft.session("pull", target.repository, target.tag, pings=pings)


def _pings(draft: Draft) -> int:
    """Thrown before anything is chosen among what others pushed: how many throws that takes depends on them."""
    return draft.source.choice(_PINGS)


def _log_uniform(source: random.Random, low: int, high: int) -> int:
    return round(low * math.exp(source.random() * math.log(high / low)))
