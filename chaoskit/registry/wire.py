"""One HTTP request to one entry, sent once and seen to its end.

aiohttp re-sends PUT, DELETE and GET when a connection drops; a middleware of ours makes it stop. No redirect is followed, nothing is
decompressed, no proxy of the environment is used, and one deadline covers connect, send and the last byte of the answer.
"""

import asyncio
import errno
import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace, TracebackType
from typing import Self

import aiohttp
from yarl import URL

from chaoskit.errors import ChaosError
from chaoskit.registry.outcome import Trouble

KEPT_BYTES = 4 * 1024 * 1024  # what a registry must accept as a manifest
HASHED_BYTES = 1024 * 1024 * 1024
_KEEPALIVE_S = 2.0  # below the idle limit of any server: a connection that closes as we reuse it would count against the region
_HEADERS = {"Accept-Encoding": "identity", "User-Agent": "chaoskit"}
Reading = Callable[[int, int], Awaitable[None]]
_OUR_FAULT = frozenset({errno.EMFILE, errno.ENFILE, errno.EADDRNOTAVAIL, errno.ENOBUFS, errno.ENOMEM})


class _ConnectionLost(ChaosError):
    """Carries a connection error past aiohttp's retry, which looks for its own classes; the error itself is the cause."""


class _TooLong(ChaosError):
    """An answer with more bytes than any registry should send."""


@dataclass(frozen=True, slots=True)
class Held:
    """The beginning of a body that broke off: its length and the SHA-256 so far, which nobody may update any more."""

    size_bytes: int
    sha256: "hashlib._Hash"


@dataclass(frozen=True, slots=True)
class Request:
    """What to send. `target` is the path and query as they go on the wire. A body of chunks needs its `size_bytes`.

    With `held` only what comes after it is asked for, by Range.
    `reading` is awaited after each piece of a 200's body with the bytes so far and those announced; meanwhile nothing more is read, and
    the attempt's deadline moves on by as long.
    """

    method: str
    target: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | Iterator[bytes] | None = None
    size_bytes: int = 0
    keeps_body: bool = False
    held: Held | None = None
    reading: Reading | None = None


@dataclass(slots=True)
class Reply:
    """How the attempt ended. `status` 0: no answer. `sent_ns` None: proven that no byte of the request left.

    The answer's body is always hashed (`sha256`, hex) and counted, and kept where it was asked for or explains an error. Both go on from
    what was held where the answer is the rest of it (`is_rest`: 206, and its Content-Range begins there). `held` is what is left of a
    body that broke off. `is_kept`: the connection had served a request before.
    """

    called_ns: int
    sent_ns: int | None = None
    returned_ns: int = 0
    status: int = 0
    trouble: Trouble = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    sha256: str = ""
    size_bytes: int = 0
    body: bytes = b""
    detail: str = ""
    is_rest: bool = False
    held: Held | None = None
    is_kept: bool = False


