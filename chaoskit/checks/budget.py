"""How each lane fared as a service: what it shows, what of the error budget it spent, and its worst windows. Printed, not gated.

A session misses when it fails, is answered 404 for a tag that was there, or takes longer than its objective.
"""

import numpy as np

from chaoskit.checks.base import TRAFFIC
from chaoskit.checks.windows import SECOND_NS, WorstWindow, downtime, mean_downtime, worst_windows
from chaoskit.model.evidence import Evidence
from chaoskit.model.history import Ints, Mask
from chaoskit.stats import MONTH_S, YEAR_S, budget_spent, rate_lower_bound

TARGET = 0.99999


def traffic_span(evidence: Evidence) -> tuple[int, int]:
    """From the first to the last of the phases with traffic, in ns; (0, 0) for a run that knew none."""
    windows = [window for window in evidence.phases if window.name in TRAFFIC]
    return min((window.start_ns for window in windows), default=0), max((window.end_ns for window in windows), default=0)


def service(evidence: Evidence, sessions: Mask, missed: Mask) -> tuple[dict[str, float], dict[str, tuple[float, ...]]]:
    """Numbers and series of each lane. `sessions` are the rows that count; the pinned lane is looked at entry by entry."""
    history = evidence.history
    span = traffic_span(evidence)
    rows = np.flatnonzero(sessions)
    rows = rows[np.argsort(history.intended_ns[rows], kind="stable")]
    numbers: dict[str, float] = {}
    series: dict[str, tuple[float, ...]] = {}
    for lane in np.unique(history.lane[rows]):
        name, here = history.name(int(lane)), rows[history.lane[rows] == lane]
        entries = [here[history.zone[here] == zone] for zone in np.unique(history.zone[here])] if name == "pinned" else [here]
        numbers |= _lane(name, evidence, (here, entries), missed)
        scopes = {name: here} | ({history.name(int(history.zone[entry[0]])): entry for entry in entries} if name == "pinned" else {})
        for scope, part in scopes.items():
            series |= _series(scope, worst_windows(history.intended_ns[part], missed[part], span))
    return numbers, series


def _lane(name: str, evidence: Evidence, rows: tuple[Ints, list[Ints]], missed: Mask) -> dict[str, float]:
    here, entries = rows
    due = evidence.history.intended_ns
    span = traffic_span(evidence)
    bad = int(missed[here].sum())
    numbers: dict[str, float] = {
        "sessions": len(here),
        "missed": bad,
        "objective_lower_bound": rate_lower_bound(len(here) - bad, len(here)),
    }
    lost = mean_downtime(downtime(due[entry], missed[entry], span) for entry in entries)
    if lost is not None:
        elapsed = (span[1] - span[0]) / SECOND_NS
        numbers |= {"downtime_s": lost.seconds, "downtime_s.lo": lost.low, "downtime_s.hi": lost.high}
        periods = {"burn_rate": elapsed, "budget_30_days": MONTH_S, "budget_year": YEAR_S}
        numbers |= {key: budget_spent(lost.seconds, TARGET, period) for key, period in periods.items()}
    return {f"{name}.{key}": value for key, value in numbers.items()}


def _series(scope: str, windows: tuple[WorstWindow, ...]) -> dict[str, tuple[float, ...]]:
    columns: dict[str, list[float]] = {
        "length_s": [window.length_ns / SECOND_NS for window in windows],
        "start_s": [window.start_ns / SECOND_NS for window in windows],
        "bad_share": [window.share for window in windows],
        "n": [window.total for window in windows],
    }
    return {f"worst_window.{scope}.{column}": tuple(float(value) for value in values) for column, values in columns.items()}
