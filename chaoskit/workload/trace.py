"""Sessions as in the published traces of IBM's registry (FAST'18, figures in the tests): what they are, ask for, and when they come.

A popular image is in many caches already: of an image of rank r (Zipf 1.25) a pull fetches about r^0.25 blobs, which makes blobs
Zipf 1.0 and two a pull. What a stream pushes depends on no other stream: layers that images share stand in a catalogue of each
repository, whoever pushes one first sends it.
"""

import random
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from chaoskit.model.workload import PlannedBlob, Session, WorkloadSpec
from chaoskit.workload.drafts import CHUNKED_SHARE, STREAM_NUMBERS, Draft, Stream, blob_seed, source_of
from chaoskit.workload.sizes import edges, quantile, spread

AT_ONCE = 3  # blobs of a pull
REPOSITORIES = 6  # of a tenant
FIRST_TENANT = 0.31  # of the sessions
_NS = 1_000_000_000
LATEST = "latest-0001"
LATEST_SHARE = 0.5  # of pushes, and of pulls
_POPULARITY = 1.25
_COLDNESS, _WARMTH = 1.5, 0.25
_SHARED = 8  # layers in the catalogue of a repository; an image has the n-th with a chance of 1.5 / n, 3.6 of them in the mean
_SHARED_CHANCE = 1.5
_OWN_LAYER_SHARE = 0.1
_RHYTHM_SESSIONS = 40  # of one calm and one burst together
_BURST_TIME, _BURST_SESSIONS = 0.25, 0.5  # shares of them: twice the mean rate, else two thirds of it


@dataclass(frozen=True, slots=True)
class Habits:
    """Shares of sessions that push, and that only log in; the rest pull. `seeds` of each stream push first; no size is below a share."""

    pushes: float
    logins: float
    seeds: int = 0
    smallest: float = 0.0


# The trace's requests make sessions: of 100, 14.21 GETs of a manifest (78.96 x 18 %) are pulls, 5.24 PUTs less 2.87 of blobs are
# pushes, and 36.32 pings (78.96 x 46 %) are one for each of these and 19.74 of sessions that do nothing else.
HABITS: Mapping[str, Habits] = {
    "registry": Habits(pushes=2.37 / 36.32, logins=19.74 / 36.32),
    "push-heavy": Habits(pushes=0.6, logins=0.2),
    "read-only": Habits(pushes=0.0, logins=0.25, seeds=8),
    "large-layers": Habits(pushes=0.25, logins=0.25, smallest=0.8),
}


@dataclass(frozen=True, slots=True)
class Zipf:
    """Ranks from 1, of which each is asked for in proportion to rank^-exponent."""

    exponent: float
    _sums: list[float] = field(default_factory=list)

    def rank(self, share: float, ranks: int) -> int:
        """The rank at a share (0 to 1) of all that is asked for among so many ranks."""
        for rank in range(len(self._sums) + 1, ranks + 1):
            self._sums.append((self._sums[-1] if self._sums else 0.0) + rank**-self.exponent)
        return min(bisect_left(self._sums, share * self._sums[ranks - 1], hi=ranks), ranks - 1) + 1


def when(mean_sessions: float, *, rate: float, seed: int) -> int:
    """The ns by which so many sessions have come, at so many a second in the mean: every 40 of them 20 come in a quarter of the time.

    One rhythm for all streams: bursts of streams that know nothing of each other would level out.
    """
    rhythm, progress = divmod(mean_sessions / _RHYTHM_SESSIONS, 1)
    starts = (1 - _BURST_TIME) * blob_seed(f"{seed}", "burst", round(rhythm)) / 2**64
    calm = (1 - _BURST_SESSIONS) / (1 - _BURST_TIME)
    before = starts * calm
    if progress < before:
        time = progress / calm
    elif progress < before + _BURST_SESSIONS:
        time = starts + (progress - before) * _BURST_TIME / _BURST_SESSIONS
    else:
        time = (progress - _BURST_SESSIONS) / calm + _BURST_TIME
    return round((rhythm + time) * _RHYTHM_SESSIONS / rate * _NS)


