"""The rules of docs/checks.md once more, as slow and plain as can be: what the vectorised checks are compared with."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from chaoskit.model.history import OPEN, Operation, Outcome


@dataclass(frozen=True)
class Op:
    """A register operation; value "" is absent; `end` is OPEN for an unknown write."""

    is_write: bool
    value: str
    start: int
    end: int
    row: int


def register_ops(rows: Sequence[Operation]) -> list[Op]:
    """Writes that may have happened, and answered reads of values that one of them may have put there."""
    writes = [
        Op(True, r.digest, r.called_ns, OPEN if r.outcome is Outcome.UNKNOWN else r.returned_ns or 0, r.index)
        for r in rows
        if r.action == "manifest-put" and r.outcome is not Outcome.FAILED
    ]
    begun = {write.value: write.start for write in writes}
    reads = [
        Op(False, r.got, r.called_ns, r.returned_ns or 0, r.index) for r in rows if r.action == "manifest-get" and r.outcome is Outcome.OK
    ]
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


def is_there(row: Operation) -> bool:
    return row.outcome is Outcome.OK and row.status != 404


def missing(rows: Sequence[Operation], within_ns: int) -> tuple[set[int], set[int]]:
    """Rows that find nothing where they should: of the lost, of the late."""
    lost: set[int] = set()
    late: set[int] = set()
    for read in rows:
        if read.action not in ("blob-get", "manifest-get") or read.outcome is not Outcome.OK or read.status != 404 or not read.digest:
            continue
        kind = ("blob-get", "upload-put") if read.action == "blob-get" else ("manifest-get", "manifest-put")
        known = [r.returned_ns or 0 for r in rows if r.action in kind and r.digest == read.digest and is_there(r)]
        known += [r.returned_ns or 0 for r in rows if r.action == "manifest-get" == read.action and r.got == read.digest and is_there(r)]
        deletes = [r for r in rows if r.action == "manifest-delete" and r.digest == read.digest and r.outcome is not Outcome.FAILED]
        is_deleted = read.action == "manifest-get" and any(r.called_ns <= (read.returned_ns or 0) for r in deletes)
        if is_deleted or not known or min(known) >= read.called_ns or read.called_ns - min(known) <= within_ns:
            continue
        back = [
            r
            for r in rows
            if r.action == read.action and r.digest == read.digest and r.zone == read.zone and is_there(r) and r.called_ns > read.called_ns
        ]
        (late if back else lost).add(read.index)
    return lost, late


def holes(rows: Sequence[Operation]) -> tuple[set[int], set[int]]:
    """Reads of children of visible manifests that find nothing: in the zone of a sighting, elsewhere."""
    same: set[int] = set()
    other: set[int] = set()
    sightings = [r for r in rows if r.action == "manifest-get" and is_there(r)]
    for read in rows:
        if read.action not in ("blob-get", "manifest-get") or read.outcome is not Outcome.OK or read.status != 404 or not read.digest:
            continue
        deletes = [r for r in rows if r.action == "manifest-delete" and r.digest == read.digest and r.outcome is not Outcome.FAILED]
        if read.action == "manifest-get" and any(r.called_ns <= (read.returned_ns or 0) for r in deletes):
            continue
        before = [s for s in sightings if read.digest in s.children and (s.returned_ns or 0) < read.called_ns]
        if any(s.zone == read.zone for s in before):
            same.add(read.index)
        elif before:
            other.add(read.index)
    return same, other
