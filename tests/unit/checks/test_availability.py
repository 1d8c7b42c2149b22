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
