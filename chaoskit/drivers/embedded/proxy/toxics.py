"""The seven toxics, one class each, with Toxiproxy's names, attributes and order of chunks.

To add one: a subclass of `Stage` and a line in TOXICS; tests in tests/contract/test_toxics.py run it against the real one too.

Stricter than Toxiproxy: an attribute that is unknown, negative or out of range is refused, where the real one ignores it or dies.
Not copied: `toxicity` 0 on `reset_peer` that still resets, a `timeout` that missed its toxicity and still closes at removal, dice that
are thrown again whenever a neighbour comes or goes, a `reset_peer` that cannot be removed while it waits.
"""

import math
from collections import deque
from collections.abc import Mapping
from typing import ClassVar

from chaoskit.drivers.embedded.proxy.stage import MOST, Chunk, End, Place, Stage, Toxic


class Latency(Stage):
    """Each chunk is delayed by `latency` ± `jitter` ms from when it was read; order is kept. An end is not delayed by itself."""

    DEFAULTS: ClassVar[Mapping[str, int]] = {"latency": 0, "jitter": 0}

    def due(self, entered_s: float, chunk: Chunk) -> float:
        """Counted from the read, so a delay by an earlier toxic is part of it, as in Toxiproxy."""
        if chunk.end:
            return 0.0
        jitter = self.toxic.attributes["jitter"]
        delay_ms = self.toxic.attributes["latency"] + (self.place.setting.chance.uniform(-jitter, jitter) if jitter else 0)
        return chunk.read_s + delay_ms / 1000

    def cut(self, chunk: Chunk, due_s: float) -> tuple[Chunk, Chunk | None]:
        """The next latency counts from here."""
        return (chunk if chunk.end else chunk._replace(read_s=max(chunk.read_s, due_s))), None


class Bandwidth(Stage):
    """`rate` KB/s (of 1000 bytes), a piece at most every 100 ms; idle time saves nothing up. Rate 0 stalls and loses nothing."""

    DEFAULTS: ClassVar[Mapping[str, int]] = {"rate": 0}

    def __init__(self, toxic: Toxic, place: Place) -> None:
        super().__init__(toxic, place)
        self._free_s = 0.0

    def due(self, entered_s: float, chunk: Chunk) -> float:
        """A piece goes when all of it would have passed at the rate."""
        if chunk.end:
            return 0.0
        rate = self.toxic.attributes["rate"]
        if rate == 0:
            return math.inf
        return max(entered_s, self._free_s) + min(len(chunk.data), rate * 100) / (rate * 1000)

    def cut(self, chunk: Chunk, due_s: float) -> tuple[Chunk, Chunk | None]:
        """At most 100 ms worth."""
        self._free_s = due_s
        return _split(chunk, self.toxic.attributes["rate"] * 100)

    def change(self, *, reroll: bool) -> None:
        """The new rate counts from now."""
        self._free_s = self._clock()
        super().change(reroll=reroll)


class Slicer(Stage):
    """Cuts chunks into pieces of `average_size` ± `size_variation` bytes, `delay` µs apart (one turn of the loop at the least)."""

    DEFAULTS: ClassVar[Mapping[str, int]] = {"average_size": 0, "size_variation": 0, "delay": 0}

    def __init__(self, toxic: Toxic, place: Place) -> None:
        super().__init__(toxic, place)
        self._free_s = 0.0
        self._sizes: deque[int] = deque()

    @classmethod
    def problem(cls, attributes: Mapping[str, int]) -> str:
        """Toxiproxy dies of what is refused here."""
        size, variation = attributes["average_size"], attributes["size_variation"]
        if size < 1:
            return f"average_size must be at least 1, not {size}"
        return f"size_variation must be less than average_size {size}, not {variation}" if variation >= size else ""

    def due(self, entered_s: float, chunk: Chunk) -> float:
        """The first piece at once, the others a delay after the one before."""
        return self._free_s

    def cut(self, chunk: Chunk, due_s: float) -> tuple[Chunk, Chunk | None]:
        """The next piece."""
        if chunk.end:
            return chunk, None
        self._free_s = self._clock() + max(self.toxic.attributes["delay"], 1) / 1e6
        if not self._sizes:
            self._plan(len(chunk.data))
        return _split(chunk, self._sizes.popleft())

    def change(self, *, reroll: bool) -> None:
        """What is left of the head is cut anew."""
        self._sizes.clear()
        super().change(reroll=reroll)

    def _plan(self, size: int) -> None:
        """Halves, give or take the variation, until a part is small enough: Toxiproxy's way."""
        average, variation = self.toxic.attributes["average_size"], self.toxic.attributes["size_variation"]
        parts = [size]
        while parts:
            part = parts.pop()
            if part - average <= variation:
                self._sizes.append(part)
                continue
            left = part // 2 + (self.place.setting.chance.randrange(-variation, variation) if variation else 0)
            parts += [part - left, left]


