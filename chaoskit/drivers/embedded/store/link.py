"""The dialling side of a link between stores, or from a registry to its store: one connection, kept up, with many calls under way.

A link is up after a first Pong, not after a connect: a fault proxy accepts for a peer that is gone. While it is not up, calls fail at once.
A call is never sent twice. Whatever ends without an answer, for any reason, ends as Down.
"""

import asyncio
import time
from dataclasses import dataclass
from typing import cast

from chaoskit.drivers.base import Address
from chaoskit.drivers.embedded.store.calls import Asked, Said
from chaoskit.drivers.embedded.store.frames import BadFrame, Splitter, frame, said
from chaoskit.drivers.embedded.store.messages import Down, Ping, Pong

CALL_S = 1.5
DIAL_S = 1.0
HELLO_S = 5.0
REDIAL_S = 0.1
IDLE_PING_S = 0.5
CALLS_MOST = 2048
UNSENT_MOST = 8 << 20


@dataclass(slots=True)
class _Open:
    answer: "asyncio.Future[Said]"
    asked_at: float
    limit_at: float

    def end(self, answer: Said) -> None:
        """Hand it over, unless whoever asked was cancelled."""
        if not self.answer.done():
            self.answer.set_result(answer)


class Wire(asyncio.Protocol):
    """One connection: numbers requests, matches answers. `lost` is done when the connection is gone."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._splitter = Splitter()
        self._open: dict[int, _Open] = {}
        self._number = 0
        self._transport: asyncio.Transport | None = None
        self.heard_at = time.monotonic()
        self.lost: asyncio.Future[None] = self._loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast(asyncio.Transport, transport)  # uvloop's are no subclass of it

    def data_received(self, received: bytes) -> None:
        """Hand answers to those who wait; ones for calls given up are dropped."""
        self.heard_at = time.monotonic()
        try:
            for number, body in self._splitter.feed(received):
                waiting = self._open.pop(number, None)
                if waiting is not None:
                    waiting.end(said(body))
        except BadFrame:
            self.abort()

    def connection_lost(self, error: Exception | None) -> None:
        """Nothing that is under way will be answered."""
        self._transport = None
        for waiting in self._open.values():
            waiting.end(Down("connection lost"))
        self._open.clear()
        if not self.lost.done():
            self.lost.set_result(None)

    def ask(self, request: Asked, limit_s: float) -> "asyncio.Future[Said]":
        """Send; the answer, or Down. Never raises but for a request that is too long (BadFrame)."""
        answer: asyncio.Future[Said] = self._loop.create_future()
        transport = self._transport
        if transport is None or len(self._open) >= CALLS_MOST or transport.get_write_buffer_size() > UNSENT_MOST:
            answer.set_result(Down("not connected" if transport is None else "too many calls under way"))
            return answer
        self._number = number = self._number % 0xFFFFFFFF + 1
        now = time.monotonic()
        transport.write(frame(number, request))
        self._open[number] = _Open(answer, now, now + limit_s)
        return answer

    def expire(self) -> None:
        """Give up calls that are over their limit; the connection too if nothing at all came since one of them was asked."""
        now = time.monotonic()
        late = [number for number, waiting in self._open.items() if waiting.limit_at <= now]
        silent = any(self._open[number].asked_at >= self.heard_at for number in late)
        for number in late:
            self._open.pop(number).end(Down("no answer in time"))
        if silent:
            self.abort()

    def abort(self) -> None:
        """Close without waiting for bytes to be sent."""
        if self._transport is not None:
            self._transport.abort()


class Link:
    """A peer that may be away. `keep` has to run for as long as the link is used."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self._wire: Wire | None = None

    @property
    def up(self) -> bool:
        """The peer has answered on this connection."""
        return self._wire is not None

    def ask(self, request: Asked, limit_s: float = CALL_S) -> "asyncio.Future[Said]":
        """Send; the answer, or Down: at once if the link is not up."""
        if self._wire is not None:
            return self._wire.ask(request, limit_s)
        answer: asyncio.Future[Said] = asyncio.get_running_loop().create_future()
        answer.set_result(Down("link is down"))
        return answer

    async def keep(self) -> None:
        """Dial, and dial again after REDIAL_S, until cancelled."""
        while True:
            try:
                async with asyncio.timeout(DIAL_S):
                    loop = asyncio.get_running_loop()
                    transport, wire = await loop.create_connection(Wire, self._address.host, self._address.port)
            except OSError:  # TimeoutError is one
                await asyncio.sleep(REDIAL_S)
                continue
            try:
                await self._attend(wire)
            finally:
                self._wire = None
                transport.abort()
            await asyncio.sleep(REDIAL_S)

    async def _attend(self, wire: Wire) -> None:
        hello = wire.ask(Ping(), HELLO_S)
        await asyncio.wait([hello], timeout=HELLO_S)
        if not hello.done() or not isinstance(hello.result(), Pong):
            return
        self._wire = wire
        while not wire.lost.done():
            await asyncio.wait([wire.lost], timeout=REDIAL_S)
            wire.expire()
            if time.monotonic() - wire.heard_at > IDLE_PING_S:
                wire.ask(Ping(), CALL_S)
