"""Differential fuzz: thousands of tiny random histories, judged by the vectorised checks and by the slow oracles.

The histories are repositories of one big history, so that one vectorised call judges them all, and one leaking into another would show.
`python -m tests.unit.checks.fuzz 100000 [SEED]` prints the counts.
"""

import random
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from chaoskit.checks import closure, durability, registers
from chaoskit.checks.linearizability import clashes
from chaoskit.checks.objects import objects_of
from chaoskit.model.history import History, Operation, columns

from . import oracles
from .histories import FAILED, OK, UNKNOWN, ZONES

HISTORIES = 2_000  # in `make test`; `make fuzz` asks for many more
BATCH = 2_000
WITHIN_NS = 3


@dataclass
class Counts:
    """Histories judged, those with a violation, and those on which check and oracle differ."""

    histories: int = 0
    violated: int = 0
    mismatches: int = 0


def _interval(source: random.Random, horizon: int) -> dict[str, int]:
    start = source.randrange(horizon)
    return {"intended_ns": start, "called_ns": start, "returned_ns": start + source.choice((0, 0, 1, 1, 2, 4))}


def _row(source: random.Random, index: int, number: int, **fields: object) -> Operation:
    values: dict[str, object] = {**_interval(source, 10), "status": 200, "outcome": OK, "observed": "read-ok", **fields}
    zone = source.choice(ZONES)
    return Operation(index=index, lane="pinned", phase="steady", region="us-south", zone=zone, repository=f"h{number}", **values)  # type: ignore[arg-type]


def register_history(source: random.Random, first: int, number: int) -> list[Operation]:
    """Up to seven operations on one tag. Values are those of this history; some reads return what nobody can have written."""
    rows: list[Operation] = []
    writes = source.randint(0, 4)
    for name in range(writes):
        outcome = source.choices((OK, UNKNOWN, FAILED), (6, 3, 1))[0]
        write = {"action": "manifest-put", "reference": "t", "digest": f"v{name}", "outcome": outcome, "status": 201}
        rows.append(_row(source, first + len(rows), number, **write))
    for _ in range(source.randint(1, 7 - writes)):
        value = source.choice(["", *(f"v{name}" for name in range(writes))])
        status = 200 if value else 404
        rows.append(_row(source, first + len(rows), number, action="manifest-get", reference="t", got=value, status=status))
    return rows


def object_history(source: random.Random, first: int, number: int) -> list[Operation]:
    """Up to nine operations on two manifests and two blobs: writes, reads by digest and by tag, now and then a delete."""
    rows: list[Operation] = []
    for _ in range(source.randint(2, 9)):
        outcome = source.choices((OK, UNKNOWN, FAILED), (8, 1, 1))[0]
        digest, action = source.choice(_ACTIONS)
        is_read = action.endswith("-get")
        found = outcome is OK and source.random() < 0.5
        fields: dict[str, object] = {"action": action, "digest": digest, "outcome": FAILED if is_read and outcome is UNKNOWN else outcome}
        if is_read:
            fields |= {"status": 200 if found else 404 if outcome is OK else 0, "got": digest if found else ""}
            if action == "manifest-get" and found:
                fields["children"] = tuple(source.sample(("b0", "b1", "m1"), source.randint(0, 2)))
                fields |= {"digest": "", "reference": "t"} if source.random() < 0.3 else {}
        elif action == "manifest-put":
            fields["reference"] = "t"
        rows.append(_row(source, first + len(rows), number, **fields))
    return rows


_WEIGHTED = (("manifest-put", 2), ("manifest-get", 5), ("manifest-delete", 1))
_ACTIONS = [(m, action) for m in ("m0", "m1") for action, weight in _WEIGHTED for _ in range(weight)]
_ACTIONS += [(b, action) for b in ("b0", "b1") for action, weight in (("upload-put", 2), ("blob-get", 5)) for _ in range(weight)]


def _by_history(history: History, rows: Sequence[int]) -> dict[str, set[int]]:
    found: dict[str, set[int]] = {}
    for row in rows:
        found.setdefault(history.name(int(history.repository[row])), set()).add(int(history.index[row]))
    return found


Batch = list[list[Operation]]


def judge_linearizability(batch: Batch, counts: Counts) -> None:
    history = columns(row for rows in batch for row in rows)
    made = registers.registers_of(history)
    found = clashes(made, np.ones(len(made.cluster), np.bool_))
    clashing = set(_by_history(history, made.tag_row[made.key[found.first]].tolist()))
    for rows in batch:
        expected = not oracles.is_linearizable(oracles.register_ops(rows))
        counts.violated += expected
        counts.mismatches += expected != (rows[0].repository in clashing)


def judge_staleness(batch: Batch, counts: Counts) -> None:
    history = columns(row for rows in batch for row in rows)
    made = registers.registers_of(history)
    lags = dict(zip(history.index[made.read_row].tolist(), registers.staleness(made)[0].tolist(), strict=True))
    for rows in batch:
        expected = oracles.staleness(oracles.register_ops(rows))
        counts.violated += any(expected.values())
        counts.mismatches += expected != {row.index: lags[row.index] for row in rows if row.index in lags}


def judge_durability(batch: Batch, counts: Counts) -> None:
    history = columns(row for rows in batch for row in rows)
    lost, late = (_by_history(history, rows.tolist()) for rows in durability.missing(history, objects_of(history), WITHIN_NS))
    for rows in batch:
        expected = oracles.missing(rows, WITHIN_NS)
        name = rows[0].repository
        counts.violated += any(expected)
        counts.mismatches += expected != (lost.get(name, set()), late.get(name, set()))


def judge_closure(batch: Batch, counts: Counts) -> None:
    history = columns(row for rows in batch for row in rows)
    same, other = (_by_history(history, rows.tolist()) for rows in closure.holes(history, objects_of(history)))
    for rows in batch:
        expected = oracles.holes(rows)
        name = rows[0].repository
        counts.violated += any(expected)
        counts.mismatches += expected != (same.get(name, set()), other.get(name, set()))


Make = Callable[[random.Random, int, int], list[Operation]]
Judge = Callable[[Batch, Counts], None]
FUZZES: dict[str, tuple[Make, Judge]] = {
    "linearizability": (register_history, judge_linearizability),
    "staleness": (register_history, judge_staleness),
    "durability": (object_history, judge_durability),
    "closure": (object_history, judge_closure),
}


def fuzz(name: str, histories: int, seed: int) -> Counts:
    """Judge so many histories both ways."""
    make, judge = FUZZES[name]
    source = random.Random(f"{name}/{seed}")
    counts = Counts()
    while counts.histories < histories:
        batch: Batch = []
        first = 0
        for number in range(min(BATCH, histories - counts.histories)):
            batch.append(make(source, first, number))
            first += len(batch[-1])
        judge(batch, counts)
        counts.histories += len(batch)
    return counts


if __name__ == "__main__":
    wanted, seed = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0
    results = {name: fuzz(name, wanted, seed) for name in FUZZES}
    for name, counts in results.items():
        sys.stdout.write(f"{name}: {counts.histories} histories, {counts.violated} violated, {counts.mismatches} mismatches\n")
    sys.exit(any(counts.mismatches for counts in results.values()))
