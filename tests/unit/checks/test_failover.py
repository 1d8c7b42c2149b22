from datetime import timedelta

import pytest

from chaoskit.checks.failover import Failover
from chaoskit.checks.timeline import timeline
from chaoskit.model.strike import Struck, Window
from chaoskit.model.verdict import Verdict
from chaoskit.stats import episode_mean

from .histories import ZONES, Story, fail, healthy, ns, sessions, struck, texts

CHECK = Failover(within=timedelta(seconds=3))


def outage(until: float = 25) -> Story:
    """Zone 2 fails while it is struck; the others until 12 s."""
    story = healthy()
    for whole in sessions(story, 10, until, zone=2):
        fail(story, whole)
    for zone in (1, 3):
        for whole in sessions(story, 10, 12, zone=zone):
            fail(story, whole)
    return story


def test_untouched_entries_that_stop_failing_in_time_are_held() -> None:
    result = CHECK.judge(outage().evidence(struck()))

    assert result.verdict is Verdict.HELD
    assert result.numbers["failover_s.0.lo"] == pytest.approx(1.43)
    assert result.numbers["failover_s.0.hi"] == pytest.approx(2.03)
    assert "strike 0: failover 1.43 to 2.03 s, recovery 0.00 to 0.23 s" in result.summary


def test_times_are_intervals_from_the_last_contrary_to_the_first_confirming_operation() -> None:
    (found,) = timeline(outage().evidence(struck()))

    assert (found.t0_ns, found.t4_ns) == (ns(10), ns(25))
    assert found.t1_ns == (ns(10), ns(10.01))
    assert found.t3_ns == (ns(11.43), ns(12.03))
    assert found.untouched == (ZONES[0], ZONES[2])
    assert found.downtime is not None
    assert (found.downtime.seconds, found.downtime.low, found.downtime.high) == pytest.approx((1.66, 1.3, 2.02))  # means of two entries


def test_untouched_entry_that_fails_too_long_is_violated() -> None:
    story = outage()
    late = sessions(story, 14, 15, zone=3)[0]
    fail(story, late)

    result = CHECK.judge(story.evidence(struck()))

    assert result.verdict is Verdict.VIOLATED
    assert "an entry it did not touch, still failed (maybe-sent-timeout) 4.130 s after the first cut; allowed are 3s" in texts(result)
    assert set(result.findings[0].operations) == {late.index + 2}


def test_struck_entry_may_fail_as_long_as_it_is_struck() -> None:
    assert CHECK.judge(outage().evidence(struck())).verdict is Verdict.HELD


def test_failure_in_a_window_the_harness_disturbed_is_left_out() -> None:
    story = outage()
    fail(story, sessions(story, 14, 15, zone=3)[0])
    disturbed = struck(disturbed=(Window(ns(14), ns(14.5)),))

    assert CHECK.judge(story.evidence(disturbed)).verdict is Verdict.HELD


def test_entry_of_another_strike_that_is_on_is_not_untouched() -> None:
    story = outage()
    fail(story, sessions(story, 14, 15, zone=3)[0])

    first, second = timeline(story.evidence(struck(), struck(3, number=1, start=13)))

    assert (first.untouched, second.untouched) == ((ZONES[0],), (ZONES[0],))
    assert first.failover_s == (1.41, 2.01)
    assert second.failover_s == (0.0, 0.6)


def test_entry_that_never_comes_back_is_violated() -> None:
    story = outage(until=40)

    result = CHECK.judge(story.evidence(struck()))

    assert result.verdict is Verdict.VIOLATED
    assert result.findings[0].text.startswith("Not back: pull of r:p38-2 at us-south-2")
    assert timeline(story.evidence(struck()))[0].recovery_s == (13.32, None)


def test_entry_that_stays_slower_than_the_band_is_not_back() -> None:
    story = outage()
    for whole in sessions(story, 36, 40, zone=2):
        story.change(whole.index, returned_ns=whole.intended_ns + ns(0.31))  # 1.5 x the steady 0.2 s is 0.3 s

    assert CHECK.judge(story.evidence(struck())).verdict is Verdict.VIOLATED


def test_single_slow_session_is_the_tail_that_a_95th_percentile_leaves_out() -> None:
    story = outage()
    whole = sessions(story, 36, 40, zone=2)[-1]
    story.change(whole.index, returned_ns=whole.intended_ns + ns(1))

    assert CHECK.judge(story.evidence(struck())).verdict is Verdict.HELD


def test_recovery_is_timed_to_the_first_good_session_of_the_last_entry() -> None:
    (found,) = timeline(outage(until=28).evidence(struck()))

    assert found.recovery_s == (2.32, 3.22)


