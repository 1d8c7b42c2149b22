"""`serve`: the balancer of one zone. Listens for clients, checks the registries, and gives up on who does nothing.

Not copied from HAProxy: HTTP/1.0 clients, its error pages, queues and statistics. Checks come every 200 ms instead of every second.
"""

import asyncio
import random
from typing import cast

from chaoskit.drivers.embedded.balancer.exchange import Exchange
from chaoskit.drivers.embedded.balancer.framing import HEAD_BYTES, Malformed, parse_request, split_head
from chaoskit.drivers.embedded.balancer.health import watch
from chaoskit.drivers.embedded.balancer.limits import Limits
from chaoskit.drivers.embedded.balancer.servers import RoundRobin, Server
from chaoskit.drivers.embedded.balancer.shared import Balancer, own_answer
from chaoskit.drivers.embedded.bugs import Bug
from chaoskit.drivers.embedded.config import ProcessConfig

DEFAULT = Limits()
_TICK_S = 0.1
_BACKLOG = 1_024


class Front(asyncio.Protocol):
    """One client's connection: collects heads, then feeds one exchange at a time."""

    __slots__ = (
        "_balancer", "_buffer", "_deadline", "_ending", "_exchange", "_fronts", "_half_closed", "_held", "_served", "_since",
        "_transport", "full",
    )  # fmt: skip

    def __init__(self, balancer: Balancer, fronts: "set[Front]") -> None:
        self._balancer = balancer
        self._fronts = fronts
        self._buffer = bytearray()
        self._exchange: Exchange | None = None
        self._since = balancer.clock()
        self._deadline = 0.0
        self._ending = self._half_closed = self._held = self._served = self.full = False
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Welcome, unless there are too many."""
        self._transport = cast(asyncio.Transport, transport)
        most = self._balancer.limits.connections
        too_many = len(self._fronts) >= most
        self._fronts.add(self)
        if too_many:
            self.write(own_answer(503, f"more than {most} connections", close=True))
            self._finish(linger=True)

    def data_received(self, data: bytes) -> None:
        """A head, a body, or more requests than were answered."""
        if self._ending:
            return
        exchange = self._exchange
        if exchange is not None and not exchange.request.body.done:
            try:
                self._buffer += exchange.from_client(data)
            except Malformed as error:
                exchange.client_lost()
                self._refuse(error)
            return
        if not self._buffer and self._served and exchange is None:
            self._since = self._balancer.clock()
        self._buffer += data
        if exchange is None:
            self._advance()
        elif len(self._buffer) > HEAD_BYTES:
            self.pause(True)

    def eof_received(self) -> bool:
        """A client that has asked all it wants may still hear the answer; half a request is dropped."""
        self._half_closed = True
        return self._exchange is not None and self._exchange.request.body.done and not self._ending

    def connection_lost(self, exc: Exception | None) -> None:
        """The client is gone."""
        self._fronts.discard(self)
        self._ending = True
        if self._exchange is not None:
            exchange, self._exchange = self._exchange, None
            exchange.client_lost()

    def pause_writing(self) -> None:
        """The client lags behind."""
        self.full = True
        if self._exchange is not None:
            self._exchange.client_full(True)

    def resume_writing(self) -> None:
        """The client has caught up."""
        self.full = False
        if self._exchange is not None:
            self._exchange.client_full(False)

    def write(self, data: bytes) -> None:
        """Send to the client."""
        self._transport.write(data)

    def unsent(self) -> int:
        """How many bytes the client has not taken yet."""
        return self._transport.get_write_buffer_size()

    def pause(self, paused: bool) -> None:
        """Take no more of the request for now, or take it again."""
        if paused != self._held:
            self._held = paused
            if paused:
                self._transport.pause_reading()
            else:
                self._transport.resume_reading()

    def ended(self, *, close: bool, linger: bool) -> None:
        """The answer is complete: on to the next request, if there will be one."""
        self._exchange = None
        self._served = True
        if close or (self._half_closed and not self._buffer):
            self._finish(linger=linger)
            return
        self._since = self._balancer.clock()
        self.pause(False)
        if self._buffer:
            asyncio.get_running_loop().call_soon(self._advance)

    def break_off(self, *, now: bool) -> None:
        """The answer stays short."""
        self._exchange = None
        if now:
            self._ending = True
            self._transport.abort()
        else:
            self._finish(linger=False)

    def expire(self, now: float) -> None:
        """Give up on a client that does nothing; called now and then."""
        if self._ending:
            if now > self._deadline:
                self._transport.abort()
        elif self._exchange is not None:
            self._exchange.expire(now)
        elif self._buffer:
            if now - self._since > self._balancer.limits.head_s:
                self._refuse(Malformed(408, f"no complete head in {self._balancer.limits.head_s:g} s"))
        elif now - self._since > (self._balancer.limits.kept_s if self._served else self._balancer.limits.head_s):
            self._finish(linger=False)

    def _advance(self) -> None:
        if self._exchange is not None or self._ending:
            return
        try:
            head = split_head(self._buffer)
            if head is None:
                return
            exchange = Exchange(self._balancer, self, parse_request(head))
            if self._buffer:
                self._buffer = bytearray(exchange.from_client(bytes(self._buffer)))
        except Malformed as error:
            self._refuse(error)
            return
        self._exchange = exchange
        exchange.start()

    def _refuse(self, error: Malformed) -> None:
        self._exchange = None
        self.write(own_answer(error.status, str(error), close=True))
        self._finish(linger=True)

    def _finish(self, *, linger: bool) -> None:
        """Close after what was written. A client that still sends would get a reset: it is told the end, and heard out for a moment."""
        self._ending = True
        self._buffer.clear()
        limits = self._balancer.limits
        self._deadline = self._balancer.clock() + (limits.linger_s if linger else limits.client_s)
        if linger and not self._transport.is_closing():
            self.pause(False)
            self._transport.write_eof()
        else:
            self._transport.close()


async def serve(config: ProcessConfig, limits: Limits = DEFAULT) -> None:
    """Balance until cancelled: clients at `config.listen`, one server for each link in `config.dials`."""
    loop = asyncio.get_running_loop()
    servers = tuple(
        Server(link, address, loop.time, limits, returns=not config.has(Bug.NEVER_REJOINS)) for link, address in config.dials.items()
    )
    fronts: set[Front] = set()
    luck = random.Random(f"{config.component}/{config.incarnation}") if config.has(Bug.SPORADIC_503) else None
    async with asyncio.TaskGroup() as group:
        balancer = Balancer(RoundRobin(servers), loop.time, limits, group.create_task, config.has(Bug.BALANCER_RESENDS), luck)
        listener = await loop.create_server(
            lambda: Front(balancer, fronts), config.listen.host, config.listen.port, backlog=_BACKLOG, reuse_address=True
        )
        try:
            for number, server in enumerate(servers):
                group.create_task(watch(server, first_s=0.01 * number, connects_only=config.has(Bug.FROZEN_LOOKS_HEALTHY)))
            await _tick(servers, fronts)
        finally:
            listener.close()
            for front in tuple(fronts):
                front.break_off(now=True)
            for server in servers:
                server.close()


async def _tick(servers: tuple[Server, ...], fronts: set[Front]) -> None:
    """All time-outs of all connections, to a tenth of a second."""
    clock = asyncio.get_running_loop().time
    while True:
        await asyncio.sleep(_TICK_S)
        now = clock()
        for front in tuple(fronts):
            front.expire(now)
        for server in servers:
            server.close_idle(before=now - server.limits.idle_s)
            server.close_forgotten(before=now - server.limits.server_s)