def drafts(stream: Stream, spec: WorkloadSpec, *, slug: str, seed: int, duration_ns: int, ripe_ns: int) -> Iterator[Draft]:
    """Pushes and logins as they will be, pulls to be completed; pushes only, until the stream's first is ripe and its seeds are sown."""
    habits = HABITS[spec.mix]
    start = random.Random(f"{seed}/{stream.lane}/{stream.number}")
    kinds, shares = spread(start.random()), spread(start.random())
    extra = iter(edges(spec.scale) if stream.lane == "regional" else ())
    sessions, first_ns = 0.0, None
    for sequence in range(STREAM_NUMBERS):
        source = source_of(stream, seed, sequence)
        sessions += source.expovariate(1.0) * stream.interval_ns * spec.rate / _NS
        due_ns = when(sessions, rate=spec.rate, seed=seed)
        if due_ns >= duration_ns:
            return
        first_ns = due_ns if first_ns is None else first_ns
        kind = next(kinds)
        is_push = kind < habits.pushes or sequence < habits.seeds or due_ns - first_ns < ripe_ns
        draft = Draft(stream, sequence, due_ns, is_push, source)
        if is_push:
            repository = _repository(source, spec.tenants)
            own = [quantile(habits.smallest + (1 - habits.smallest) * next(shares), spec.scale) for _ in range(_own(source))]
            known = enumerate(_shared(repository, habits, spec, slug=slug, seed=seed), 1)
            layers = [layer for place, layer in known if source.random() < _SHARED_CHANCE / place]
            yield replace(draft, made=_push(draft, f"chaos/{slug}/{repository}", (*own, *islice(extra, 1)), layers, slug))
        else:
            is_login = kind >= 1 - habits.logins
            yield replace(draft, made=draft.session("login", "", "", pings=0) if is_login else None)


def _own(source: random.Random) -> int:
    """Blobs of an image that no other has: its config, now and then a layer."""
    return 2 if source.random() < _OWN_LAYER_SHARE else 1


def _tenant(source: random.Random, tenants: int) -> int:
    """The first by its share, of the others each less than the one before it."""
    if tenants == 1 or source.random() < FIRST_TENANT:
        return 0
    return source.choices(range(1, tenants), [1 / (rank + 1) for rank in range(1, tenants)])[0]


def _repository(source: random.Random, tenants: int) -> str:
    place = source.choices(range(REPOSITORIES), [1 / rank for rank in range(1, REPOSITORIES + 1)])[0]
    return f"t{_tenant(source, tenants)}/r{place}"


def _shared(repository: str, habits: Habits, spec: WorkloadSpec, *, slug: str, seed: int) -> tuple[PlannedBlob, ...]:
    """The catalogue of a repository, the most popular layer first."""
    source = random.Random(f"{seed}/{repository}")
    shares = islice(spread(source.random()), _SHARED)
    return tuple(
        PlannedBlob(
            blob_seed(slug, repository, part),
            quantile(habits.smallest + (1 - habits.smallest) * share, spec.scale),
            source.random() < CHUNKED_SHARE,
        )
        for part, share in enumerate(shares)
    )


def _push(draft: Draft, repository: str, own: Sequence[int], shared: Sequence[PlannedBlob], slug: str) -> Session:
    """An image of its own blobs, of these sizes, the first of them its config, and of shared layers."""
    config, *layers = (
        PlannedBlob(blob_seed(slug, draft.number, part), size, draft.source.random() < CHUNKED_SHARE) for part, size in enumerate(own)
    )
    tag = LATEST if draft.source.random() < LATEST_SHARE else f"v{draft.number:08d}"
    return replace(draft.session("push", repository, tag, pings=1), blobs=(config, *shared, *layers))


@dataclass(slots=True)
class Shelf:
    """What may be pulled, by owner (all but the last part of a repository's name) and whether its tag moves, first pushed first."""

    images: dict[tuple[str, bool], list[tuple[str, str]]] = field(default_factory=dict)
    popularity: Zipf = field(default_factory=lambda: Zipf(_POPULARITY))
    _known: set[tuple[str, str]] = field(default_factory=set)

    def add(self, push: Session) -> None:
        """An image that is there now; another one under a tag that moves changes nothing."""
        if (push.repository, push.tag) not in self._known:
            self._known.add((push.repository, push.tag))
            owner = push.repository.rpartition("/")[0]
            self.images.setdefault((owner, push.tag == LATEST), []).append((push.repository, push.tag))

    def pull(self, draft: Draft, slug: str, tenants: int) -> Session:
        """A pull of an image, as popular as it is old, by the tenant and kind of tag wanted; of any that there is if there is none such."""
        source = draft.source
        wanted = f"chaos/{slug}/t{_tenant(source, tenants)}", source.random() < LATEST_SHARE
        key = wanted if wanted in self.images else source.choice(sorted(self.images))
        rank = self.popularity.rank(source.random(), len(self.images[key]))
        repository, tag = self.images[key][rank - 1]
        blobs = int(_COLDNESS * rank**_WARMTH + source.random())
        return replace(draft.session("pull", repository, tag, pings=1), fetches=max(1, blobs), at_once=AT_ONCE)
