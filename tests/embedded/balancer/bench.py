"""A balancer in this event loop, servers that do what they are told, and a client that shows every byte."""

import asyncio
import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import ParamSpec

import uvloop

from chaoskit.drivers.base import Address
from chaoskit.drivers.embedded.balancer.limits import Limits
from chaoskit.drivers.embedded.balancer.server import serve
from chaoskit.drivers.embedded.bugs import Bug
from chaoskit.drivers.embedded.config import ProcessConfig
from chaoskit.drivers.embedded.layout import hold_ports

Reader = asyncio.StreamReader
Writer = asyncio.StreamWriter
Behaviour = Callable[["Scripted", Writer, bytes], Awaitable[None]]
P = ParamSpec("P")
CHECK = b"GET /v2/ "
QUICK = Limits(
    connect_s=0.3, retry_s=0.05, server_s=0.5, client_s=0.5, head_s=0.4, kept_s=2.0, linger_s=0.3, check_every_s=0.05, check_s=0.3
)


def free_port() -> int:
    with ExitStack() as held:
        return hold_ports(1, held)[0].port


def on_loop(test: Callable[P, Coroutine[None, None, None]]) -> Callable[P, None]:
    """Run an async test on the loop the balancer runs on."""

    @functools.wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(test(*args, **kwargs))

    return run


async def ok(server: "Scripted", writer: Writer, request: bytes) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(server.name), server.name.encode()))


async def hang_up(server: "Scripted", writer: Writer, request: bytes) -> None:
    writer.close()


async def say_nothing(server: "Scripted", writer: Writer, request: bytes) -> None:
    await asyncio.Event().wait()


def says(answer: bytes, *, then_close: bool = False) -> Behaviour:
    async def behave(server: "Scripted", writer: Writer, request: bytes) -> None:
        writer.write(answer)
        if then_close:
            await writer.drain()
            writer.close()

    return behave


@dataclass
class Scripted:
    """A server. `behave` treats requests, `checks` the balancer's health checks; `heads` and `bodies` are what it was sent."""

    name: str
    behave: Behaviour = ok
    checks: Behaviour = ok
    heads: list[bytes] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    checked: int = 0
    connections: int = 0
    port: int = 0

    async def converse(self, reader: Reader, writer: Writer) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            counted = False
            while not writer.is_closing():
                head = await reader.readuntil(b"\r\n\r\n")
                if head.startswith(CHECK):
                    self.checked += 1
                    await self.checks(self, writer, head)
                    writer.close()
                    continue
                self.connections += not counted
                counted = True
                self.heads.append(head)
                body = await read_body(reader, head)
                self.bodies.append(body)
                await self.behave(self, writer, head + body)
        writer.close()


async def read_body(reader: Reader, head: bytes) -> bytes:
    fields = {name.lower(): value.strip() for name, _, value in (line.partition(b":") for line in head.split(b"\r\n")[1:])}
    if fields.get(b"transfer-encoding") == b"chunked":
        body = b""
        while not body.endswith(b"0\r\n\r\n"):
            body += await reader.readuntil(b"\r\n")
        return body
    return await reader.readexactly(int(fields.get(b"content-length", b"0")))


@dataclass
class Bench:
    port: int
    servers: Sequence[Scripted]

    async def client(self) -> tuple[Reader, Writer]:
        return await asyncio.open_connection("127.0.0.1", self.port, limit=2**20)

    async def ask(self, request: bytes) -> bytes:
        """One connection, one write, everything that comes back until the balancer closes."""
        reader, writer = await self.client()
        try:
            writer.write(request)
            async with asyncio.timeout(10):
                return await reader.read()
        finally:
            writer.close()

    async def get(self, path: str = "/v2/x/tags/list", method: str = "GET", body: bytes = b"") -> bytes:
        length = f"Content-Length: {len(body)}\r\n" if body else ""
        return await self.ask(f"{method} {path} HTTP/1.1\r\nHost: here\r\nConnection: close\r\n{length}\r\n".encode() + body)

    @property
    def got(self) -> list[int]:
        return [len(server.heads) for server in self.servers]


@asynccontextmanager
async def bench(*servers: Scripted, bugs: tuple[Bug, ...] = (), limits: Limits = QUICK) -> AsyncIterator[Bench]:
    """The balancer before these servers. A server with a port of its own is not started: nobody listens there."""
    conversations: set[asyncio.Task[None]] = set()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(_hang_up_all, conversations)
        for server in servers:
            if not server.port:
                listener = await asyncio.start_server(_accept(server, conversations), "127.0.0.1", 0, limit=2**20)
                server.port = listener.sockets[0].getsockname()[1]
                stack.callback(listener.close)
        dials = {f"lb.a->registry.{server.name}": Address("127.0.0.1", server.port) for server in servers}
        listen = Address("127.0.0.1", free_port())
        serving = asyncio.ensure_future(serve(ProcessConfig("lb.a", listen, dials, "/nowhere", bugs=tuple(b.flag for b in bugs)), limits))
        try:
            await _listening(listen)
            asked = [server for server in servers if server.checks is ok and Bug.FROZEN_LOOKS_HEALTHY not in bugs]
            await until(lambda: all(server.checked for server in asked), "first checks")
            yield Bench(listen.port, servers)
        finally:
            serving.cancel()
            await asyncio.wait([serving])
            if not serving.cancelled():
                serving.result()


def _accept(server: Scripted, conversations: set[asyncio.Task[None]]) -> Callable[[Reader, Writer], None]:
    def accept(reader: Reader, writer: Writer) -> None:
        conversation = asyncio.ensure_future(server.converse(reader, writer))
        conversation.add_done_callback(lambda _: writer.close())
        conversations.add(conversation)

    return accept


async def _hang_up_all(conversations: set[asyncio.Task[None]]) -> None:
    for one in conversations:
        one.cancel()
    await asyncio.gather(*conversations, return_exceptions=True)


async def _listening(at: Address) -> None:
    async with asyncio.timeout(5):
        while True:
            try:
                _, writer = await asyncio.open_connection(at.host, at.port)
            except ConnectionRefusedError:
                await asyncio.sleep(0.005)
                continue
            writer.close()
            return


async def until(happened: Callable[[], bool], what: str, limit_s: float = 5.0) -> None:
    end = asyncio.get_running_loop().time() + limit_s
    while not happened():
        assert asyncio.get_running_loop().time() < end, f"{what}: not within {limit_s} s"
        await asyncio.sleep(0.005)
