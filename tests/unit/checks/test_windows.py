import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chaoskit.checks.windows import Downtime, WorstWindow, downtime, mean_downtime, worst_windows
from chaoskit.model.history import Ints, Mask

from .histories import ns

LAW = settings(max_examples=60, deadline=None, derandomize=True, database=None)


def due(*seconds: float) -> Ints:
    return np.array([ns(at) for at in seconds], np.int64)


def flags(text: str) -> Mask:
    """`x` is bad."""
    return np.array([letter == "x" for letter in text], np.bool_)


def test_worst_window_of_each_length_is_where_the_share_is_highest_with_its_n() -> None:
    found = worst_windows(due(0, 5, 10, 10.05, 10.2, 10.9, 15), flags("...xx.."), (0, ns(20)))

    assert found == (
        WorstWindow(ns(0.1), ns(10.05), 1, 1),
        WorstWindow(ns(1), ns(10.05), 2, 3),
        WorstWindow(ns(10), ns(5), 2, 5),
        WorstWindow(ns(20), 0, 2, 7),
    )


def test_lengths_go_up_to_an_hour_as_far_as_they_fit_and_to_the_span() -> None:
    def lengths(span: float) -> list[float]:
        return [window.length_ns / 1e9 for window in worst_windows(due(1), flags("x"), (0, ns(span)))]

    assert lengths(7_200) == [0.1, 1, 10, 60, 600, 3_600, 7_200]
    assert lengths(60) == [0.1, 1, 10, 60]


def test_of_equal_shares_the_window_with_more_operations_wins_then_the_first() -> None:
    found = worst_windows(due(0, 3, 3.5, 6, 6.5), flags("xxxxx"), (0, ns(8)))

    assert found[1] == WorstWindow(ns(1), ns(3), 2, 2)


def test_worst_window_may_end_with_the_span_but_not_after_it() -> None:
    found = worst_windows(due(0, 1.95), flags(".x"), (0, ns(2)))

    assert found[0] == WorstWindow(ns(0.1), ns(1.9), 1, 1)
    assert found[1] == WorstWindow(ns(1), ns(1), 1, 1)


def test_operation_at_the_end_of_a_window_is_outside_of_it() -> None:
    assert worst_windows(due(0, 1), flags("xx"), (0, ns(3)))[1] == WorstWindow(ns(1), 0, 1, 1)
    assert worst_windows(due(0, 0.5, 1), flags("xx."), (0, ns(3)))[1] == WorstWindow(ns(1), 0, 2, 2)


def test_span_in_which_nothing_was_due_has_no_share() -> None:
    (window,) = worst_windows(due(), flags(""), (0, ns(0.05)))

    assert (window.length_ns, window.total, window.share) == (ns(0.05), 0, 0.0)
    assert worst_windows(due(1), flags("x"), (ns(1), ns(1))) == ()


@LAW
@given(seed=st.integers(0, 10**6))
def test_worst_window_is_the_one_a_search_over_all_windows_finds(seed: int) -> None:
    source = random.Random(seed)
    times = sorted(source.randrange(3_000) * 1_000_000 for _ in range(source.randint(0, 12)))
    bad = [source.random() < 0.4 for _ in times]
    end = 3_000_000_000

    for found in worst_windows(np.array(times, np.int64), np.array(bad, np.bool_), (0, end)):
        starts = [at for at in times if at + found.length_ns <= end] + [end - found.length_ns]
        best = (-1.0, -1, 0)
        for start in starts:
            inside = [is_bad for at, is_bad in zip(times, bad, strict=True) if start <= at < start + found.length_ns]
            best = max(best, (sum(inside) / max(len(inside), 1), len(inside), -start))
        assert (found.share, found.total, -found.start_ns) == best


def test_downtime_counts_half_the_way_to_the_neighbours_and_is_bounded_by_them() -> None:
    assert downtime(due(0, 1, 2, 3, 4, 5), flags("..xx.."), (0, ns(5))) == Downtime(2.0, 1.0, 3.0)


def test_outage_that_fits_between_two_operations_is_not_seen_and_bounds_the_most() -> None:
    assert downtime(due(1, 2, 6, 7), flags("...."), (0, ns(8))) == Downtime(0.0, 0.0, 4.0)


def test_bad_at_the_end_of_the_span_may_have_lasted_until_then() -> None:
    assert downtime(due(1, 2, 3), flags(".xx"), (0, ns(4))) == Downtime(2.0, 1.0, 3.0)


def test_what_is_usual_is_not_downtime() -> None:
    found = downtime(due(*range(10)), flags(".........x"), (0, ns(10)), baseline=0.05)

    assert found is not None
    assert (found.seconds, found.low, found.high) == pytest.approx((0.5, 0.0, 1.5))


def test_nothing_due_in_the_span_shows_no_downtime() -> None:
    assert downtime(due(1), flags("x"), (ns(2), ns(3))) is None
    assert mean_downtime([None, None]) is None


def test_entries_are_averaged_over_those_that_show_something() -> None:
    assert mean_downtime([Downtime(2, 1, 3), None, Downtime(0, 0, 1)]) == Downtime(1, 0.5, 2)


@LAW
@given(seed=st.integers(0, 10**6), rate=st.sampled_from([0.33, 1.0, 5.0, 40.0]))
def test_outage_of_an_entry_that_is_up_or_down_lies_in_the_bounds(seed: int, rate: float) -> None:
    source = random.Random(seed)
    at = sorted(source.uniform(0, 30) for _ in range(max(1, round(30 * rate))))
    start = source.uniform(0, 25)
    end = start + source.uniform(0, 5)

    found = downtime(due(*at), np.array([start <= moment < end for moment in at], np.bool_), (0, ns(30)))

    assert found is not None
    assert found.low <= found.seconds <= found.high
    assert found.low - 1e-6 <= end - start <= found.high + 1e-6
