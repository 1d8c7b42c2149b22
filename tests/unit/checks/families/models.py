"""Tags with at most one delete: linearizability against an exhaustive search, the weaker models by their definitions, convergence."""

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache

import numpy as np

from chaoskit.checks.convergence import final_reads
from chaoskit.checks.linearizability import clashes
from chaoskit.checks.models import clients, guarantees
from chaoskit.checks.registers import Registers, registers_of, staleness
from chaoskit.checks.tags import Tags
from chaoskit.model.history import OPEN, History, Ints, Operation, columns
from chaoskit.model.verdict import CheckResult, Verdict

from ..histories import FAILED, OK
from . import base
from .base import Batch, Blame, Family, Judged, Rows

STREAM = 1_000_000
LANES = ("pinned", "regional")


def generate(source: random.Random, first: int, number: int, *, deletes: int = 1) -> list[Operation]:
    """Up to nine operations on one tag by a few clients, `deletes` of them deletes at most; in half of them two sweeps at the end."""
    rows: list[Operation] = []

    def tell(action: str, **fields: object) -> None:
        client = {"lane": source.choices(LANES, (4, 1))[0], "session": source.choice((0, 0, 0, 1)) * STREAM + source.randrange(5)}
        rows.append(base.row(source, first + len(rows), number, action, **{**client, **fields}))

    writes = source.choice((0, 1, 1, 2, 2, 2, 3, 3))
    for name in range(writes):
        tell("manifest-put", reference="t", digest=f"v{name}", **base.write_fields(source))
    for _ in range(source.choices(range(deletes + 1), (1, *([3] * deletes)))[0]):
        by_digest = {"digest": f"v{source.randrange(writes or 1)}"}
        tell("manifest-delete", **source.choice(({"reference": "t"}, by_digest)), **base.write_fields(source))
    for _ in range(source.randint(2, 6)):
        tell("manifest-get", reference="t", **_answer(source, writes))
    if source.random() < 0.5:
        for zone in (*base.TOPOLOGY.regions["east"], *base.TOPOLOGY.regions["east"]):
            at = (base.HORIZON + source.randrange(4)) * base.TICK_NS
            answer = _answer(source, writes) if source.random() < 0.3 else _answer(random.Random(number), writes)
            late = {"region": "east", "zone": zone, "lane": "sweep", "session": 0, "phase": "final", "called_ns": at, "returned_ns": at}
            tell("manifest-get", reference="t", **{**answer, **late})
    return rows


def _answer(source: random.Random, writes: int) -> dict[str, object]:
    if source.random() < 0.05:
        return base.failed_read()
    value = source.choice(["", *(f"v{name}" for name in range(writes))])
    return {"got": value} if value else base.absent_fields()


