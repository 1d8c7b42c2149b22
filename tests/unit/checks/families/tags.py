"""Tags without deletes: staleness, and exact linearizability against an exhaustive search."""

import random
from collections.abc import Callable
from datetime import timedelta

from chaoskit.checks.tags import Tags
from chaoskit.model.history import Operation
from chaoskit.model.verdict import Finding, Verdict

from .. import oracles
from ..histories import FAILED
from ..oracles import Op
from . import base
from .base import Batch, Blame, ByFindings, Family, Judged, Rows

STALENESS_NS = 2 * base.TICK_NS
FINAL, ORDER = "The final reads disagree", "No order in real time fits"


def _read(source: random.Random, value: str) -> tuple[str, dict[str, object]]:
    action = source.choices(("manifest-get", "manifest-head"), (5, 1))[0]
    answer = source.choices(("found", "failed", "corrupt"), (16, 1, 1))[0]
    if answer == "failed":
        return action, base.failed_read()
    if not value:
        return action, base.absent_fields()
    fields: dict[str, object] = {"got": value} if action == "manifest-get" else {"advertised": value}
    return action, fields | ({"observed": "digest-differs"} if answer == "corrupt" else {})


def generate(source: random.Random, first: int, number: int) -> list[Operation]:
    """Up to eight operations on one tag. Values are those of this history; some reads return what nobody can have written."""
    rows: list[Operation] = []
    writes = source.randint(0, 4)
    for name in range(writes):
        fields = {"reference": "t", "digest": f"v{name}", **base.write_fields(source)}
        rows.append(base.row(source, first + len(rows), number, "manifest-put", **fields))
    for _ in range(source.randint(1, 8 - writes)):
        value = source.choice(["", *(f"v{name}" for name in range(writes))])
        action, fields = _read(source, value)
        rows.append(base.row(source, first + len(rows), number, action, reference="t", **fields))
    if source.random() < 0.5:
        _sweep(source, rows, number)
    return rows


def _sweep(source: random.Random, rows: list[Operation], number: int) -> None:
    """Last of all a final read in each zone of the written regions; mostly all of them the same value."""
    written = [row for row in rows if row.action == "manifest-put" and row.outcome is not FAILED]
    for region in sorted({row.region for row in written}):
        value = max((row for row in written if row.region == region), key=lambda row: row.called_ns).digest
        for zone in base.TOPOLOGY.regions[region]:
            got = value if source.random() < 0.9 else source.choice(written).digest
            times = dict.fromkeys(("called_ns", "returned_ns"), (base.HORIZON + 5) * base.TICK_NS)
            fields: dict[str, object] = {"reference": "t", "got": got, "phase": "final", "region": region, "zone": zone, **times}
            rows.append(base.row(source, rows[0].index + len(rows), number, "manifest-get", **fields))


def _by_region(rows: Rows) -> list[tuple[str, list[Operation]]]:
    """The tag of each region is a register of its own."""
    return [(region, here) for region in base.TOPOLOGY.regions if (here := [row for row in rows if row.region == region])]


def _of_phase(rows: Rows, ops: list[Op], phase: str) -> list[Op]:
    """All writes, and the reads of a phase."""
    chosen = {row.index for row in rows if row.phase == phase}
    return [op for op in ops if op.is_write or op.row in chosen]


def _stalest(ops: list[Op]) -> set[int]:
    """Of each value that was read too late, the read that was latest."""
    lags = {read: lag for read, lag in oracles.staleness(ops).items() if lag > STALENESS_NS}
    value = {op.row: op.value for op in ops}
    worst: dict[str, int] = {}
    for read in sorted(lags, key=lambda read: (-lags[read], read)):
        worst.setdefault(value[read], read)
    return set(worst.values())


def _last_values(rows: Rows, ops: list[Op]) -> dict[str, str]:
    """Zone -> the value of its last final read (of those that began together, the one that was recorded last)."""
    zone = {row.index: row.zone for row in rows if row.phase == "final"}
    reads = sorted((op for op in ops if not op.is_write and op.row in zone), key=lambda op: (op.start, op.row))
    return {zone[op.row]: op.value for op in reads}


def _stale(rows: Rows) -> Judged:
    """No read is staler than declared; final reads and all writes have an order; then every zone ends with the same value."""
    blame: set[tuple[str, int]] = set()
    doubts = False
    everything: list[Op] = []
    for region, here in _by_region(rows):
        ops = oracles.register_ops(here)
        everything += ops
        blame |= {("stale", read) for read in _stalest(ops)}
        last = _last_values(here, ops)
        if not oracles.is_linearizable(_of_phase(here, ops, "final")):
            blame.add((FINAL, rows[0].index))
        doubts |= any(op.is_write for op in ops) and set(last) != set(base.TOPOLOGY.regions[region])
        doubts |= len(set(last.values())) > 1
    is_both = any(op.is_write for op in everything) and not all(op.is_write for op in everything)
    return base.judged(frozenset(blame), is_empty=doubts or not is_both)


def _linearizable(rows: Rows) -> Judged:
    """All that, and one order in real time for all operations."""
    stale = _stale(rows)
    torn = any(not oracles.is_linearizable(oracles.register_ops(here)) for _, here in _by_region(rows))
    order: Blame = frozenset([(ORDER, rows[0].index)] if torn else [])
    return Judged(Verdict.VIOLATED if torn else stale.verdict, stale.blame | order)


def _tell(finding: Finding) -> tuple[str, int]:
    clash = next((label for label in (FINAL, ORDER) if finding.text.startswith(label)), "")
    return clash or "stale", finding.operations[-1]


def _judge(check: Tags) -> Callable[[Batch], tuple[Verdict, list[Blame]]]:
    """A clash is between operations, so it is put down to the first of its history."""
    ask = ByFindings(check, _tell)

    def judge(batch: Batch) -> tuple[Verdict, list[Blame]]:
        verdict, blames = ask(batch)
        named = zip(batch, blames, strict=True)
        return verdict, [frozenset((label, row if label == "stale" else rows[0].index) for label, row in blame) for rows, blame in named]

    return judge


_BOUND = timedelta(microseconds=STALENESS_NS / 1000)
FAMILIES = (
    Family("tags, staleness", generate, _judge(Tags(staleness=_BOUND)), _stale),
    Family("tags, linearizability", generate, _judge(Tags(staleness=_BOUND, linearizable=True)), _linearizable),
)
