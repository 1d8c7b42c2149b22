"""Every acknowledged digest is in every read that starts after it was known. Refuses to read anything into a read that failed.

*Lost* in a zone: absent, and never there again in that zone. *Late*: absent, there again later, beyond `visible_within`.
*Never read*: no answer from some zone in the final reads, so nothing can be said.
"""

from datetime import timedelta
from typing import Literal

import numpy as np

from chaoskit.checks.base import Check, capped, conclude, distinct, earliest, in_phase, ok, place_of, unanswered
from chaoskit.checks.objects import Objects, child_key, first_known, object_key, objects_of, owners
from chaoskit.checks.words import doing, ended, indices, named, seconds
from chaoskit.model.evidence import Evidence
from chaoskit.model.history import OPEN, History, Ints, Mask
from chaoskit.model.units import Duration, nanoseconds
from chaoskit.model.verdict import CheckResult, Finding


class Durability(Check):
    """Nothing acknowledged is lost, in any zone; nothing is missing for longer than `visible_within` after it was known."""

    check: Literal["durability"] = "durability"
    visible_within: Duration = timedelta(0)

    def judge(self, evidence: Evidence) -> CheckResult:
        """Held, or which objects were lost, late or never read."""
        history = evidence.history
        objects = objects_of(history)
        lost, late = (_first_of_each(objects, rows) for rows in missing(history, objects, nanoseconds(self.visible_within)))
        unread = _never_read(evidence, objects)
        images = history.is_action("push") & (history.parent == -1) & ok(history)
        lost_images = _with_lost_content(history, images, objects.key[lost])
        acknowledged = len(distinct(objects.key[objects.acknowledged]))
        numbers = {
            "acknowledged_images": int(images.sum()),
            "acknowledged": acknowledged,
            "lost_images": int(lost_images.sum()),
            "lost": len(lost),
            "late": len(late),
            "never_read": len(unread),
        }
        violations = capped(lost, lambda row: _lost(history, objects, row), what="lost")
        violations += capped(late, lambda row: _late(history, objects, row), what="late")
        doubts = capped(unread, lambda row: _unread(history, row), what="never read")
        if not acknowledged:
            doubts.append(Finding("nothing was acknowledged, so nothing could be lost"))
        summary = (
            f"{acknowledged} manifests and blobs acknowledged ({int(images.sum())} whole images): "
            f"{len(lost)} lost, {len(late)} late, {len(unread)} never read in the final reads"
        )
        return conclude(self.check, summary, violations=violations, doubts=doubts, numbers=numbers)


def missing(history: History, objects: Objects, within_ns: int) -> tuple[Ints, Ints]:
    """Rows that found nothing though the object had been known for more than `within_ns`, by call: of the lost, and of the late."""
    rows = np.flatnonzero(objects.gone(history))
    rows = rows[history.called_ns[rows] - objects.known.of(objects.key[rows]) > within_ns]
    rows = rows[np.argsort(history.called_ns[rows], kind="stable")]
    is_lost = _never_again(history, objects, rows)
    return rows[is_lost], rows[~is_lost]


def _never_again(history: History, objects: Objects, rows: Ints) -> Mask:
    """Which absent reads are followed, in their zone, by no read of the object that finds it."""
    size = len(history.names)
    keys, place = np.unique(objects.key[rows], return_inverse=True)
    back = np.flatnonzero(objects.present)
    back_place = place_of(keys, objects.key[back])
    back, back_place = back[back_place >= 0], back_place[back_place >= 0]
    before_end = earliest(back_place * size + history.zone[back], -history.called_ns[back])
    last_seen: Ints = -before_end.of(place * size + history.zone[rows])
    return last_seen <= history.called_ns[rows]


def _first_of_each(objects: Objects, rows: Ints) -> Ints:
    _, first = np.unique(objects.key[rows], return_index=True)
    return rows[np.sort(first)]


def _never_read(evidence: Evidence, objects: Objects) -> Ints:
    """Rows of acknowledged, undeleted objects that some zone of their region did not answer for in the final reads."""
    history = evidence.history
    known = _first_of_each(objects, np.flatnonzero(objects.acknowledged))
    known = known[np.flatnonzero(objects.deleted.of(objects.key[known]) == OPEN)]
    answers = objects.read & in_phase(history, "final")
    return known[unanswered(evidence, objects.key[known], history.region[known], (objects.key[answers], history.zone[answers]))]


def _with_lost_content(history: History, images: Mask, lost: Ints) -> Mask:
    """Which whole pushes lost their manifest or one of their children."""
    broken = np.isin(object_key(history, history.digest, False), lost)
    child, row = child_key(history), owners(history)
    broken[row[np.isin(child, lost) | np.isin(child + 1, lost)]] = True
    return broken & images


def _story(history: History, objects: Objects, row: int) -> tuple[str, int]:
    first = first_known(history, objects, int(objects.key[row]))
    known = f"{doing(history, first)} was answered {ended(history, first)}"
    return f"{named(history, history.digest[row])}: {known}, but {doing(history, row)} found nothing", first


def _lost(history: History, objects: Objects, row: int) -> Finding:
    story, first = _story(history, objects, row)
    zone = history.name(int(history.zone[row]))
    text = f"Lost in {zone}: {story}, and no later read there found it. It should be in every read from then on."
    return Finding(text, indices(history, first, row))


def _late(history: History, objects: Objects, row: int) -> Finding:
    story, first = _story(history, objects, row)
    known = int(objects.known.of(objects.key[row : row + 1])[0])
    lag = seconds(int(history.called_ns[row]) - known)
    return Finding(f"Late: {story}, {lag} after it was known; it came back later.", indices(history, first, row))


def _unread(history: History, row: int) -> Finding:
    digest = named(history, history.digest[row])
    text = f"Never read: {doing(history, row)} was acknowledged, but not every zone answered for {digest} in the end."
    return Finding(text, indices(history, row))
