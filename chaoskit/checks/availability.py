"""Do clients get through: sessions that end well after the client's own tries. Gates a count, never a rate.

Rates are printed with what their n can claim: failures inside one outage are not independent, and no short run shows five nines.
"""

import math
from dataclasses import replace
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from chaoskit.checks.absence import false_absences
from chaoskit.checks.base import TRAFFIC, Check, capped, conclude, in_phase, is_attempt, is_observed, is_open, is_session, ok
from chaoskit.checks.budget import service
from chaoskit.checks.words import doing, indices
from chaoskit.model.evidence import Evidence
from chaoskit.model.history import History, Ints, Mask
from chaoskit.model.verdict import CheckResult, Finding
from chaoskit.stats import quantile, rate_lower_bound, requests_needed

CLAIMS = (0.999, 0.9999, 0.99999)


class Availability(Check):
    """At most `unrecovered` sessions of the lane end without success before the final reads.

    A pull answered 404 is a success only if the tag may have been absent. Not counted: a session the harness could not send, or cut short
    at the end of the load before its objective was over.
    """

    check: Literal["availability"] = "availability"
    unrecovered: Annotated[int, Field(ge=0)] = 0
    lane: str = "regional"

    def judge(self, evidence: Evidence) -> CheckResult:
        """Held, or which sessions were not recovered."""
        history = evidence.history
        wrong = false_absences(history)
        slower = slow(evidence)
        counted = is_session(history) & in_phase(history, *TRAFFIC) & ~cut_short(evidence)
        sessions = counted & (history.lane == history.code(self.lane))
        failed = np.flatnonzero(sessions & (~ok(history) | wrong))
        total = int(sessions.sum())
        numbers = {
            "sessions": total,
            "unrecovered": len(failed),
            "slow": int((sessions & ok(history) & slower).sum()),
            "sessions_lower_bound": rate_lower_bound(total - len(failed), total),
        }
        numbers |= _first_attempts(history, wrong | slower) | _latencies(history, np.flatnonzero(sessions & ok(history)))
        throttled = is_observed(history, "http-429")
        lanes, series = service(evidence, counted & ~throttled, ~ok(history) | wrong | slower)
        violations = capped(failed, lambda row: _failed(history, row), what="sessions") if len(failed) > self.unrecovered else []
        doubts = [] if total else [Finding(f"no session in the {self.lane} lane")]
        allowed = f" ({self.unrecovered} allowed)" if self.unrecovered else ""
        summary = f"{len(failed)} of {total} {self.lane} sessions unrecovered{allowed}; {_claim(total, len(failed))}"
        result = conclude(self.check, summary, violations=violations, doubts=doubts, numbers=numbers | lanes)
        return replace(result, series=series)


def slow(evidence: Evidence) -> Mask:
    """Rows that took longer, from their intended start, than the objective of their kind: push, pull, or a manifest's own."""
    history = evidence.history
    took = history.returned_ns - history.intended_ns
    slower = np.zeros(len(history), np.bool_)
    kinds = {"push": ("push",), "pull": ("pull",), "manifest": ("manifest-get", "manifest-head", "manifest-put")}
    for kind, limit_ns in evidence.objective_ns.items():
        slower |= history.is_action(*kinds.get(kind, ())) & (took > limit_ns)
    return slower


def cut_short(evidence: Evidence) -> Mask:
    """Sessions that were stopped with the load and had, until then, not taken longer than their objective."""
    history = evidence.history
    recover = evidence.phase("recover")
    ended = history.returned_ns[~is_open(history)]
    end = recover.end_ns if recover else int(ended.max(initial=0))
    late = np.zeros(len(history), np.bool_)
    for kind, limit_ns in evidence.objective_ns.items():
        late |= history.is_action(kind) & (end - history.intended_ns > limit_ns)
    return is_open(history) & ~late


def _first_attempts(history: History, missed: Mask) -> dict[str, float]:
    """Per lane: first HTTP attempts, the rate of good ones (answered, admissible, within the objective; 429 aside), its lower bound."""
    counted = (
        is_attempt(history) & (history.attempt == 0) & in_phase(history, *TRAFFIC) & ~is_observed(history, "http-429") & ~is_open(history)
    )
    good = counted & ok(history) & ~missed & ~is_observed(history, "digest-differs", "unparsable")
    numbers: dict[str, float] = {}
    for lane in np.unique(history.lane[counted]):
        here = history.lane == lane
        name, total, fine = history.name(int(lane)), int((counted & here).sum()), int((good & here).sum())
        numbers[f"first_attempts.{name}"] = total
        numbers[f"first_attempt_rate.{name}"] = fine / total
        numbers[f"first_attempt_lower_bound.{name}"] = rate_lower_bound(fine, total)
    return numbers


def _latencies(history: History, rows: Ints) -> dict[str, float]:
    """Quantiles of answered sessions from their intended start, where there are enough of them."""
    took = (history.returned_ns[rows] - history.intended_ns[rows]) / 1e6
    found = {f"latency_ms.p{100 * q:g}": quantile(took, q) for q in (0.5, 0.95, 0.99, 0.999)}
    return {name: value for name, value in found.items() if value is not None}


def _claim(total: int, failed: int) -> str:
    """What the number of sessions shows at 95 %, and what it would take to claim three, four and five nines."""
    shown = math.floor(rate_lower_bound(total - failed, total) * 1e6) / 1e4  # rounding up would claim what was not shown
    needed = ", ".join(f"{100 * rate:g} % {requests_needed(rate, failures=failed):,}" for rate in CLAIMS)
    return f"that shows at least {shown:.4f} % (95 % confidence); with {failed} failures a claim needs this many sessions: {needed}"


def _failed(history: History, row: int) -> Finding:
    attempts = np.flatnonzero(history.parent == history.index[row])
    bad = attempts[~ok(history)[attempts]]
    cause = f"; its last failed attempt: {doing(history, int(bad[-1]))}, {history.name(int(history.observed[bad[-1]]))}" if len(bad) else ""
    end = "answered 404 for a tag that was there" if ok(history)[row] else f"ended {history.name(int(history.observed[row]))}"
    return Finding(f"Unrecovered: {doing(history, row)} {end}{cause}.", indices(history, row, *(int(r) for r in bad[-1:])))
