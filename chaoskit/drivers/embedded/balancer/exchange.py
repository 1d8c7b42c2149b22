"""One request's way to a server and the answer's way back, as bytes come: no task unless a connection has to be made.

Only a failed connect is tried again, at another server if one is up. A request whose bytes may have left is sent once. The one exception
does no harm: a GET or HEAD without a body whose kept connection closed before a byte of an answer goes to the same server afresh.
"""

import asyncio
import logging

from chaoskit.drivers.embedded.balancer.framing import Malformed, Request, Response, parse_response, split_head
from chaoskit.drivers.embedded.balancer.servers import Connection, Server
from chaoskit.drivers.embedded.balancer.shared import Balancer, Client, own_answer

TRIES = 3
RESEND_S = 0.7
RESEND_BYTES = 4 * 1024 * 1024
SPORADIC_SHARE = 0.05
_RESENT = (b"GET", b"HEAD", b"PUT")

log = logging.getLogger("balancer")


class Exchange:
    """One request from its head to the end of its answer. The client's side feeds it and calls `expire` now and then."""

    __slots__ = (
        "_balancer", "_buffered", "_client", "_closes", "_connection", "_copy", "_dialling", "_head", "_interim", "_response", "_reused",
        "_sends", "_server", "_server_full", "_touched", "_unsent", "request",
    )  # fmt: skip

    def __init__(self, balancer: Balancer, client: Client, request: Request) -> None:
        self.request = request
        self._balancer = balancer
        self._client = client
        self._response: Response | None = None
        self._connection: Connection | None = None
        self._server: Server | None = None
        self._dialling: asyncio.Task[None] | None = None
        self._unsent = request.forward
        self._copy: bytes | None = request.forward if balancer.resends and request.method in _RESENT else None
        self._head = bytearray()
        self._touched = balancer.clock()
        self._buffered = 0
        self._sends = 0
        self._interim = self._reused = self._server_full = self._closes = False

    def start(self) -> None:
        """Choose a server and send what is there of the request."""
        if self._balancer.luck is not None and self._balancer.luck.random() < SPORADIC_SHARE:
            self._answer(503, "a seeded bug's")
            return
        server = self._balancer.turns.next()
        if server is None:
            self._answer(503, "no registry is up")
            return
        self._go(server)

    def from_client(self, data: bytes) -> bytes:
        """Bytes after the request's head; gives back those that are not its body's. Malformed."""
        self._touched = self._balancer.clock()
        taken = self.request.body.feed(data)
        part = data[:taken]
        if self._copy is not None:
            self._copy = self._copy + part if len(self._copy) + taken <= RESEND_BYTES else None
        if self._connection is None:
            self._unsent += part
        elif part:
            self._connection.transport.write(part)
        return data[taken:]

    def client_full(self, full: bool) -> None:
        """The client does not take the answer as fast as the server gives it, or does again."""
        if self._connection is None:
            return
        if full:
            self._connection.transport.pause_reading()
        else:
            self._connection.transport.resume_reading()

    def client_lost(self) -> None:
        """Nobody waits for the answer."""
        self._release()

    def server_full(self, full: bool) -> None:
        """The server does not take the request as fast as the client gives it, or does again."""
        self._server_full = full
        if not self.request.body.done:
            self._client.pause(full)

    def from_server(self, data: bytes) -> None:
        """Bytes of the answer."""
        self._touched = self._balancer.clock()
        try:
            if self._response is not None:
                self._pass_on(b"", data)
                return
            self._head += data
            while (head := split_head(self._head)) is not None:
                response = parse_response(head, method=self.request.method)
                if response.status >= 200:
                    self._begin(response)
                    return
                self._interim = True
                self._client.write(response.forward + b"\r\n")
        except Malformed as error:
            self._fail(502, f"the registry's answer is malformed: {error}")

    def server_lost(self, error: Exception | None) -> None:
        """The server's connection is gone."""
        self._connection = None
        response, server = self._response, self._server
        if response is not None and response.body.to_the_close and error is None:
            self._client.ended(close=True, linger=not self.request.body.done)
        elif response is None and not self._head and not self._interim and self._reused and self.request.safe and server is not None:
            self._unsent = self.request.forward
            self._dial(server)
        elif not self._resend():
            self._fail(502, "the registry hung up before it answered" if response is None else "the registry hung up in its answer")

    def expire(self, now: float) -> None:
        """Give up if the side that is waited for has done nothing for its time-out."""
        if self._dialling is not None or self._connection is None:
            return
        on_client = self._client.full or not (self.request.body.done or self._server_full)
        buffered = self._client.unsent() if self._client.full else self._connection.transport.get_write_buffer_size()
        if buffered < self._buffered:
            self._touched = now
        self._buffered = buffered
        limits = self._balancer.limits
        limit_s = limits.client_s if on_client else RESEND_S if self._may_resend() else limits.server_s
        if now - self._touched < limit_s:
            return
        if self._client.full:
            self._release()
            self._client.break_off(now=True)
        elif on_client:
            self._fail(408, f"the request did not go on for {limit_s:g} s")
        elif not self._resend():
            self._fail(504, f"the registry said nothing for {limit_s:g} s")

    def _go(self, server: Server) -> None:
        self._sends += 1
        connection = server.kept()
        if connection is not None:
            self._send(connection)
        else:
            self._dial(server)

    def _dial(self, server: Server) -> None:
        self._client.pause(True)
        self._dialling = self._balancer.spawn(self._connect(server))

    async def _connect(self, server: Server) -> None:
        last = ""
        for _ in range(TRIES):
            try:
                connection = await server.dial()
            except OSError as error:
                last = f"{server.link}: {error or 'no connection in time'}"
                other = self._balancer.turns.next(other_than=server)
                if other is None:
                    break
                if other is server:
                    await asyncio.sleep(self._balancer.limits.retry_s)
                server = other
                continue
            self._dialling = None
            self._send(connection)
            return
        self._dialling = None
        self._answer(503, f"no registry could be reached, last {last}")

    def _send(self, connection: Connection) -> None:
        self._connection, self._server = connection, connection.server
        self._reused, self._server_full = connection.used, False
        self._touched, self._buffered = self._balancer.clock(), 0
        connection.owner = self
        unsent, self._unsent = self._unsent, b""
        if self._client.full:
            connection.transport.pause_reading()
        self._client.pause(False)
        connection.transport.write(unsent)

    def _begin(self, response: Response) -> None:
        rest = bytes(self._head)
        self._head.clear()
        self._closes = not (self.request.keeps_alive and self.request.body.done) or response.body.to_the_close
        head = response.forward + (b"Connection: close\r\n\r\n" if self._closes else b"\r\n")
        # A malformed first chunk is still a 502: the response is not on its way before its first bytes are read.
        self._pass_on(head, rest, response)

    def _pass_on(self, head: bytes, data: bytes, begun: Response | None = None) -> None:
        response = begun or self._response
        if response is None:
            return
        taken = response.body.feed(data)
        self._response = response
        if response.body.done:
            self._client.write(head + data[:taken])
            self._end(response, clean=taken == len(data))
        elif head or taken:
            self._client.write(head + data[:taken])

    def _end(self, response: Response, *, clean: bool) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            if self._client.full:
                connection.transport.resume_reading()
            if clean and response.keeps_alive and self.request.body.done:
                connection.keep()
            else:
                connection.drop()
        self._client.ended(close=self._closes, linger=not self.request.body.done)

    def _release(self) -> None:
        if self._dialling is not None:
            self._dialling.cancel()
            self._dialling = None
        if self._connection is not None:
            self._connection.drop()
            self._connection = None

    def _fail(self, status: int, why: str) -> None:
        if self._response is None:
            self._answer(status, why)
            return
        log.warning("broken off: %s %s at %s: %s", *self._told(), why)
        self._release()
        self._client.break_off(now=False)

    def _answer(self, status: int, why: str) -> None:
        self._release()
        log.warning("%d: %s %s at %s: %s", status, *self._told(), why)
        close = not (self.request.keeps_alive and self.request.body.done)
        self._client.write(own_answer(status, why, close=close, head_only=self.request.method == b"HEAD"))
        self._client.ended(close=close, linger=not self.request.body.done)

    def _told(self) -> tuple[str, str, str]:
        return self.request.method.decode(), self.request.target[:200].decode(), self._server.link if self._server else "nobody"

    def _may_resend(self) -> bool:
        return self._copy is not None and self._sends < TRIES and self._response is None and self.request.body.done

    def _resend(self) -> bool:
        """The seeded bug: the same request to another server, while the first may still carry it out."""
        other = self._balancer.turns.next(other_than=self._server) if self._may_resend() else None
        if other is None or other is self._server or self._copy is None:
            return False
        log.warning("sent again: %s %s, was at %s", *self._told())
        if self._connection is not None:
            self._connection.let_run()
            self._connection = None
        self._unsent = self._copy
        self._head.clear()
        self._go(other)
        return True
