"""Tags as registers with unique writes: one cluster a value (its write and the reads of it), and how stale each read is.

A delete by tag writes *absent*. A delete by digest is "absent if equal": it does so only where the tag points at that digest. With at most
one delete of a tag, each read of *absent* belongs to the start or to that delete, which is decided where it matters (`linearizability`,
`kindest`). With several, reads of *absent* that may follow one are left out, and counted.

Also left out, because they say nothing about order: reads of values nobody wrote (the check `phantom` reports them), corrupt reads, and
values written twice. Dropping operations keeps a linearizable history linearizable, so it can hide a violation and never invents one.
"""

from dataclasses import dataclass

import numpy as np

from chaoskit.checks.base import NEVER, absent, by_tag, clean, derived, distinct, place_of, scoped
from chaoskit.checks.lifetimes import tag_writes, values_of
from chaoskit.model.history import OPEN, Codes, History, Ints, Mask, Outcome

_UNJUDGED = -2  # in place of the value of a delete by digest, where the value was written twice and is left out


@dataclass(frozen=True, slots=True)
class Registers:
    """Columns of clusters, and of reads that point at their cluster (a read of *absent* at that of the start).

    `key` numbers the tags; of each, `tag_row` is a row that names it, `deleted` when a delete may have begun to empty it (OPEN: never),
    `emptied` the cluster of its one delete (-1: none or several). `is_absence` marks the start, whose write has row -1 and happened at
    NEVER, and deletes; `after` is the cluster of the value that a delete by digest is for, else -1. An UNKNOWN write ends at OPEN.
    """

    tag_row: Ints
    deleted: Ints
    emptied: Ints
    key: Ints
    write_row: Ints
    write_start: Ints
    write_end: Ints
    is_absence: Mask
    after: Ints
    cluster: Ints
    read_row: Ints
    read_start: Ints
    read_end: Ints
    twice_written: int
    undecided: int

    @property
    def known(self) -> Ints:
        """When each cluster was surely in the order of writes at the latest: its write or a read of it had ended (OPEN: never).

        A delete by digest takes effect right after its value or not at all, so what is newer than the value is newer than it.
        """
        known = self.write_end.copy()
        np.minimum.at(known, self.cluster, self.read_end)
        by_digest = np.flatnonzero(self.after >= 0)
        known[by_digest] = np.minimum(known[by_digest], known[self.after[by_digest]])
        return known

    @property
    def kindest(self) -> Ints:
        """The cluster of each read; of a read of *absent*, that of the delete if it had begun by then: what explains it with least lag."""
        delete = np.where(self.is_absence[self.cluster], self.emptied[self.key[self.cluster]], -1)
        return np.where((delete >= 0) & (self.read_end >= self.write_start[delete]), delete, self.cluster)

    def read_of(self, row: int) -> int:
        """The place of a row among the reads."""
        return int(np.searchsorted(self.read_row, row))

    def cluster_of(self, key: int, row: int) -> int:
        """The cluster of a tag that a row wrote or emptied (-1: the start)."""
        return int(np.flatnonzero((self.key == key) & (self.write_row == row))[0])

    def of_keys(self, keys: Ints) -> "Registers":
        """Only these tags; keys keep their numbers, clusters do not."""
        wanted = np.zeros(len(self.tag_row), np.bool_)
        wanted[keys] = True
        kept, reads = wanted[self.key], wanted[self.key[self.cluster]]
        number = np.append(np.cumsum(kept) - 1, -1)
        return Registers(
            tag_row=self.tag_row,
            deleted=self.deleted,
            emptied=number[np.where(wanted, self.emptied, -1)],
            key=self.key[kept],
            write_row=self.write_row[kept],
            write_start=self.write_start[kept],
            write_end=self.write_end[kept],
            is_absence=self.is_absence[kept],
            after=number[self.after[kept]],
            cluster=number[self.cluster[reads]],
            read_row=self.read_row[reads],
            read_start=self.read_start[reads],
            read_end=self.read_end[reads],
            twice_written=self.twice_written,
            undecided=self.undecided,
        )


@derived
def register_of(history: History) -> tuple[Ints, Mask, Mask, Codes]:
    """Per row: the tag's key, whether it is a write that may have happened, whether it is an answered read, and the value (0: absent)."""
    write = tag_writes(history)
    value = np.where(write, history.digest, values_of(history))
    value[absent(history)] = 0
    read = by_tag(history) & (absent(history) | (clean(history) & (value != 0)))
    return scoped(history, history.reference), write, read, value


