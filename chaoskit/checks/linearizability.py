"""Exact linearizability of registers with unique writes, in one sort (after Gibbons & Korach 1997; Golab, Li & Shah 2011).

Operations have closed intervals [s, f]; a precedes b iff a.f < b.s: operations that touch at one instant may have been in either order,
and calling them ordered would invent violations. Of each cluster (a write and the reads of its value): L = min f, R = max s. A must
precede B iff L_A < R_B. In a cycle the member with the largest R must be preceded by every other one, its own successor included, so
every cycle holds a cycle of two: the history is linearizable iff no pair has L_A < R_B and L_B < R_A. Such a pair is two forward
clusters (L < R) that overlap, or a backward one strictly inside a forward one; two backward ones never clash.
"""

from dataclasses import dataclass

import numpy as np

from chaoskit.checks.registers import Registers
from chaoskit.model.history import OPEN, Ints, Mask


@dataclass(frozen=True, slots=True)
class Clashes:
    """Pairs of clusters each of which must precede the other; empty iff the operations are linearizable."""

    first: Ints
    second: Ints

    def __len__(self) -> int:
        return len(self.first)


def clashes(registers: Registers, reads: Mask) -> Clashes:
    """Clashes among all writes and these reads. Every cluster that clashes is in a pair, with a cluster that reaches furthest."""
    low, high = registers.write_end.copy(), registers.write_start.copy()
    np.minimum.at(low, registers.cluster[reads], registers.read_end[reads])
    np.maximum.at(high, registers.cluster[reads], registers.read_start[reads])
    kept = np.flatnonzero(low != OPEN)
    ranks = np.unique(np.concatenate([low[kept], high[kept]]))
    base = registers.key[kept] * len(ranks)
    low, high = base + np.searchsorted(ranks, low[kept]), base + np.searchsorted(ranks, high[kept])
    is_forward = low < high
    forward, backward = np.flatnonzero(is_forward), np.flatnonzero(~is_forward)
    forward = forward[np.argsort(low[forward], kind="stable")]
    if not len(forward):
        return Clashes(forward, forward)
    reach = np.maximum.accumulate(high[forward])
    furthest = np.maximum.accumulate(np.where(high[forward] == reach, np.arange(len(forward)), 0))
    # keys dominate both ranks, so the furthest of an earlier key is never above a low of this one
    overlapping = np.flatnonzero(reach[:-1] > low[forward][1:])
    before = np.searchsorted(low[forward], high[backward], side="left")
    inside = np.flatnonzero((before > 0) & (reach[np.maximum(before - 1, 0)] > low[backward]))
    first = np.concatenate([forward[furthest[overlapping]], forward[furthest[before[inside] - 1]]])
    second = np.concatenate([forward[overlapping + 1], backward[inside]])
    return Clashes(kept[first], kept[second])


def witness(registers: Registers, pair: tuple[int, int], reads: Mask) -> tuple[int, ...]:
    """Rows of at most four operations that show the clash: of both clusters the one that ended first and the one that began last."""
    rows: list[int] = []
    for cluster in pair:
        mine = np.flatnonzero((registers.cluster == cluster) & reads)
        ends = [(int(registers.write_end[cluster]), int(registers.write_row[cluster]))]
        starts = [(int(registers.write_start[cluster]), int(registers.write_row[cluster]))]
        if len(mine):
            ended, began = mine[np.argmin(registers.read_end[mine])], mine[np.argmax(registers.read_start[mine])]
            ends.append((int(registers.read_end[ended]), int(registers.read_row[ended])))
            starts.append((int(registers.read_start[began]), int(registers.read_row[began])))
        rows += [min(ends)[1], max(starts)[1]]
    return tuple(dict.fromkeys(row for row in rows if row >= 0))
