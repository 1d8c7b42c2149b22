"""An upload, whatever happens under way, ends with the right digest or fails cleanly. Refuses to judge after an unknown step of it.

An upload is its POST and the PATCHes and the PUT of the same try. Nobody keeps sending once a step failed, but a client might: bytes of
a PATCH that did not happen are then missing from what is acknowledged.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from chaoskit.checks.base import Check, capped, clean, conclude, ok
from chaoskit.checks.objects import objects_of
from chaoskit.checks.words import doing, ended, indices, named, seconds
from chaoskit.model.evidence import Evidence
from chaoskit.model.history import OPEN, History, Ints, Mask, Outcome
from chaoskit.model.strike import Struck
from chaoskit.model.verdict import CheckResult, Finding

_STEPS = ("upload-post", "upload-patch", "upload-put")
_FORGOTTEN = (404, 409, 416)


class Sessions(Check):
    """No upload is forgotten under way, none ends with another digest or with bytes missing.

    `tolerated`: which uploads a strike in force may cost their session (answered 404, 409 or 416 with no unknown step before): those at
    entries of struck zones (all, for a strike that names no zone), all, or none.
    """

    check: Literal["sessions"] = "sessions"
    tolerated: Literal["struck", "all", "none"] = "struck"

    def judge(self, evidence: Evidence) -> CheckResult:
        """Held, or which uploads were forgotten, ended with something else, or lived through no strike."""
        history = evidence.history
        uploads = uploads_of(history)
        refused = forgotten(history, uploads)
        excused = self._excused(evidence, refused)
        lost, tolerated = refused[~excused], refused[excused]
        wrong, short = ended_wrong(history), incomplete(history, uploads)
        violations = capped(lost, lambda row: _lost(evidence, uploads, row), what="uploads forgotten")
        violations += capped(_rows(wrong), lambda row: _wrong(history, row, wrong[row]), what="uploads with another digest")
        violations += capped(_rows(short), lambda row: _short(history, uploads, row, short[row]), what="uploads with bytes missing")
        doubts = _unproven(evidence, uploads)
        finished = int((history.is_action("upload-put") & clean(history)).sum())
        numbers = {
            "uploads": len(uploads.first),
            "finished": finished,
            "lost": len(lost),
            "tolerated": len(tolerated),
            "wrong_digest": len(wrong),
            "bytes_missing": len(short),
        }
        summary = (
            f"{len(uploads.first)} uploads begun, {finished} acknowledged: {len(lost)} forgotten ({len(tolerated)} more in strikes), "
            f"{len(wrong)} with another digest, {len(short)} with bytes missing"
        )
        return conclude(self.check, summary, violations=violations, doubts=doubts, numbers=numbers)

    def _excused(self, evidence: Evidence, rows: Ints) -> Mask:
        """Which steps overlap a strike in force that may cost them their session."""
        history, excused = evidence.history, np.zeros(len(rows), np.bool_)
        for struck in evidence.strikes if self.tolerated != "none" else ():
            start, end = _in_force(struck)
            touched = [history.code(zone) for zone in struck.zones] if self.tolerated == "struck" and struck.zones else history.zone[rows]
            excused |= (history.called_ns[rows] <= end) & (history.returned_ns[rows] >= start) & np.isin(history.zone[rows], touched)
        return excused


@dataclass(frozen=True, slots=True)
class Uploads:
    """Steps of uploads in the order they were called, upload by upload: `rows` of the history and, per step, the number of its upload.
    `first` and `last` are places in `rows`, an upload each; those that do not begin with an answered POST are left out."""

    rows: Ints
    upload: Ints
    first: Ints
    last: Ints


def uploads_of(history: History) -> Uploads:
    """Steps of one parent, session, try and digest belong together; another POST begins another upload."""
    steps = np.flatnonzero(history.is_action(*_STEPS) & (history.digest != 0))
    alike = np.stack([column[steps] for column in (history.parent, history.session, history.attempt, history.region, history.repository)])
    _, group = np.unique(np.concatenate([alike, history.digest[steps][None]]), axis=1, return_inverse=True)
    order = np.lexsort((steps, history.called_ns[steps], group))
    rows, group = steps[order], group[order]
    begins = history.is_action("upload-post")[rows]
    begins |= np.concatenate([[True], group[1:] != group[:-1]])[: len(rows)]
    upload = np.cumsum(begins) - 1
    opened = (begins & history.is_action("upload-post")[rows] & clean(history)[rows])[np.flatnonzero(begins)][upload]
    rows, upload = rows[opened], upload[opened]
    _, first, upload, count = np.unique(upload, return_index=True, return_inverse=True, return_counts=True)
    return Uploads(rows, upload, first, first + count - 1)


def _before(uploads: Uploads, steps: Mask) -> Ints:
    """Per step: how many of these steps came before it in its upload."""
    total: Ints = np.cumsum(steps) - steps
    found: Ints = total - total[uploads.first][uploads.upload]
    return found


def forgotten(history: History, uploads: Uploads) -> Ints:
    """Steps of open uploads answered *no such session* or *not there* though no step before was unknown."""
    rows = uploads.rows
    refused = np.isin(history.status[rows], _FORGOTTEN) & ~history.is_action("upload-post")[rows]
    is_sure = _before(uploads, history.outcome[rows] == Outcome.UNKNOWN) == 0
    found: Ints = rows[refused & is_sure & (history.outcome[rows] == Outcome.FAILED)]
    return found


def ended_wrong(history: History) -> dict[int, int]:
    """Acknowledged PUTs whose digest is another by their header (-1) or by the bytes a later read got: row -> that read."""
    objects = objects_of(history)
    puts = history.is_action("upload-put") & clean(history) & (history.digest != 0)
    found = dict.fromkeys(np.flatnonzero(puts & (history.advertised != 0) & (history.advertised != history.digest)).tolist(), -1)
    reads = history.is_action("blob-get") & ok(history) & (history.status != 404)
    other = np.flatnonzero(reads & (history.digest != 0) & (history.got != 0) & (history.got != history.digest))
    for row in other[np.argsort(history.called_ns[other], kind="stable")].tolist():
        same = np.flatnonzero(puts & (objects.key == objects.key[row]) & (history.returned_ns < history.called_ns[row]))
        for put in same.tolist():
            found.setdefault(put, row)
    return found


def incomplete(history: History, uploads: Uploads) -> dict[int, int]:
    """Acknowledged PUTs without bytes after a PATCH with bytes that failed and was not made good: row -> that PATCH."""
    rows = uploads.rows
    patch = history.is_action("upload-patch")[rows]
    failed = patch & (history.outcome[rows] == Outcome.FAILED) & (history.size_bytes[rows] != 0)
    last = np.maximum.accumulate(np.where(patch, np.arange(len(rows)), -1))
    bare = history.is_action("upload-put")[rows] & clean(history)[rows] & (history.size_bytes[rows] == 0)
    at = np.flatnonzero(bare & (last >= uploads.first[uploads.upload]) & failed[last])
    return {int(rows[put]): int(rows[last[put]]) for put in at}


def _rows(found: dict[int, int]) -> Ints:
    return np.array(sorted(found), np.int64)


def _in_force(struck: Struck) -> tuple[int, int]:
    """From injection to heal: never where it was not injected, without end where it was not healed."""
    start = OPEN if struck.injected_ns is None else struck.injected_ns
    return start, OPEN if struck.healed_ns is None else struck.healed_ns


def _unproven(evidence: Evidence, uploads: Uploads) -> list[Finding]:
    """Strikes during which no upload was between the answer to its POST and the end of its last step."""
    history, rows = evidence.history, uploads.rows
    if not len(rows):
        return [Finding("no upload was begun, so none could be forgotten")]
    begun, over = history.returned_ns[rows[uploads.first]], history.returned_ns[rows[uploads.last]]
    doubts = []
    for struck in evidence.strikes:
        start, end = _in_force(struck)
        if not ((uploads.last > uploads.first) & (begun <= end) & (over >= start)).any():
            doubts.append(Finding(f"no upload was under way during strike {struck.number} ({struck.kind})"))
    return doubts


def _lost(evidence: Evidence, uploads: Uploads, row: int) -> Finding:
    history = evidence.history
    post = _post_of(uploads, row)
    age = seconds(int(history.called_ns[row] - history.returned_ns[post]))
    called, returned = history.called_ns[row], history.returned_ns[row]
    struck = [s.number for s in evidence.strikes if _in_force(s)[0] <= returned and called <= _in_force(s)[1]]
    when = f"during strike {struck[0]}, which does not excuse it" if struck else "with no strike in force"
    text = (
        f"Forgotten: {doing(history, row)} was answered {history.status[row]} {when}, though {doing(history, post)} had opened the "
        f"upload {age} before and every step since was answered. It should go on from any entry."
    )
    return Finding(text, indices(history, post, row))


def _wrong(history: History, row: int, read: int) -> Finding:
    other = f"advertised {named(history, history.advertised[row])}"
    if read >= 0:
        other = f"{doing(history, read)} got {named(history, history.got[read])}"
    text = f"Wrong digest: {doing(history, row)} was acknowledged {ended(history, row)}, but {other}."
    return Finding(text, indices(history, read, row))


def _post_of(uploads: Uploads, row: int) -> int:
    place = int(np.flatnonzero(uploads.rows == row)[0])
    return int(uploads.rows[uploads.first[uploads.upload[place]]])


def _short(history: History, uploads: Uploads, row: int, patch: int) -> Finding:
    text = (
        f"Bytes missing: {doing(history, row)} was acknowledged without bytes of its own, though {doing(history, patch)}, which carried "
        f"them, had failed (status {history.status[patch]}). It should be refused."
    )
    return Finding(text, indices(history, _post_of(uploads, row), patch, row))
