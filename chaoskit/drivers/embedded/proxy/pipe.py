"""One proxied connection: two peers, two streams between them, toxics on the streams.

A stream without toxics costs one call from read to write. Memory is bounded: a peer is not read from while its stream holds HELD_MOST
bytes or the other peer does not take what was written to it, so each direction keeps less than 256 KiB whatever the peers do.

Half-close is forwarded: an EOF ends one direction only (Toxiproxy closes both), until nothing moves for `half_open_s`.
"""

import asyncio
import socket
import struct
from collections.abc import Callable, Sequence
from typing import cast

from chaoskit.drivers.embedded.proxy.stage import Chunk, End, Place, Setting, Stage, Toxic
from chaoskit.drivers.embedded.proxy.toxics import TOXICS

HELD_MOST = 192 * 1024
HELD_AGAIN = 96 * 1024
WRITES_MOST = 0  # uvloop then writes at once and not at the end of its turn (half the CPU), and any rest it keeps stops the reading
_RST = struct.pack("ii", 1, 0)


class Side(asyncio.BufferedProtocol):
    """A peer's socket. `out` is the stream of what it sends, `into` the stream of what it gets."""

    __slots__ = ("_buffer", "_connection", "_view", "forward", "into", "out", "transport")

    def __init__(self, connection: "Connection", out: "Stream", into: "Stream", buffer: bytearray) -> None:
        self._connection = connection
        self._buffer = buffer
        self._view = memoryview(buffer)
        self.out = out
        self.into = into
        self.transport: asyncio.Transport | None = None
        self.forward: Callable[[bytes], object] = out.feed

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Reading cannot be paused here (uvloop ignores it): the stream keeps what comes before there is anywhere to send it."""
        self.transport = cast(asyncio.Transport, transport)
        self.transport.set_write_buffer_limits(high=WRITES_MOST)
        self.out.source = self.transport
        self._connection.peer_is_there(self)

    def get_buffer(self, sizehint: int) -> bytearray:
        """The one buffer of all peers: it is filled and emptied in one go."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Bytes have come."""
        self.forward(bytes(self._view[:nbytes]))

    def eof_received(self) -> bool:
        """The peer sends no more; it may still read."""
        self.out.finish(End.EOF)
        return True

    def pause_writing(self) -> None:
        """The peer does not read."""
        self.into.hold_back(True)

    def resume_writing(self) -> None:
        """The peer reads again."""
        self.into.hold_back(False)

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is gone: the other peer is told behind what is under way to it."""
        self.forward = _drop
        self.into.stop()
        self.out.finish(End.CLOSE)
        self._connection.peer_is_gone(self)


class Stream:
    """One direction: from a source through stages to a sink."""

    def __init__(self, setting: Setting, ended: Callable[[], None]) -> None:
        self.source: asyncio.Transport | None = None
        self.sink: asyncio.Transport | None = None
        self.stages: list[Stage] = []
        self.ended = False
        self.fed = False
        self._setting = setting
        self._on_end = ended
        self._waiting: list[Chunk] = []
        self._first: Callable[[Chunk], None] = self._waiting.append
        self._unread = False
        self._paused = False
        self._stopped = False

    @property
    def held_bytes(self) -> int:
        """What the stages hold, and what waits for the dial."""
        return sum(stage.held_bytes for stage in self.stages) + sum(chunk.cost for chunk in self._waiting)

    @property
    def busy(self) -> bool:
        """There is something that may still arrive."""
        return self._unread or self.held_bytes > 0

    def open(self, sink: asyncio.Transport, stages: Sequence[Stage]) -> None:
        """There is somewhere to send: what waited goes first."""
        self.sink = sink
        self.stages = list(stages)
        self.relink()
        waited, self._waiting = self._waiting, []
        for chunk in waited:
            self._first(chunk._replace(read_s=self._setting.clock()))
        self.balance()

    def relink(self) -> None:
        """The stages are what they are now: tell each who follows."""
        followers = [*(stage.push for stage in self.stages[1:]), self._deliver]
        for stage, follower in zip(self.stages, followers, strict=True) if self.stages else ():
            stage.follow = follower
        self._first = self.stages[0].push if self.stages else self._deliver

    def feed(self, data: bytes) -> None:
        """Bytes from the source, the slow way."""
        self.fed = True
        self._first(Chunk(self._setting.clock(), data))
        self.balance()

    def finish(self, end: End) -> None:
        """The source has ended."""
        self._first(Chunk(self._setting.clock(), b"", end))

    def stop(self) -> None:
        """The sink is gone: nothing can arrive any more, nothing need be read."""
        self._stopped = True
        self._waiting.clear()
        for stage in self.stages:
            stage.clear()
        self.balance()

    def hold_back(self, unread: bool) -> None:
        """Whether the sink is full."""
        self._unread = unread
        self.balance()

    def balance(self) -> None:
        """Read from the source, or do not."""
        wanted = self._unread or self._stopped or self.held_bytes > (HELD_AGAIN if self._paused else HELD_MOST)
        if wanted is self._paused or self.source is None or self.source.is_closing():
            return
        self._paused = wanted
        if wanted:
            self.source.pause_reading()
        else:
            self.source.resume_reading()

    def _deliver(self, chunk: Chunk) -> None:
        if self._stopped or self.sink is None or self.sink.is_closing():
            return
        if chunk.data:
            self.sink.write(chunk.data)
        if chunk.end is End.CLOSE:
            self.sink.close()
            self.stop()
        elif chunk.end is End.EOF and not self.ended:
            self.ended = True
            self.sink.write_eof()
            self._on_end()


class Connection:
    """A client, its upstream, and the two streams between them. `on_lost` is called once, when both sockets are gone."""

    def __init__(self, setting: Setting, on_lost: Callable[["Connection"], None]) -> None:
        self._setting = setting
        self._on_lost = on_lost
        self._half_open: asyncio.TimerHandle | None = None
        self._sockets = 0
        self._over = False
        self.streams = {direction: Stream(setting, self._one_ended) for direction in ("upstream", "downstream")}
        up, down = self.streams["upstream"], self.streams["downstream"]
        self.client = Side(self, up, down, setting.buffer)
        self.upstream = Side(self, down, up, setting.buffer)

    def peer_is_there(self, side: Side) -> None:
        """One of the two sockets is connected."""
        self._sockets += 1
        if self._over and side.transport is not None:
            side.transport.abort()

    def peer_is_gone(self, side: Side) -> None:
        """One of the two sockets is closed."""
        self._sockets -= 1
        if self._sockets == 0:
            self.abort()  # timers
            self._on_lost(self)

    def start(self, toxics: Sequence[Toxic]) -> None:
        """Both sockets are there: let bytes through the toxics."""
        for direction, sink in (("downstream", self.client), ("upstream", self.upstream)):
            stages = [self._stage(toxic, from_start=True) for toxic in toxics if toxic.direction == direction]
            if sink.transport is not None:
                self.streams[direction].open(sink.transport, stages)
            for stage in stages:
                stage.start()
        self._shortcut()

    def add(self, toxic: Toxic) -> None:
        """The toxic stands last on its stream."""
        stream = self.streams[toxic.direction]
        if stream.sink is None:  # still dialling: it will be there from the start
            return
        stage = self._stage(toxic, from_start=False)
        stream.stages.append(stage)
        stream.relink()
        stage.start()
        self._shortcut()

    def change(self, toxic: Toxic, *, reroll: bool) -> None:
        """The toxic has other attributes."""
        for stage in self.streams[toxic.direction].stages:
            if stage.toxic is toxic:
                stage.change(reroll=reroll)

    def remove(self, toxic: Toxic) -> None:
        """What it holds goes on at once."""
        stream = self.streams[toxic.direction]
        for stage in [stage for stage in stream.stages if stage.toxic is toxic]:
            stage.remove()
            stream.stages.remove(stage)
            stream.relink()
            stream.balance()
        self._shortcut()

    def reset(self) -> None:
        """RST to both peers."""
        for side in (self.client, self.upstream):
            if side.transport is not None and not side.transport.is_closing():
                side.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RST)
        self.abort()

    def abort(self) -> None:
        """Close both sockets now, or as soon as they are there; what is under way is lost."""
        self._over = True
        if self._half_open is not None:
            self._half_open.cancel()
        for stream in self.streams.values():
            stream.stop()
        for side in (self.client, self.upstream):
            side.forward = _drop
            if side.transport is not None:
                side.transport.abort()

    def _stage(self, toxic: Toxic, *, from_start: bool) -> Stage:
        place = Place(self._setting, reset=self.reset, moved=self.streams[toxic.direction].balance, from_start=from_start)
        return TOXICS[toxic.type](toxic, place)

    def _shortcut(self) -> None:
        """Write straight from the read where no toxic stands and nobody counts."""
        for side, peer in ((self.client, self.upstream), (self.upstream, self.client)):
            direct = not side.out.stages and self._half_open is None and peer.transport is not None and not peer.transport.is_closing()
            if side.forward is not _drop:
                side.forward = peer.transport.write if direct and peer.transport is not None else side.out.feed

    def _one_ended(self) -> None:
        if all(stream.ended for stream in self.streams.values()):
            for side in (self.client, self.upstream):
                if side.transport is not None:
                    side.transport.close()
        elif self._half_open is None:
            self._half_open = self._setting.loop.call_later(self._setting.half_open_s, self._judge_half_open)
            self._shortcut()

    def _judge_half_open(self) -> None:
        """The other direction may go on for as long as anything moves or is held in it."""
        alive = [stream for stream in self.streams.values() if not stream.ended and (stream.fed or stream.busy)]
        for stream in alive:
            stream.fed = False
        if alive:
            self._half_open = self._setting.loop.call_later(self._setting.half_open_s, self._judge_half_open)
        else:
            self.abort()


def _drop(data: bytes) -> None:
    """Nobody is there to get it."""
