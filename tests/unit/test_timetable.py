"""What is due when, with clocks and triggers mixed. Times in seconds."""

import pytest

from chaoskit.experiment import Strike
from chaoskit.timetable import Timetable, Turn

S = 1_000_000_000
FAULT = {"kind": "zone-outage", "zone": "us-south-2", "shape": "refused"}


def strike(at: object, lasts: str = "5s") -> Strike:
    return Strike.model_validate({"at": at, "for": lasts, "fault": FAULT})


def rest(table: Timetable) -> list[tuple[float, Turn, int]]:
    turns = []
    while table.due_ns is not None:
        due_ns, turn, number = table.take()
        turns.append((due_ns / S, turn, number))
    return turns


def test_a_heal_due_together_with_an_inject_comes_first() -> None:
    table = Timetable([strike("0s"), strike("5s", "1s")], 10 * S)
    assert rest(table) == [(10, Turn.INJECT, 0), (15, Turn.HEAL, 0), (15, Turn.INJECT, 1), (16, Turn.HEAL, 1)]


def test_a_trigger_that_fires_is_due_from_then_on_and_expires_no_more() -> None:
    table = Timetable([strike({"after": "ack", "within": "30s"}), strike("0s", "60s")], 10 * S)
    assert table.take() == (10 * S, Turn.INJECT, 1)
    assert table.due_ns == 40 * S
    table.fire(0, 12 * S)
    assert rest(table) == [(12, Turn.INJECT, 0), (17, Turn.HEAL, 0), (70, Turn.HEAL, 1)]


def test_a_trigger_that_never_fires_puts_nothing_more_on_and_what_is_on_is_healed() -> None:
    table = Timetable([strike({"after": "ack", "within": "3s"}), strike("0s", "60s"), strike("20s")], 0)
    table.take()
    assert table.take() == (3 * S, Turn.EXPIRE, 0)
    assert table.give_up() == (0, 2)
    assert rest(table) == [(60, Turn.HEAL, 1)]


def test_nothing_is_left_of_no_strikes() -> None:
    table = Timetable([], 0)
    assert table.due_ns is None
    with pytest.raises(IndexError):
        table.take()
