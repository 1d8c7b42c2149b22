"""A stored run to its results: the same function for the run that just ended and for one judged again years later."""

from collections.abc import Mapping

import numpy as np

from chaoskit.checks.base import judge_all
from chaoskit.checks.scopes import Scope, scopes
from chaoskit.checks.timeline import StrikeTimeline, timeline
from chaoskit.checks.traffic import traffic_of
from chaoskit.checks.windows import Downtime
from chaoskit.model.history import History, Outcome
from chaoskit.model.results import Bounds, Counts, RunResults, ScopeResult, StrikeResult
from chaoskit.model.strike import Struck
from chaoskit.model.verdict import Verdict, as_expected, overall
from chaoskit.rundir import StoredRun


def judge(stored: StoredRun) -> RunResults:
    """Every check of the experiment over the stored evidence; pure but for having been read from disk."""
    experiment, evidence, meta = stored.variant.experiment, stored.evidence, stored.meta
    checks = judge_all(experiment.checks, evidence)
    expect = stored.variant.expectation
    traffic = traffic_of(evidence)
    measured = zip(evidence.strikes, timeline(evidence, traffic), scopes(evidence, traffic), strict=True)
    duration = meta.get("duration_s", 0.0)
    return RunResults(
        experiment=experiment.name,
        experiment_sha256=stored.variant.experiment_sha256,
        variant=stored.variant.name,
        claims=experiment.claims,
        duty=experiment.duty,
        driver=str(meta.get("driver", "")),
        topology=experiment.topology,
        seed=experiment.seed,
        expect=expect,
        verdict=overall(checks),
        as_expected=as_expected(checks, expect) is Verdict.HELD,
        started_utc=str(meta.get("started_utc", "")),
        duration_s=duration if isinstance(duration, float) else 0.0,
        operations=_operations(evidence.history),
        strikes=tuple(_strike(*each) for each in measured),
        checks=checks,
        facts={key: meta[key] for key in ("versions", "images", "host") if key in meta},
    )


def _operations(history: History) -> Mapping[str, Counts]:
    """Rows by action and outcome; what the harness could not send is not the region's and is left out."""
    sent = history.observed != history.code("not-sent")
    counts = {}
    for action in np.unique(history.action[sent]):
        outcomes = history.outcome[sent & (history.action == action)]
        ok, failed, unknown = (int(np.count_nonzero(outcomes == kind)) for kind in (Outcome.OK, Outcome.FAILED, Outcome.UNKNOWN))
        counts[history.name(int(action))] = Counts(ok, failed, unknown)
    return dict(sorted(counts.items()))


def _strike(struck: Struck, times: StrikeTimeline, parts: Mapping[str, Scope]) -> StrikeResult:
    return StrikeResult(
        fault=struck.fault,
        zones=struck.zones,
        links=struck.links,
        components=struck.components,
        injected_s=_seconds(struck.injected_ns),
        effective_s=_seconds(struck.effective_ns),
        healed_s=_seconds(struck.healed_ns),
        clean_s=_seconds(struck.clean_ns),
        failover_s=times.failover_s,
        recovery_s=times.recovery_s,
        downtime_s=_middle(times.downtime),
        downtime_bounds_s=_bounds(times.downtime),
        times=times.times_s,
        scopes={name: _scope(part) for name, part in parts.items()},
        notes=struck.notes,
        trigger=struck.trigger,
    )


def _scope(part: Scope) -> ScopeResult:
    return ScopeResult(part.probes, part.failover_s, part.recovery_s, _middle(part.downtime), _bounds(part.downtime))


def _middle(lost: Downtime | None) -> float | None:
    return None if lost is None else lost.seconds


def _bounds(lost: Downtime | None) -> Bounds | None:
    return None if lost is None else (lost.low, lost.high)


def _seconds(at_ns: int | None) -> float | None:
    return None if at_ns is None else at_ns / 1e9
