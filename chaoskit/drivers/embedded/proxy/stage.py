"""A toxic at work on one stream of one connection: a queue in order, whose head leaves when it is due.

Everything here runs to its end without waiting: a stage may be added, changed or removed at any moment, whatever its peers do.
"""

import asyncio
import math
import random
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import ClassVar, NamedTuple

MOST = 2**31 - 1
CHUNK_COST = 256  # what a chunk costs beside its bytes: many small ones are bounded too
TURN_S = 0.0005  # what is due sooner than this is waited for by loop turns: timers have steps of 1 ms


class End(Enum):
    """How a stream ends: `EOF` leaves the other direction open, `CLOSE` takes the connection with it."""

    EOF = "eof"
    CLOSE = "close"


class Chunk(NamedTuple):
    """Bytes of one read, or the end of the stream; `read_s` is when they were read (or when a latency let go of them)."""

    read_s: float
    data: bytes
    end: End | None = None

    @property
    def cost(self) -> int:
        """Bytes of memory, about."""
        return len(self.data) + CHUNK_COST


@dataclass(frozen=True, slots=True)
class Setting:
    """What the proxy's parts share: the loop, a monotonic clock in seconds, chance, and whether a toxicity hits a connection."""

    loop: asyncio.AbstractEventLoop
    clock: Callable[[], float]
    chance: random.Random
    hits: Callable[[float], bool]
    half_open_s: float = 30.0
    buffer: bytearray = field(default_factory=lambda: bytearray(32_768))  # every read goes through it: one chunk is at most that long


@dataclass(slots=True)
class Toxic:
    """A toxic of a proxy, as the API shows it; `stream` keeps the spelling it was sent with."""

    name: str
    type: str
    stream: str
    toxicity: float
    attributes: Mapping[str, int]

    @property
    def direction(self) -> str:
        """`upstream` (from the client) or `downstream` (to the client)."""
        return self.stream.lower()


@dataclass(frozen=True, slots=True)
class Place:
    """Where a stage stands: `from_start` if the connection was opened after the toxic was added; `reset` sends RST to both peers."""

    setting: Setting
    reset: Callable[[], None]
    moved: Callable[[], None]
    from_start: bool


class Stage:
    """The toxic that does nothing. Subclasses say when the head is due (`due`) and how much of it goes (`cut`)."""

    DEFAULTS: ClassVar[Mapping[str, int]] = {}

    def __init__(self, toxic: Toxic, place: Place) -> None:
        self.toxic = toxic
        self.place = place
        self.active = place.setting.hits(toxic.toxicity)
        self.held_bytes = 0
        self.follow: Callable[[Chunk], None] = lambda chunk: None
        self._clock = place.setting.clock
        self._queue: deque[tuple[float, Chunk]] = deque()
        self._due_s: float | None = None
        self._timer: asyncio.Handle | None = None

    @classmethod
    def problem(cls, attributes: Mapping[str, int]) -> str:
        """What is wrong with attributes that are each in range; '' if nothing is."""
        return ""

    def due(self, entered_s: float, chunk: Chunk) -> float:
        """When the next piece of the head may go; `entered_s` is when the chunk came to this stage."""
        return 0.0

    def cut(self, chunk: Chunk, due_s: float) -> tuple[Chunk, Chunk | None]:
        """The piece that goes, and the rest, if any."""
        return chunk, None

    def start(self) -> None:
        """The stage has its place in the stream."""

    def push(self, chunk: Chunk) -> None:
        """Take a chunk from the stage before."""
        self.held_bytes += chunk.cost
        self._queue.append((self._clock(), chunk))
        if len(self._queue) == 1:  # else the head is being waited for
            self._release()

    def change(self, *, reroll: bool) -> None:
        """The toxic has other attributes (or another toxicity): what is held is timed anew."""
        if reroll:
            self.active = self.place.setting.hits(self.toxic.toxicity)
        self._due_s = None
        self.wake()

    def remove(self) -> None:
        """Let go of everything at once, in order."""
        self.active = False
        self._due_s = None
        self.wake()

    def clear(self) -> None:
        """Drop everything: the connection has ended."""
        self.stop_timer()
        self._queue.clear()
        self.held_bytes = 0

    def fire(self) -> None:
        """The timer has run down."""
        self.wake()

    def wake(self) -> None:
        """Let go of what is due; tell the stream that bytes may have moved."""
        self._release()
        self.place.moved()

    def _release(self) -> None:
        self.stop_timer()
        now_s = self._clock()
        while self._queue:
            entered_s, chunk = self._queue[0]
            if self._due_s is None:
                self._due_s = self.due(entered_s, chunk) if self.active else 0.0
            if self._due_s > now_s:
                self.wake_in(self._due_s - now_s)
                return
            self._queue.popleft()
            self.held_bytes -= chunk.cost
            piece, rest = self.cut(chunk, self._due_s) if self.active else (chunk, None)
            self._due_s = None
            if rest:
                self._queue.appendleft((entered_s, rest))
                self.held_bytes += rest.cost
            self.follow(piece)

    def wake_in(self, delay_s: float) -> None:
        """Set the one timer."""
        self.stop_timer()
        if delay_s == math.inf:
            return
        if delay_s < TURN_S:
            self._timer = self.place.setting.loop.call_soon(self.fire)
        else:
            self._timer = self.place.setting.loop.call_later(math.ceil(delay_s * 1000) / 1000, self.fire)

    def stop_timer(self) -> None:
        """Stop the timer, if it runs."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
