"""Downtime of a year: how often each class of fault happens (a rates file) times what one cost in stored runs. A projection, not a proof.

The rate of a class is uncertain, a Gamma posterior of so many events in so many years; so is what one costs, a log-normal posterior of the
measured downtimes. Refuses to project a class of which fewer than `MIN_EPISODES` strikes cost anything: it is listed as unmodelled.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from chaoskit.stats import MIN_EPISODES, YEAR_S, error_budget_s

DRAWS = 200_000

Draws = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class FaultRate:
    """How often a class of fault was seen: `events` in `years` (exposure), where that is written, and of when."""

    fault: str
    events: float
    years: float
    source: str
    date: str


@dataclass(frozen=True, slots=True)
class ClassShare:
    """One class: expected events a year (median of its posterior), and its share of the downtime of a year, a mean over the drawn years
    that have any (the share of the mean would be that of a few extreme draws)."""

    fault: str
    per_year: float
    share: float


@dataclass(frozen=True, slots=True)
class Projection:
    """Seconds of downtime in a year: median, 5 and 95 %; the probability to meet the target; and what all of that rests on."""

    target: float
    median_s: float
    low_s: float
    high_s: float
    meets_target: float
    classes: tuple[ClassShare, ...]
    unmodelled: tuple[str, ...]
    assumptions: tuple[str, ...]


def project(
    rates: Sequence[FaultRate], measured: Mapping[str, Sequence[float]], *, target: float, random: np.random.Generator, draws: int = DRAWS
) -> Projection:
    """The projected year. `measured` are downtimes in s by class, one a strike.

    ValueError if no class can be modelled, or if one is rated twice.
    """
    names = [rate.fault for rate in rates]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"rated more than once: {', '.join(twice)}; wanted one rate a class")
    modelled = [rate for rate in rates if _costly(measured.get(rate.fault, ())) >= MIN_EPISODES]
    if not modelled:
        raise ValueError(f"no class has a rate and {MIN_EPISODES} strikes that cost downtime; found {_found(measured)}")
    years = {rate.fault: _years(rate, measured[rate.fault], random, draws) for rate in modelled}
    total = np.minimum(sum((downtime for _, downtime in years.values()), np.zeros(draws)), YEAR_S)
    cost = total > 0
    low, median, high = (float(value) for value in np.quantile(total, (0.05, 0.5, 0.95)))
    return Projection(
        target=target,
        median_s=median,
        low_s=low,
        high_s=high,
        meets_target=float((total <= error_budget_s(target, YEAR_S)).mean()),
        classes=tuple(
            ClassShare(name, float(np.median(rate)), float(np.minimum(downtime[cost] / total[cost], 1).mean()) if cost.any() else 0.0)
            for name, (rate, downtime) in years.items()
        ),
        unmodelled=_unmodelled(rates, measured, set(years)),
        assumptions=_assumptions(modelled, measured, draws),
    )


def _costly(values: Sequence[float]) -> int:
    return sum(value > 0 for value in values)


def _years(rate: FaultRate, values: Sequence[float], random: np.random.Generator, draws: int) -> tuple[Draws, Draws]:
    """Drawn rates, and for each the downtime of one year: a Poisson number of events, each with a cost of its own."""
    logs = np.log([value for value in values if value > 0])
    count = len(logs)
    rates = random.gamma(rate.events + 0.5, 1 / rate.years, draws)
    costs_any = random.beta(count + 0.5, len(values) - count + 0.5, draws)
    deviation = np.sqrt((count - 1) * logs.var(ddof=1) / random.chisquare(count - 1, draws))
    centre = logs.mean() + random.normal(0, 1, draws) * deviation / np.sqrt(count)
    events = random.poisson(rates * costs_any)
    downtime = np.zeros(draws)
    still = np.flatnonzero(events)
    while len(still):
        logged = centre[still] + deviation[still] * random.normal(0, 1, len(still))
        downtime[still] += np.exp(np.minimum(logged, np.log(YEAR_S)))
        events[still] -= 1
        still = still[events[still] > 0]
    return rates, np.minimum(downtime, YEAR_S)


def _found(measured: Mapping[str, Sequence[float]]) -> str:
    return ", ".join(f"{name}: {_costly(values)} of {len(values)}" for name, values in sorted(measured.items())) or "no strike at all"


def _unmodelled(rates: Sequence[FaultRate], measured: Mapping[str, Sequence[float]], modelled: set[str]) -> tuple[str, ...]:
    """Each class that was rated or measured and is in no number, and why; and all that is neither."""
    rows = []
    rated = {rate.fault for rate in rates}
    for name in sorted((rated | set(measured)) - modelled):
        values = measured.get(name, ())
        why = f"{_costly(values)} of {len(values)} strikes cost downtime, {MIN_EPISODES} are needed" if name in rated else "no rate given"
        rows.append(f"{name} ({why})")
    return (*rows, "every class not listed, two faults at once, planned work, the network in front of the region")


def _assumptions(modelled: Sequence[FaultRate], measured: Mapping[str, Sequence[float]], draws: int) -> tuple[str, ...]:
    rows = []
    for rate in modelled:
        values = measured[rate.fault]
        costs = sorted(value for value in values if value > 0)
        rows.append(
            f"{rate.fault}: {rate.events:g} events in {rate.years:g} years, from {rate.source} ({rate.date}); rate ~ Gamma("
            f"{rate.events + 0.5:g}, {rate.years:g} years); downtime measured in {len(values)} strikes, {len(costs)} above 0: "
            f"{costs[0]:.2f} to {costs[-1]:.2f} s, log-normal, its mean and spread a posterior under Jeffreys' prior"
        )
    return (
        *rows,
        "events are independent, and the region is well again before the next one",
        "a fault of a year costs what a strike of that class in these runs cost, though strikes end when they are healed",
        "downtime is that of the entries a strike did not touch (of all, where it touched all); where none was seen, there was none",
        "no event costs more than a year",
        f"{draws:,} draws",
    )
