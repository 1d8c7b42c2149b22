"""How long the entries that nobody struck kept failing, and whether all were back in the baseline band by the end."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from chaoskit.checks.base import Check, conclude
from chaoskit.checks.timeline import Bounds, StrikeTimeline, timeline
from chaoskit.checks.words import doing, indices, seconds
from chaoskit.model.evidence import Evidence
from chaoskit.model.history import History
from chaoskit.model.units import Duration, format_duration
from chaoskit.model.verdict import CheckResult, Finding
from chaoskit.stats import MIN_EPISODES, episode_mean, rate_lower_bound, requests_needed


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
        result = conclude(
            self.check, _summary(strikes), violations=violations, doubts=doubts, numbers=numbers | _episodes(strikes) | _most(strikes)
        )
        return replace(result, series=_series(strikes))

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
    if strike.downtime is not None:
        lost = strike.downtime
        numbers |= {f"downtime_s.{strike.number}": lost.seconds, f"downtime_s.{strike.number}.lo": lost.low}
        numbers[f"downtime_s.{strike.number}.hi"] = lost.high
    return numbers


def _episodes(strikes: Sequence[StrikeTimeline]) -> dict[str, float]:
    """The mean downtime of a strike with its 95 % interval, where there are enough strikes that cost any."""
    mean = episode_mean([strike.downtime.seconds for strike in strikes if strike.downtime is not None])
    if mean is None:
        return {}
    numbers = {"episodes": mean.episodes, "episodes_with_downtime": mean.non_zero}
    return numbers | {"mean_downtime_s": mean.mean, "mean_downtime_s.lo": mean.low, "mean_downtime_s.hi": mean.high}


def _most(strikes: Sequence[StrikeTimeline]) -> dict[str, float]:
    """The longest failover of several, and of how large a share of such strikes that shows that none is longer (95 % confidence)."""
    seen = [strike.failover_s[1] for strike in strikes if strike.failover_s is not None]
    known = [high for high in seen if high is not None]
    if len(known) < 2 or len(known) < len(seen):
        return {}
    return {"failovers": len(known), "failover_s.most": max(known), "failover_share_shown": rate_lower_bound(len(known), len(known))}


def _series(strikes: Sequence[StrikeTimeline]) -> dict[str, tuple[float, ...]]:
    """The raw values, a strike each in their order; NaN has no place in JSON, so strikes that could not be measured are left out."""
    failovers = [s.failover_s for s in strikes if s.failover_s is not None]
    return {
        "downtime_s": tuple(s.downtime.seconds for s in strikes if s.downtime is not None),
        "failover_s.lo": tuple(low for low, _ in failovers),
        "failover_s.hi": tuple(high for _, high in failovers if high is not None),
    }


def _summary(strikes: Sequence[StrikeTimeline]) -> str:
    told = "; ".join(map(_told, strikes)) or "no strike"
    measured = [s for s in strikes if s.downtime is not None]
    if len(measured) < 2:
        return told
    mean, most = _episodes(strikes), _most(strikes)
    low, high = (mean.get(f"mean_downtime_s.{end}", 0.0) for end in ("lo", "hi"))
    cost = (
        f"mean downtime of {len(measured)} strikes {mean['mean_downtime_s']:.2f} s ({low:.2f} to {high:.2f} s, 95 % confidence)"
        if mean
        else f"fewer than {MIN_EPISODES} strikes cost any downtime, so their mean has no interval"
    )
    if not most:
        return f"{cost}; {told}"
    shown = math.floor(1000 * most["failover_share_shown"]) / 10
    return (
        f"{cost}; {most['failovers']:.0f} failovers, none above {most['failover_s.most']:.2f} s, which shows it of {shown:.1f} % of such "
        f"strikes (95 % takes {requests_needed(0.95)} strikes); {told}"
    )


def _told(strike: StrikeTimeline) -> str:
    def span(bounds: Bounds | None) -> str:
        if bounds is None:
            return "unknown"
        return f"over {bounds[0]:.2f} s, its end not seen" if bounds[1] is None else f"{bounds[0]:.2f} to {bounds[1]:.2f} s"

    lost = strike.downtime
    downtime = "unknown" if lost is None else f"{lost.seconds:.2f} s ({lost.low:.2f} to {lost.high:.2f})"
    failover = span(strike.failover_s) if strike.untouched else "not judged (every zone struck)"
    return f"strike {strike.number}: failover {failover}, recovery {span(strike.recovery_s)}, effective downtime {downtime}"
