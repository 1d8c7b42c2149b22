"""Registers by the rules of docs/checks.md, as slow and plain as can be: what the vectorised checks of tags are compared with."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

from chaoskit.model.history import OPEN, Operation, Outcome

CORRUPT = ("digest-differs", "unparsable")


@dataclass(frozen=True)
class Op:
    """A register operation; value "" is absent; `end` is OPEN for an unknown write; `row` is the operation's index."""

    is_write: bool
    value: str
    start: int
    end: int
    row: int


def register_ops(rows: Iterable[Operation]) -> list[Op]:
    """Of rows about one tag: writes that may have happened, and answered reads of values that one of them may have put there."""
    writes, reads = [], []
    for row in rows:
        if row.action == "manifest-put" and row.outcome is not Outcome.FAILED:
            end = OPEN if row.outcome is Outcome.UNKNOWN else row.returned_ns or 0
            writes.append(Op(True, row.digest, row.called_ns, end, row.index))
        elif row.action in ("manifest-get", "manifest-head") and row.outcome is Outcome.OK and row.observed not in CORRUPT:
            value = "" if row.status == 404 else row.got or row.advertised
            if value or row.status == 404:
                reads.append(Op(False, value, row.called_ns, row.returned_ns or 0, row.index))
    begun = {write.value: write.start for write in writes}
    return writes + [read for read in reads if not read.value or (read.value in begun and read.end >= begun[read.value])]


def is_linearizable(ops: Sequence[Op]) -> bool:
    """Exhaustive search: is there an order that keeps real time in which every read returns the value before it?"""
    count = len(ops)

    @cache
    def possible(done: int, value: str) -> bool:
        left = [i for i in range(count) if not done >> i & 1]
        if all(ops[i].is_write and ops[i].end == OPEN for i in left):
            return True  # an unknown write need never have happened
        first_end = min(ops[i].end for i in left)
        for i in left:
            if ops[i].start > first_end:
                continue
            if ops[i].is_write:
                if possible(done | 1 << i, ops[i].value):
                    return True
            elif ops[i].value == value and possible(done | 1 << i, value):
                return True
        return False

    return possible(0, "")


def staleness(ops: Sequence[Op]) -> dict[int, int]:
    """Row of each read -> ns since a definitely newer write was acknowledged, 0 if none was before the read began."""
    lags = {}
    for read in (op for op in ops if not op.is_write):
        known = -1 if not read.value else min(op.end for op in ops if op.value == read.value)
        newer = [w.end for w in ops if w.is_write and w.end != OPEN and known < w.start]
        lags[read.row] = max(0, read.start - min(newer)) if newer else 0
    return lags
