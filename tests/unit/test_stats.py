import pytest

from chaoskit.stats import YEAR_S, error_budget_s, p95, quantile, rate_lower_bound, requests_needed


@pytest.mark.parametrize(
    ("rate", "needed"),
    [
        (0.999, (2_995, 4_742, 6_294, 10_511)),
        (0.9999, (29_956, 47_437, 62_956, 105_128)),
        (0.99999, (299_572, 474_385, 629_578, 1_051_301)),
    ],
)
def test_requests_needed_for_a_claim_with_0_1_2_and_5_failures(rate: float, needed: tuple[int, ...]) -> None:
    assert tuple(requests_needed(rate, failures=failures) for failures in (0, 1, 2, 5)) == needed


def test_360_clean_requests_only_show_99_17_percent() -> None:
    assert rate_lower_bound(360, 360) == pytest.approx(0.9917, abs=5e-5)


def test_lower_bound_is_the_one_of_clopper_and_pearson() -> None:
    assert rate_lower_bound(97, 100) == pytest.approx(0.9242892, abs=1e-7)  # scipy.stats.beta.ppf(0.05, 97, 4)
    assert rate_lower_bound(0, 100) == 0.0


def test_more_good_requests_than_requests_are_refused() -> None:
    with pytest.raises(ValueError, match="3 good requests of 2"):
        rate_lower_bound(3, 2)


def test_certainty_cannot_be_claimed() -> None:
    with pytest.raises(ValueError, match="wanted a number between 0 and 1"):
        requests_needed(1.0)


def test_quantile_is_hidden_where_the_numbers_do_not_bound_it() -> None:
    assert quantile(range(58), 0.95) is None
    assert quantile(range(59), 0.95) == 56
    assert requests_needed(0.95) == 59


def test_p95_is_a_value_that_occurred() -> None:
    assert p95([1.0, 2.0, 3.0]) == 3.0
    with pytest.raises(ValueError, match="of no values"):
        p95([])


def test_error_budget_of_five_nines() -> None:
    assert error_budget_s(0.99999, YEAR_S) == pytest.approx(315.6, abs=0.05)
    assert error_budget_s(0.99999, 30 * 86_400) == pytest.approx(25.9, abs=0.05)
    assert error_budget_s(0.99999, 600) == pytest.approx(0.006)