async def _never_resend(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    try:
        return await handler(request)
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise _ConnectionLost(f"{request.method} {request.url.path}: connection lost ({error}); not sent again") from error


class Wire:
    """A pool of connections to one entry; use as an async context manager. Requests do not wait for each other."""

    def __init__(self, entry: str, *, timeout_ns: int, clock: Callable[[], int]) -> None:
        self.entry = entry
        self._timeout_s = timeout_ns / 1e9
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        trace = aiohttp.TraceConfig()
        trace.on_request_headers_sent.append(self._note_sent)
        trace.on_connection_reuseconn.append(_note_kept)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEEPALIVE_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
            headers=_HEADERS,
            auto_decompress=False,
            trust_env=False,
            trace_configs=[trace],
            middlewares=(_never_resend,),
        )
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._session is not None:
            await self._session.close()

    async def _note_sent(
        self, session: aiohttp.ClientSession, context: SimpleNamespace, params: aiohttp.TraceRequestHeadersSentParams
    ) -> None:
        """aiohttp calls this just before it hands the first byte to the socket."""
        context.trace_request_ctx.sent_ns = self._clock()

    async def exchange(self, request: Request) -> Reply:
        """Send once; never raises for what the network or the registry does, that is in the Reply."""
        reply = Reply(called_ns=self._clock())
        try:
            async with asyncio.timeout(self._timeout_s) as deadline:
                await self._send(request, reply, deadline)
        except TimeoutError:
            reply.trouble, reply.detail = "timeout", f"no complete answer within {self._timeout_s:g} s"
        except _ConnectionLost as error:
            reply.trouble, reply.detail = _trouble(error.__cause__), repr(error.__cause__)[:200]
        except (_TooLong, aiohttp.ClientError, OSError) as error:
            reply.trouble, reply.detail = _trouble(error), repr(error)[:200]
        if reply.trouble:
            reply.returned_ns = self._clock()
        return reply

    async def _send(self, request: Request, reply: Reply, deadline: asyncio.Timeout) -> None:
        if self._session is None:
            raise RuntimeError(f"client of {self.entry} is not open; use it as an async context manager")
        headers = {**request.headers}
        if request.held:
            headers["Range"] = f"bytes={request.held.size_bytes}-"
        body: bytes | AsyncIterator[bytes] | None
        if request.body is None or isinstance(request.body, bytes):
            body = request.body
        else:
            headers["Content-Length"] = str(request.size_bytes)
            body = _sending(request.body)
        async with self._session.request(
            request.method,
            URL(self.entry + request.target, encoded=True),
            headers=headers,
            data=body,
            allow_redirects=False,
            trace_request_ctx=reply,
        ) as response:
            reply.status, reply.headers = response.status, response.headers
            reply.is_rest = request.held is not None and _begins_at(response, request.held.size_bytes)
            await self._receive(response, reply, request, deadline)

    async def _receive(self, response: aiohttp.ClientResponse, reply: Reply, request: Request, deadline: asyncio.Timeout) -> None:
        keeps_body = request.keeps_body or response.status >= 400
        sha256, kept = hashlib.sha256(), list[bytes]()
        if reply.is_rest and request.held:
            sha256, reply.size_bytes = request.held.sha256.copy(), request.held.size_bytes
        limit = KEPT_BYTES if keeps_body else HASHED_BYTES
        try:
            async for chunk in response.content.iter_any():
                reply.size_bytes += len(chunk)
                if reply.size_bytes > limit:
                    raise _TooLong(f"{response.method} {response.url.path}: more than {limit} bytes in the answer")
                sha256.update(chunk)
                if keeps_body:
                    kept.append(chunk)
                if request.reading is not None and response.status == 200:
                    await _told(request.reading(reply.size_bytes, response.content_length or 0), deadline)
        except BaseException as error:
            reply.held = Held(reply.size_bytes, sha256)
            lost = _lost(response) if isinstance(error, aiohttp.ClientPayloadError) else None
            response.close()
            if lost:
                raise lost from error
            raise
        reply.returned_ns = self._clock()
        reply.sha256, reply.body = sha256.hexdigest(), b"".join(kept)


async def _note_kept(session: aiohttp.ClientSession, context: SimpleNamespace, params: aiohttp.TraceConnectionReuseconnParams) -> None:
    context.trace_request_ctx.is_kept = True


def _lost(response: aiohttp.ClientResponse) -> OSError | None:
    """The error that broke the connection under a body, None where it was closed in an orderly way: aiohttp has one class for both."""
    protocol = response.connection.protocol if response.connection else None
    lost = None if protocol is None else protocol.exception()  # a protocol with nothing queued is false
    return lost if isinstance(lost, OSError) else None


def _begins_at(response: aiohttp.ClientResponse, offset_bytes: int) -> bool:
    return response.status == 206 and response.headers.get("Content-Range", "").startswith(f"bytes {offset_bytes}-")


async def _told(reading: Awaitable[None], deadline: asyncio.Timeout) -> None:
    """Wait for it, and give the attempt as much more time."""
    loop, end = asyncio.get_running_loop(), deadline.when()
    asked = loop.time()
    deadline.reschedule(None)
    await reading
    deadline.reschedule(None if end is None else end + loop.time() - asked)


async def _sending(chunks: Iterator[bytes]) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


def _trouble(error: BaseException | None) -> Trouble:
    match error:
        case aiohttp.ClientConnectorDNSError():
            return "dns"
        case aiohttp.ClientSSLError() | aiohttp.ServerFingerprintMismatch():
            return "tls"
        case aiohttp.ClientConnectorError() if error.os_error.errno in _OUR_FAULT:
            return "harness"
        case aiohttp.ClientConnectorError() if error.os_error.errno == errno.ETIMEDOUT:
            return "timeout"
        case aiohttp.ClientConnectorError():
            return "refused"
        case aiohttp.ServerDisconnectedError():
            return "eof"
        case aiohttp.ClientPayloadError():
            return "cut"
        case aiohttp.ClientConnectionError() | OSError():
            return "reset"
        case _:
            return "other"
