"""Moments of the protocol that strikes wait for: noticed where rows are recorded, told to the stage, which strikes and lets go.

A session that meets a moment *inside* something, between two steps or at a byte of a blob, is held there until the stage lets it go or
HELD_S is over; no other session is. Refuses to strike, and costs nothing while no trigger is armed.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import msgspec

from chaoskit.model.history import Operation, Outcome
from chaoskit.model.strike import Fired, Trigger
from chaoskit.registry.client import WRITES
from chaoskit.registry.wire import Reading

HELD_S = 20.0  # longer than a strike takes to be put on and seen, with all its looks
LEAST_BYTES = 4 * 1024 * 1024  # of a blob smaller than this the rest is already in some buffer on our side when its first bytes are read


@dataclass(slots=True)
class _Armed:
    """A trigger that waits. `met` are the rows that it counted."""

    trigger: Trigger
    met: set[int] = field(default_factory=set)

    def counts(self, row: Operation) -> bool:
        """The row is one of its kind: is it the one?"""
        is_new = row.index not in self.met
        self.met.add(row.index)
        return is_new and len(self.met) == self.trigger.nth

    def is_step(self, step: tuple[str, str]) -> bool:
        """What was acknowledged, and what is about to be sent after it ("": nothing is known of that)."""
        return self.trigger.kind != "at-byte" and step == (self.trigger.first, self.trigger.then)

    def is_inside(self, so_far: int, size: int) -> bool:
        """So much of a blob is as far as it waits for, and not yet all."""
        return self.trigger.kind == "at-byte" and size >= LEAST_BYTES and self.trigger.share * size <= so_far < size

    def is_at(self, row: Operation) -> bool:
        """Entry and lane are those it is about."""
        return self.trigger.zone in ("", row.zone) and self.trigger.lane in ("", row.lane)


class Triggers:
    """The triggers of one run by the number of their strike. `clock` is ns of run time. All on one event loop."""

    def __init__(self, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._armed: dict[int, _Armed] = {}
        self._fired: list[tuple[int, Fired]] = []
        self._held: dict[int, asyncio.Event] = {}
        self._released_ns: dict[int, int] = {}
        self._acknowledged: dict[int, str] = {}
        self.firing = asyncio.Event()

    def arm(self, number: int, trigger: Trigger) -> None:
        """Count moments of this kind from now on."""
        self._armed[number] = _Armed(trigger)

    def disarm(self, number: int) -> Fired:
        """Wait no longer; what was met until now."""
        waiting = self._armed.pop(number)
        return Fired(waiting.trigger.kind, waiting.trigger.told, len(waiting.met))

    def take(self) -> tuple[tuple[int, Fired], ...]:
        """The strikes whose trigger fired since this was last asked; `firing` is set while there is one."""
        taken = tuple(self._fired)
        self._fired.clear()
        self.firing.clear()
        return taken

    def release(self, number: int) -> int | None:
        """Let the session go that is held for a strike; when it went on, None if none was held. Idempotent."""
        if number in self._held:
            self._released_ns.setdefault(number, self._clock())
            self._held[number].set()
        return self._released_ns.get(number)

    async def before(self, row: Operation) -> Operation:
        """Call it with an open row before its first byte: the row, due and called anew if its session was held here."""
        if not self._armed:
            return row
        step = (self._acknowledged.get(row.session, ""), row.action)
        hit = [n for n, w in self._armed.items() if w.is_step(step) and w.is_at(row) and w.counts(row)]
        if not hit:
            return row
        self._fire(hit, row, self._clock())
        await self._hold(hit)
        now_ns = self._clock()
        return msgspec.structs.replace(row, intended_ns=now_ns, called_ns=now_ns)

    def after(self, row: Operation) -> None:
        """Call it with a row when it ended."""
        if not self._armed:
            self._acknowledged.clear()
        elif row.outcome is not Outcome.OK:
            self._acknowledged.pop(row.session, None)
        elif row.action in WRITES:
            self._acknowledged[row.session] = row.action
            step = (row.action, "") if ":" not in row.reference else ("", "")  # a manifest put by its digest is no tag's acknowledgement
            hit = [n for n, w in self._armed.items() if w.is_step(step) and w.is_at(row) and w.counts(row)]
            self._fire(hit, row, row.returned_ns or self._clock())

    def reading(self, row: Operation) -> Reading | None:
        """What to call with (bytes read, bytes in all) while a blob comes in, and to wait for; None if nothing waits for that."""
        if not any(waiting.trigger.kind == "at-byte" and waiting.is_at(row) for waiting in self._armed.values()):
            return None

        async def read(so_far: int, size: int) -> None:
            hit = [n for n, w in self._armed.items() if w.is_inside(so_far, size) and w.is_at(row) and w.counts(row)]
            if hit:
                self._fire(hit, row, self._clock(), byte=so_far)
                await self._hold(hit)

        return read

    def _fire(self, numbers: Sequence[int], row: Operation, at_ns: int, *, byte: int = -1) -> None:
        for number in numbers:
            self._fired.append((number, replace(self.disarm(number), operation=row.index, at_ns=at_ns, byte=byte)))
            self.firing.set()

    async def _hold(self, numbers: Sequence[int]) -> None:
        """Until each of these strikes lets go."""
        self._held |= {number: asyncio.Event() for number in numbers}
        try:
            async with asyncio.timeout(HELD_S):
                for number in numbers:
                    await self._held[number].wait()
        except TimeoutError:
            for number in numbers:
                self._released_ns.setdefault(number, self._clock())