class SlowClose(Stage):
    """Holds the end of the stream back for `delay` ms."""

    DEFAULTS: ClassVar[Mapping[str, int]] = {"delay": 0}

    def due(self, entered_s: float, chunk: Chunk) -> float:
        """Only an end waits."""
        return entered_s + self.toxic.attributes["delay"] / 1000 if chunk.end else 0.0


class Timeout(Stage):
    """Swallows everything. `timeout` ms without a byte close the connection, 0 is for ever; so does removal."""

    DEFAULTS: ClassVar[Mapping[str, int]] = {"timeout": 0}

    def start(self) -> None:
        """The idle time begins."""
        if self.active and self.toxic.attributes["timeout"]:
            self.wake_in(self.toxic.attributes["timeout"] / 1000)

    def push(self, chunk: Chunk) -> None:
        """Bytes are lost; an end passes."""
        if self.active and not chunk.end:
            self.start()
        else:
            super().push(chunk)

    def change(self, *, reroll: bool) -> None:
        """The idle time begins anew."""
        super().change(reroll=reroll)
        self.start()

    def remove(self) -> None:
        """Its peers miss bytes, so they must not go on."""
        if self.active:
            self.follow(Chunk(self._clock(), b"", End.CLOSE))
        super().remove()

    def fire(self) -> None:
        """Idle for too long."""
        self.follow(Chunk(self._clock(), b"", End.CLOSE))


class ResetPeer(Stage):
    """RST to both peers, `timeout` ms after the first byte (or end). A connection older than the toxic is closed with FIN instead."""

    DEFAULTS: ClassVar[Mapping[str, int]] = {"timeout": 0}

    def due(self, entered_s: float, chunk: Chunk) -> float:
        """Whatever comes first starts the clock."""
        return entered_s + self.toxic.attributes["timeout"] / 1000

    def cut(self, chunk: Chunk, due_s: float) -> tuple[Chunk, Chunk | None]:
        """What came is lost."""
        if self.place.from_start:
            self.place.reset()
        return Chunk(chunk.read_s, b"", End.CLOSE), None


class LimitData(Stage):
    """Closes the connection when `bytes` have passed; counts from when the toxic came."""

    DEFAULTS: ClassVar[Mapping[str, int]] = {"bytes": 0}

    def __init__(self, toxic: Toxic, place: Place) -> None:
        super().__init__(toxic, place)
        self._passed = 0

    def push(self, chunk: Chunk) -> None:
        """Nothing waits here. With nothing left to pass, the next byte closes."""
        if not self.active or chunk.end:
            super().push(chunk)
            return
        piece = chunk.data[: max(0, self.toxic.attributes["bytes"] - self._passed)]
        self._passed += len(piece)
        if piece:
            self.follow(chunk._replace(data=piece))
        if self._passed >= self.toxic.attributes["bytes"]:
            self.follow(Chunk(chunk.read_s, b"", End.CLOSE))


def _split(chunk: Chunk, size: int) -> tuple[Chunk, Chunk | None]:
    if len(chunk.data) <= size:
        return chunk, None
    return chunk._replace(data=chunk.data[:size]), chunk._replace(data=chunk.data[size:])


TOXICS: Mapping[str, type[Stage]] = {
    "bandwidth": Bandwidth,
    "latency": Latency,
    "limit_data": LimitData,
    "reset_peer": ResetPeer,
    "slicer": Slicer,
    "slow_close": SlowClose,
    "timeout": Timeout,
}


def attribute_problem(type_name: str, attributes: Mapping[str, int]) -> str:
    """What is wrong with a toxic's attributes, in words; '' if nothing is. KeyError for an unknown type."""
    stage = TOXICS[type_name]
    for name, number in attributes.items():
        if name not in stage.DEFAULTS:
            return f"toxic {type_name!r} has no attribute {name!r}; it has {', '.join(stage.DEFAULTS)}"
        if not 0 <= number <= MOST:
            return f"toxic {type_name!r} wants {name} {number}, which is outside 0..{MOST}"
    problem = stage.problem({**stage.DEFAULTS, **attributes})
    return problem and f"toxic {type_name!r}: {problem}"
