"""How long the entries that nobody struck kept failing, and whether all were back in the baseline band by the end."""

from typing import Literal

from chaoskit.checks.base import Check, conclude
from chaoskit.checks.timeline import Bounds, StrikeTimeline, timeline
from chaoskit.checks.words import doing, indices, seconds
from chaoskit.model.evidence import Evidence
from chaoskit.model.history import History
from chaoskit.model.units import Duration, format_duration
from chaoskit.model.verdict import CheckResult, Finding


class Failover(Check):
    """After each strike, no first attempt at an untouched entry that was due later than `within` fails; in the end every entry is back.

    Back means: good and within 1.5 x the p95 of the steady phase, from some operation on until the end of the recover phase.
    Where every zone is struck, only coming back is judged.
    """

    check: Literal["failover"] = "failover"
    within: Duration

    def judge(self, evidence: Evidence) -> CheckResult:
        """Held, or which strike took too long, or which entry did not come back."""
        history = evidence.history
        strikes = timeline(evidence)
        violations: list[Finding] = []
        doubts: list[Finding] = []
        numbers: dict[str, float] = {}
        for strike in strikes:
            numbers |= _numbers(strike)
            late = self._late(history, strike)
            violations += [late] if late else []
            doubts += self._doubts(strike)
        last = max((s for s in strikes if s.t4_ns is not None), key=lambda strike: strike.t4_ns or 0, default=None)
        if last is not None and last.is_back is False:
            text = (
                f"Not back: {doing(history, last.not_back)} was still bad or out of the baseline band, and nothing good followed it there."
            )
            violations.append(Finding(text, indices(history, last.not_back)))
        elif last is not None and last.is_back is None:
            doubts.append(
                Finding(f"strike {last.number}: no session at some entry, or none in the steady phase, shows whether it came back")
            )
        if not strikes:
            doubts.append(Finding("no strike, so nothing failed over"))
        return conclude(self.check, "; ".join(map(_told, strikes)) or "no strike", violations=violations, doubts=doubts, numbers=numbers)

    def _late(self, history: History, strike: StrikeTimeline) -> Finding | None:
        if strike.failover_s is None or strike.failover_s[0] <= self.within.total_seconds():
            return None
        text = (
            f"Strike {strike.number} ({strike.kind}): {doing(history, strike.last_bad)}, an entry it did not touch, still failed "
            f"({history.name(int(history.observed[strike.last_bad]))}) {strike.failover_s[0]:.3f} s after the first cut; "
            f"allowed are {format_duration(self.within)}."
        )
        return Finding(text, indices(history, strike.last_bad))

    def _doubts(self, strike: StrikeTimeline) -> list[Finding]:
        if strike.t0_ns is None or strike.t4_ns is None:
            return [Finding(f"strike {strike.number} was not injected and healed")]
        if strike.untouched and not strike.probes:
            return [Finding(f"strike {strike.number}: no first attempt at an untouched entry while it lasted")]
        length = strike.t4_ns - strike.t0_ns
        if strike.untouched and length / 1e9 < self.within.total_seconds():
            return [
                Finding(f"strike {strike.number} lasted {seconds(length)}, less than the {format_duration(self.within)} it is judged by")
            ]
        return []


def _numbers(strike: StrikeTimeline) -> dict[str, float]:
    numbers: dict[str, float] = {f"probes.{strike.number}": strike.probes}
    for name, span in (("failover", strike.failover_s), ("recovery", strike.recovery_s)):
        if span is not None:
            numbers[f"{name}_s.{strike.number}.lo"] = span[0]
            numbers |= {} if span[1] is None else {f"{name}_s.{strike.number}.hi": span[1]}
    if strike.downtime_s is not None:
        numbers[f"downtime_s.{strike.number}"] = strike.downtime_s
    return numbers


def _told(strike: StrikeTimeline) -> str:
    def span(bounds: Bounds | None) -> str:
        if bounds is None:
            return "unknown"
        return f"over {bounds[0]:.2f} s, its end not seen" if bounds[1] is None else f"{bounds[0]:.2f} to {bounds[1]:.2f} s"

    downtime = "unknown" if strike.downtime_s is None else f"{strike.downtime_s:.2f} s"
    failover = span(strike.failover_s) if strike.untouched else "not judged (every zone struck)"
    return f"strike {strike.number}: failover {failover}, recovery {span(strike.recovery_s)}, effective downtime {downtime}"
