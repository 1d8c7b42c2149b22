"""Was enough asked to conclude anything: every zone and phase had traffic and answers, and every value was read in the end."""

from typing import Literal

import numpy as np

from chaoskit.checks.base import (
    BLOB_READS,
    SESSIONS,
    TRAFFIC,
    Check,
    by_tag,
    capped,
    clean,
    conclude,
    distinct,
    in_phase,
    is_observed,
    is_session,
    ok,
    scoped,
    unanswered,
)
from chaoskit.checks.objects import objects_of
from chaoskit.checks.timeline import untouched_by
from chaoskit.checks.words import doing, indices
from chaoskit.model.evidence import Evidence
from chaoskit.model.history import History, Ints, Mask
from chaoskit.model.verdict import CheckResult, Finding


class Coverage(Check):
    """Pushes and pulls were tried in every zone and phase and answered where the hypothesis expects it. Never violated: else inconclusive.

    `ok_during`: entries that must answer well while a strike is in force: those it does not touch, all, or none.
    """

    check: Literal["coverage"] = "coverage"
    ok_during: Literal["untouched", "all", "none"] = "untouched"

    def judge(self, evidence: Evidence) -> CheckResult:
        """Held, or what was not asked, not answered, or not understood."""
        history = evidence.history
        reasons = [*_untried(evidence), *_unsteady(evidence), *self._silent_in_strikes(evidence), *_final_silence(evidence)]
        if not evidence.complete:
            reasons.append("the history is a prefix: the run did not come to its end")
        doubts = capped(np.arange(len(reasons)), lambda number: Finding(reasons[number]), what="reasons")
        odd = np.flatnonzero(is_observed(history, "anything-else", "redirect"))
        doubts += capped(odd, lambda row: _odd(history, row), what="answers that no row of the outcome table describes")
        unread = _unread(evidence)
        doubts += capped(unread, lambda row: _unread_text(history, row), what="values")
        numbers = {"reasons": len(reasons), "anything_else": len(odd), "unread": len(unread)}
        summary = "every zone and phase was tried, every value was read in the end" if not doubts else doubts[0].text
        if len(doubts) > 1:
            summary += f" (and {len(reasons) + len(odd) + len(unread) - 1} more)"
        return conclude(self.check, summary, doubts=doubts, numbers=numbers)

    def _silent_in_strikes(self, evidence: Evidence) -> list[str]:
        """Entries that should have answered while a strike was in force, and did not."""
        history = evidence.history
        good = _pinned(history) & clean(history)
        reasons = []
        for struck in evidence.strikes if self.ok_during != "none" else ():
            if struck.effective_ns is None or struck.healed_ns is None:
                continue
            inside = good & (history.called_ns >= struck.effective_ns) & (history.called_ns <= struck.healed_ns)
            expected = evidence.topology.zones if self.ok_during == "all" else untouched_by(evidence, struck)
            silent = [zone for zone in _missing(evidence, inside) if zone in expected]
            reasons += [f"{zone} answered no session well while strike {struck.number} was in force" for zone in silent]
        return reasons


def _pinned(history: History) -> Mask:
    """Sessions of the pinned lane: those of other lanes may have been answered by another entry than they began at."""
    rows: Mask = is_session(history) & (history.lane == history.code("pinned"))
    return rows


def _phases(evidence: Evidence) -> tuple[str, ...]:
    return TRAFFIC if evidence.strikes else ("steady",)


def _untried(evidence: Evidence) -> list[str]:
    """Sessions that the pinned lane did not try in some zone and phase, and zones that another lane never entered by."""
    history = evidence.history
    sessions = is_session(history)
    pinned = _pinned(history)
    kinds = [action for action in SESSIONS if (sessions & history.is_action(action)).any()]
    reasons = [] if kinds else ["no push and no pull was tried"]
    for action in kinds:
        rows = pinned & history.is_action(action)
        for phase in _phases(evidence):
            reasons += [
                f"no {action} was tried at {zone} in the {phase} phase" for zone in _missing(evidence, rows & in_phase(history, phase))
            ]
    for lane in distinct(history.lane[sessions & ~pinned]):
        entered = sessions & (history.lane == lane)
        reasons += [f"lane {history.name(int(lane))} never entered by {zone}" for zone in _missing(evidence, entered)]
    return reasons


def _missing(evidence: Evidence, rows: Mask) -> list[str]:
    history = evidence.history
    zones = history.zone[rows]
    return [zone for zone in evidence.topology.zones if not (zones == history.code(zone)).any()]


def _unsteady(evidence: Evidence) -> list[str]:
    history = evidence.history
    rows = _pinned(history) & in_phase(history, "steady") & ok(history)
    kinds = [action for action in SESSIONS if (is_session(history) & history.is_action(action)).any()]
    return [
        f"no {action} succeeded at {zone} in the steady phase"
        for action in kinds
        for zone in _missing(evidence, rows & history.is_action(action))
    ]


def _final_silence(evidence: Evidence) -> list[str]:
    history = evidence.history
    rows = clean(history) & in_phase(history, "final")
    reads = (("manifest", ("manifest-get",)), ("blob", BLOB_READS))
    return [
        f"no {kind} was read at {zone} in the end" for kind, names in reads for zone in _missing(evidence, rows & history.is_action(*names))
    ]


def _unread(evidence: Evidence) -> Ints:
    """Writes whose content, or whose tag, some zone of their region gave no answer about in the final reads."""
    history = evidence.history
    objects, tag = objects_of(history), scoped(history, history.reference)
    final = in_phase(history, "final")
    sent = history.is_action("manifest-put", "upload-put") & (history.digest != 0) & ~is_observed(history, "not-sent")
    tagged = history.is_action("manifest-put") & (history.reference != 0) & (history.reference != history.digest) & sent
    rows = []
    for writes, key, answers in ((sent, objects.key, objects.read & final), (tagged, tag, by_tag(history) & ok(history) & final)):
        _, first = np.unique(key[writes], return_index=True)
        each = np.flatnonzero(writes)[first]
        rows.append(each[unanswered(evidence, key[each], history.region[each], (key[answers], history.zone[answers]))])
    return distinct(np.concatenate(rows))


def _unread_text(history: History, row: int) -> Finding:
    return Finding(f"what {doing(history, row)} sent, or its tag, got no answer from some zone in the end", indices(history, row))


def _odd(history: History, row: int) -> Finding:
    seen, status = history.name(int(history.observed[row])), int(history.status[row])
    return Finding(f"{doing(history, row)} ended as {seen} (status {status}): {history.details[row] or 'no detail'}", indices(history, row))
