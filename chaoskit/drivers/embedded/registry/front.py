"""The HTTP front: aiohttp's strict parser within limits of our own. It has no time-outs for a head or an idle connection, and echoes input.

Every connection has one deadline, moved as it goes from idle to head to answer; one task closes those that are over. Bodies have
a deadline of their own (site.py), so none applies while a request is answered.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import cast

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError, LineTooLong

from chaoskit.drivers.embedded.registry.errors import JSON, error_body
from chaoskit.drivers.embedded.registry.site import Limits

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
_SWEEPS = 8  # in the shortest deadline


def _raw(status: str, code: str, detail: str) -> bytes:
    body = error_body(code, detail)
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    return head.encode() + body


_BUSY = _raw("503 Service Unavailable", "UNAVAILABLE", "too many connections")
_TOO_SLOW = _raw("408 Request Timeout", "UNSUPPORTED", "the head of the request did not arrive in time")


@dataclass(slots=True)
class Gate:
    """The connections that are open, at most `limits.connections`."""

    limits: Limits
    clock: Callable[[], float]
    open: "set[Connection]" = field(default_factory=set)

    async def sweep(self) -> None:
        """Close what is over its deadline, for ever."""
        while True:
            await asyncio.sleep(min(self.limits.header_s, self.limits.idle_s) / _SWEEPS)
            now = self.clock()
            for connection in tuple(self.open):
                if connection.deadline < now:
                    connection.expire()


class Connection(web.RequestHandler):
    """aiohttp's connection with a deadline, a place in the gate, and answers to malformed requests that repeat nothing."""

    def __init__(self, server: web.Server, gate: Gate, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(
            server,
            loop=loop,
            keepalive_timeout=2 * gate.limits.idle_s,  # the deadline comes first
            max_headers=100,
            lingering_time=5.0,
            read_bufsize=128 * 1024,
            auto_decompress=False,
        )
        self.deadline = math.inf
        self._gate = gate
        self._is_answering = False
        self._is_in_head = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take a place in the gate, or be turned away."""
        if len(self._gate.open) >= self._gate.limits.connections:
            cast(asyncio.Transport, transport).write(_BUSY)  # uvloop's transports are no instances of asyncio's
            transport.close()
            return
        self._gate.open.add(self)
        self.deadline = self._gate.clock() + self._gate.limits.idle_s
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Give the place back."""
        if self in self._gate.open:
            self._gate.open.discard(self)
            super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """The first bytes after an answer begin a head."""
        if self not in self._gate.open:
            return
        if not self._is_answering and not self._is_in_head:
            self._is_in_head = True
            self.deadline = self._gate.clock() + self._gate.limits.header_s
        super().data_received(data)

    def begin(self) -> None:
        """The head is complete: its handler runs."""
        self._is_answering, self._is_in_head = True, False
        self.deadline = math.inf

    def end(self) -> None:
        """The answer is on its way, and the next head may come."""
        self._is_answering = False
        self.deadline = self._gate.clock() + self._gate.limits.idle_s

    def expire(self) -> None:
        """Close for lateness; a client that was in the middle of a head is told, one that does not read is cut off."""
        transport = self.transport
        if transport is None:
            return
        if self._is_in_head and not transport.get_write_buffer_size():
            transport.write(_TOO_SLOW)
            self.deadline = self._gate.clock() + self._gate.limits.header_s
            transport.close()
        else:
            transport.abort()

    def handle_error(
        self, request: web.BaseRequest, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """A quiet 400 (431 for a line that is too long) for what is not HTTP; a logged 500 for a mistake of ours."""
        if isinstance(exc, ConnectionError):
            raise exc  # the client went away while it was answered
        is_theirs = isinstance(exc, HttpProcessingError)
        if not is_theirs:
            self.log_exception("a handler failed", exc_info=exc)
        if request.writer.output_size > 0:
            raise ConnectionError("an answer was under way")
        status = 431 if isinstance(exc, LineTooLong) else status
        body = error_body("UNSUPPORTED", "malformed request") if is_theirs else error_body("UNKNOWN")
        answer = web.Response(status=status, body=body, headers=JSON)
        answer.force_close()
        return answer
