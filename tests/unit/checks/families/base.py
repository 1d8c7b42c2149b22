"""What a family of tiny random histories is, and how a whole check is asked about many of them at once.

A family has a generator, the check, and an oracle: the rule once more, as slow and plain as can be. Every module of this package with a
tuple `FAMILIES` takes part in `python -m tests.unit.checks.fuzz`. Each history is a repository of its own (`h<number>`) in one big
history, so that one call judges many, and one leaking into another would show.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from chaoskit.checks.base import Check
from chaoskit.model.evidence import Evidence
from chaoskit.model.history import OPEN, History, Operation, columns
from chaoskit.model.topology import Topology
from chaoskit.model.verdict import Finding, Verdict

from ..histories import FAILED, OK, UNKNOWN

TICK_NS = 1000  # times are small multiples of this, so that equal times are frequent and a Duration can name them
HORIZON = 10
TOPOLOGY = Topology("tiny", {"east": ("east-1", "east-2"), "west": ("west-1", "west-2")}, (), ())
NOBODY = "sha256:sent-by-nobody"

Rows = Sequence[Operation]
Batch = Sequence[Rows]
Blame = frozenset[tuple[str, int]]
Generate = Callable[[random.Random, int, int], list[Operation]]
Tell = Callable[[Finding], tuple[str, int]]


@dataclass(frozen=True)
class Judged:
    """What was said of one history: who is blamed for what, as (label, operation), and the verdict."""

    verdict: Verdict
    blame: Blame


@dataclass(frozen=True)
class Family:
    """`generate(source, first index, number)` makes a history, `oracle` says what is right, `judge` what the check says: the blame of each
    history of a batch, and the verdict over the whole batch (which is that of a history only where it is alone).
    """

    name: str
    generate: Generate
    judge: Callable[[Batch], tuple[Verdict, list[Blame]]]
    oracle: Callable[[Rows], Judged]


def judged(violations: Blame, doubts: Blame = frozenset(), *, is_empty: bool = False) -> Judged:
    """The verdict that follows; `is_empty` where there was nothing to judge."""
    verdict = Verdict.VIOLATED if violations else Verdict.INCONCLUSIVE if doubts or is_empty else Verdict.HELD
    return Judged(verdict, violations | doubts)


def evidence_of(history: History) -> Evidence:
    """A stored run with nothing but a history."""
    return Evidence(history, TOPOLOGY, strikes=(), phases=(), host=(), objective_ns={})


@dataclass(frozen=True)
class ByFindings:
    """Asks a check as a user does, and reads who is blamed from its findings.

    `tell` gives the label of a finding and the operation blamed. A finding without operations blames no history. A check tells a bounded
    number of findings, so a batch with more is halved until all are told.
    """

    check: Check
    tell: Tell
    evidence: Callable[[History], Evidence] = field(default=evidence_of)

    def __call__(self, batch: Batch) -> tuple[Verdict, list[Blame]]:
        result = self.check.judge(self.evidence(columns(row for rows in batch for row in rows)))
        if len(batch) > 1 and any(finding.text.startswith("and ") for finding in result.findings):
            middle = len(batch) // 2
            first, second = self(batch[:middle]), self(batch[middle:])
            return result.verdict, first[1] + second[1]
        owner = {row.index: number for number, rows in enumerate(batch) for row in rows}
        blame: list[set[tuple[str, int]]] = [set() for _ in batch]
        for finding in result.findings:
            if finding.operations:
                label, operation = self.tell(finding)
                blame[owner[operation]].add((label, operation))
        return result.verdict, [frozenset(found) for found in blame]


def by_first_words(labels: Sequence[str]) -> Tell:
    """The label is the one of `labels` the text starts with; the operation blamed is the last one named."""

    def tell(finding: Finding) -> tuple[str, int]:
        return next(label for label in labels if finding.text.startswith(label)), finding.operations[-1]

    return tell


def by_words(labels: Sequence[str]) -> Tell:
    """The label is the first of `labels` that is in the text; the operation blamed is the last one named."""

    def tell(finding: Finding) -> tuple[str, int]:
        return next(label for label in labels if label in finding.text), finding.operations[-1]

    return tell


def row(source: random.Random, index: int, number: int, action: str, **fields: object) -> Operation:
    """One row at a random short interval of [0, HORIZON] ticks and a random zone, mostly of one region; `fields` overrule."""
    start = source.randrange(HORIZON)
    end = start + source.choice((0, 0, 1, 1, 2, 4))
    region = "west" if source.random() < 0.1 else "east"
    values: dict[str, object] = {
        "lane": "pinned",
        "phase": "final" if start >= 6 else "steady",
        "region": region,
        "zone": source.choice(TOPOLOGY.regions[region]),
        "intended_ns": start * TICK_NS,
        "called_ns": start * TICK_NS,
        "returned_ns": end * TICK_NS,
        "status": 200,
        "outcome": OK,
        "observed": "read-ok",
        "repository": f"h{number}",
    }
    values |= fields
    return Operation(index=index, action=action, **values)  # type: ignore[arg-type]


def write_fields(source: random.Random) -> dict[str, object]:
    """How a write ended: mostly acknowledged, now and then unknown (also without end) or failed."""
    outcome = source.choices((OK, UNKNOWN, FAILED), (7, 2, 1))[0]
    if outcome is OK:
        return {"outcome": OK, "status": 201, "observed": "write-ok"}
    if outcome is FAILED:
        return {"outcome": FAILED, "status": 0, "observed": "connect-refused"}
    fields: dict[str, object] = {"outcome": UNKNOWN, "status": 0, "observed": "maybe-sent-timeout"}
    return fields | ({"returned_ns": None} if source.random() < 0.3 else {})


def absent_fields() -> dict[str, object]:
    """A read that answered: not here."""
    return {"status": 404, "observed": "absent"}


def failed_read() -> dict[str, object]:
    """A read without an answer."""
    return {"outcome": FAILED, "status": 0, "observed": "maybe-sent-timeout"}


def end(operation: Operation) -> int:
    """When an operation ended, OPEN if nobody saw it."""
    return OPEN if operation.returned_ns is None else operation.returned_ns


def is_absent(operation: Operation) -> bool:
    """A read that answered: not here."""
    return operation.outcome is OK and operation.status == 404


def is_clean(operation: Operation) -> bool:
    """Answered with something that is what it says, or acknowledged."""
    return operation.outcome is OK and operation.status != 404 and operation.observed not in ("digest-differs", "unparsable")
