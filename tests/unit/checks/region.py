"""A model region that is correct: random pushes, pulls and deletes against one atomic store, with ties, failures, unknown outcomes and
writes that land late. What it leaves must never be called violated."""

import heapq
import random
from collections.abc import Generator
from dataclasses import dataclass, field

from chaoskit.model.history import Operation, Outcome

from .histories import FAILED, OK, UNKNOWN, ZONES, digest

REPOSITORIES = ("r1", "r2")
TAGS = ("latest", "v1")
END = 400


@dataclass
class Step:
    """One operation to do: its row without times and result; a write applies `effect` to the store when it happens."""

    action: str
    repository: str
    zone: str
    reference: str = ""
    digest: str = ""
    children: tuple[str, ...] = ()


@dataclass
class Store:
    """The truth: what each tag points at, manifests and their children, blobs, by repository."""

    tags: dict[tuple[str, str], str] = field(default_factory=dict)
    manifests: dict[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    blobs: set[tuple[str, str]] = field(default_factory=set)

    def write(self, step: Step) -> None:
        place = (step.repository, step.digest)
        match step.action:
            case "upload-put":
                self.blobs.add(place)
            case "manifest-put":
                self.manifests[place] = step.children
                self.tags[step.repository, step.reference] = step.digest
            case "manifest-delete":
                self.manifests.pop(place, None)
                self.tags = {tag: value for tag, value in self.tags.items() if (tag[0], value) != place}

    def read(self, step: Step) -> tuple[str, tuple[str, ...]]:
        if step.action == "blob-get":
            return (step.digest if (step.repository, step.digest) in self.blobs else "", ())
        value = step.digest or self.tags.get((step.repository, step.reference), "")
        children = self.manifests.get((step.repository, value))
        return ("", ()) if children is None else (value, children)


Session = Generator[Step, Outcome, None]


def _push(source: random.Random, name: str, values: list[Step], zone: str) -> Session:
    repository, tag = source.choice(REPOSITORIES), source.choice(TAGS)
    children = tuple(digest(f"{name}-blob{number}") for number in range(2))
    for blob in children:
        step = Step("upload-put", repository, zone, digest=blob)
        values.append(step)
        if (yield step) is not OK:
            return
    for attempt in range(3):
        step = Step("manifest-put", repository, source.choice(ZONES), reference=tag, digest=digest(f"{name}-{attempt}"), children=children)
        values.append(step)
        if (yield step) is OK:
            return


def _pull(source: random.Random, values: list[Step], zone: str) -> Session:
    repository, tag = source.choice(REPOSITORIES), source.choice(TAGS)
    yield Step("manifest-get", repository, zone, reference=tag)
    for step in source.sample(values, min(2, len(values))):
        yield Step(_reader(step), step.repository, source.choice(ZONES), digest=step.digest)


def _delete(source: random.Random, values: list[Step], zone: str) -> Session:
    manifests = [step for step in values if step.action == "manifest-put"]
    if manifests:
        step = source.choice(manifests)
        yield Step("manifest-delete", step.repository, zone, digest=step.digest)


def _reader(step: Step) -> str:
    return "blob-get" if step.action == "upload-put" else "manifest-get"


def _sweep(values: list[Step], zone: str) -> Session:
    for repository in REPOSITORIES:
        for tag in TAGS:
            yield Step("manifest-get", repository, zone, reference=tag)
    for step in list(values):
        yield Step(_reader(step), step.repository, zone, digest=step.digest)


@dataclass(order=True)
class _Due:
    point: int
    order: int
    step: Step = field(compare=False)
    start: int = field(compare=False)
    session: Session | None = field(compare=False)
    outcome: Outcome = field(compare=False, default=OK)


class Region:
    """Runs sessions to their end; `rows` is the history they leave."""

    def __init__(self, source: random.Random, *, deletes: bool) -> None:
        self.rows: list[Operation] = []
        self._source = source
        self._store = Store()
        self._values: list[Step] = []
        self._due: list[_Due] = []
        for number in range(source.randint(5, 25)):
            zone = source.choice(ZONES)
            kind = source.choices(("push", "pull", "delete"), (5, 6, int(deletes)))[0]
            session = {
                "push": _push(source, f"v{number}", self._values, zone),
                "pull": _pull(source, self._values, zone),
                "delete": _delete(source, self._values, zone),
            }[kind]
            self._go_on(session, source.randrange(100), None)
        for zone in ZONES:
            self._go_on(_sweep(self._values, zone), END, None)
        self._run()

    def _go_on(self, session: Session, now: int, outcome: Outcome | None) -> None:
        try:
            step = next(session) if outcome is None else session.send(outcome)
        except StopIteration:
            return
        is_read = step.action.endswith("-get")
        kinds = ((OK, FAILED), (9, 1)) if is_read else ((OK, UNKNOWN, FAILED), (8, 2, 1))
        drawn = OK if now >= END else self._source.choices(*kinds)[0]
        start = now + self._source.randrange(3)
        point = start + self._source.randrange(4)
        self._push_due(_Due(point, 0, step, start, session, drawn))

    def _push_due(self, due: _Due) -> None:
        due.order = self._source.randrange(1 << 30)
        heapq.heappush(self._due, due)

    def _run(self) -> None:
        while self._due:
            due = heapq.heappop(self._due)
            if due.session is None:
                self._store.write(due.step)
                continue
            self._happen(due)

    def _happen(self, due: _Due) -> None:
        step, is_read = due.step, due.step.action.endswith("-get")
        got, children = self._store.read(step) if is_read and due.outcome is OK else ("", ())
        end = due.point + self._source.randrange(3)
        returned: int | None = end
        if due.outcome is UNKNOWN:
            if self._source.random() < 0.7:
                late = self._source.choice((0, 3, 60, END))  # perhaps long after its client gave up, or in the middle of the final reads
                self._push_due(_Due(due.point + self._source.randrange(late + 1), 0, step, due.start, None))
            returned = self._source.choice((end, None))
        elif due.outcome is OK and not is_read:
            self._store.write(step)
        observed = ("read-ok" if got else "absent") if is_read else "write-ok"
        row = Operation(
            index=len(self.rows),
            action=step.action,
            lane="sweep" if due.start >= END else "pinned",
            phase="final" if due.start >= END else "steady",
            region="us-south",
            zone=step.zone,
            intended_ns=due.start,
            called_ns=due.start,
            returned_ns=returned,
            repository=step.repository,
            reference=step.reference,
            digest=step.digest,
            got=got,
            advertised=got,
            children=children or step.children,
            outcome=due.outcome,
            status=(200 if got else 404) if is_read and due.outcome is OK else 201 if due.outcome is OK else 0,
            observed=observed if due.outcome is OK else "maybe-sent-timeout",
        )
        self.rows.append(row)
        assert due.session is not None
        self._go_on(due.session, end, due.outcome)


def correct_run(seed: int, *, deletes: bool = False) -> list[Operation]:
    """The history of one run of a correct region."""
    return Region(random.Random(seed), deletes=deletes).rows
