from dataclasses import dataclass, replace

import numpy as np
import pytest

from chaoskit.checks.base import derived, distinct, place_of
from chaoskit.checks.objects import objects_of
from chaoskit.model.history import History, Ints

from .histories import Story


def history() -> History:
    story = Story()
    story.push("t", "v1", 1)
    return story.evidence().history


@dataclass(frozen=True)
class View:
    """An array inside a dataclass, as `Objects` has them."""

    calls: Ints


def test_view_is_worked_out_once_for_each_history() -> None:
    asked: list[History] = []

    @derived
    def view(history: History) -> View:
        asked.append(history)
        return View(history.called_ns + 1)

    one, other = history(), history()

    assert view(one) is view(one)
    assert view(other) is not view(one)
    assert asked == [one, other]


def test_changed_history_has_views_of_its_own() -> None:
    story = history()
    before = objects_of(story)
    after = objects_of(replace(story, digest=np.zeros_like(story.digest)))

    assert before.acknowledged.any()
    assert not after.acknowledged.any()


def test_view_cannot_be_changed_by_who_asked_for_it() -> None:
    objects = objects_of(history())

    for array in (objects.key, objects.absent, objects.known.times):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1


def test_view_that_fails_is_not_kept() -> None:
    asked = []

    @derived
    def view(history: History) -> View:
        asked.append(history)
        raise ZeroDivisionError

    story = history()
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            view(story)
    assert len(asked) == 2


@pytest.mark.parametrize(("ordered", "places"), [([], [-1, -1, -1]), ([3], [-1, 0, -1]), ([1, 3, 9], [-1, 1, 2])])
def test_place_among_sorted_numbers(ordered: list[int], places: list[int]) -> None:
    assert place_of(np.array(ordered, np.int64), np.array([2, 3, 9])).tolist() == places


def test_distinct_values_are_sorted() -> None:
    assert distinct(np.array([4, -1, 4, 2])).tolist() == [-1, 2, 4]
    assert distinct(np.array([], np.int64)).tolist() == []
