"""Until when what a write put there may still be there, given the deletes that were acknowledged. Refuses to look at reads that failed.

A delete ends the life of a write that had ended before it began; of one that overlaps it, the delete may have come first. So a read may
find something iff the life of one of its writes, from the write's call to the end of the first such delete, meets the read: exact for one
read of one register, whatever the order of what overlaps.
"""

from dataclasses import dataclass

import numpy as np

from chaoskit.checks.base import NEVER, Earliest, earliest
from chaoskit.model.history import OPEN, Codes, History, Ints, Mask, Outcome


@dataclass(frozen=True, slots=True)
class Spans:
    """Closed intervals in ns, each with the key of what it is about."""

    key: Ints
    start: Ints
    end: Ints

    def first_ends(self) -> Earliest:
        """The earliest end of each key."""
        return earliest(self.key, self.end)


def spans(history: History, key: Ints, rows: Mask | Ints) -> Spans:
    """These rows as spans. A write nobody knows the outcome of may happen at any later time: it ends at OPEN."""
    end = np.where(history.outcome == Outcome.UNKNOWN, OPEN, history.returned_ns)
    return Spans(key[rows], history.called_ns[rows], end[rows])


def greatest(spans: Spans, keys: Ints, times: Ints) -> Ints:
    """Per (key, time): the greatest end of a span of that key that starts no later; NEVER where there is none."""
    ends, rank = np.unique(spans.end, return_inverse=True)
    _, group = np.unique(np.concatenate([spans.key, keys]), return_inverse=True)
    score = group * (len(ends) + 1)
    score[: len(spans.key)] += rank + 1
    is_query = np.arange(len(score)) >= len(spans.key)
    order = np.lexsort((is_query, np.concatenate([spans.start, times]), group))
    best = np.empty_like(score)
    best[order] = np.maximum.accumulate(score[order])
    found = best[len(spans.key) :] % (len(ends) + 1)
    return np.concatenate([[NEVER], ends]).astype(np.int64)[found]


def least(spans: Spans, keys: Ints, times: Ints) -> Ints:
    """Per (key, time): the least end of a span of that key that starts later; OPEN where there is none."""
    mirrored = greatest(Spans(spans.key, -spans.start, -spans.end), keys, -times - 1)
    return np.where(mirrored == NEVER, OPEN, -np.maximum(mirrored, -OPEN))


def outlived(reads: Spans, writes: Spans, until: Ints, deleted: Earliest, within_ns: int) -> Mask:
    """Which reads find what is gone for more than `within_ns` by all writes of it that may have been there.

    `until` is when the life of each write ends. What nobody wrote is gone from the first end of a delete of it (`deleted`) on.
    """
    since = reads.start - within_ns
    alive = greatest(Spans(writes.key, writes.start, until), reads.key, reads.end)
    dead: Mask = np.where(alive == NEVER, deleted.of(reads.key), alive) < since
    return dead


def owners_of_entries(history: History) -> Ints:
    """The row that holds each entry of `history.entries`."""
    return np.repeat(np.arange(len(history)), np.diff(history.entries_at))


def tag_writes(history: History) -> Mask:
    """PUTs of a manifest under a tag that may have happened."""
    tagged = (history.reference != 0) & (history.reference != history.digest) & (history.digest != 0)
    rows: Mask = history.is_action("manifest-put") & tagged & (history.outcome != Outcome.FAILED)
    return rows


def tag_deletes(history: History) -> Mask:
    """Deletes of a tag by its name that may have happened."""
    by_name = (history.digest == 0) & (history.reference != 0)
    rows: Mask = history.is_action("manifest-delete") & (history.outcome != Outcome.FAILED) & by_name
    return rows


def values_of(history: History) -> Codes:
    """Per row: the digest that a read returned, as its bytes or, without bytes, its header say (0: none)."""
    return np.where(history.got != 0, history.got, history.advertised)
