"""Did the strikes do what they claim: symptom seen, gone after heal, traffic met. A fault that touched nothing proves nothing."""

from typing import Literal

import numpy as np

from chaoskit.checks.base import Check, conclude, is_attempt
from chaoskit.checks.words import seconds
from chaoskit.model.evidence import Evidence
from chaoskit.model.strike import Sample, Struck
from chaoskit.model.verdict import CheckResult, Finding

JUST_AFTER_NS = 2_000_000_000  # a store that syncs or replicates behind its answer has done so by then: the fault would show nothing


class Effect(Check):
    """Every strike showed its declared symptom on every target, was gone after heal, and met traffic. Never violated: else inconclusive."""

    check: Literal["effect"] = "effect"

    def judge(self, evidence: Evidence) -> CheckResult:
        """Held, or why a strike is not proven."""
        doubts: list[Finding] = []
        numbers: dict[str, float] = {"strikes": len(evidence.strikes)}
        for struck in evidence.strikes:
            met = _met(evidence, struck)
            reasons = _not_put_on(struck) or [*_unproven(struck), *_missed(met), *_off_its_moment(evidence, struck)]
            doubts += [Finding(f"strike {struck.number} ({struck.kind}): {reason}") for reason in reasons]
            numbers[f"traffic.{struck.number}"] = met
            if struck.trigger is not None and struck.injected_ns is not None:
                numbers[f"late_ms.{struck.number}"] = _late_ns(struck) / 1e6
            if struck.cut_ns:
                numbers[f"cut_span_ms.{struck.number}"] = (max(struck.cut_ns.values()) - min(struck.cut_ns.values())) / 1e6
        if not evidence.strikes:
            doubts.append(Finding("there was no strike"))
        summary = f"{len(evidence.strikes)} strikes: " + (
            f"{len(doubts)} things not proven" if doubts else "seen, met by traffic, and gone"
        )
        return conclude(self.check, summary, doubts=doubts, numbers=numbers)


def _final(samples: tuple[Sample, ...], stage: str) -> dict[str, Sample]:
    """The last look at each target in a stage."""
    looks = sorted((sample for sample in samples if sample.stage == stage), key=lambda sample: sample.at_ns)
    return {sample.target: sample for sample in looks}


def _not_put_on(struck: Struck) -> list[str]:
    """Why a strike was never put on, in the words of the run."""
    return list(struck.notes) if struck.injected_ns is None else []


def _off_its_moment(evidence: Evidence, struck: Struck) -> list[str]:
    """Why a fault that a moment of the protocol set off did not fall on it. By the history: what the harness meant to do proves nothing."""
    fired, history = struck.trigger, evidence.history
    if fired is None or struck.injected_ns is None or struck.effective_ns is None:
        return []
    rows = np.flatnonzero(history.index == fired.operation)
    if not len(rows):
        return [f"the operation that set it off, row {fired.operation}, is not in the history"]
    called_ns, returned_ns = int(history.called_ns[rows[0]]), int(history.returned_ns[rows[0]])
    match fired.kind:
        case "after":
            was_met = returned_ns <= struck.injected_ns and _late_ns(struck) <= JUST_AFTER_NS
        case "between":
            was_met = called_ns >= struck.effective_ns
        case "at-byte":
            was_met = called_ns <= struck.injected_ns and returned_ns >= struck.effective_ns
    if was_met:
        return []
    row = f"row {fired.operation} ran from {seconds(called_ns)} to {seconds(returned_ns)}"
    return [f"it did not fall {fired.told}: {row}, and the last cut was made {_late_ns(struck) / 1e9:.3f} s after the moment"]


def _late_ns(struck: Struck) -> int:
    """From the moment that set a strike off to its last cut; 0 where a clock did."""
    return max(struck.cut_ns.values(), default=struck.injected_ns or 0) - struck.trigger.at_ns if struck.trigger else 0


def _unproven(struck: Struck) -> list[str]:
    during, after = _final(struck.samples, "during"), _final(struck.samples, "after")
    reasons = []
    if struck.effective_ns is None:
        reasons.append("its symptom was never complete")
    if not during:
        reasons.append("no canary looked while it lasted")
    for look in during.values():
        if not look.as_expected:
            reasons.append(f"{look.target} showed {look.seen} at {seconds(look.at_ns)}, not {look.expected}")
    if struck.clean_ns is None:
        reasons.append("it was never seen to be gone")
    for target in during:
        if target not in after:
            reasons.append(f"no canary looked at {target} after the heal")
    for look in after.values():
        if not look.as_expected:
            reasons.append(f"{look.target} showed {look.seen} at {seconds(look.at_ns)} after the heal, not {look.expected}")
    return reasons


def _met(evidence: Evidence, struck: Struck) -> int:
    """Attempts under way between injection and heal, at the entries of struck zones (at any entry where the fault names no zone)."""
    history = evidence.history
    if struck.injected_ns is None or struck.healed_ns is None:
        return 0
    under_way = is_attempt(history) & (history.called_ns <= struck.healed_ns) & (history.returned_ns >= struck.injected_ns)
    if struck.zones:
        under_way &= np.isin(history.zone, [history.code(zone) for zone in struck.zones])
    return int(under_way.sum())


def _missed(met: int) -> list[str]:
    return [] if met else ["it met no traffic"]
