"""Convergence: after heal and quiet every zone gives the same value of a tag, and no acknowledged write is definitely newer.

That is: the final reads and all writes have one order in real time. Refuses to call it broken where a write of unknown outcome may have
landed between two final reads; then, and where a zone gave no final value, nothing can be said.
"""

import numpy as np

from chaoskit.checks.base import capped, unanswered
from chaoskit.checks.linearizability import clashes
from chaoskit.checks.registers import Registers
from chaoskit.checks.words import target
from chaoskit.model.evidence import Evidence
from chaoskit.model.history import OPEN, Codes, History, Ints, Mask
from chaoskit.model.verdict import Finding


def final_reads(history: History, registers: Registers) -> Mask:
    """Which reads are of the final phase."""
    final: Mask = history.phase[registers.read_row] == history.code("final")
    return final


def unsettled(evidence: Evidence, registers: Registers) -> list[Finding]:
    """Why a history without a violation still does not show that the final values agree."""
    history, final = evidence.history, final_reads(evidence.history, registers)
    is_judged = (registers.deleted == OPEN) | (registers.emptied >= 0)
    written = np.flatnonzero(~registers.is_absence & is_judged[registers.key])
    keys, first = np.unique(registers.key[written], return_index=True)
    region = history.region[registers.write_row[written][first]]
    zones = history.zone[registers.read_row[final]]
    unread = keys[unanswered(evidence, keys, region, (registers.key[registers.cluster[final]], zones))]
    doubts = capped(unread, lambda key: _no_value(history, registers, key), what="tags")
    if not len(clashes(registers, final)):
        doubts += capped(torn(registers, np.flatnonzero(final), zones), lambda key: _late(history, registers, key), what="tags")
    return doubts


def torn(registers: Registers, reads: Ints, zones: Codes) -> Ints:
    """Keys whose last reads in the zones differ."""
    order = np.lexsort((registers.read_start[reads], zones, registers.key[registers.cluster[reads]]))
    reads, zones = reads[order], zones[order]
    key = registers.key[registers.cluster[reads]]
    is_last = np.append((key[1:] != key[:-1]) | (zones[1:] != zones[:-1]), True)[: len(reads)]
    last = np.unique(np.stack([key[is_last], registers.cluster[reads[is_last]]]), axis=1)
    keys, counts = np.unique(last[0], return_counts=True)
    return keys[counts > 1]


def _no_value(history: History, registers: Registers, key: int) -> Finding:
    row = int(registers.tag_row[key])
    return Finding(f"{target(history, row)} has no final value from some zone")


def _late(history: History, registers: Registers, key: int) -> Finding:
    name = target(history, int(registers.tag_row[key]))
    text = f"The zones gave different final values of {name}; a write or delete of unknown outcome that landed late would explain it."
    return Finding(text)
