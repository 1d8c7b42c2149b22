import math

import numpy as np
import pytest

from chaoskit.projection import FaultRate, Projection, project
from chaoskit.stats import YEAR_S, error_budget_s

COSTS = tuple(math.exp(1 + step / 10) for step in range(-20, 21))  # 41 strikes around e = 2.7 s


def rate(fault: str = "zone-outage", events: float = 400, years: float = 100) -> FaultRate:
    return FaultRate(fault, events, years, "status page", "2026-01-31")


def projected(*rates: FaultRate, target: float = 0.99999, seed: int = 1, draws: int = 20_000, **measured: tuple[float, ...]) -> Projection:
    found = {name.replace("_", "-"): values for name, values in measured.items()}
    return project(rates, found, target=target, random=np.random.default_rng(seed), draws=draws)


def test_year_is_the_rate_times_the_cost_where_both_are_well_known() -> None:
    """4 events a year of 10 s each, a cost that does not vary: 40 s, and Poisson's spread around it."""
    found = projected(rate(events=40_000, years=10_000), zone_outage=(10.0,) * 2_000)

    assert found.median_s == pytest.approx(40, abs=0.5)
    assert (found.low_s, found.high_s) == pytest.approx((10, 80), abs=0.5)


def test_probability_to_meet_the_target_is_that_of_few_enough_events() -> None:
    """A target that leaves 45 s a year allows 4 events of 10 s: Poisson(4) is at most 4 with 0.6288."""
    found = projected(rate(events=40_000, years=10_000), target=1 - 45 / YEAR_S, zone_outage=(10.0,) * 2_000)

    assert error_budget_s(found.target, YEAR_S) == pytest.approx(45)
    assert found.meets_target == pytest.approx(0.6288, abs=0.012)


def test_strikes_that_cost_nothing_make_events_that_cost_nothing() -> None:
    half = projected(rate(events=40_000, years=10_000), zone_outage=(10.0,) * 2_000 + (0.0,) * 2_000)

    assert half.median_s == pytest.approx(20, abs=0.5)


def test_class_never_seen_still_happens_now_and_then() -> None:
    """No event in 10 years: a Gamma(0.5, 10) rate has a mean of 0.05 a year, so 1 - E[exp(-rate)] = 1 - (10/11)^0.5 of years have one."""
    found = projected(rate(events=0, years=10), target=0.999999999, zone_outage=(10.0,) * 200)

    assert found.median_s == 0
    assert 1 - found.meets_target == pytest.approx(1 - math.sqrt(10 / 11), abs=0.01)


def test_few_strikes_widen_the_year() -> None:
    many, few = (projected(rate(), zone_outage=values) for values in (COSTS, COSTS[::8]))

    assert len(COSTS[::8]) == 6
    assert few.high_s - few.low_s > many.high_s - many.low_s


def test_shares_are_of_a_year_that_has_downtime() -> None:
    """Costs of 3 s and 1 s, each class Poisson(4) a year: the mean of 3n / (3n + m) over all years but the empty one."""
    rates = (rate(events=40_000, years=10_000), rate("link-cut", events=40_000, years=10_000))
    found = projected(*rates, zone_outage=(3.0,) * 2_000, link_cut=(1.0,) * 2_000)

    chance = [math.exp(-4) * 4**count / math.factorial(count) for count in range(40)]
    pairs = [(n, m) for n in range(40) for m in range(40) if n + m]
    expected = sum(chance[n] * chance[m] * 3 * n / (3 * n + m) for n, m in pairs) / (1 - math.exp(-8))
    assert [each.fault for each in found.classes] == ["zone-outage", "link-cut"]
    assert [each.share for each in found.classes] == [pytest.approx(expected, abs=0.005), pytest.approx(1 - expected, abs=0.005)]
    assert found.classes[0].per_year == pytest.approx(4, abs=0.05)


def test_class_with_too_few_strikes_or_without_a_rate_is_unmodelled() -> None:
    few = (1.0, 2.0, 3.0, 4.0, 0.0)
    found = projected(rate(), rate("link-cut"), rate("latency"), zone_outage=COSTS, link_cut=few, zone_kill=COSTS)

    assert [each.fault for each in found.classes] == ["zone-outage"]
    assert found.unmodelled[:3] == (
        "latency (0 of 0 strikes cost downtime, 5 are needed)",
        "link-cut (4 of 5 strikes cost downtime, 5 are needed)",
        "zone-kill (no rate given)",
    )
    assert found.unmodelled[3].startswith("every class not listed")


def test_assumptions_name_rate_source_date_and_measurements() -> None:
    (first, *rest) = projected(rate(events=3, years=12), zone_outage=(*COSTS, 0.0)).assumptions

    assert first.startswith("zone-outage: 3 events in 12 years, from status page (2026-01-31); rate ~ Gamma(3.5, 12 years)")
    assert "downtime measured in 42 strikes, 41 above 0: 0.37 to 20.09 s" in first
    assert any("independent" in text for text in rest)
    assert rest[-1] == "20,000 draws"


def test_same_seed_same_year_and_no_year_has_more_seconds_than_a_year() -> None:
    wild = (1e-3, 1.0, 1e3, 1e6, 1e9)

    assert projected(rate(), zone_outage=wild) == projected(rate(), zone_outage=wild)
    assert projected(rate(), zone_outage=wild).high_s == YEAR_S


def test_nothing_to_model_or_a_class_rated_twice_is_refused() -> None:
    with pytest.raises(ValueError, match=r"5 strikes that cost downtime; found zone-outage: 1 of 2"):
        projected(rate(), zone_outage=(1.0, 0.0))
    with pytest.raises(ValueError, match="rated more than once: zone-outage"):
        projected(rate(), rate(), zone_outage=COSTS)


def test_costs_of_single_events_are_spread_as_the_measured_ones() -> None:
    """One event in 100 years whose logarithm has mean 2 and deviation 1: of the years with an event 15.9 % cost more than exp(3) s."""
    costs = tuple(math.exp(2 + step) for step in np.random.default_rng(5).normal(0, 1, 4_000))
    rare = rate(events=100, years=10_000)
    found = projected(rare, target=1 - math.exp(3) / YEAR_S, draws=200_000, zone_outage=costs)

    assert 1 - found.meets_target == pytest.approx(0.01 * 0.1587, abs=0.0003)
