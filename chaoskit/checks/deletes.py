"""What was deleted stays gone, also after heal. Refuses to read anything into a delete that was not acknowledged, but for one thing:

what is read again in vain and then found, with no write in between, came back, whether that delete was carried out or not. To blame no
zone that lags, this is said only of what was never written again, in vain by a zone that had it before.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

import numpy as np

from chaoskit.checks.base import (
    Check,
    by_digest,
    by_tag,
    capped,
    clean,
    conclude,
    distinct,
    earliest,
    in_phase,
    ok,
    place_of,
    scoped,
    unanswered,
)
from chaoskit.checks.lifetimes import Spans, greatest, least, outlived, owners_of_entries, spans, tag_deletes, tag_writes, values_of
from chaoskit.checks.objects import Objects, object_key, objects_of
from chaoskit.checks.words import doing, ended, indices, named
from chaoskit.model.evidence import Evidence
from chaoskit.model.history import OPEN, History, Ints, Mask, Outcome
from chaoskit.model.units import Duration, nanoseconds
from chaoskit.model.verdict import CheckResult, Finding

_ACTIONS = ("manifest-delete", "blob-delete")


@dataclass(frozen=True, slots=True)
class _Deletes:
    """What the rows delete: an object (`objects.key`), or a tag by its name; the acknowledged ones as spans.

    `place` is the key of each row's region and repository, `tag` that of its tag.
    """

    history: History
    objects: Objects
    place: Ints
    tag: Ints
    of_objects: Mask
    of_tags: Mask
    objects_gone: Spans
    tags_gone: Spans


class Deletes(Check):
    """What was deleted, and acknowledged, is in no read or list that starts more than `within` later, unless written again."""

    check: Literal["deletes"] = "deletes"
    within: Duration = timedelta(0)

    def judge(self, evidence: Evidence) -> CheckResult:
        """Held, or what was found after its delete, by which read or list."""
        deletes, within_ns = _deletes_of(evidence.history), nanoseconds(self.within)
        history = deletes.history
        found = _by_call(history, found_again(deletes, within_ns))
        listed, entries = listed_again(deletes, within_ns)
        back = _by_call(history, np.setdiff1d(came_back(deletes, within_ns), found))
        violations = capped(found, lambda row: _not_gone(deletes, row, within_ns), what="reads of what was deleted")
        tag_of = dict(zip(listed.tolist(), entries.tolist(), strict=True))
        violations += capped(listed, lambda row: _still_listed(deletes, row, tag_of[row], within_ns), what="lists with deleted tags")
        violations += capped(back, lambda row: _came_back(deletes, row), what="that came back")
        unread = never_read(evidence, deletes, within_ns)
        doubts = capped(unread, lambda row: _unread(history, row), what="deletes")
        acknowledged = len(deletes.objects_gone.key) + len(deletes.tags_gone.key)
        unknown = int(((deletes.of_objects | deletes.of_tags) & (history.outcome == Outcome.UNKNOWN)).sum())
        if not acknowledged:
            doubts.append(Finding("no delete was acknowledged, so nothing had to be gone"))
        numbers = {
            "acknowledged": acknowledged,
            "unknown": unknown,
            "not_gone": len(found),
            "still_listed": len(listed),
            "came_back": len(back),
            "never_read": len(unread),
        }
        summary = (
            f"{acknowledged} deletes acknowledged: {len(found)} reads found what should be gone, {len(listed)} lists named it, "
            f"{len(back)} found it back; {len(unread)} never read in the final reads"
        )
        return conclude(self.check, summary, violations=violations, doubts=doubts, numbers=numbers)


def _deletes_of(history: History) -> _Deletes:
    objects = objects_of(history)
    may_have = history.is_action(*_ACTIONS) & (history.outcome != Outcome.FAILED)
    of_objects, of_tags, acknowledged = may_have & (history.digest != 0), tag_deletes(history), clean(history)
    place = scoped(history, np.zeros(len(history), np.int64))
    tag = place + history.reference
    return _Deletes(
        history,
        objects,
        place,
        tag,
        of_objects,
        of_tags,
        spans(history, objects.key, of_objects & acknowledged),
        spans(history, tag, of_tags & acknowledged),
    )


def _object_writes(history: History) -> Mask:
    """PUTs of a manifest or of the end of an upload that may have happened."""
    rows: Mask = history.is_action("manifest-put", "upload-put") & (history.outcome != Outcome.FAILED) & (history.digest != 0)
    return rows


def _by_call(history: History, rows: Ints) -> Ints:
    return rows[np.argsort(history.called_ns[rows], kind="stable")]


def found_again(deletes: _Deletes, within_ns: int) -> Ints:
    """Rows that found an object, by its digest or a tag, or anything under a tag, that had been deleted for more than `within_ns`."""
    history, objects = deletes.history, deletes.objects
    value = values_of(history)
    tagged = by_tag(history) & clean(history) & (value != 0)
    key = np.where(tagged, object_key(history, value, False), objects.key)
    reads = _of(deletes.objects_gone, key, objects.present | tagged)
    writes = spans(history, objects.key, _of(deletes.objects_gone, objects.key, _object_writes(history)))
    until = least(deletes.objects_gone, writes.key, writes.end)
    dead = outlived(spans(history, key, reads), writes, until, deletes.objects_gone.first_ends(), within_ns)
    return np.union1d(reads[dead], _under_deleted_tags(deletes, tagged, within_ns))


def _under_deleted_tags(deletes: _Deletes, reads: Mask, within_ns: int) -> Ints:
    """Reads of a value under a tag that was deleted by its name after every write of that value to it had ended."""
    history, tag = deletes.history, deletes.tag
    rows, writes = _of(deletes.tags_gone, tag, reads), _of(deletes.tags_gone, tag, tag_writes(history))
    value = np.where(reads, values_of(history), history.digest)
    both = np.concatenate([rows, writes])
    _, dense = np.unique(tag[both], return_inverse=True)
    key = np.zeros(len(history), np.int64)
    key[both] = dense * len(history.names) + value[both]
    written, gone = spans(history, key, writes), deletes.tags_gone.first_ends()
    until = least(deletes.tags_gone, tag[writes], written.end)
    return rows[outlived(spans(history, key, rows), written, until, earliest(key[rows], gone.of(tag[rows])), within_ns)]


def _of(gone: Spans, key: Ints, rows: Mask) -> Ints:
    """These rows, as far as their key is one of what was deleted: the others need no look."""
    found = np.flatnonzero(rows)
    return found[place_of(distinct(gone.key), key[found]) >= 0]


def listed_again(deletes: _Deletes, within_ns: int) -> tuple[Ints, Ints]:
    """Rows of lists that name a tag every possible value of which had been deleted, by digest or by tag, and the first such tag of each."""
    history = deletes.history
    owner = owners_of_entries(history)
    lists = history.is_action("tags-list") & clean(history)
    writes = tag_writes(history)
    written, gone = spans(history, deletes.tag, writes), deletes.tags_gone
    until = np.minimum(
        least(gone, written.key, written.end),
        least(deletes.objects_gone, object_key(history, history.digest, False)[writes], written.end),
    )
    touched = np.union1d(written.key[until != OPEN], gone.key)
    entry = deletes.place[owner] + history.entries
    at = np.flatnonzero(lists[owner] & (place_of(touched, entry) >= 0))
    reads = Spans(entry[at], history.called_ns[owner[at]], history.returned_ns[owner[at]])
    at = at[outlived(reads, written, until, gone.first_ends(), within_ns)]
    rows, first = np.unique(owner[at], return_index=True)
    return rows, history.entries[at[first]]


def came_back(deletes: _Deletes, within_ns: int) -> Ints:
    """Rows that found an object after a read in vain that only a delete explains, where no write can have come in between."""
    history, objects = deletes.history, deletes.objects
    called = earliest(objects.key[deletes.of_objects], history.called_ns[deletes.of_objects])
    rows = np.flatnonzero((objects.read | _object_writes(history)) & (called.of(objects.key) != OPEN))
    _, key = np.unique(objects.key[rows], return_inverse=True)
    first, start, end = called.of(objects.key[rows]), history.called_ns[rows], history.returned_ns[rows]
    writes = spans(history, objects.key, rows[_object_writes(history)[rows]])
    settled = greatest(Spans(writes.key, np.zeros_like(writes.start), writes.end), objects.key[rows], np.zeros_like(first)) < first
    place, present = key * len(history.names) + history.zone[rows], objects.present[rows]
    had = earliest(place[present], end[present])
    in_vain = objects.absent[rows] & settled & (first <= end) & (had.of(place) < start)
    missed = earliest(key[in_vain], end[in_vain])
    return rows[present & (missed.of(key) < start - within_ns)]


def never_read(evidence: Evidence, deletes: _Deletes, within_ns: int) -> Ints:
    """Rows of acknowledged deletes of what some zone of their region did not answer for, late enough, in the final reads."""
    history = deletes.history
    final = in_phase(history, "final")
    asked = by_digest(history) & ok(history), by_tag(history) & ok(history)
    rows = []
    for mask, key, gone, answered in (
        (deletes.of_objects, deletes.objects.key, deletes.objects_gone, asked[0]),
        (deletes.of_tags, deletes.tag, deletes.tags_gone, asked[1]),
    ):
        done = np.flatnonzero(mask & clean(history))
        _, first = np.unique(key[done], return_index=True)
        done = done[first]
        answers = answered & final & (gone.first_ends().of(key) < history.called_ns - within_ns)
        rows.append(done[unanswered(evidence, key[done], history.region[done], (key[answers], history.zone[answers]))])
    return np.sort(np.concatenate(rows))


def _cause(deletes: _Deletes, row: int, values: Ints, tag: int, within_ns: int) -> int:
    """The acknowledged delete, of one of these values or of the tag (0: none), that ended last before what the row found had to be gone."""
    history, place = deletes.history, int(deletes.place[row])
    is_blob = int(history.is_action("blob-get", "blob-head")[row])
    of_value = deletes.of_objects & np.isin(deletes.objects.key, (place + values) * 2 + is_blob)
    of_tag = deletes.of_tags & (deletes.place == place) & (history.reference == tag)
    early = clean(history) & (history.returned_ns < history.called_ns[row] - within_ns)
    rows = np.flatnonzero((of_value | of_tag) & early)
    return int(rows[np.argmax(history.returned_ns[rows])])


def _not_gone(deletes: _Deletes, row: int, within_ns: int) -> Finding:
    history = deletes.history
    value = int(history.digest[row] or values_of(history)[row])
    tag = 0 if history.digest[row] else int(history.reference[row])
    delete = _cause(deletes, row, np.array([value]), tag, within_ns)
    text = (
        f"Not gone: {doing(history, row)} found {named(history, value)}, though {doing(history, delete)} was acknowledged "
        f"{ended(history, delete)} and no write of it may have come after. It should be absent."
    )
    return Finding(text, indices(history, delete, row))


def _still_listed(deletes: _Deletes, row: int, tag: int, within_ns: int) -> Finding:
    history = deletes.history
    puts = tag_writes(history) & (deletes.place == deletes.place[row]) & (history.reference == tag)
    delete = _cause(deletes, row, history.digest[puts], tag, within_ns)
    held = np.flatnonzero(puts & (history.digest == history.digest[delete]))
    put = int(held[0]) if len(held) else -1
    text = (
        f"Still listed: {doing(history, row)} names tag {history.name(tag)}, though {doing(history, delete)} was acknowledged "
        f"{ended(history, delete)} and emptied it; no write of the tag may have come after."
    )
    return Finding(text, indices(history, put, delete, row))


def _came_back(deletes: _Deletes, row: int) -> Finding:
    history, objects = deletes.history, deletes.objects
    same = objects.key == objects.key[row]
    rows = np.flatnonzero(same & deletes.of_objects)
    delete = int(rows[np.argmin(history.called_ns[rows])])
    had, vain = _in_vain(deletes, same, int(history.called_ns[delete]))
    text = (
        f"Came back: {doing(history, row)} found {named(history, history.digest[row])}, though {doing(history, vain)} had found nothing, "
        f"after {doing(history, delete)} may have removed it; no write of it came in between, so it was undone or that 404 was false."
    )
    return Finding(text, indices(history, had, delete, vain, row))


def _in_vain(deletes: _Deletes, same: Mask, called_ns: int) -> tuple[int, int]:
    """Reads of one object: one that found it, and after that, at the same zone, the first in vain after a delete was called."""
    history = deletes.history
    missed = np.flatnonzero(same & deletes.objects.absent & (history.returned_ns >= called_ns))
    for vain in missed[np.argsort(history.returned_ns[missed], kind="stable")].tolist():
        found = same & deletes.objects.present & (history.zone == history.zone[vain]) & (history.returned_ns < history.called_ns[vain])
        if found.any():
            return int(np.flatnonzero(found)[0]), vain
    raise AssertionError("nothing was read in vain, so nothing came back")


def _unread(history: History, row: int) -> Finding:
    text = f"Never read: {doing(history, row)} was acknowledged, but not every zone answered for it in the end."
    return Finding(text, indices(history, row))
