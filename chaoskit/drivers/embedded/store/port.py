"""The listening side: one port for the registry, for peers and for whoever sends a plain HTTP GET to see whether anybody is there.

Bounded: connections, requests under way on one connection, the HTTP head, and how long a connection may be silent.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import cast

import msgspec

from chaoskit.drivers.embedded.store.calls import Asked, Said
from chaoskit.drivers.embedded.store.frames import BadFrame, Splitter, asked, frame
from chaoskit.drivers.embedded.store.messages import Down

CONNECTIONS_MOST = 1024
REQUESTS_MOST = 256
HTTP_HEAD_MOST = 16 * 1024
SILENT_MOST_S = 20.0
_SWEEP_S = 1.0
_GET = b"GET "

Respond = Callable[[Asked], Said | Awaitable[Said]]


class Port:
    """All connections of a store. `respond` answers at once, or with something to wait for that raises OSError at most."""

    def __init__(self, respond: Respond, healthy: Callable[[], bool]) -> None:
        self.respond = respond
        self.healthy = healthy
        self.peers: set[Peer] = set()
        self.tasks: set[asyncio.Task[None]] = set()

    def connected(self) -> "Peer":
        """The protocol of a new connection."""
        return Peer(self)

    async def sweep(self) -> None:
        """Hang up on those who say nothing, until cancelled."""
        while True:
            await asyncio.sleep(_SWEEP_S)
            limit = time.monotonic() - SILENT_MOST_S
            for peer in [peer for peer in self.peers if peer.heard_at < limit and not peer.busy]:
                peer.hang_up()

    async def close(self) -> None:
        """Hang up on all, stop what is under way."""
        for peer in list(self.peers):
            peer.hang_up()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


class Peer(asyncio.Protocol):
    """One connection: frames, or one HTTP request."""

    def __init__(self, port: Port) -> None:
        self._port = port
        self._loop = asyncio.get_running_loop()
        self._splitter = Splitter()
        self._start = b""
        self._is_frames: bool | None = None
        self._under_way = 0
        self._transport: asyncio.Transport | None = None
        self._full = False
        self._paused = False
        self.heard_at = time.monotonic()

    @property
    def busy(self) -> bool:
        """Requests are under way."""
        return self._under_way > 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Refuse what is too many."""
        stream = cast(asyncio.Transport, transport)  # uvloop's are no subclass of it
        if len(self._port.peers) >= CONNECTIONS_MOST:
            stream.close()
            return
        self._transport = stream
        self._port.peers.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        """What is under way goes on: an append or a write must not stop in the middle because its asker left."""
        self._transport = None
        self._port.peers.discard(self)

    def data_received(self, received: bytes) -> None:
        """Four bytes tell HTTP from frames."""
        if self._transport is None:
            return
        self.heard_at = time.monotonic()
        if not self._is_frames:
            received = self._start + received
            if self._is_frames is None and len(received) >= len(_GET):
                self._is_frames = not received.startswith(_GET)
            if not self._is_frames:
                self._start = received
                self._http()
                return
            self._start = b""
        try:
            for number, body in self._splitter.feed(received):
                self._request(number, asked(body))
        except BadFrame:
            self.hang_up()

    def pause_writing(self) -> None:
        """The peer does not read its answers: take no more requests of it."""
        self._full = True
        self._pace()

    def resume_writing(self) -> None:
        """The peer reads again."""
        self._full = False
        self._pace()

    def hang_up(self) -> None:
        """Close at once."""
        if self._transport is not None:
            self._transport.abort()

    def _request(self, number: int, request: Asked) -> None:
        response = self._port.respond(request)
        if isinstance(response, msgspec.Struct):
            self._say(number, response)
            return
        task = self._loop.create_task(self._later(number, response))
        self._port.tasks.add(task)
        self._under_way += 1
        task.add_done_callback(self._ended)
        if self._under_way >= REQUESTS_MOST:
            self._pace()

    async def _later(self, number: int, response: Awaitable[Said]) -> None:
        try:
            answer = await response
        except OSError as error:
            answer = Down(f"disk: {error}")
        self._say(number, answer)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self._port.tasks.discard(task)
        self._under_way -= 1
        if self._paused:
            self._pace()
        if not task.cancelled():
            task.result()

    def _say(self, number: int, answer: Said) -> None:
        if self._transport is not None:
            self._transport.write(frame(number, answer))

    def _pace(self) -> None:
        wanted = self._full or self._under_way >= REQUESTS_MOST
        if wanted == self._paused or self._transport is None:
            return
        self._paused = wanted
        if wanted:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def _http(self) -> None:
        if self._transport is None or (b"\r\n\r\n" not in self._start and len(self._start) < HTTP_HEAD_MOST):
            return
        status, body = ("200 OK", b"ok\n") if self._port.healthy() else ("503 Service Unavailable", b"no quorum\n")
        if b"\r\n\r\n" not in self._start:
            status, body = "431 Request Header Fields Too Large", b""
        head = f"HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        self._transport.write(head.encode() + body)
        self._transport.close()
        self._transport = None
