"""A model of a correct region with one zone that refuses for a while: sessions run in the order of their events and leave rows.

Its shape follows what real runs leave (a push: HEAD, POST and PUT a blob, then the manifest). It knows no file.
"""

import hashlib
import heapq
import random
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field

import msgspec

from chaoskit.model.history import Operation, Outcome
from chaoskit.model.topology import three_zones

OK, FAILED, UNKNOWN = Outcome.OK, Outcome.FAILED, Outcome.UNKNOWN
ZONES = three_zones().zones
STRUCK_ZONE = ZONES[1]
SIZE_BYTES = 1000
_WRITES = frozenset({"upload-post", "upload-put", "manifest-put"})

Answer = Mapping[str, object]
Steps = Generator[Operation, Operation, Operation]


@dataclass(frozen=True, slots=True)
class Plan:
    """When each phase of the load ends, in ns of run time; the struck zone refuses throughout `strike`."""

    steady: int
    strike: int
    recover: int

    def phase(self, at: int) -> str:
        """The phase of a moment."""
        return "steady" if at < self.steady else "strike" if at < self.strike else "recover" if at < self.recover else "final"


@dataclass(slots=True)
class Store:
    """What the region holds, by repository: the digest of each tag, the children of each manifest, blobs."""

    tags: dict[tuple[str, str], str] = field(default_factory=dict)
    manifests: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    blobs: set[tuple[str, str]] = field(default_factory=set)

    def apply(self, row: Operation) -> None:
        """A write happens."""
        if row.action == "upload-put":
            self.blobs.add((row.repository, row.digest))
        elif row.action == "manifest-put":
            self.manifests[row.repository, row.digest] = row.children
            self.tags[row.repository, row.reference] = row.digest

    def answer(self, row: Operation) -> Answer:
        """What a read says at this moment."""
        children: tuple[str, ...] = ()
        if row.action.startswith("blob"):
            value = row.digest if (row.repository, row.digest) in self.blobs else ""
        else:
            value = row.digest or self.tags.get((row.repository, row.reference), "")
            children = self.manifests.get((row.repository, value), ())
            value = value if children else ""
        if not value:
            return {"outcome": OK, "status": 404, "observed": "absent"}
        body = {} if row.action == "blob-head" else {"got": value, "size_bytes": SIZE_BYTES}
        answer = {"outcome": OK, "status": 200, "observed": "read-ok", "advertised": value, "advertised_bytes": SIZE_BYTES}
        return {**answer, **body, "children": children}


class Region:
    """Sessions under way, by when their next event is due. Rows go to `record` as a run writes them.

    A run records a write before its first byte and when it ends, a read when it ends; with `opens_reads` a read is recorded twice too.
    """

    def __init__(self, plan: Plan, source: random.Random, record: Callable[[Operation], None], *, opens_reads: bool) -> None:
        self.plan, self.source, self.record = plan, source, record
        self.opened = frozenset({*_WRITES, "blob-head", "blob-get", "manifest-get"}) if opens_reads else _WRITES
        self.store = Store()
        self.sent: list[tuple[str, str, str]] = []
        self.rows = 0
        self.now = 0
        self._due: list[tuple[int, int, Callable[[], None]]] = []
        self._order = 0

    def run(self, until: int) -> None:
        """All events due before `until`, and what they lead to; then it is `until`."""
        while self._due and self._due[0][0] < until:
            self.now, _, event = heapq.heappop(self._due)
            event()
        self.now = max(self.now, until)

    def drain(self) -> None:
        """All events there are."""
        while self._due:
            self.run(self._due[0][0] + 1)

    def row(self, action: str, zone: str, **fields: object) -> Operation:
        """A row that begins now."""
        index, now = self.rows, self.now
        self.rows += 1
        where = {"region": "us-south", "zone": zone, "phase": self.plan.phase(now)}
        return Operation(index=index, action=action, intended_ns=now, called_ns=now, **where, **fields)  # type: ignore[arg-type]

    def start(self, steps: Generator[Operation, Operation, object]) -> None:
        """Begin a session now."""
        self._go_on(steps, None)

    def _later(self, wait_ns: int, event: Callable[[], None]) -> None:
        self._order += 1
        heapq.heappush(self._due, (self.now + wait_ns, self._order, event))

    def _go_on(self, steps: Generator[Operation, Operation, object], ended: Operation | None) -> None:
        try:
            row = next(steps) if ended is None else steps.send(ended)
        except StopIteration:
            return
        if row.action in self.opened:
            self.record(row)
        self._later(self.source.randrange(1_000_000, 4_000_000), lambda: self._happen(steps, row))

    def _happen(self, steps: Generator[Operation, Operation, object], row: Operation) -> None:
        answer = self._answer(row)

        def end() -> None:
            ended = msgspec.structs.replace(row, returned_ns=self.now, **answer)
            self.record(ended)
            self._go_on(steps, ended)

        self._later(self.source.randrange(1_000_000), end)

    def _answer(self, row: Operation) -> Answer:
        is_write = row.action in _WRITES
        if row.zone == STRUCK_ZONE and self.plan.phase(self.now) == "strike":
            if not is_write or self.source.random() < 0.5:
                return {"outcome": FAILED, "observed": "connect-refused"}
            if self.source.random() < 0.5:
                self.store.apply(row)
            return {"outcome": UNKNOWN, "observed": "maybe-sent-timeout", "detail": f"no answer within 10 s from {row.zone}"}
        if not is_write:
            return self.store.answer(row)
        self.store.apply(row)
        return {"outcome": OK, "status": 201, "observed": "write-ok", "advertised": row.digest}


