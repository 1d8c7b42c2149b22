"""effect, coverage and host: they never say violated."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from chaoskit.checks.coverage import Coverage
from chaoskit.checks.effect import Effect
from chaoskit.checks.host import Host
from chaoskit.model.evidence import HostSample
from chaoskit.model.strike import Fired, Moment, Sample, Struck
from chaoskit.model.verdict import Verdict

from .histories import FAILED, UNKNOWN, ZONES, Story, digest, fail, healthy, ns, sessions, struck, texts

LINK = f"client->lb.{ZONES[1]}"


def test_strike_that_was_seen_met_and_gone_is_effective() -> None:
    result = Effect().judge(healthy().evidence(struck(cut_ns={"a": ns(10), "b": ns(10.04)})))

    assert result.verdict is Verdict.HELD
    assert result.numbers["cut_span_ms.0"] == pytest.approx(40)
    assert result.numbers["traffic.0"] > 0


def resampled(*samples: Sample) -> Struck:
    return struck(samples=(*struck().samples, *samples))


@pytest.mark.parametrize(
    ("strike", "reason"),
    [
        (struck(effective_ns=None), "its symptom was never complete"),
        (struck(clean_ns=None), "it was never seen to be gone"),
        (struck(samples=()), "no canary looked while it lasted"),
        (resampled(Sample(LINK, "during", ns(20), "refused", "healthy", 1)), f"{LINK} showed healthy at 20.000 s, not refused"),
        (resampled(Sample(LINK, "after", ns(30), "healthy", "refused", 1)), f"{LINK} showed refused at 30.000 s after the heal"),
        (resampled(Sample("other", "during", ns(20), "refused", "refused", 1)), "no canary looked at other after the heal"),
        (struck(zones=("us-east-9",)), "it met no traffic"),
    ],
)
def test_strike_that_is_not_proven_is_inconclusive(strike: Struck, reason: str) -> None:
    result = Effect().judge(healthy().evidence(strike))

    assert result.verdict is Verdict.INCONCLUSIVE
    assert reason in texts(result)


def set_off(kind: Moment, at: float, until: float | None) -> tuple[Story, Struck]:
    """A strike of 10 to 25 s, in effect at 10.5, that a row from `at` until `until` set off."""
    story = healthy()
    row = story.row("upload-patch", at, until, zone=2)
    return story, struck(trigger=Fired(kind, "between post and patch, number 1", 1, row, ns(9.9), released_ns=ns(10.5)))


@pytest.mark.parametrize(
    ("kind", "at", "until", "is_met"),
    [
        ("between", 10.5, 12, True),
        ("between", 10.5, None, True),
        ("between", 10.2, 12, False),
        ("at-byte", 9.5, 10.6, True),
        ("at-byte", 9.5, 10.4, False),
        ("after", 9.5, 9.9, True),
        ("after", 9.5, 10.1, False),
    ],
)
def test_a_fault_that_did_not_fall_on_its_moment_is_inconclusive(kind: Moment, at: float, until: float | None, is_met: bool) -> None:
    story, strike = set_off(kind, at, until)
    result = Effect().judge(story.evidence(strike))

    assert result.verdict is (Verdict.HELD if is_met else Verdict.INCONCLUSIVE)
    assert ("it did not fall between post and patch, number 1: row" in texts(result)) is not is_met


@pytest.mark.parametrize(("cut", "is_met"), [(11.8, True), (12.0, False)])
def test_a_kill_that_comes_long_after_the_acknowledgement_is_inconclusive(cut: float, is_met: bool) -> None:
    story, strike = set_off("after", 9.5, 9.9)
    result = Effect().judge(story.evidence(replace(strike, cut_ns={"store": ns(cut)})))

    assert result.numbers["late_ms.0"] == pytest.approx((cut - 9.9) * 1000)
    assert result.verdict is (Verdict.HELD if is_met else Verdict.INCONCLUSIVE)
    assert ("the last cut was made 2.100 s after the moment" in texts(result)) is not is_met


def test_a_trigger_whose_row_is_not_there_is_inconclusive() -> None:
    _, strike = set_off("between", 10.5, 12)
    result = Effect().judge(healthy().evidence(strike))

    assert result.verdict is Verdict.INCONCLUSIVE
    assert "is not in the history" in texts(result)


def test_a_strike_that_was_never_put_on_says_why_and_no_more() -> None:
    why = "not put on: its trigger (after ack, number 9) did not fire within 5 s; it was met 2 times"
    never = struck(injected_ns=None, effective_ns=None, healing_ns=None, healed_ns=None, clean_ns=None, cut_ns={}, samples=(), notes=(why,))
    result = Effect().judge(healthy().evidence(replace(never, trigger=Fired("after", "after ack, number 9", 2))))

    assert result.verdict is Verdict.INCONCLUSIVE
    assert [finding.text for finding in result.findings] == [f"strike 0 (zone-outage): {why}"]


def test_run_that_asked_everything_everywhere_covers() -> None:
    result = Coverage().judge(healthy().evidence(struck()))

    assert result.verdict is Verdict.HELD, texts(result)


def never_enters_by_zone_3(story: Story) -> None:
    for row in story.rows:
        if row.lane == "regional" and row.zone == ZONES[2]:
            story.change(row.index, zone=ZONES[0])


def no_push_in_zone_1_while_struck(story: Story) -> None:
    for row in sessions(story, 10, 25, zone=1):
        if row.action == "push":
            story.change(row.index, zone=ZONES[1])


def fails_in_the_steady_phase(story: Story) -> None:
    for row in sessions(story, 0, 10, zone=3) + sessions(story, 0, 10, lane="regional", zone=3):
        fail(story, row)


def untouched_zone_is_silent(story: Story) -> None:
    for row in sessions(story, 10, 26, zone=3) + sessions(story, 10, 26, lane="regional", zone=3):
        fail(story, row)


def odd_answer(story: Story) -> None:
    story.row("ping", 5, 5.1, outcome=FAILED, observed="anything-else", status=299, detail="what is this")


def failed_write_not_read(story: Story) -> None:
    story.put("t", "failed", 5, outcome=FAILED)


def unknown_blob_not_read(story: Story) -> None:
    story.put_blob("doubtful", 5, outcome=UNKNOWN)


def final_read_failed(story: Story) -> None:
    read = next(row for row in story.rows if row.phase == "final" and row.action == "blob-get")
    story.change(read.index, outcome=FAILED, observed="http-5xx", status=502, got="")


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (never_enters_by_zone_3, "lane regional never entered by us-south-3"),
        (no_push_in_zone_1_while_struck, "no push was tried at us-south-1 in the strike phase"),
        (fails_in_the_steady_phase, "no push succeeded at us-south-3 in the steady phase"),
        (untouched_zone_is_silent, "us-south-3 answered no session well while strike 0 was in force"),
        (odd_answer, "ended as anything-else (status 299): what is this"),
        (failed_write_not_read, f"what manifest-put of r:t at {ZONES[0]} at 5.000 s"),
        (unknown_blob_not_read, f"what upload-put of r@{digest('doubtful')[:19]}…"),
        (final_read_failed, "got no answer from some zone in the end"),
    ],
)
def test_run_that_left_something_unasked_is_inconclusive(spoil: Callable[[Story], None], reason: str) -> None:
    story = healthy(step=3)
    spoil(story)

    result = Coverage().judge(story.evidence(struck()))

    assert result.verdict is Verdict.INCONCLUSIVE
    assert reason in texts(result)


def test_struck_entries_may_be_silent_and_all_may_where_the_hypothesis_says_so() -> None:
    story = healthy(step=3)
    for row in sessions(story, 10, 26, zone=2) + sessions(story, 10, 26, lane="regional", zone=2):
        fail(story, row)
    evidence = story.evidence(struck())

    assert Coverage().judge(evidence).verdict is Verdict.HELD
    assert Coverage(ok_during="all").judge(evidence).verdict is Verdict.INCONCLUSIVE
    assert Coverage(ok_during="none").judge(evidence).verdict is Verdict.HELD


def test_prefix_of_a_history_is_inconclusive() -> None:
    result = Coverage().judge(healthy(step=3).evidence(struck(), complete=False))

    assert "the history is a prefix" in texts(result)


CALM = HostSample(0, cpu_busy=0.9, cpu_steal=0.0, pressure=0.3, loop_lag_ms=5)


@pytest.mark.parametrize(
    ("samples", "verdict"),
    [
        ((CALM,), Verdict.HELD),
        ((replace(CALM, cpu_busy=1.0),), Verdict.HELD),
        ((replace(CALM, cpu_busy=1.0, pressure=0.7),), Verdict.INCONCLUSIVE),
        ((replace(CALM, cpu_steal=0.3),), Verdict.INCONCLUSIVE),
        ((replace(CALM, loop_lag_ms=150),), Verdict.INCONCLUSIVE),
        ((*(CALM,) * 999, replace(CALM, loop_lag_ms=900)), Verdict.HELD),
        ((*(CALM,) * 999, replace(CALM, loop_lag_ms=1100)), Verdict.INCONCLUSIVE),
        ((), Verdict.INCONCLUSIVE),
    ],
)
def test_machine_that_did_not_keep_up_is_inconclusive(samples: tuple[HostSample, ...], verdict: Verdict) -> None:
    assert Host().judge(healthy(step=10).evidence(host=samples)).verdict is verdict


def test_more_than_one_in_a_thousand_unsent_is_inconclusive() -> None:
    story = Story()
    for number in range(1000):
        story.put_blob(f"b{number}", 1)
    story.change(0, outcome=FAILED, observed="not-sent")
    assert Host().judge(story.evidence()).verdict is Verdict.HELD

    story.change(1, outcome=FAILED, observed="not-sent")
    assert Host().judge(story.evidence()).verdict is Verdict.INCONCLUSIVE