def test_strike_on_every_zone_is_judged_by_recovery_alone() -> None:
    story = healthy()
    for whole in sessions(story, 10, 25):
        fail(story, whole)

    result = CHECK.judge(story.evidence(struck(zones=ZONES)))

    assert result.verdict is Verdict.HELD
    assert "failover not judged (every zone struck)" in result.summary


@pytest.mark.parametrize(
    ("strike", "reason"),
    [
        (struck(healed_ns=None), "was not injected and healed"),
        (struck(end=12), "lasted 2.000 s, less than the 3s it is judged by"),
    ],
)
def test_strike_that_cannot_be_timed_is_inconclusive(strike: object, reason: str) -> None:
    result = CHECK.judge(healthy().evidence(strike))  # type: ignore[arg-type]

    assert result.verdict is Verdict.INCONCLUSIVE
    assert reason in texts(result)


def test_no_probe_or_no_baseline_is_inconclusive() -> None:
    silent = Story()
    silent.push("t", "image", 5)

    result = CHECK.judge(silent.evidence(struck()))

    assert result.verdict is Verdict.INCONCLUSIVE
    assert "no first attempt at an untouched entry while it lasted" in texts(result)
    assert Failover(within=timedelta(seconds=3)).judge(silent.evidence()).verdict is Verdict.INCONCLUSIVE


def many_strikes(costly: int, free: int) -> tuple[Story, tuple[Struck, ...]]:
    """Strikes of 2 s on zone 2, of which the first `costly` make the other entries fail for their first second."""
    story = healthy()
    strikes = tuple(struck(start=10 + 3 * number, end=12 + 3 * number, number=number) for number in range(costly + free))
    for strike in strikes[:costly]:
        start = (strike.injected_ns or 0) / 1e9
        for whole in sessions(story, start, start + 1):
            fail(story, whole)
    return story, strikes


def test_downtime_of_a_strike_is_in_the_numbers_with_its_bounds() -> None:
    numbers = CHECK.judge(outage().evidence(struck())).numbers

    assert [numbers[f"downtime_s.0{end}"] for end in ("", ".lo", ".hi")] == pytest.approx([1.66, 1.3, 2.02])


def test_mean_downtime_has_an_interval_over_five_strikes_that_cost_some() -> None:
    story, strikes = many_strikes(costly=5, free=2)

    result = CHECK.judge(story.evidence(*strikes))
    values = result.series["downtime_s"]
    mean = episode_mean(values)

    assert len(values) == 7
    assert mean is not None
    assert (mean.episodes, mean.non_zero) == (7, 5)
    assert result.numbers["mean_downtime_s"] == mean.mean
    assert (result.numbers["mean_downtime_s.lo"], result.numbers["mean_downtime_s.hi"]) == (mean.low, mean.high)
    assert f"mean downtime of 7 strikes {mean.mean:.2f} s ({mean.low:.2f} to {mean.high:.2f} s, 95 % confidence)" in result.summary


def test_mean_of_fewer_than_five_strikes_that_cost_some_has_no_interval() -> None:
    story, strikes = many_strikes(costly=4, free=3)

    result = CHECK.judge(story.evidence(*strikes))

    assert len([value for value in result.series["downtime_s"] if value]) == 4
    assert "mean_downtime_s" not in result.numbers
    assert "fewer than 5 strikes cost any downtime, so their mean has no interval" in result.summary


def test_longest_of_several_failovers_is_told_with_the_share_of_strikes_it_shows() -> None:
    story, strikes = many_strikes(costly=5, free=2)

    result = CHECK.judge(story.evidence(*strikes))

    assert (result.numbers["failovers"], result.numbers["failover_s.most"]) == pytest.approx((7, 1.03))
    assert result.numbers["failover_share_shown"] == pytest.approx(0.05 ** (1 / 7))
    assert "7 failovers, none above 1.03 s, which shows it of 65.1 % of such strikes (95 % takes 59 strikes)" in result.summary


def test_longest_failover_is_not_told_where_the_end_of_one_was_not_seen() -> None:
    story, strikes = many_strikes(costly=5, free=2)
    for whole in sessions(story, strikes[-1].injected_ns / 1e9, 60):  # type: ignore[operator]
        fail(story, whole)

    result = CHECK.judge(story.evidence(*strikes))

    assert "failover_s.most" not in result.numbers
    assert len(result.series["failover_s.hi"]) == 6


def test_two_strikes_are_summed_up_and_the_last_one_says_whether_all_came_back() -> None:
    """Zone 2 is still down when zone 3 is struck, and well in the end."""
    story = healthy()
    for whole in sessions(story, 10, 24, zone=2):
        fail(story, whole)

    result = CHECK.judge(story.evidence(struck(end=14), struck(3, start=20, end=25, number=1)))

    assert timeline(story.evidence(struck(end=14), struck(3, start=20, end=25, number=1)))[0].is_back is False
    assert "Not back" not in texts(result)
    assert result.summary.startswith("fewer than 5 strikes cost any downtime")