@dataclass(slots=True)
class Client:
    """One session: where it enters and what it is about. In the regional lane a try that fails goes on at the next entry."""

    region: Region
    number: int
    repository: str
    tag: str
    lane: str
    entry: int
    whole: int = -1

    def push(self) -> Steps:
        """Two blobs, then the manifest; a manifest that is sent again is another one."""
        whole = self._begin("push")
        blobs = tuple(digest(f"{self.number}-blob{number}") for number in range(2))
        for blob in blobs:
            self.region.sent.append((self.repository, "blob-get", blob))
            for action in ("blob-head", "upload-post", "upload-put"):
                answer = yield from self._persist(lambda _, action=action, blob=blob: {"action": action, "digest": blob})  # type: ignore[misc]
                if answer.outcome is not OK:
                    return self._end(whole, msgspec.structs.replace(answer, outcome=FAILED))
        answer = yield from self._persist(lambda attempt: self._manifest(attempt, blobs))
        return self._end(msgspec.structs.replace(whole, digest=answer.digest, children=blobs), answer)

    def pull(self) -> Steps:
        """The manifest by tag, then its blobs."""
        whole = self._begin("pull")
        manifest = answer = yield from self._persist(lambda _: {"action": "manifest-get", "reference": self.tag})
        for blob in manifest.children if manifest.outcome is OK else ():
            answer = yield from self._persist(lambda _, blob=blob: {"action": "blob-get", "digest": blob})  # type: ignore[misc]
            if answer.outcome is not OK:
                break
        return self._end(msgspec.structs.replace(whole, got=manifest.got), answer)

    def _manifest(self, attempt: int, blobs: tuple[str, ...]) -> Mapping[str, object]:
        value = digest(f"{self.number}-manifest{attempt}")
        self.region.sent.append((self.repository, "manifest-get", value))
        return {"action": "manifest-put", "reference": self.tag, "digest": value, "children": blobs, "size_bytes": SIZE_BYTES}

    def _persist(self, step: Callable[[int], Mapping[str, object]]) -> Steps:
        for attempt in range(3 if self.lane == "regional" else 1):
            answer = yield self._row(attempt, **step(attempt))
            if answer.outcome is OK:
                break
        return answer

    def _row(self, attempt: int = 0, **fields: object) -> Operation:
        profile = "basic" if self.lane == "regional" else "none"
        fields |= {"session": self.number, "lane": self.lane, "profile": profile, "attempt": attempt, "repository": self.repository}
        return self.region.row(zone=ZONES[(self.entry + attempt) % len(ZONES)], parent=self.whole, **fields)  # type: ignore[arg-type]

    def _begin(self, action: str) -> Operation:
        whole = self._row(action=action, reference=self.tag)
        self.region.record(whole)
        self.whole = whole.index
        return whole

    def _end(self, whole: Operation, last: Operation) -> Operation:
        end = {"returned_ns": self.region.now, "outcome": last.outcome, "observed": last.observed, "status": last.status}
        ended = msgspec.structs.replace(whole, **end)
        self.region.record(ended)
        return ended


def digest(name: str) -> str:
    """The digest of the content of that name."""
    return f"sha256:{hashlib.sha256(name.encode()).hexdigest()}"
