"""No read returns what nobody wrote there: no invented value, none of a write that failed, none of another tag or repository.

A read of bytes that hash to nothing anybody sent, under a digest that was asked for or advertised, is corruption: `integrity` reports it.
"""

from typing import Literal

import numpy as np

from chaoskit.checks.base import BLOB_READS, Check, by_digest, by_tag, capped, clean, conclude, distinct, earliest, ok, place_of, scoped
from chaoskit.checks.objects import object_key
from chaoskit.checks.registers import register_of
from chaoskit.checks.words import doing, indices, short
from chaoskit.model.evidence import Evidence
from chaoskit.model.history import History, Ints, Mask, Outcome
from chaoskit.model.verdict import CheckResult, Finding

_UPLOADS = ("upload-post", "upload-patch", "upload-put")


class Phantom(Check):
    """Every value read was sent to that very place, by a write that did not fail, before the read ended."""

    check: Literal["phantom"] = "phantom"

    def judge(self, evidence: Evidence) -> CheckResult:
        """Held, or which reads returned a value that cannot be there."""
        history = evidence.history
        tag, writes, reads, value = register_of(history)
        reads = reads & (value != 0)
        asked = by_digest(history) & clean(history)
        elsewhere = ok(history) & (history.got != 0) & np.isin(history.got, _sent(history))
        swapped = by_digest(history) & elsewhere & (history.got != history.digest)
        tagged = _unwritten(history, (tag, value), writes, reads | (by_tag(history) & elsewhere))
        stored = _unstored(history, asked)
        listed = _unlisted(history, tag, writes)
        rows = distinct(np.concatenate([tagged, stored, np.flatnonzero(swapped)]))
        violations = capped(rows, lambda row: _finding(history, row), what="like these")
        violations += capped(listed, lambda row: _listed(history, row), what="lists")
        looked = int((reads | asked).sum())
        doubts = [] if looked else [Finding("no value was read")]
        summary = f"{looked} values read: {len(rows)} of them nobody wrote there; {len(listed)} lists with tags nobody wrote"
        numbers = {"read": looked, "phantom": len(rows), "lists": len(listed)}
        return conclude(self.check, summary, violations=violations, doubts=doubts, numbers=numbers)


def _sent(history: History) -> Ints:
    """Digests that anybody sent anywhere, whatever became of it."""
    return distinct(history.digest[history.is_action("manifest-put", *_UPLOADS) & (history.digest != 0)])


def _unwritten(history: History, register: tuple[Ints, Ints], writes: Mask, reads: Mask) -> Ints:
    """Tag reads of a value that no write to that tag, begun before the read ended, may have put there."""
    tag, value = register
    written, tags = np.flatnonzero(writes), distinct(tag[writes])
    rows = np.flatnonzero(reads)

    def place(of: Ints, values: Ints) -> Ints:
        return place_of(tags, tag[of]) * len(history.names) + values

    begun = earliest(place(written, value[written]), history.called_ns[written])
    read = np.where(history.got[rows] != 0, history.got[rows], value[rows])
    return rows[begun.of(place(rows, read)) > history.returned_ns[rows]]


def _unstored(history: History, reads: Mask) -> Ints:
    """Reads by digest of an object that no write to that repository, begun before the read ended, may have put there."""
    key = object_key(history, history.digest, history.is_action(*BLOB_READS, *_UPLOADS))
    writes = history.is_action("manifest-put", *_UPLOADS) & (history.outcome != Outcome.FAILED) & (history.digest != 0)
    rows = np.flatnonzero(reads)
    return rows[earliest(key[writes], history.called_ns[writes]).of(key[rows]) > history.returned_ns[rows]]


def _unlisted(history: History, tag: Ints, writes: Mask) -> Ints:
    """Lists of tags that name one nobody may have written before the list was answered."""
    lists = history.is_action("tags-list") & clean(history)
    owner = np.repeat(np.arange(len(history)), np.diff(history.entries_at))
    entry = scoped(history, np.zeros(len(history), np.int64))[owner] + history.entries
    begun = earliest(tag[writes], history.called_ns[writes])
    return distinct(owner[lists[owner] & (begun.of(entry) > history.returned_ns[owner])])


def _finding(history: History, row: int) -> Finding:
    value = int(history.got[row] or history.advertised[row] or history.digest[row])
    writes = np.flatnonzero(history.is_action("manifest-put", *_UPLOADS) & (history.digest == value))
    here = writes[(history.repository[writes] == history.repository[row]) & (history.region[writes] == history.region[row])]
    is_tag = history.digest[row] == 0
    there = here[history.reference[here] == history.reference[row]] if is_tag else here
    name = short(history.name(value))
    if not len(writes):
        story, shown = f"{name}, which nobody ever sent", -1
    elif not len(there) or (not is_tag and value != history.digest[row]):
        other = int(writes[0])
        story, shown = f"{name}, which belongs elsewhere: it was sent by {doing(history, other)}", other
    elif np.all(history.outcome[there] == Outcome.FAILED):
        story, shown = f"{name}, though the only write of it failed: {doing(history, int(there[0]))}", int(there[0])
    else:
        story, shown = f"{name} before {doing(history, int(there[0]))} sent it", int(there[0])
    return Finding(f"Phantom: {doing(history, row)} returned {story}.", indices(history, shown, row))


def _listed(history: History, row: int) -> Finding:
    return Finding(f"Phantom: {doing(history, row)} names a tag that nobody can have written by then.", indices(history, row))
