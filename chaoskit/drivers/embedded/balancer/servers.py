"""The registries as one balancer sees them: whose turn it is, who is up, and connections kept for the next request."""

import asyncio
import logging
import select
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, cast

from chaoskit.drivers.base import Address
from chaoskit.drivers.embedded.balancer.limits import Limits

FALL = 2
RISE = 2
_IDLE_MOST = 200
_CLOSED = select.POLLIN | select.POLLRDHUP | select.POLLHUP | select.POLLERR

log = logging.getLogger("balancer")


class Answers(Protocol):
    """Who takes what a server says on a connection."""

    def from_server(self, data: bytes) -> None:
        """Bytes of the answer."""
        ...

    def server_lost(self, error: Exception | None) -> None:
        """The connection is gone."""
        ...

    def server_full(self, full: bool) -> None:
        """The server does not take more for now, or takes more again."""
        ...


class Connection(asyncio.Protocol):
    """One connection to a server: idle (no `owner`), carrying one exchange, or `forgotten` (its answer is not wanted)."""

    __slots__ = ("_clock", "_poll", "forgotten", "idle_since", "owner", "server", "transport", "used")

    def __init__(self, server: "Server", clock: Callable[[], float]) -> None:
        self.server = server
        self.owner: Answers | None = None
        self.used = False
        self.forgotten = False
        self.idle_since = 0.0
        self._clock = clock
        self.transport: asyncio.Transport
        self._poll = select.poll()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ready to carry."""
        self.transport = cast(asyncio.Transport, transport)
        self._poll.register(transport.get_extra_info("socket").fileno(), _CLOSED)
        self.server.open.add(self)

    def data_received(self, data: bytes) -> None:
        """The answer; a server that speaks unasked is hung up on."""
        if self.owner is not None:
            self.owner.from_server(data)
        elif not self.forgotten:
            self.drop()

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the exchange, or leave the pool."""
        self.server.open.discard(self)
        if self.owner is not None:
            owner, self.owner = self.owner, None
            owner.server_lost(exc)
        else:
            self.server.forget(self)

    def pause_writing(self) -> None:
        """The server lags behind."""
        if self.owner is not None:
            self.owner.server_full(True)

    def resume_writing(self) -> None:
        """The server has caught up."""
        if self.owner is not None:
            self.owner.server_full(False)

    def fresh(self) -> bool:
        """Nothing has come on this idle connection, its end neither: one system call."""
        return not self.transport.is_closing() and not self._poll.poll(0)

    def drop(self) -> None:
        """Close it, unsent bytes too."""
        self.owner = None
        self.transport.abort()

    def keep(self) -> None:
        """The exchange is over and both sides agree where: ready for the next."""
        self.owner = None
        self.used = True
        self.server.keep(self)

    def let_run(self) -> None:
        """Leave the request to the server; nobody waits for the answer (a seeded bug's)."""
        self.owner = None
        self.forgotten = True
        self.idle_since = self._clock()


@dataclass(eq=False)
class Server:
    """One registry behind its link. `health` counts as HAProxy does: up at the start, but down at the first failed check."""

    link: str
    address: Address
    clock: Callable[[], float]
    limits: Limits
    returns: bool = True
    health: int = RISE
    fell: bool = False
    idle: deque[Connection] = field(default_factory=deque)
    open: set[Connection] = field(default_factory=set)

    @property
    def up(self) -> bool:
        """It gets requests."""
        return self.health >= RISE

    def checked(self, passed: bool, what: str) -> None:
        """Count one health check."""
        was = self.up
        if passed:
            self.health = min(self.health + 1, RISE + FALL - 1)
            if self.fell and not self.returns:
                self.health = 0
            elif self.health == RISE:
                self.health = RISE + FALL - 1
        else:
            self.health = self.health - 1 if self.health > RISE else 0
        if self.up != was:
            self.fell = self.fell or not self.up
            log.warning("%s is %s: %s", self.link, "up" if self.up else "down", what)
            if not self.up:
                self.close_idle(before=self.clock() + 1)

    async def dial(self) -> Connection:
        """A new connection. OSError or TimeoutError within its time."""
        async with asyncio.timeout(self.limits.connect_s):
            _, connection = await asyncio.get_running_loop().create_connection(
                lambda: Connection(self, self.clock), self.address.host, self.address.port
            )
        return connection

    def kept(self) -> Connection | None:
        """An idle connection that was open a moment ago, if there is one; the last one used first."""
        while self.idle:
            connection = self.idle.pop()
            if connection.fresh():
                return connection
            connection.drop()
        return None

    def keep(self, connection: Connection) -> None:
        """Take a connection back."""
        if len(self.idle) >= _IDLE_MOST or not self.up:
            connection.drop()
            return
        connection.idle_since = self.clock()
        self.idle.append(connection)

    def forget(self, connection: Connection) -> None:
        """It is closed."""
        if connection in self.idle:
            self.idle.remove(connection)

    def close_idle(self, *, before: float) -> None:
        """Close what has been idle since before that time."""
        while self.idle and self.idle[0].idle_since < before:
            self.idle.popleft().drop()

    def close(self) -> None:
        """Close every connection."""
        for connection in tuple(self.open):
            connection.drop()

    def close_forgotten(self, *, before: float) -> None:
        """Close what has been let run since before that time."""
        for connection in [one for one in self.open if one.forgotten and one.idle_since < before]:
            connection.drop()


class RoundRobin:
    """Turns over the servers that are up."""

    def __init__(self, servers: tuple[Server, ...]) -> None:
        self.servers = servers
        self._turn = 0

    def next(self, *, other_than: Server | None = None) -> Server | None:
        """Whose turn it is; another one than the given if any other is up. None if nobody is up."""
        count = len(self.servers)
        fallback: Server | None = None
        for step in range(count):
            server = self.servers[(self._turn + step) % count]
            if not server.up:
                continue
            if server is other_than:
                fallback = server
                continue
            self._turn = (self._turn + step + 1) % count
            return server
        return fallback
