import pytest

from chaoskit.checks.availability import Availability
from chaoskit.model.history import Outcome
from chaoskit.model.verdict import Verdict
from chaoskit.stats import rate_lower_bound

from .histories import OK, Story, fail, healthy, ns, sessions, struck, texts


def test_sessions_that_all_end_well_are_held_with_the_bound_they_show() -> None:
    result = Availability().judge(healthy().evidence(struck()))

    assert result.verdict is Verdict.HELD
    assert (result.numbers["sessions"], result.numbers["unrecovered"], result.numbers["slow"]) == (234, 0, 0)
    assert result.numbers["first_attempt_rate.pinned"] == 1.0
    assert result.numbers["first_attempt_lower_bound.pinned"] == pytest.approx(rate_lower_bound(468, 468))
    assert "shows at least 98.7279 %" in result.summary
    assert "99.9 % 2,995, 99.99 % 29,956, 99.999 % 299,572" in result.summary


def test_unrecovered_regional_session_is_violated_and_named_with_its_last_attempt() -> None:
    story = healthy()
    whole = sessions(story, 12, 13, lane="regional")[0]
    fail(story, whole)
    evidence = story.evidence(struck())

    result = Availability().judge(evidence)

    assert result.verdict is Verdict.VIOLATED
    assert result.findings[0].operations == (whole.index, whole.index + 2)
    assert "ended maybe-sent-timeout; its last failed attempt: manifest-put" in texts(result)
    assert Availability(unrecovered=1).judge(evidence).verdict is Verdict.HELD


def test_failure_in_another_lane_or_that_the_harness_could_not_send_is_held() -> None:
    story = healthy()
    fail(story, sessions(story, 12, 13, lane="pinned")[0])
    fail(story, sessions(story, 12, 13, lane="regional")[0], "not-sent")

    result = Availability().judge(story.evidence(struck()))

    assert result.verdict is Verdict.HELD
    assert result.numbers["sessions"] == 233
    assert result.numbers["first_attempt_rate.pinned"] == pytest.approx(466 / 468)


def absent_pull(story: Story, at: float, tag: str) -> None:
    story.lane = "regional"
    story.session("pull", at, reference=tag, status=404, observed="absent")


def test_pull_answered_404_is_good_only_where_the_tag_may_be_absent() -> None:
    story = healthy()
    absent_pull(story, 20, "never pushed")
    assert Availability().judge(story.evidence(struck())).verdict is Verdict.HELD

    absent_pull(story, 20, "r0-1")
    result = Availability().judge(story.evidence(struck()))

    assert result.verdict is Verdict.VIOLATED
    assert "answered 404 for a tag that was there" in texts(result)


def test_slow_session_is_counted_and_not_gated() -> None:
    story = healthy()
    whole = sessions(story, 12, 13, lane="regional")[0]
    story.change(whole.index, returned_ns=whole.intended_ns + ns(5.001))

    result = Availability().judge(story.evidence(struck()))

    assert (result.verdict, result.numbers["slow"]) == (Verdict.HELD, 1)


@pytest.mark.parametrize(("due", "verdict"), [(36, Verdict.HELD), (34, Verdict.VIOLATED)])
def test_push_cut_short_with_the_load_counts_only_beyond_its_objective(due: float, verdict: Verdict) -> None:
    story = healthy()
    story.lane = "regional"
    story.session("push", due, None, outcome=Outcome.UNKNOWN, observed="open", status=0)
    story.change(len(story.rows) - 1, returned_ns=None)

    assert Availability().judge(story.evidence(struck())).verdict is verdict


def test_no_session_in_the_lane_is_inconclusive() -> None:
    story = Story()
    story.push("t", "image", 1)

    result = Availability().judge(story.evidence())

    assert result.verdict is Verdict.INCONCLUSIVE
    assert all(row.outcome is OK for row in story.rows)


def test_each_lane_shows_what_of_the_error_budget_it_spent() -> None:
    story = healthy()
    for whole in sessions(story, 12, 14, lane="regional"):
        fail(story, whole)

    numbers = Availability(unrecovered=100).judge(story.evidence(struck())).numbers

    assert (numbers["regional.sessions"], numbers["regional.missed"]) == (234, 12)
    assert numbers["regional.objective_lower_bound"] == pytest.approx(rate_lower_bound(222, 234))
    lost = [numbers[f"regional.downtime_s{end}"] for end in ("", ".lo", ".hi")]
    assert lost == pytest.approx([(1.32 + 2.68) / 2, 1.32, 2.68])  # bad from 12.01 to 13.33; well at 11.33 and 14.01
    assert numbers["regional.burn_rate"] == pytest.approx(2.0 / (40 * 1e-5))
    assert numbers["regional.budget_30_days"] == pytest.approx(2.0 / 25.92)
    assert numbers["regional.budget_year"] == pytest.approx(2.0 / 315.576)
    assert (numbers["pinned.missed"], numbers["pinned.downtime_s"], numbers["pinned.burn_rate"]) == (0, 0, 0)


def test_pinned_lane_is_down_by_the_share_of_its_entries_that_are() -> None:
    story = healthy()
    for whole in sessions(story, 12, 15, lane="pinned", zone=1):
        fail(story, whole)

    numbers = Availability().judge(story.evidence(struck())).numbers

    assert numbers["pinned.downtime_s"] == pytest.approx((2.3 + 3.7) / 2 / 3)


def test_worst_windows_are_given_by_lane_and_by_entry() -> None:
    story = healthy()
    for whole in sessions(story, 12, 14, lane="pinned", zone=1):
        fail(story, whole)

    series = Availability().judge(story.evidence(struck())).series

    assert {name.split(".")[1] for name in series} == {"pinned", "regional", "us-south-1", "us-south-2", "us-south-3"}
    assert series["worst_window.us-south-1.length_s"] == (0.1, 1, 10, 40)
    assert series["worst_window.us-south-1.start_s"] == (12.01, 12.01, 4.01, 0)
    assert series["worst_window.us-south-1.bad_share"] == (1, 1, 0.2, 4 / 78)
    assert series["worst_window.us-south-1.n"] == (1, 2, 20, 78)
    assert series["worst_window.pinned.bad_share"] == (1 / 3, 1 / 3, 4 / 60, 4 / 234)
    assert set(series["worst_window.regional.bad_share"]) == {0}


def test_throttled_session_is_in_no_lanes_service() -> None:
    story = healthy()
    fail(story, sessions(story, 12, 13, lane="regional")[0], "http-429")

    numbers = Availability(unrecovered=1).judge(story.evidence(struck())).numbers

    assert (numbers["regional.sessions"], numbers["regional.missed"]) == (233, 0)
