"""Exact linearizability of registers with unique writes, in one sort (after Gibbons & Korach 1997; Golab, Li & Shah 2011).

Operations have closed intervals [s, f]; a precedes b iff a.f < b.s: operations that touch at one instant may have been in either order,
and calling them ordered would invent violations. Of each cluster (a write and the reads of its value): L = min f, R = max s. A must
precede B iff L_A < R_B. In a cycle the member with the largest R must be preceded by every other one, its own successor included, so
every cycle holds a cycle of two: the history is linearizable iff no pair has L_A < R_B and L_B < R_A. Such a pair is two forward
clusters (L < R) that overlap, or a backward one strictly inside a forward one; two backward ones never clash.

A read r of *absent*, where the tag has one delete, is of the start iff r.s <= min(L of all values, f of a delete by tag): then nothing must
come before the start, and moving r there only frees the delete. Else it is of the delete; of the start all the same, where it clashes, if
the delete began after r.f. A delete by digest that somebody must have seen took effect, so its f bounds r.s too, and it follows its value
with nothing between: the two are one cluster, and the value's operations must not have to come later. One that nobody need have seen may
have met another value: it must only not lie inside its own.
"""

from dataclasses import dataclass

import numpy as np

from chaoskit.checks.base import distinct
from chaoskit.checks.registers import Registers
from chaoskit.model.history import OPEN, Ints, Mask


@dataclass(frozen=True, slots=True)
class Clashes:
    """Pairs of clusters each of which must precede the other; empty iff the operations are linearizable."""

    first: Ints
    second: Ints

    def __len__(self) -> int:
        return len(self.first)


@dataclass(frozen=True, slots=True)
class _Zones:
    """L and R of each cluster without the reads left out, and the cluster of each read, now that those of *absent* are decided."""

    low: Ints
    high: Ints
    cluster: Ints
    is_seen: Mask


def clashes(registers: Registers, reads: Mask) -> Clashes:
    """Clashes among all writes and these reads. Every cluster that clashes is in a pair, with a cluster that reaches furthest."""
    zones = _zones(registers, reads)
    low, high, spokesman = zones.low, zones.high, np.arange(len(zones.low))
    deletes = np.flatnonzero(registers.after >= 0)
    is_seen, values = zones.is_seen[deletes], registers.after[deletes]
    torn = deletes[(low[deletes] < high[values]) & (is_seen | (low[values] < high[deletes]))]
    deletes, values = deletes[is_seen], values[is_seen]
    low[values], spokesman[values] = np.minimum(low[values], low[deletes]), np.where(high[deletes] > high[values], deletes, values)
    high[values] = np.maximum(high[values], high[deletes])
    kept = np.flatnonzero((low != OPEN) & (registers.after < 0))
    first, second = _pairs(registers.key[kept], low[kept], high[kept])
    first, second = spokesman[kept[first]], spokesman[kept[second]]
    return Clashes(np.concatenate([registers.after[torn], first]), np.concatenate([torn, second]))


def _zones(registers: Registers, reads: Mask) -> _Zones:
    """Arrays of its own, which the caller may change."""
    low, high = registers.write_end.copy(), registers.write_start.copy()
    cluster, key = registers.cluster.copy(), registers.key[registers.cluster]
    np.minimum.at(low, cluster[reads], registers.read_end[reads])
    others = ~registers.is_absence | ((registers.write_row >= 0) & (registers.after < 0))
    first = np.full(len(registers.tag_row), OPEN)
    np.minimum.at(first, registers.key[others], low[others])
    delete = registers.emptied[key]
    may = registers.is_absence[cluster] & reads & (delete >= 0) & (registers.read_end >= registers.write_start[delete])
    seen = distinct(delete[may & (registers.read_start > first[key])])
    first[registers.key[seen]] = np.minimum(first[registers.key[seen]], registers.write_end[seen])
    of_delete = may & (registers.read_start > first[key])
    cluster[of_delete] = delete[of_delete]
    np.minimum.at(low, cluster[of_delete], registers.read_end[of_delete])
    np.maximum.at(high, cluster[reads], registers.read_start[reads])
    is_seen = np.zeros(len(low), np.bool_)
    is_seen[cluster[reads]] = True
    return _Zones(low, high, cluster, is_seen)


def _pairs(key: Ints, low: Ints, high: Ints) -> tuple[Ints, Ints]:
    """Pairs of zones of one key that clash, by position."""
    ranks = np.sort(np.concatenate([low, high]))  # np.unique hashes, which is far slower here; equal times get one rank all the same
    low, high = key * len(ranks) + np.searchsorted(ranks, low), key * len(ranks) + np.searchsorted(ranks, high)
    is_forward = low < high
    forward, backward = np.flatnonzero(is_forward), np.flatnonzero(~is_forward)
    forward = forward[np.argsort(low[forward], kind="stable")]
    if not len(forward):
        return forward, forward
    reach = np.maximum.accumulate(high[forward])
    furthest = np.maximum.accumulate(np.where(high[forward] == reach, np.arange(len(forward)), 0))
    # keys dominate both ranks, so the furthest of an earlier key is never above a low of this one
    overlapping = np.flatnonzero(reach[:-1] > low[forward][1:])
    before = np.searchsorted(low[forward], high[backward], side="left")
    inside = np.flatnonzero((before > 0) & (reach[np.maximum(before - 1, 0)] > low[backward]))
    first = np.concatenate([forward[furthest[overlapping]], forward[furthest[before[inside] - 1]]])
    return first, np.concatenate([forward[overlapping + 1], backward[inside]])


def witness(registers: Registers, pair: tuple[int, int], reads: Mask) -> tuple[int, ...]:
    """Rows of at most four operations that show the clash: of both clusters the one that ended first and the one that began last."""
    zones = _zones(registers, reads)
    rows: list[int] = []
    for cluster, other in (pair, pair[::-1]):
        members = _joined(registers, zones, cluster)
        members = np.array([cluster]) if other in members else members
        mine = np.flatnonzero(np.isin(zones.cluster, members) & reads)
        ends = np.concatenate([registers.write_end[members], registers.read_end[mine]])
        starts = np.concatenate([registers.write_start[members], registers.read_start[mine]])
        row = np.concatenate([registers.write_row[members], registers.read_row[mine]])
        rows += [int(row[np.argmin(ends)]), int(row[np.argmax(starts)])]
    return tuple(dict.fromkeys(row for row in rows if row >= 0))


def _joined(registers: Registers, zones: _Zones, cluster: int) -> Ints:
    """The cluster; with it, if a read saw the delete by digest of its value, that delete (or the value, if it is that delete)."""
    delete = int(registers.emptied[registers.key[cluster]])
    value = int(registers.after[delete]) if delete >= 0 else -1
    return np.array([value, delete] if value >= 0 and cluster in (value, delete) and zones.is_seen[delete] else [cluster])
