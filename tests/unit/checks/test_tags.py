from datetime import timedelta

import numpy as np
import pytest

from chaoskit.checks.linearizability import clashes, witness
from chaoskit.checks.registers import registers_of
from chaoskit.checks.tags import Tags
from chaoskit.model.history import columns
from chaoskit.model.verdict import Verdict

from .histories import FAILED, UNKNOWN, Story, texts


def overwritten() -> Story:
    """Value a until 1.1 s, value b from 3.1 s."""
    story = Story()
    story.put("t", "a", 1)
    story.put("t", "b", 3)
    return story


def test_newest_value_everywhere_is_held_and_linearizable() -> None:
    story = overwritten()
    story.get("t", "", 0)
    story.get("t", "a", 2)
    story.sweep("t", "b")

    result = Tags(linearizable=True).judge(story.evidence())

    assert result.verdict is Verdict.HELD
    assert (result.numbers["linearizable.all"], result.numbers["staleness_max_s"]) == (1.0, 0.0)
    assert "strongest model met: linearizable over all reads" in result.summary


def test_read_of_an_overwritten_value_is_stale() -> None:
    story = overwritten()
    read = story.get("t", "a", 5.1, zone=2)
    story.sweep("t", "b")
    evidence = story.evidence()

    result = Tags().judge(evidence)

    assert result.verdict is Verdict.VIOLATED
    assert result.findings[0].operations == (0, 1, read)
    assert result.findings[0].text.startswith("Stale read: manifest-get of r:t at us-south-2 at 5.100 s")
    assert "2.000 s before. At most 0s is declared." in result.findings[0].text
    assert result.numbers["staleness_s.us-south-2"] == 2.0
    assert result.numbers["linearizable.us-south-1"] == 1.0
    assert "staleness 2.000 s over all reads (us-south-1 linearizable, us-south-3 linearizable" in result.summary
    assert Tags(staleness=timedelta(seconds=2)).judge(evidence).verdict is Verdict.HELD


def test_staleness_within_its_bound_is_still_no_order_in_real_time() -> None:
    story = overwritten()
    story.get("t", "a", 5, zone=2)
    story.sweep("t", "b")

    result = Tags(staleness=timedelta(seconds=2), linearizable=True).judge(story.evidence())

    assert "No order in real time fits on r:t (stale read)" in texts(result)


def test_older_value_after_the_newer_in_one_zone_is_resurrected() -> None:
    story = overwritten()
    story.get("t", "b", 4, zone=2)
    story.get("t", "a", 5, zone=2)
    story.sweep("t", "b")

    assert texts(Tags().judge(story.evidence())).startswith("Resurrected value")


def test_unknown_write_seen_early_that_returns_later_is_resurrected() -> None:
    story = Story()
    story.put("t", "a", 1, outcome=UNKNOWN)
    story.get("t", "a", 2)
    story.put("t", "b", 3)
    story.get("t", "b", 4)
    story.get("t", "a", 5)
    story.sweep("t", "b")

    assert texts(Tags().judge(story.evidence())).startswith("Resurrected value")


def test_absent_after_an_acknowledged_write_is_impossible() -> None:
    story = overwritten()
    story.get("t", "", 4, zone=3)
    story.sweep("t", "b")

    text = texts(Tags().judge(story.evidence()))

    assert text.startswith("Impossible absence: manifest-get of r:t at us-south-3 at 4.000 s (operation 2) returned absent")


def test_two_values_that_go_on_in_zones_of_their_own_are_a_split_brain() -> None:
    story = Story()
    story.put("t", "a", 12, 13, zone=1)
    story.put("t", "b", 12, 13, zone=2)
    for at in (14, 15, 16):
        story.get("t", "a", at, zone=1)
        story.get("t", "b", at, zone=2)
    story.sweep("t", "b")

    result = Tags(linearizable=True).judge(story.evidence())

    assert "(split brain)" in texts(result)


@pytest.mark.parametrize("final", ["a", "b"])
def test_concurrent_writes_may_end_in_either_order(final: str) -> None:
    story = Story()
    story.put("t", "a", 1, 3)
    story.put("t", "b", 2, 4)
    story.sweep("t", final)

    assert Tags(linearizable=True).judge(story.evidence()).verdict is Verdict.HELD


