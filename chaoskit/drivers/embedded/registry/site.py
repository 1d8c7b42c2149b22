"""What every request handler is given: the store, the region's secret, the limits; and how a body is read within them."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from aiohttp import web

from chaoskit.drivers.embedded.registry.errors import Gone, Rejected
from chaoskit.drivers.embedded.storeapi import Store

CHUNK_BYTES = 256 * 1024
MANIFEST_LIMIT_BYTES = 4 * 1024 * 1024
BLOB_LIMIT_BYTES = 16 * 1024**3


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds a client may take: `header_s` for a request's head, `idle_s` between requests, `progress_s` for the next bytes of a body."""

    connections: int = 1024
    header_s: float = 10.0
    idle_s: float = 75.0
    progress_s: float = 30.0


@dataclass(slots=True)
class Readiness:
    """Whether the store answered the last health checks."""

    is_ready: bool = False


@dataclass(frozen=True, slots=True)
class Site:
    """One registry process. `verifies_uploads` is False only where a seeded bug says so."""

    store: Store
    secret: str
    limits: Limits = Limits()
    readiness: Readiness = field(default_factory=Readiness)
    verifies_uploads: bool = True


async def body_chunks(site: Site, request: web.BaseRequest, limit_bytes: int) -> AsyncIterator[bytes]:
    """The request's body in chunks of at most 256 KiB.

    Rejected: 413 beyond the limit, 408 when no byte arrives in time. Gone if the connection ends before the body does.
    """
    received = 0
    await _continue(request)
    while True:
        try:
            async with asyncio.timeout(site.limits.progress_s):
                piece = await request.content.readany()
        except TimeoutError as error:
            raise Rejected(408, "SIZE_INVALID", "the body came too slowly", headers={"Connection": "close"}) from error
        except (ConnectionError, web.RequestPayloadError) as error:
            raise Gone from error
        if not piece:
            return
        received += len(piece)
        if received > limit_bytes:
            raise Rejected(413, "SIZE_INVALID", f"the body is longer than {limit_bytes} bytes")
        for start in range(0, len(piece), CHUNK_BYTES):
            yield piece[start : start + CHUNK_BYTES]


async def body_bytes(site: Site, request: web.BaseRequest, limit_bytes: int) -> bytes:
    """The whole body. Rejected, Gone."""
    if (request.content_length or 0) > limit_bytes:
        raise Rejected(413, "SIZE_INVALID", f"the body is longer than {limit_bytes} bytes")
    return b"".join([chunk async for chunk in body_chunks(site, request, limit_bytes)])


async def _continue(request: web.BaseRequest) -> None:
    if request.headers.get("Expect", "").lower() == "100-continue":
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # the answer's own bytes are still to come
