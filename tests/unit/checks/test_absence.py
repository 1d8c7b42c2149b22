"""A whole pull that was answered 404: admissible once a delete may have emptied its tag, and only then."""

import pytest

from chaoskit.checks.absence import false_absences
from chaoskit.model.history import Outcome, columns
from tests.unit.checks.histories import FAILED, OK, UNKNOWN, Story, digest


def pulled_in_vain(*, at: float, outcome: Outcome = OK, deleted: str = "image", tag: str = "") -> bool:
    """Whether a pull of `v1` answered 404 at that time, with a delete called at 20 s, is a false absence."""
    story = Story()
    story.push("v1", "image", 1)
    story.push("v2", "other", 2)
    story.row("manifest-delete", 20, 20.2, digest=digest("" if tag else deleted), reference=tag, outcome=outcome, observed="x", status=0)
    pull = story.session("pull", at, reference="v1", observed="absent", status=404)
    return bool(false_absences(columns(story.rows))[pull])


def test_a_pull_in_vain_before_the_delete_was_called_is_false() -> None:
    assert pulled_in_vain(at=19.5)


@pytest.mark.parametrize("at", [19.9, 20.1, 30])
@pytest.mark.parametrize("outcome", [OK, UNKNOWN])
def test_a_pull_in_vain_that_ended_after_the_call_of_a_delete_is_admissible(at: float, outcome: Outcome) -> None:
    assert not pulled_in_vain(at=at, outcome=outcome)
    assert not pulled_in_vain(at=at, outcome=outcome, tag="v1")


def test_a_failed_delete_and_one_of_something_else_admit_no_absence() -> None:
    assert pulled_in_vain(at=30, outcome=FAILED)
    assert pulled_in_vain(at=30, deleted="other")
    assert pulled_in_vain(at=30, tag="v2")


def test_a_delete_of_any_value_the_tag_may_have_held_admits_absence() -> None:
    story = Story()
    story.push("v1", "image", 1)
    story.put("v1", "late", 3, outcome=UNKNOWN)
    story.row("manifest-delete", 20, 20.2, digest=digest("late"), observed="write-ok", status=202)
    pull = story.session("pull", 30, reference="v1", observed="absent", status=404)
    assert not false_absences(columns(story.rows))[pull]
