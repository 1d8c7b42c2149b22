"""How findings about a tag speak: what kind of conflict two values show, and which operations show it, in a sentence or two."""

from typing import Literal

import numpy as np

from chaoskit.checks.base import MOST_FINDINGS, capped
from chaoskit.checks.linearizability import clashes, witness
from chaoskit.checks.models import Broken, Guarantee
from chaoskit.checks.registers import Registers, staleness
from chaoskit.checks.words import doing, ended, indices, named, seconds, target
from chaoskit.model.history import History, Ints, Mask
from chaoskit.model.verdict import Finding

Label = Literal["stale read", "resurrected value", "impossible absence", "split brain"]


def label_of(history: History, registers: Registers, pair: tuple[int, int]) -> Label:
    """What kind of clash two values of one tag show.

    Impossible absence: read as absent while it must have held a value. Resurrected: a value read after its delete, or one zone gave the
    newer value, then the older. Split brain: while the older was still read, so was the newer, again and again, each in zones of its own.
    """
    old, new = sorted(pair, key=lambda cluster: int(registers.write_start[cluster]))
    if registers.is_absence[old]:
        return "impossible absence"
    if registers.is_absence[new]:
        return "resurrected value"
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


def stale_reads(history: History, registers: Registers, lag: Ints, *, within_ns: int, declared: str) -> list[Finding]:
    """Of each value that was read too late, the read that was latest; worst first. `lag` is in ns, a number a read."""
    stale = np.flatnonzero(lag > within_ns)
    stale = stale[np.argsort(-lag[stale], kind="stable")]
    _, first = np.unique(registers.kindest[stale], return_index=True)
    shown = stale[np.sort(first)]
    near = registers.of_keys(registers.key[registers.cluster[shown[:MOST_FINDINGS]]])
    behind, newer = staleness(near)

    def describe(shown_read: int) -> Finding:
        read = near.read_of(int(registers.read_row[shown_read]))
        cluster, newest, row = int(near.kindest[read]), int(newer[read]), int(near.read_row[read])
        newer_row, older_row = int(near.write_row[newest]), int(near.write_row[cluster])
        label = "impossible absence" if near.is_absence[cluster] else label_of(history, near, (cluster, newest))
        text = (
            f"{label.capitalize()}: {doing(history, row)} returned {_value(history, near, cluster)}, but {_newer(history, near, newest)} "
            f"had been acknowledged {ended(history, newer_row)}, {seconds(int(behind[read]))} before. At most {declared} is declared."
        )
        return Finding(text, indices(history, older_row, newer_row, row))

    return capped(shown, describe, what="stale values")


def broken_guarantee(history: History, registers: Registers, guarantee: Guarantee, found: Broken) -> list[Finding]:
    """Reads that are older than what the same client had written or seen, by call."""
    order = np.argsort(registers.read_start[found.read], kind="stable")
    near = registers.of_keys(registers.key[registers.cluster[found.read[order[:MOST_FINDINGS]]]])

    def describe(number: int) -> Finding:
        row, before = int(registers.read_row[found.read[number]]), int(found.before[number])
        newer_row = int(registers.write_row[found.newer[number]])
        cluster, newer = int(near.kindest[near.read_of(row)]), near.cluster_of(int(registers.key[found.newer[number]]), newer_row)
        said = "was acknowledged" if before == newer_row else f"returned {_value(history, near, newer)}, answered"
        text = (
            f"{guarantee.capitalize()} broken: {doing(history, row)} returned {_value(history, near, cluster)}, "
            f"but before it {doing(history, before)} of the same client {said} {ended(history, before)}. "
            f"It should have returned {_newer(history, near, newer)} or what came after."
        )
        return Finding(text, indices(history, int(near.write_row[cluster]), newer_row, before, row))

    return capped(order, describe, what=f"reads against {guarantee}")


def clashing(history: History, registers: Registers, reads: Mask, lead: str) -> list[Finding]:
    """Findings for every pair of values of which these reads show both orders."""
    found = clashes(registers, reads)
    keys = registers.key[found.first[:MOST_FINDINGS]]
    near, near_reads = registers.of_keys(keys), reads[np.isin(registers.key[registers.cluster], keys)]

    def describe(number: int) -> Finding:
        key = int(registers.key[found.first[number]])
        rows = (int(registers.write_row[cluster]) for cluster in (found.first[number], found.second[number]))
        first, second = (near.cluster_of(key, row) for row in rows)
        shown = witness(near, (first, second), near_reads)
        told = "; ".join(_answered(history, row) for row in shown)
        text = (
            f"{lead} on {target(history, int(near.tag_row[key]))} ({label_of(history, near, (first, second))}): "
            f"{_value(history, near, first)} must come before {_value(history, near, second)}, and after it. "
            f"The operations that show it: {told}."
        )
        return Finding(text, indices(history, *shown))

    return capped(np.arange(len(found)), describe, what="clashes")


def _answered(history: History, row: int) -> str:
    value = history.got[row] or history.advertised[row]
    is_write = history.name(int(history.action[row])) in ("manifest-put", "manifest-delete")
    result = "" if is_write else f" returned {named(history, value) if value else 'absent'},"
    return f"{doing(history, row)},{result} answered {ended(history, row)}"


def _value(history: History, registers: Registers, cluster: int) -> str:
    return "absent" if registers.is_absence[cluster] else named(history, history.digest[registers.write_row[cluster]])


def _newer(history: History, registers: Registers, cluster: int) -> str:
    return "its delete" if registers.is_absence[cluster] else f"the newer {_value(history, registers, cluster)}"