@derived
def registers_of(history: History) -> Registers:
    """Read the history as registers."""
    tag, write, read, value = register_of(history)
    tags, key = np.unique(np.where(write | read, tag, -1), return_inverse=True)
    size = len(history.names)
    place, written = key * size + value, np.flatnonzero(write)
    places, write_row, twice_written = _values(place, written, distinct(key[write | read]) * size)
    deletes = _deletes(history, tags, (written, key[written], place_of(places, place[written])))
    count, deleted = np.bincount(deletes.key, minlength=len(tags)), np.full(len(tags), OPEN)
    np.minimum.at(deleted, deletes.key, history.called_ns[deletes.row])
    judged = deletes.value != _UNJUDGED
    emptied = np.full(len(tags), -1)
    emptied[deletes.key[judged]] = len(places) + np.arange(int(judged.sum()))
    write_row = np.concatenate([write_row, deletes.row[judged]])
    is_initial, is_known = write_row < 0, clean(history)[write_row]
    start = np.where(is_initial, NEVER, history.called_ns[write_row])
    reads = np.flatnonzero(read)
    cluster = place_of(places, place[reads])
    fits = (cluster >= 0) & (history.returned_ns[reads] >= start[cluster])
    undecided = fits & (value[reads] == 0) & (count[key[reads]] > 1) & (history.returned_ns[reads] >= deleted[key[reads]])
    reads, cluster = reads[fits & ~undecided], cluster[fits & ~undecided]
    return Registers(
        tag_row=_one_of_each(key, len(tags)),
        deleted=deleted,
        emptied=np.where(count == 1, emptied, -1),
        key=np.concatenate([places // size, deletes.key[judged]]),
        write_row=write_row,
        write_start=start,
        write_end=np.where(is_initial, NEVER, np.where(is_known, history.returned_ns[write_row], OPEN)),
        is_absence=is_initial | (np.arange(len(write_row)) >= len(places)),
        after=np.concatenate([np.full(len(places), -1), deletes.value[judged]]),
        cluster=cluster,
        read_row=reads,
        read_start=history.called_ns[reads],
        read_end=history.returned_ns[reads],
        twice_written=twice_written,
        undecided=int(undecided.sum()),
    )


def _values(place: Ints, written: Ints, initial: Ints) -> tuple[Ints, Ints, int]:
    """Sorted places (key and value) of clusters, the row of each one's write (-1: the start), and how many values were written twice."""
    values, first, times = np.unique(place[written], return_index=True, return_counts=True)
    once = times == 1
    places = np.concatenate([values[once], initial])
    order = np.argsort(places)
    rows = np.concatenate([written[first[once]], np.full(len(initial), -1)])
    return places[order], rows[order], int((~once).sum())


def _one_of_each(key: Ints, count: int) -> Ints:
    row = np.zeros(count, np.int64)
    row[key[::-1]] = np.arange(len(key))[::-1]
    return row


@dataclass(frozen=True, slots=True)
class _Deletes:
    """Deletes that may have happened, one for each tag they may empty: its key, the row, the cluster of the value they are for or -1."""

    key: Ints
    row: Ints
    value: Ints


def _deletes(history: History, tags: Ints, written: tuple[Ints, Ints, Ints]) -> _Deletes:
    """`written` are the rows of all writes, their keys and their clusters (-1: written twice)."""
    rows, keys, clusters = written
    may = history.is_action("manifest-delete") & (history.outcome != Outcome.FAILED)
    of_tag = np.flatnonzero(may & (history.digest == 0) & (history.reference != 0))
    key = place_of(tags, scoped(history, history.reference)[of_tag])
    of_tag, key = of_tag[key >= 0], key[key >= 0]
    of_digest = np.flatnonzero(may & (history.digest != 0))
    content = scoped(history, history.digest)
    order = np.argsort(content[rows], kind="stable")
    ordered = content[rows][order]
    first = np.searchsorted(ordered, content[of_digest], side="left")
    times = np.searchsorted(ordered, content[of_digest], side="right") - first
    before = np.repeat(np.cumsum(times) - times, times)
    write = order[np.repeat(first, times) + np.arange(times.sum()) - before]
    value = np.where(clusters[write] >= 0, clusters[write], _UNJUDGED)
    return _Deletes(
        np.concatenate([key, keys[write]]),
        np.concatenate([of_tag, np.repeat(of_digest, times)]),
        np.concatenate([np.full(len(key), -1), value]),
    )


def staleness(registers: Registers) -> tuple[Ints, Ints]:
    """Per read: how long (ns) a definitely newer acknowledged write had been complete when it began, and that write's cluster (or -1).

    v is definitely newer than u if u was known (written or read) before the write of v began. 0 if there is none: a lower bound of the lag.
    A delete by tag is a write; a delete by digest makes only its own value old.
    """
    lag, newer = _behind_writes(registers)
    by_digest = np.flatnonzero((registers.after >= 0) & (registers.write_end != OPEN))
    by_digest = by_digest[registers.known[registers.after[by_digest]] < registers.write_start[by_digest]]
    latest_first = by_digest[np.argsort(-registers.write_end[by_digest], kind="stable")]
    delete = np.full(len(registers.key), -1)
    delete[registers.after[latest_first]] = latest_first
    gone = delete[registers.cluster]
    behind = np.where(gone >= 0, registers.read_start - registers.write_end[gone], 0)
    is_older = behind > lag
    return np.where(is_older, behind, lag), np.where(is_older, gone, newer)


def _behind_writes(registers: Registers) -> tuple[Ints, Ints]:
    """`staleness`, but for deletes by digest."""
    acknowledged = np.flatnonzero((registers.write_end != OPEN) & (registers.write_row >= 0) & (registers.after < 0))
    lag, newer = np.zeros(len(registers.cluster), np.int64), np.full(len(registers.cluster), -1)
    if not len(acknowledged) or not len(lag):
        return lag, newer
    known = registers.known[registers.kindest]
    ranks = np.sort(np.concatenate([registers.write_start[acknowledged], known]))
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


@derived
def tag_absences(history: History) -> Ints:
    """Rows of reads that answer absent for a tag with a write acknowledged before they began, and no delete that would explain it."""
    registers = registers_of(history)
    lag, _ = staleness(registers)
    return registers.read_row[registers.is_absence[registers.cluster] & (lag > 0)]