def test_timed_out_write_that_lands_late_is_held() -> None:
    story = Story()
    story.put("t", "a", 1, outcome=UNKNOWN)
    story.put("t", "b", 2)
    story.get("t", "b", 5)
    story.sweep("t", "a")

    assert Tags(linearizable=True).judge(story.evidence()).verdict is Verdict.HELD


def test_zones_that_end_with_different_acknowledged_values_are_violated() -> None:
    story = Story()
    story.put("t", "a", 1, 3)
    story.put("t", "b", 2, 4)
    for zone, value in ((1, "a"), (2, "b"), (3, "b")):
        story.get("t", value, 41, zone=zone)

    result = Tags(staleness=timedelta(minutes=5)).judge(story.evidence())

    assert result.verdict is Verdict.VIOLATED
    assert "The final reads disagree on r:t" in texts(result)


def test_final_value_older_than_an_acknowledged_one_is_violated_whatever_lag_is_declared() -> None:
    story = overwritten()
    story.sweep("t", "a")

    assert Tags(staleness=timedelta(minutes=5)).judge(story.evidence()).verdict is Verdict.VIOLATED


def test_zones_that_differ_by_a_write_of_unknown_outcome_are_inconclusive() -> None:
    story = overwritten()
    story.put("t", "c", 5, outcome=UNKNOWN)
    for zone, value in ((1, "b"), (2, "b"), (3, "c")):
        story.get("t", value, 40 + zone, zone=zone)

    result = Tags().judge(story.evidence())

    assert result.verdict is Verdict.INCONCLUSIVE
    assert "landed late would explain it" in texts(result)


def test_tag_without_a_final_value_from_some_zone_is_inconclusive() -> None:
    story = overwritten()
    story.get("t", "b", 41, zone=1)

    assert "r:t has no final value from some zone" in texts(Tags().judge(story.evidence()))


def test_deleted_tag_may_be_absent_afterwards() -> None:
    story = overwritten()
    story.row("manifest-delete", 5, 5.1, reference="t", observed="write-ok", status=202)
    for zone in (1, 2, 3):
        story.get("t", "", 41, zone=zone)
    story.get("t", "b", 4)

    assert Tags(linearizable=True).judge(story.evidence()).verdict is Verdict.HELD


def test_reads_that_failed_and_writes_that_failed_say_nothing() -> None:
    story = overwritten()
    story.put("t", "c", 5, outcome=FAILED)
    story.failed(story.get("t", "a", 6))
    story.sweep("t", "b")

    assert Tags(linearizable=True).judge(story.evidence()).verdict is Verdict.HELD


def test_value_written_twice_cannot_be_judged() -> None:
    story = overwritten()
    story.put("t", "c", 5)
    story.put("t", "c", 6)
    story.sweep("t", "b")

    assert "1 values were written twice" in texts(Tags().judge(story.evidence()))


def test_no_tag_read_is_inconclusive() -> None:
    assert Tags().judge(overwritten().evidence()).verdict is Verdict.INCONCLUSIVE


@pytest.mark.parametrize(("begins", "clashing"), [(2, 0), (2.001, 1)])
def test_operations_that_touch_at_one_instant_may_be_in_either_order(begins: float, clashing: int) -> None:
    story = Story()
    story.put("t", "a", 1, 2)
    story.put("t", "b", begins, 3)
    story.get("t", "a", 4)

    assert len(clashes(registers_of(columns(story.rows)), np.ones(1, np.bool_))) == clashing


def test_witness_is_at_most_four_operations() -> None:
    story = overwritten()
    for at in (4, 5, 6, 7, 8):
        story.get("t", "b", at)
        story.get("t", "a", at, zone=2)
    registers = registers_of(columns(story.rows))
    reads = np.ones(len(registers.cluster), np.bool_)
    found = clashes(registers, reads)

    rows = witness(registers, (int(found.first[0]), int(found.second[0])), reads)

    assert rows == (0, 11, 1, 10)
