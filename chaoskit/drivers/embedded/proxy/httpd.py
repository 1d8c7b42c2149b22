"""As much of an HTTP/1.1 server as a control API needs. Everything is bounded: head, body, connections, and the time a request takes.

Refused, with a status: chunked bodies (411), bodies without a good length (400), heads (431) and bodies (413) that are too large.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

HEAD_MOST = 16 * 1024
BODY_MOST = 1024 * 1024
CONNECTIONS_MOST = 128
REQUEST_S = 15.0
IDLE_S = 60.0
_TEXT = {"Content-Type": "text/plain; charset=utf-8", "X-Content-Type-Options": "nosniff"}


@dataclass(frozen=True, slots=True)
class Request:
    """A whole request; `path` is as it was sent, without the query; header names are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Response:
    """A whole response."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


class BadRequest(Exception):
    """A request that cannot be answered; after it the connection is closed."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


Answer = Callable[[Request], Awaitable[Response]]


def text(status: int, message: str) -> Response:
    """What Go's http.Error sends."""
    return Response(status, f"{message}\n".encode(), _TEXT)


class Server:
    """Answers requests at one address until closed."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._conversations: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def start(self, host: str, port: int) -> None:
        """Listen; OSError if the address is taken."""
        self._server = await asyncio.start_server(self._accept, host, port, limit=HEAD_MOST)

    async def close(self) -> None:
        """Stop listening, end every conversation."""
        if self._server is not None:
            self._server.close()
        for conversation in self._conversations:
            conversation.cancel()
        await asyncio.gather(*self._conversations, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._conversations) >= CONNECTIONS_MOST:
            writer.transport.abort()
            return
        conversation = asyncio.get_running_loop().create_task(self._converse(reader, writer))
        self._conversations.add(conversation)
        conversation.add_done_callback(self._conversations.discard)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            keep = True
            while keep:
                async with asyncio.timeout(IDLE_S):
                    first = await reader.readexactly(1)
                async with asyncio.timeout(REQUEST_S):
                    try:
                        request = await _read(first, reader)
                        keep = request.headers.get("connection", "").lower() != "close"
                        response = await self._answer(request)
                    except BadRequest as error:
                        keep, response = False, text(error.status, str(error))
                    writer.write(_encoded(response, keep=keep))
                    await writer.drain()
        except (OSError, EOFError, TimeoutError):
            return  # the peer went away, or is too slow
        finally:
            writer.close()


async def _read(first: bytes, reader: asyncio.StreamReader) -> Request:
    try:
        head = (first + await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.LimitOverrunError as error:
        raise BadRequest(431, f"a request head is at most {HEAD_MOST} bytes") from error
    line, *lines = head.removesuffix("\r\n\r\n").split("\r\n")
    words = line.split(" ")
    if len(words) != 3 or not words[1].startswith("/") or not words[2].startswith("HTTP/1."):
        raise BadRequest(400, "400 Bad Request: malformed request line")
    pairs = [header.partition(":") for header in lines]
    if any(not colon or name != name.strip() for name, colon, _ in pairs):
        raise BadRequest(400, "400 Bad Request: malformed header")
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    body = await reader.readexactly(_length(headers))
    if words[2] == "HTTP/1.0":
        headers["connection"] = "close"
    return Request(words[0], words[1].partition("?")[0], headers, body)


def _length(headers: Mapping[str, str]) -> int:
    if "transfer-encoding" in headers:
        raise BadRequest(411, "411 Length Required: send a Content-Length")
    length = headers.get("content-length", "0")
    if not (length.isascii() and length.isdecimal()):
        raise BadRequest(400, f"400 Bad Request: bad Content-Length {length[:20]!r}")
    if len(length) > 9 or int(length) > BODY_MOST:
        raise BadRequest(413, f"413 Request Entity Too Large: a body is at most {BODY_MOST} bytes")
    return int(length)


def _encoded(response: Response, *, keep: bool) -> bytes:
    headers = {**response.headers, "Connection": "keep-alive" if keep else "close"}
    if response.status != HTTPStatus.NO_CONTENT:
        headers["Content-Length"] = str(len(response.body))
    lines = [f"HTTP/1.1 {response.status} {HTTPStatus(response.status).phrase}", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + response.body
