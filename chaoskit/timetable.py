"""What is due when in the strike phase of one run: by the clock, or from the moment on in which a trigger fired. Waits for nothing."""

from collections.abc import Sequence
from datetime import timedelta
from enum import IntEnum
from heapq import heapify, heappop, heappush

from chaoskit.experiment import Strike
from chaoskit.model.units import nanoseconds


class Turn(IntEnum):
    """What is due; of one moment the lower comes first."""

    HEAL = 0
    INJECT = 1
    EXPIRE = 2


class Timetable:
    """The turns left of these strikes, from `start_ns` of run time on. A strike that waits for its trigger has one: to wait no longer."""

    def __init__(self, strikes: Sequence[Strike], start_ns: int) -> None:
        self._strikes = strikes
        self._turns: list[tuple[int, Turn, int]] = []
        self._on: set[int] = set()
        for number, strike in enumerate(strikes):
            if strike.trigger is not None:
                heappush(self._turns, (start_ns + strike.trigger.within_ns, Turn.EXPIRE, number))
            elif isinstance(strike.at, timedelta):
                self._add(number, start_ns + nanoseconds(strike.at))

    @property
    def due_ns(self) -> int | None:
        """When the next turn is due; None if none is left."""
        return self._turns[0][0] if self._turns else None

    def take(self) -> tuple[int, Turn, int]:
        """The next turn: when it is due, what, and of which strike. IndexError if none is left."""
        due_ns, turn, number = heappop(self._turns)
        if turn is Turn.INJECT:
            self._on.add(number)
        return due_ns, turn, number

    def fire(self, number: int, at_ns: int) -> None:
        """Its trigger fired: it is due from then on."""
        self._keep([turn for turn in self._turns if turn[2] != number])
        self._add(number, at_ns)

    def give_up(self) -> tuple[int, ...]:
        """Put nothing more on: the numbers of strikes that never were. Those that are on are still healed when they should be."""
        self._keep([turn for turn in self._turns if turn[2] in self._on])
        return tuple(number for number in range(len(self._strikes)) if number not in self._on)

    def _add(self, number: int, at_ns: int) -> None:
        heappush(self._turns, (at_ns, Turn.INJECT, number))
        heappush(self._turns, (at_ns + nanoseconds(self._strikes[number].lasts), Turn.HEAL, number))

    def _keep(self, turns: list[tuple[int, Turn, int]]) -> None:
        self._turns = turns
        heapify(self._turns)
