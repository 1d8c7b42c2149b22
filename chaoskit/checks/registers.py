"""Tags as registers with unique writes: one cluster a value (its write and the reads of it), and how stale each read is.

Screened out, because they say nothing about order: reads of values nobody wrote (the check `phantom` reports them), corrupt reads, values
written twice, and, once a delete of the tag or of a digest it held may have been called, later reads of *absent*: dropping operations
keeps a linearizable history linearizable, so this can hide a violation and never invents one.
"""

from dataclasses import dataclass

import numpy as np

from chaoskit.checks.base import NEVER, absent, by_tag, clean, earliest, scoped
from chaoskit.model.history import OPEN, Codes, History, Ints, Mask, Outcome


@dataclass(frozen=True, slots=True)
class Registers:
    """Columns of clusters, and of reads that point at their cluster.

    `key` numbers the tags; of each, `tag_row` is a row that names it, `deleted` when a delete may have begun to empty it (OPEN: never).
    The write of *absent* has row -1 and happened at NEVER; an UNKNOWN write ends at OPEN.
    """

    tag_row: Ints
    deleted: Ints
    key: Ints
    write_row: Ints
    write_start: Ints
    write_end: Ints
    cluster: Ints
    read_row: Ints
    read_start: Ints
    read_end: Ints
    twice_written: int

    @property
    def known(self) -> Ints:
        """When each value was surely in the register at the latest: its write or a read of it had ended (OPEN: never)."""
        known = self.write_end.copy()
        np.minimum.at(known, self.cluster, self.read_end)
        return known

    def is_absent(self, clusters: Ints) -> Mask:
        """Which clusters are *absent*."""
        return self.write_row[clusters] < 0


def register_of(history: History) -> tuple[Ints, Mask, Mask, Codes]:
    """Per row: the tag's key, whether it is a write that may have happened, whether it is an answered read, and the value (0: absent)."""
    tagged = (history.reference != 0) & (history.reference != history.digest)
    write = history.is_action("manifest-put") & tagged & (history.outcome != Outcome.FAILED) & (history.digest != 0)
    value = np.where(write, history.digest, np.where(history.got != 0, history.got, history.advertised))
    value[absent(history)] = 0
    read = by_tag(history) & (absent(history) | (clean(history) & (value != 0)))
    return scoped(history, history.reference), write, read, value


def registers_of(history: History) -> Registers:
    """Read the history as registers."""
    tag, write, read, value = register_of(history)
    tags, key = np.unique(np.where(write | read, tag, -1), return_inverse=True)
    size = len(history.names)
    place = key * size + value
    rows = np.flatnonzero(write)
    values, first, times = np.unique(place[rows], return_index=True, return_counts=True)
    rows, values = rows[first][times == 1], values[times == 1]
    initial = np.unique(key[write | read]) * size
    places = np.concatenate([values, initial])
    order = np.argsort(places)
    write_row = np.concatenate([rows, np.full(len(initial), -1)])[order]
    is_initial, places = write_row < 0, places[order]
    unknown = history.outcome[write_row] == Outcome.UNKNOWN
    start = np.where(is_initial, NEVER, history.called_ns[write_row])
    end = np.where(is_initial, NEVER, np.where(unknown, OPEN, history.returned_ns[write_row]))
    deleted = _deleted(history, tags, (key, rows))
    reads = np.flatnonzero(read)
    cluster = np.minimum(np.searchsorted(places, place[reads]), max(len(places) - 1, 0))
    if len(reads):
        fits = (places[cluster] == place[reads]) & (history.returned_ns[reads] >= start[cluster])
        fits &= ~(is_initial[cluster] & (history.returned_ns[reads] >= deleted[key[reads]]))
        reads, cluster = reads[fits], cluster[fits]
    return Registers(
        tag_row=_one_of_each(key, len(tags)),
        deleted=deleted,
        key=places // size,
        write_row=write_row,
        write_start=start,
        write_end=end,
        cluster=cluster,
        read_row=reads,
        read_start=history.called_ns[reads],
        read_end=history.returned_ns[reads],
        twice_written=int((times > 1).sum()),
    )


def _one_of_each(key: Ints, count: int) -> Ints:
    row = np.zeros(count, np.int64)
    row[key[::-1]] = np.arange(len(key))[::-1]
    return row


def _deleted(history: History, tags: Ints, written: tuple[Ints, Ints]) -> Ints:
    """Per key: the earliest call of a delete that may have made the tag absent, OPEN if there was none."""
    key, writes = written
    deletes = history.is_action("manifest-delete") & (history.outcome != Outcome.FAILED)
    of_tag = np.flatnonzero(deletes & (history.digest == 0))
    gone = earliest(scoped(history, history.reference)[of_tag], history.called_ns[of_tag]).of(tags)
    of_digest = np.flatnonzero(deletes & (history.digest != 0))
    content = scoped(history, history.digest)
    np.minimum.at(gone, key[writes], earliest(content[of_digest], history.called_ns[of_digest]).of(content[writes]))
    return gone


def staleness(registers: Registers) -> tuple[Ints, Ints]:
    """Per read: how long (ns) a definitely newer acknowledged write had been complete when it began, and that write's cluster (or -1).

    v is definitely newer than u if u was known (written or read) before the write of v began. 0 if there is none: a lower bound of the lag.
    """
    acknowledged = np.flatnonzero((registers.write_end != OPEN) & (registers.write_row >= 0))
    lag, newer = np.zeros(len(registers.cluster), np.int64), np.full(len(registers.cluster), -1)
    if not len(acknowledged) or not len(lag):
        return lag, newer
    known = registers.known[registers.cluster]
    ranks = np.unique(np.concatenate([registers.write_start[acknowledged], known]))
    span = len(ranks) + 1
    begun = registers.key[acknowledged] * span + np.searchsorted(ranks, registers.write_start[acknowledged])
    order = np.argsort(begun, kind="stable")
    acknowledged, begun = acknowledged[order], begun[order]
    by_end = np.argsort(registers.write_end[acknowledged], kind="stable")
    rank = np.empty_like(by_end)
    rank[by_end] = np.arange(len(by_end))
    count = len(acknowledged)
    first_done = np.minimum.accumulate((registers.key[acknowledged] * count + rank)[::-1])[::-1]
    at = np.searchsorted(begun, registers.key[registers.cluster] * span + np.searchsorted(ranks, known), side="right")
    exists = at < count
    found = first_done[np.minimum(at, count - 1)]
    exists &= found // count == registers.key[registers.cluster]
    newest = acknowledged[by_end[found % count]]
    behind = registers.read_start - registers.write_end[newest]
    is_stale = exists & (behind > 0)
    return np.where(is_stale, behind, 0), np.where(is_stale, newest, -1)


def tag_absences(history: History) -> Ints:
    """Rows of reads that answer absent for a tag with a write acknowledged before they began, and no delete."""
    registers = registers_of(history)
    lag, _ = staleness(registers)
    return registers.read_row[registers.is_absent(registers.cluster) & (lag > 0)]
