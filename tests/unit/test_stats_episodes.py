"""Error budgets and means over fault episodes: the numbers of checks.md section 5, and how often the intervals cover the truth."""

import math

import numpy as np
import pytest
import scipy.stats  # type: ignore[import-untyped, unused-ignore]

from chaoskit.stats import MONTH_S, YEAR_S, budget_spent, episode_mean, rate_lower_bound, requests_needed


@pytest.mark.parametrize("total", [1, 2, 10, 360, 2_995, 299_572])
def test_lower_bound_is_the_beta_quantile_of_scipy(total: int) -> None:
    for failed in {0, 1, 2, 5, total // 2, total - 1} & set(range(total)):
        good = total - failed
        for confidence in (0.5, 0.95, 0.99):
            expected = scipy.stats.beta.ppf(1 - confidence, good, failed + 1)
            assert rate_lower_bound(good, total, confidence=confidence) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("failures", [0, 1, 2, 5])
def test_one_request_fewer_than_needed_is_not_enough(failures: int) -> None:
    needed = requests_needed(0.999, failures=failures)

    assert rate_lower_bound(needed - failures, needed) >= 0.999 > rate_lower_bound(needed - 1 - failures, needed - 1)


def test_lower_bound_exceeds_the_true_rate_in_at_most_one_of_twenty_samples() -> None:
    """Exactly, over all outcomes of 50 requests: the binomial probability of those whose bound is above the truth."""
    bounds = [rate_lower_bound(good, 50) for good in range(51)]
    for truth in np.linspace(0.5, 0.99, 50):
        wrong = sum(math.comb(50, good) * truth**good * (1 - truth) ** (50 - good) for good in range(51) if bounds[good] > truth)
        assert wrong <= 0.05 + 1e-12


def test_budget_spent_of_a_period_and_of_the_time_it_was_measured_in() -> None:
    assert budget_spent(25.92, 0.99999, MONTH_S) == pytest.approx(1.0)
    assert budget_spent(315.576, 0.99999, YEAR_S) == pytest.approx(1.0)
    assert budget_spent(0.012, 0.99999, 600) == pytest.approx(2.0)  # 10 minutes leave 6 ms


@pytest.mark.parametrize(("target", "period"), [(1.0, 600.0), (-0.1, 600.0), (0.999, 0.0)])
def test_where_there_is_no_budget_none_is_spent(target: float, period: float) -> None:
    with pytest.raises(ValueError, match="leaves no error budget"):
        budget_spent(1.0, target, period)


def test_mean_over_episodes_is_the_log_normal_one() -> None:
    """Logarithms 1, 2, 3, 4, 5: mean 3, variance 2.5; with none zero, log(mean) = 3 + 2.5 / 2 and its variance 2.5/5 + 2.5²/(2*4)."""
    found = episode_mean([math.exp(value) for value in (1, 2, 3, 4, 5)])

    assert found is not None
    assert found.mean == pytest.approx(math.exp(4.25))
    reach = 2.7764451 * math.sqrt(0.5 + 6.25 / 8)  # Student's 97.5 % with 4 degrees of freedom
    assert (found.low, found.high) == pytest.approx((math.exp(4.25 - reach), math.exp(4.25 + reach)))
    assert (found.episodes, found.non_zero) == (5, 5)


def test_episodes_without_downtime_lower_the_mean_and_widen_the_interval() -> None:
    values = [math.exp(value) for value in (1, 2, 3, 4, 5)]
    all_cost, half_cost = episode_mean(values), episode_mean([*values, 0, 0, 0, 0, 0])

    assert all_cost is not None
    assert half_cost is not None
    assert half_cost.mean == pytest.approx(all_cost.mean / 2)
    assert half_cost.high / half_cost.low > all_cost.high / all_cost.low
    assert (half_cost.episodes, half_cost.non_zero) == (10, 5)


def test_fewer_than_five_episodes_that_cost_any_have_no_interval() -> None:
    assert episode_mean([1.0, 2.0, 3.0, 4.0, *[0.0] * 100]) is None
    assert episode_mean([]) is None


def test_equal_episodes_are_known_exactly() -> None:
    found = episode_mean([2.0] * 5)

    assert found is not None
    assert (found.low, found.mean, found.high) == pytest.approx((2.0, 2.0, 2.0))


def test_negative_downtime_is_refused() -> None:
    with pytest.raises(ValueError, match="an episode of -1"):
        episode_mean([1.0, -1.0])


def coverage(episodes: int, sigma: float, share: float, *, runs: int, seed: int) -> tuple[float, int]:
    """How often the interval, where there is one, covers the mean of log-normal downtimes of which only a share is not 0; of how many."""
    source = np.random.default_rng(seed)
    truth = share * math.exp(sigma**2 / 2)
    costly = source.random((runs, episodes)) < share
    values = np.where(costly, np.exp(source.normal(0, sigma, (runs, episodes))), 0)
    found = [interval for row in values if (interval := episode_mean(row)) is not None]
    return sum(interval.low <= truth <= interval.high for interval in found) / len(found), len(found)


# What 200,000 runs gave, and three standard errors of 2,000 runs to either side.
@pytest.mark.parametrize(
    ("episodes", "sigma", "share", "expected"),
    [(5, 1.0, 1.0, 0.934), (10, 1.0, 1.0, 0.940), (30, 1.5, 1.0, 0.943), (10, 1.0, 0.7, 0.967), (5, 0.5, 0.7, 0.838)],
)
def test_interval_over_episodes_covers_the_truth_as_often_as_stated(episodes: int, sigma: float, share: float, expected: float) -> None:
    covered, runs = coverage(episodes, sigma, share, runs=2_000, seed=episodes)

    assert covered == pytest.approx(expected, abs=3 * math.sqrt(expected * (1 - expected) / runs))


def test_binomial_bound_over_the_failures_of_few_outages_misses_the_truth() -> None:
    """Why downtime is counted by the episode: 20 outages of about 50 failures each are not 1,000 independent failures."""
    source = np.random.default_rng(4)
    truth, runs, missed = 20 * 50 / 100_000, 400, 0
    for _ in range(runs):
        failures = int(np.exp(source.normal(math.log(50) - 0.5, 1.0, source.poisson(20))).sum())
        missed += rate_lower_bound(100_000 - failures, 100_000) > 1 - truth
    assert missed / runs > 0.3
