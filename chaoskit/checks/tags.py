"""Tags: no read is staler than declared, none is absent after an acknowledged write, and in the end every zone gives one admissible value.

Reports, for every scope (all reads, those of a zone, a lane, a phase), the strongest model it meets: linearizable, read-after-write, or
a staleness. Dropping reads keeps a linearizable history linearizable, so each scope is checked by itself against all writes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

import numpy as np

from chaoskit.checks.base import Check, capped, conclude, unanswered
from chaoskit.checks.linearizability import clashes, witness
from chaoskit.checks.registers import Registers, registers_of, staleness
from chaoskit.checks.words import doing, ended, indices, named, seconds, target
from chaoskit.model.evidence import Evidence
from chaoskit.model.history import OPEN, Codes, History, Ints, Mask
from chaoskit.model.units import Duration, format_duration, nanoseconds
from chaoskit.model.verdict import CheckResult, Finding

Label = Literal["stale read", "resurrected value", "impossible absence", "split brain"]


@dataclass(frozen=True, slots=True)
class Scope:
    """What the reads of one scope show: exactly linearizable or not, and the worst staleness."""

    is_linearizable: bool
    staleness_ns: int

    @property
    def model(self) -> str:
        """The strongest model met."""
        if self.is_linearizable:
            return "linearizable"
        return f"staleness {seconds(self.staleness_ns)}" if self.staleness_ns else "read-after-write"


class Tags(Check):
    """No read of a tag is staler than `staleness`, final values agree; with `linearizable`, all operations have one order in real time."""

    check: Literal["tags"] = "tags"
    staleness: Duration = timedelta(0)
    linearizable: bool = False

    def judge(self, evidence: Evidence) -> CheckResult:
        """Held, or which reads returned what they should not have, with the operations that show it."""
        history = evidence.history
        registers = registers_of(history)
        lag, newer = staleness(registers)
        final = history.phase[registers.read_row] == history.code("final")
        everything = np.ones(len(lag), np.bool_)
        stale = np.flatnonzero(lag > nanoseconds(self.staleness))
        stale = stale[np.argsort(-lag[stale], kind="stable")]
        _, once = np.unique(registers.cluster[stale], return_index=True)
        shown = stale[np.sort(once)]
        behind = {int(read): (int(lag[read]), int(newer[read])) for read in shown}
        violations = capped(shown, lambda read: self._stale(history, registers, read, behind[read]), what="stale values")
        violations += _clashes(history, registers, final, "The final reads disagree")
        if self.linearizable:
            violations += _clashes(history, registers, everything, "No order in real time fits")
        scopes = _scopes(history, registers, lag)
        writes = int((registers.write_row >= 0).sum())
        numbers = {"writes": writes, "reads": len(lag), "stale": len(stale), "staleness_max_s": int(lag.max(initial=0)) / 1e9}
        for name, scope in scopes.items():
            numbers[f"linearizable.{name}"] = float(scope.is_linearizable)
            numbers[f"staleness_s.{name}"] = scope.staleness_ns / 1e9
        summary = (
            f"{writes} writes and {len(lag)} reads of tags, strongest model met: {_models(scopes)}; {len(stale)} reads staler than declared"
        )
        return conclude(self.check, summary, violations=violations, doubts=_doubts(evidence, registers, final), numbers=numbers)

    def _stale(self, history: History, registers: Registers, read: int, behind: tuple[int, int]) -> Finding:
        lag, newer = behind
        cluster = int(registers.cluster[read])
        row, newer_row = int(registers.read_row[read]), int(registers.write_row[newer])
        value = named(history, history.digest[newer_row])
        label = label_of(history, registers, (cluster, newer))
        text = (
            f"{label.capitalize()}: {doing(history, row)} returned {_value(history, registers, cluster)}, "
            f"but the newer {value} had been acknowledged {ended(history, newer_row)}, {seconds(lag)} before. "
            f"At most {format_duration(self.staleness)} is declared."
        )
        return Finding(text, indices(history, int(registers.write_row[cluster]), newer_row, row))


def label_of(history: History, registers: Registers, pair: tuple[int, int]) -> Label:
    """What kind of clash two values of one tag show.

    Resurrected: one zone gave the newer value, then the older. Split brain: while the older was still read, so was the newer, again and
    again, each in zones of its own.
    """
    if registers.is_absent(np.array(pair)).any():
        return "impossible absence"
    old, new = sorted(pair, key=lambda cluster: int(registers.write_start[cluster]))
    known = registers.known
    both_known = max(int(known[old]), int(known[new]))
    zone = history.zone[registers.read_row]
    old_reads, new_reads = np.flatnonzero(registers.cluster == old), np.flatnonzero(registers.cluster == new)
    first_new = {int(z): int(registers.read_end[new_reads[zone[new_reads] == z]].min()) for z in np.unique(zone[new_reads])}
    if any(int(zone[read]) in first_new and first_new[int(zone[read])] < registers.read_start[read] for read in old_reads):
        return "resurrected value"
    start = registers.read_start
    late_old = old_reads[start[old_reads] > both_known]
    late_new = new_reads[(start[new_reads] > both_known) & (start[new_reads] <= start[old_reads].max(initial=0))]
    if len(late_old) > 1 and len(late_new) > 1 and not np.isin(zone[late_old], zone[late_new]).any():
        return "split brain"
    return "stale read"


def _value(history: History, registers: Registers, cluster: int) -> str:
    row = int(registers.write_row[cluster])
    return "absent" if row < 0 else named(history, history.digest[row])


def _clashes(history: History, registers: Registers, reads: Mask, lead: str) -> list[Finding]:
    found = clashes(registers, reads)

    def describe(number: int) -> Finding:
        pair = (int(found.first[number]), int(found.second[number]))
        rows = witness(registers, pair, reads)
        first, second = (_value(history, registers, cluster) for cluster in pair)
        told = "; ".join(f"{doing(history, row)}, answered {ended(history, row)}" for row in rows)
        text = (
            f"{lead} on {target(history, int(registers.tag_row[registers.key[pair[0]]]))} ({label_of(history, registers, pair)}): "
            f"{first} must come before {second}, and after it. The operations that show it: {told}."
        )
        return Finding(text, indices(history, *rows))

    return capped(np.arange(len(found)), describe, what="clashes")


def _scopes(history: History, registers: Registers, lag: Ints) -> Mapping[str, Scope]:
    """The verdict of each scope: `all`, then zones, lanes and phases by name."""

    def scope(reads: Mask) -> Scope:
        return Scope(not len(clashes(registers, reads)), int(lag[reads].max(initial=0)))

    scopes = {"all": scope(np.ones(len(lag), np.bool_))}
    for column in (history.zone, history.lane, history.phase):
        codes: Codes = column[registers.read_row]
        scopes |= {history.name(int(code)): scope(codes == code) for code in np.unique(codes)}
    return scopes


def _models(scopes: Mapping[str, Scope]) -> str:
    overall = scopes["all"].model
    others = [f"{name} {scope.model}" for name, scope in scopes.items() if scope.model != overall]
    return f"{overall} over all reads" + (f" ({', '.join(others)})" if others else "")


def _doubts(evidence: Evidence, registers: Registers, final: Mask) -> list[Finding]:
    """Why a history without a violation still does not show that the final values agree."""
    history = evidence.history
    doubts = []
    if registers.twice_written:
        doubts.append(Finding(f"{registers.twice_written} values were written twice to one tag: their order cannot be judged"))
    if not len(registers.cluster) or not (registers.write_row >= 0).any():
        return [*doubts, Finding("no tag was both written and read")]
    written = np.flatnonzero((registers.write_row >= 0) & (registers.deleted[registers.key] == OPEN))
    keys, first = np.unique(registers.key[written], return_index=True)
    region = history.region[registers.write_row[written][first]]
    zones = history.zone[registers.read_row[final]]
    unread = keys[unanswered(evidence, keys, region, (registers.key[registers.cluster[final]], zones))]
    doubts += capped(
        unread, lambda key: Finding(f"{target(history, int(registers.tag_row[key]))} has no final value from some zone"), what="tags"
    )
    torn = _torn(registers, np.flatnonzero(final), zones)
    if not len(clashes(registers, final)):
        doubts += capped(torn, lambda key: _late(history, registers, key), what="tags")
    return doubts


def _torn(registers: Registers, reads: Ints, zones: Codes) -> Ints:
    """Keys whose last reads in the zones differ."""
    order = np.lexsort((registers.read_start[reads], zones, registers.key[registers.cluster[reads]]))
    reads, zones = reads[order], zones[order]
    key = registers.key[registers.cluster[reads]]
    is_last = np.append((key[1:] != key[:-1]) | (zones[1:] != zones[:-1]), True)[: len(reads)]
    last = np.unique(np.stack([key[is_last], registers.cluster[reads[is_last]]]), axis=1)
    keys, counts = np.unique(last[0], return_counts=True)
    return keys[counts > 1]


def _late(history: History, registers: Registers, key: int) -> Finding:
    name = target(history, int(registers.tag_row[key]))
    text = f"The zones gave different final values of {name}; a write of unknown outcome that landed late would explain it."
    return Finding(text)