@dataclass(frozen=True)
class Op:
    """An operation on one register. `value` of a delete is the digest it is for, "" of a delete by tag; of a read, "" is absent."""

    kind: str
    value: str
    start: int
    end: int
    row: Operation

    @property
    def client(self) -> tuple[object, ...]:
        return (self.row.lane, self.row.session // STREAM, self.row.zone if self.row.phase == "final" else "")

    @property
    def is_acknowledged(self) -> bool:
        return self.end != OPEN


def ops_of(rows: Iterable[Operation], region: str) -> list[Op]:
    """The register of the one tag in a region: writes and deletes that may have happened, reads of what one of them may have put there."""
    ops: list[Op] = []
    for row in (row for row in rows if row.region == region and row.outcome is not FAILED):
        if row.action == "manifest-get":
            ops.append(Op("read", row.got, row.called_ns, base.end(row), row))
        else:
            kind = "put" if row.action == "manifest-put" else "delete"
            ops.append(Op(kind, row.digest, row.called_ns, base.end(row) if row.outcome is OK else OPEN, row))
    begun = {op.value: op.start for op in ops if op.kind == "put"}
    held = [op for op in ops if not (op.kind == "delete" and op.value and op.value not in begun)]
    return [op for op in held if not (op.kind == "read" and op.value and begun.get(op.value, OPEN) > op.end)]


def is_linearizable(ops: Sequence[Op]) -> bool:
    """Exhaustive search for an order that keeps real time in which every read returns the value before it."""
    count = len(ops)

    @cache
    def possible(done: int, value: str) -> bool:
        left = [i for i in range(count) if not done >> i & 1]
        if all(ops[i].end == OPEN for i in left):
            return True  # what is of unknown outcome need never have happened
        first_end = min(ops[i].end for i in left)
        return any(possible(done | 1 << i, after) for i in left if ops[i].start <= first_end for after in results(ops[i], value))

    def results(op: Op, value: str) -> tuple[str, ...]:
        if op.kind == "put":
            return (op.value,)
        if op.kind == "delete":
            return ("" if op.value in ("", value) else value,)
        return (value,) if op.value == value else ()

    return possible(0, "")


def known(ops: Sequence[Op], value: str) -> int:
    return min([op.end for op in ops if op.kind != "delete" and op.value == value], default=OPEN)


def explanations(ops: Sequence[Op], read: Op) -> list[int]:
    """When what a read returned was surely in the order of writes: of a value one time; of *absent* that of the start, and of each delete
    that had begun (by digest: right after its value)."""
    if read.value:
        return [known(ops, read.value)]
    deletes = [op for op in ops if op.kind == "delete" and op.start <= read.end]
    return [-1, *(min(op.end, known(ops, op.value) if op.value else OPEN) for op in deletes)]


def is_newer(op: Op, read: Op, since: int) -> bool:
    """A write or delete is definitely newer than what was known at `since`; a delete by digest is so for its own value only."""
    return op.kind != "read" and since < op.start and (op.kind == "put" or op.value in ("", read.value))


def lag(ops: Sequence[Op], read: Op) -> int:
    """The least over the explanations of: ns since something definitely newer was acknowledged when the read began."""
    lags = []
    for since in explanations(ops, read):
        ends = [op.end for op in ops if op.is_acknowledged and is_newer(op, read, since)]
        lags.append(max([0, *(read.start - end for end in ends)]))
    return min(lags)


def breaks(ops: Sequence[Op], read: Op, guarantee: str) -> bool:
    """Something that the read's client had written (or seen) before is newer than what it returned, however that is explained."""
    before = [op for op in ops if op.client == read.client and op.end < read.start]
    if guarantee == "read-your-writes":
        bound = [op.start for op in before if op.kind == "put" or (op.kind == "delete" and not op.value)]
    else:
        bound = [put.start for op in before if op.kind == "read" and op.value for put in ops if (put.kind, put.value) == ("put", op.value)]
    return max(explanations(ops, read)) < max(bound, default=-1)


def _registers(rows: Rows) -> list[list[Op]]:
    return [ops for region in base.TOPOLOGY.regions if (ops := ops_of(rows, region))]


def _is_empty(registers: Sequence[Sequence[Op]]) -> bool:
    kinds = {op.kind for ops in registers for op in ops}
    return not {"put", "read"} <= kinds


def _oracle(blamed: Callable[[Sequence[Op]], set[int]]) -> Callable[[Rows], Judged]:
    def oracle(rows: Rows) -> Judged:
        registers = _registers(rows)
        blame = frozenset(("", row) for ops in registers for row in blamed(ops))
        return base.judged(blame, is_empty=_is_empty(registers))

    return oracle


def _order(rows: Rows) -> Judged:
    registers = _registers(rows)
    torn = any(not is_linearizable(ops) for ops in registers)
    return base.judged(frozenset([("", rows[0].index)] if torn else []), is_empty=_is_empty(registers))


def _convergence(rows: Rows) -> Judged:
    """Final reads and all writes have an order; then, every zone that was written has a final value, and all have the same."""
    doubts, torn = False, False
    for ops in _registers(rows):
        final = sorted((op for op in ops if op.kind == "read" and op.row.phase == "final"), key=lambda op: (op.start, op.row.index))
        torn |= not is_linearizable([op for op in ops if op.kind != "read"] + final)
        last = {op.row.zone: op.value for op in final}
        doubts |= len(set(last.values())) > 1
        doubts |= any(op.kind == "put" for op in ops) and set(last) != set(base.TOPOLOGY.regions[ops[0].row.region])
    return base.judged(frozenset([("", rows[0].index)] if torn else []), is_empty=doubts or _is_empty(_registers(rows)))


Blamed = Callable[[History, Registers], Ints]


def _judge(check: Tags, blamed: Blamed, *, by_history: bool, count: str = "") -> Callable[[Batch], tuple[Verdict, list[Blame]]]:
    """The verdict is the check's; the rows blamed are those of the function it uses, and their number is what the check says."""

    def judge(batch: Batch) -> tuple[Verdict, list[Blame]]:
        history = columns(row for rows in batch for row in rows)
        result: CheckResult = check.judge(base.evidence_of(history))
        found = {int(index) for index in history.index[blamed(history, registers_of(history))]}
        assert not count or result.numbers[count] == len(found), (result.numbers, found)
        own = [{row.index for row in rows} & found for rows in batch]
        if by_history:
            return result.verdict, [frozenset({("", rows[0].index)} if mine else ()) for rows, mine in zip(batch, own, strict=True)]
        return result.verdict, [frozenset(("", row) for row in mine) for mine in own]

    return judge


def _clashing(history: History, registers: Registers) -> Ints:
    return registers.tag_row[registers.key[clashes(registers, np.ones(len(registers.cluster), np.bool_)).first]]


def _unconverged(history: History, registers: Registers) -> Ints:
    return registers.tag_row[registers.key[clashes(registers, final_reads(history, registers)).first]]


def _stale(history: History, registers: Registers) -> Ints:
    return registers.read_row[staleness(registers)[0] > 0]


def _breaking(guarantee: str) -> Blamed:
    def rows(history: History, registers: Registers) -> Ints:
        client = clients(history, np.arange(len(history)))
        found = {str(name): broken for name, broken in guarantees(registers, client, np.ones(len(registers.cluster), np.bool_)).items()}
        return registers.read_row[found[guarantee].read]

    return rows


def _reads(wrong: Callable[[Sequence[Op], Op], bool]) -> Callable[[Rows], Judged]:
    return _oracle(lambda ops: {op.row.index for op in ops if op.kind == "read" and wrong(ops, op)})


ANY = timedelta(hours=1)
_OWN, _MONOTONIC = "read-your-writes", "monotonic reads"
_LOOSE, _ORDERED = Tags(staleness=ANY), Tags(staleness=ANY, convergence=False, linearizable=True)
_READS_OWN = Tags(staleness=ANY, convergence=False, read_your_writes=True)
_IS_MONOTONIC = Tags(staleness=ANY, convergence=False, monotonic_reads=True)
FAMILIES = (
    Family("one delete, linearizability", generate, _judge(_ORDERED, _clashing, by_history=True), _order),
    Family("one delete, convergence", generate, _judge(_LOOSE, _unconverged, by_history=True), _convergence),
    Family(
        "one delete, staleness",
        generate,
        _judge(Tags(convergence=False), _stale, by_history=False, count="stale"),
        _reads(lambda ops, read: lag(ops, read) > 0),
    ),
    Family(
        _OWN,
        generate,
        _judge(_READS_OWN, _breaking(_OWN), by_history=False, count="read_your_writes"),
        _reads(lambda ops, read: breaks(ops, read, _OWN)),
    ),
    Family(
        _MONOTONIC,
        generate,
        _judge(_IS_MONOTONIC, _breaking(_MONOTONIC), by_history=False, count="monotonic_reads"),
        _reads(lambda ops, read: breaks(ops, read, _MONOTONIC)),
    ),
)
