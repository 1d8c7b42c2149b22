"""Tags: reads are as the declared models say, and the strongest model met is reported of every scope.

The models, from strong to weak: *linearizable* (one order in real time fits all operations), *read-after-write* (no read is older than what
was acknowledged before it began: `staleness` 0), *monotonic reads* and *read-your-writes* (the same, only against what the same client saw
or wrote), *staleness* X. *Convergence* is about the end alone: after heal and quiet every zone gives one admissible value.

Dropping reads keeps a linearizable history linearizable, so each scope (the reads of a zone, a lane, a phase, a region) is judged by itself
against all writes; and only tags on which some order fails can break a weaker model, so only they are looked at further.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Literal

import numpy as np

from chaoskit.checks.base import Check, conclude, distinct
from chaoskit.checks.conflicts import broken_guarantee, clashing, stale_reads
from chaoskit.checks.convergence import final_reads, unsettled
from chaoskit.checks.linearizability import clashes
from chaoskit.checks.models import Broken, Guarantee, Scope, clients, guarantees, scopes
from chaoskit.checks.registers import Registers, registers_of, staleness
from chaoskit.model.evidence import Evidence
from chaoskit.model.history import History, Mask
from chaoskit.model.units import Duration, format_duration, nanoseconds
from chaoskit.model.verdict import CheckResult, Finding


class Tags(Check):
    """No read of a tag is staler than `staleness`, the zones converge; and the models `linearizable`, `read_your_writes` and
    `monotonic_reads`, where they are declared."""

    check: Literal["tags"] = "tags"
    staleness: Duration = timedelta(0)
    linearizable: bool = False
    read_your_writes: bool = False
    monotonic_reads: bool = False
    convergence: bool = True

    def judge(self, evidence: Evidence) -> CheckResult:
        """Held, or which reads returned what they should not have, with the operations that show it."""
        history = evidence.history
        registers = registers_of(history)
        found = clashes(registers, _all(registers))
        suspects = registers.of_keys(registers.key[np.concatenate([found.first, found.second])])
        lag, _ = staleness(suspects)
        client = clients(history, distinct(np.concatenate([suspects.write_row[suspects.write_row >= 0], suspects.read_row])))
        broken = guarantees(suspects, client, _all(suspects))
        within_ns = nanoseconds(self.staleness)
        violations = stale_reads(history, suspects, lag, within_ns=within_ns, declared=format_duration(self.staleness))
        violations += self._broken(history, suspects, broken)
        if self.convergence:
            violations += clashing(history, suspects, final_reads(history, suspects), "The final reads disagree")
        if self.linearizable:
            violations += clashing(history, suspects, _all(suspects), "No order in real time fits")
        met = scopes(history, registers, suspects, client, lag)
        stale = int((lag > within_ns).sum())
        summary = _summary(registers, met, stale)
        numbers = _numbers(registers, met, stale)
        numbers |= {"read_your_writes": len(broken["read-your-writes"].read), "monotonic_reads": len(broken["monotonic reads"].read)}
        return conclude(self.check, summary, violations=violations, doubts=self._doubts(evidence, registers), numbers=numbers)

    def _broken(self, history: History, registers: Registers, broken: Mapping[Guarantee, Broken]) -> list[Finding]:
        declared: dict[Guarantee, bool] = {"read-your-writes": self.read_your_writes, "monotonic reads": self.monotonic_reads}
        names = [name for name, is_declared in declared.items() if is_declared]
        return [finding for name in names for finding in broken_guarantee(history, registers, name, broken[name])]

    def _doubts(self, evidence: Evidence, registers: Registers) -> list[Finding]:
        doubts = []
        if registers.twice_written:
            doubts.append(Finding(f"{registers.twice_written} values were written twice to one tag: their order cannot be judged"))
        if not len(registers.cluster) or registers.is_absence.all():
            return [*doubts, Finding("no tag was both written and read")]
        return doubts + (unsettled(evidence, registers) if self.convergence else [])


def _all(registers: Registers) -> Mask:
    return np.ones(len(registers.cluster), np.bool_)


def _numbers(registers: Registers, met: Mapping[str, Scope], stale: int) -> dict[str, float]:
    writes = int((~registers.is_absence).sum())
    numbers: dict[str, float] = {"writes": writes, "reads": len(registers.cluster), "stale": stale}
    numbers["staleness_max_s"] = met["all"].staleness_ns / 1e9
    numbers["deleted_tags"] = int((registers.emptied >= 0).sum())
    numbers["undecided_absences"] = registers.undecided
    for name, scope in met.items():
        numbers[f"linearizable.{name}"] = float(scope.is_linearizable)
        numbers[f"read_your_writes.{name}"] = float(scope.reads_own_writes)
        numbers[f"monotonic_reads.{name}"] = float(scope.is_monotonic)
        numbers[f"staleness_s.{name}"] = scope.staleness_ns / 1e9
    return numbers


def _summary(registers: Registers, met: Mapping[str, Scope], stale: int) -> str:
    overall = met["all"].model
    others = [f"{name} {scope.model}" for name, scope in met.items() if scope.model != overall]
    models = f"{overall} over all reads" + (f" ({', '.join(others)})" if others else "")
    writes = int((~registers.is_absence).sum())
    left_out = f"; {registers.undecided} reads of absent left out, of tags deleted more than once" if registers.undecided else ""
    return (
        f"{writes} writes and {len(registers.cluster)} reads of tags, strongest model met: {models}; "
        f"{stale} reads staler than declared{left_out}"
    )
