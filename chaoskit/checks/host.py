"""Did the machine keep up: a starved host is the main source of false verdicts, so its runs prove nothing."""

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from chaoskit.checks.base import Check, conclude, is_observed
from chaoskit.model.evidence import Evidence
from chaoskit.model.verdict import CheckResult, Finding

Share = Annotated[float, Field(ge=0, le=1)]
Milliseconds = Annotated[float, Field(gt=0)]


class Host(Check):
    """Unsent sessions, event-loop lag, CPU and steal stayed within bounds. Never violated: else inconclusive.

    `unsent` is the share of sessions due that the harness could not send, or not all of; `lag_p99_ms` and `lag_max_ms` bound how late
    the event loop woke; a mean `cpu_busy` is only bad together with a mean `pressure` (share of time that something waited for a CPU);
    `steal` is what other guests took, in the mean.
    """

    check: Literal["host"] = "host"
    unsent: Share = 0.001
    lag_p99_ms: Milliseconds = 100
    lag_max_ms: Milliseconds = 1000
    cpu_busy: Share = 0.97
    pressure: Share = 0.6
    steal: Share = 0.2

    def judge(self, evidence: Evidence) -> CheckResult:
        """Held, or which bound the machine broke."""
        history = evidence.history
        load = history.lane != history.code("sweep")
        roots = np.where(history.parent < 0, history.index, history.parent)
        due = len(np.unique(roots[load]))
        unsent = len(np.unique(roots[load & is_observed(history, "not-sent")]))
        share = unsent / due if due else 0.0
        doubts = [Finding(f"{unsent} of {due} sessions could not be sent by the harness ({share:.1%})")] if share > self.unsent else []
        numbers: dict[str, float] = {"unsent": unsent, "unsent_share": share, "samples": len(evidence.host)}
        if evidence.host:
            numbers |= _means(evidence)
            doubts += self._broken(numbers)
        else:
            doubts.append(Finding("the machine was not watched"))
        summary = "the machine kept up" if not doubts else "; ".join(doubt.text for doubt in doubts)
        return conclude(self.check, summary, doubts=doubts, numbers=numbers)

    def _broken(self, numbers: dict[str, float]) -> list[Finding]:
        reasons = []
        if numbers["lag_p99_ms"] > self.lag_p99_ms or numbers["lag_max_ms"] > self.lag_max_ms:
            reasons.append(f"the event loop woke late: p99 {numbers['lag_p99_ms']:.0f} ms, at most {numbers['lag_max_ms']:.0f} ms")
        if numbers["cpu_busy"] > self.cpu_busy and numbers["pressure"] > self.pressure:
            reasons.append(f"the CPUs were {numbers['cpu_busy']:.0%} busy and work waited {numbers['pressure']:.0%} of the time")
        if numbers["steal"] > self.steal:
            reasons.append(f"other guests took {numbers['steal']:.0%} of the CPUs")
        return [Finding(reason) for reason in reasons]


def _means(evidence: Evidence) -> dict[str, float]:
    lags = [sample.loop_lag_ms for sample in evidence.host]
    return {
        "lag_p99_ms": float(np.quantile(lags, 0.99)),
        "lag_max_ms": max(lags),
        "cpu_busy": float(np.mean([sample.cpu_busy for sample in evidence.host])),
        "pressure": float(np.mean([sample.pressure for sample in evidence.host])),
        "steal": float(np.mean([sample.cpu_steal for sample in evidence.host])),
    }
