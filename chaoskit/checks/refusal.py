"""Where the system must refuse, it refuses: nothing is acknowledged, and what is there is not denied."""

from typing import Literal

import numpy as np

from chaoskit.checks.absence import false_absences
from chaoskit.checks.base import Check, capped, clean, conclude, is_attempt, ok, scoped
from chaoskit.checks.objects import first_known, objects_of
from chaoskit.checks.words import doing, ended, indices, seconds
from chaoskit.model.evidence import Evidence
from chaoskit.model.history import History
from chaoskit.model.verdict import CheckResult, Finding


class Refusal(Check):
    """While all strikes are in force, no write is acknowledged and no read answers 404 for what was acknowledged before.

    `entries`: which entries must refuse: all, or only those of struck zones (the minority side of a partition). A write counts if it began
    after the last strike was effective and was acknowledged before the first heal began.
    """

    check: Literal["refusal"] = "refusal"
    entries: Literal["all", "struck"] = "all"

    def judge(self, evidence: Evidence) -> CheckResult:
        """Held, or which writes were acknowledged and which 404s were false."""
        history = evidence.history
        window = in_force(evidence)
        if window is None:
            text = "the strikes were never all effective at once, so there was nothing to refuse"
            return conclude(self.check, text, doubts=[Finding(text)])
        start, end = window
        begun = is_attempt(history) & (history.called_ns >= start) & (history.called_ns <= end)
        if self.entries == "struck":
            begun &= np.isin(history.zone, [history.code(zone) for zone in evidence.struck_zones])
        inside = begun & (history.returned_ns <= end)
        writes = history.is_action("manifest-put", "upload-put")
        acknowledged = np.flatnonzero(inside & writes & ok(history))
        denied = np.flatnonzero(inside & false_absences(history))
        violations = capped(acknowledged, lambda row: _accepted(history, row), what="writes")
        violations += capped(denied, lambda row: _denied(history, row), what="reads")
        tried = int((begun & history.is_action("upload-post", "upload-put", "manifest-put")).sum())
        doubts = [] if tried else [Finding("no push was tried while the strikes were in force")]
        numbers = {"window_s": (end - start) / 1e9, "tried": tried, "acknowledged": len(acknowledged), "false_404": len(denied)}
        summary = f"{tried} write attempts in {seconds(end - start)}: {len(acknowledged)} acknowledged, {len(denied)} false 404s"
        return conclude(self.check, summary, violations=violations, doubts=doubts, numbers=numbers)


def in_force(evidence: Evidence) -> tuple[int, int] | None:
    """From the last strike's effect to the begin of the first heal; None where they were never all in force."""
    spans = [(s.effective_ns, s.healing_ns) for s in evidence.strikes if s.effective_ns is not None and s.healing_ns is not None]
    if not spans or len(spans) < len(evidence.strikes):
        return None
    start, end = max(effective for effective, _ in spans), min(healing for _, healing in spans)
    return (start, end) if start < end else None


def _accepted(history: History, row: int) -> Finding:
    text = f"Accepted: {doing(history, row)} was acknowledged {ended(history, row)}, where it had to be refused."
    return Finding(text, indices(history, row))


def _known_by(history: History, row: int) -> int:
    """The row that shows that what this row denies was there: an acknowledgement or a sighting, of a tag its first acknowledged write."""
    if history.digest[row]:
        objects = objects_of(history)
        return first_known(history, objects, int(objects.key[row]))
    tag = scoped(history, history.reference)
    writes = np.flatnonzero(history.is_action("manifest-put") & clean(history) & (tag == tag[row]))
    return int(writes[np.argmin(history.returned_ns[writes])])


def _denied(history: History, row: int) -> Finding:
    known = _known_by(history, row)
    text = f"False 404: {doing(history, row)} found nothing, though {doing(history, known)} had been answered {ended(history, known)}."
    return Finding(f"{text} An error would have been right.", indices(history, known, row))
