import pytest

from chaoskit.checks.scopes import Scope, scopes
from chaoskit.checks.timeline import timeline
from chaoskit.checks.traffic import traffic_of
from chaoskit.model.strike import Struck, Window

from .histories import ZONES, Story, fail, healthy, ns, sessions, struck


def outage() -> Story:
    """Zone 2 fails while it is struck, zone 3 until 12 s, both in the pinned lane."""
    story = healthy()
    for zone, until in ((2, 25), (3, 12)):
        for whole in sessions(story, 10, until, zone=zone):
            fail(story, whole)
    return story


def measured(story: Story, *strikes: Struck) -> tuple[dict[str, Scope], ...]:
    evidence = story.evidence(*strikes)
    return scopes(evidence, traffic_of(evidence))


def lost(scope: Scope) -> tuple[float, float, float]:
    """Downtime in s: the middle, the least, the most."""
    assert scope.downtime is not None
    return scope.downtime.seconds, scope.downtime.low, scope.downtime.high


def test_times_of_a_strike_are_intervals_in_seconds_and_t2_is_not_invented() -> None:
    (found,) = timeline(outage().evidence(struck()))

    assert found.times_s == {
        "T0": (10.0, 10.0),
        "T1": (10.01, 10.02),
        "T2": None,
        "T3": (11.43, 12.03),
        "T4": (25.0, 25.0),
        "T5": (25.0, 25.23),
    }


def test_strike_that_was_not_injected_has_no_times_and_no_scopes() -> None:
    strike = struck(injected_ns=None, cut_ns={}, healed_ns=None)
    (found,) = timeline(healthy().evidence(strike))

    assert set(found.times_s.values()) == {None}
    assert measured(healthy(), strike) == ({},)


def test_scopes_are_the_lanes_the_region_its_zones_and_the_actions() -> None:
    (found,) = measured(outage(), struck())

    actions = {f"action {name}" for name in ("push", "pull", "manifest-get", "manifest-put", "blob-get", "upload-put")}
    assert set(found) == {"lane pinned", "lane regional", "region us-south", *(f"zone {zone}" for zone in ZONES), *actions}


def test_each_zone_has_its_own_failover_recovery_and_downtime() -> None:
    (found,) = measured(outage(), struck())

    untouched, hit, other = (found[f"zone {zone}"] for zone in ZONES)
    assert untouched.failover_s == pytest.approx((0.0, 0.6))
    assert untouched.recovery_s == pytest.approx((0.0, 0.21))
    assert lost(untouched) == pytest.approx((0.0, 0.0, 0.7))
    assert hit.failover_s == pytest.approx((14.42, 15.02))
    assert lost(hit) == pytest.approx((14.66, 14.3, 15.02))
    assert other.failover_s == pytest.approx((1.43, 2.03))
    assert lost(other) == pytest.approx((1.665, 1.3, 2.03))


def test_regional_lane_and_an_action_are_measured_apart() -> None:
    story = outage()
    for whole in sessions(story, 13, 16, lane="pinned", zone=1):
        if whole.action == "push":
            fail(story, whole)
    (found,) = measured(story, struck())

    assert lost(found["lane regional"]) == pytest.approx((0.0, 0.0, 0.7))
    assert found["zone us-south-1"].failover_s == pytest.approx((5.11, 5.31))
    for action, seconds in (("push", (3 + 14.51 + 1.515) / 3), ("pull", (0 + 14.66 + 1.665) / 3)):
        assert lost(found[f"action {action}"])[0] == pytest.approx(seconds)


def test_scope_without_a_good_session_in_the_steady_phase_has_no_recovery() -> None:
    story = healthy()
    for whole in sessions(story, 0, 10, zone=3):
        fail(story, whole)
    (found,) = measured(story, struck())

    assert found[f"zone {ZONES[2]}"].recovery_s is None
    assert found[f"zone {ZONES[0]}"].recovery_s is not None


def test_what_failed_in_the_steady_phase_too_is_not_downtime_of_the_strike() -> None:
    story = healthy()
    for whole in sessions(story, 0, 40, zone=1)[::4]:
        fail(story, whole)
    (found,) = measured(story, struck())

    assert lost(found[f"zone {ZONES[0]}"])[0] < 1.0


def test_window_the_harness_disturbed_is_in_no_scope() -> None:
    story = outage()
    (found,) = measured(story, struck(disturbed=(Window(ns(9.9), ns(12.5)),)))

    assert found[f"zone {ZONES[2]}"].failover_s == pytest.approx((0.0, 3.03))


def test_next_good_operation_is_found_however_far_it_is() -> None:
    """T3 looks ahead by pieces of 1,024 rows: zone 3 alone is asked 3,000 times before it is well again."""
    story = healthy()
    for whole in sessions(story, 10, 12, zone=3):
        fail(story, whole)
    story.lane = "pinned"
    for number in range(3_000):
        story.failed(story.get("t", "x", 12 + number / 1_000, zone=1))
    (found,) = timeline(story.evidence(struck(zones=(ZONES[0], ZONES[1]))))

    assert found.t3_ns == (ns(11.43), ns(12.03))
    assert found.failover_s == pytest.approx((1.43, 2.03))


def test_recovery_begins_with_the_first_session_if_that_one_alone_was_contrary() -> None:
    story = healthy()
    fail(story, sessions(story, 25, 26, zone=3)[0])
    (found,) = timeline(story.evidence(struck()))

    assert found.recovery_s == pytest.approx((0.03, 0.53))


@pytest.mark.parametrize(("end", "seen"), [(10.11, True), (10.12, False)])
def test_attempt_that_began_as_a_disturbed_window_ended_is_left_out(end: float, seen: bool) -> None:
    story = healthy()
    put = next(row for row in story.rows if row.action == "manifest-put" and row.intended_ns == ns(10.12))
    story.failed(put.index)
    (found,) = timeline(story.evidence(struck(disturbed=(Window(ns(10.115), ns(end)),) if end > 10.115 else ())))

    assert (found.t1_ns is not None) is seen


def test_each_lane_is_compared_with_its_own_steady_phase() -> None:
    """Regional sessions take 1 s, in the steady phase too; pinned ones that long are out of the band."""
    story = healthy()
    for whole in sessions(story, 0, 40, lane="regional"):
        story.change(whole.index, returned_ns=whole.intended_ns + ns(1))
    for whole in sessions(story, 36, 40, zone=2):
        story.change(whole.index, returned_ns=whole.intended_ns + ns(1))
    (found,) = measured(story, struck())

    assert found["lane regional"].recovery_s == pytest.approx((0.0, 1.03))
    pinned = found["lane pinned"].recovery_s
    assert pinned is not None
    assert pinned[0] == pytest.approx(13.32)
    assert pinned[1] is None
