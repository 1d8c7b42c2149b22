"""Blobs: HEAD, GET with one Range, DELETE. A body that the store cannot finish is cut, never padded or ended early."""

import asyncio
import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, aclosing

from aiohttp import web

from chaoskit.drivers.embedded.registry.errors import API, Rejected
from chaoskit.drivers.embedded.registry.names import Target
from chaoskit.drivers.embedded.registry.site import Site
from chaoskit.drivers.embedded.storeapi import NotFound, Unavailable

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


async def head_blob(site: Site, request: web.BaseRequest, target: Target) -> web.StreamResponse:
    """Is it there, and how long is it."""
    size = await site.store.blob_size(target.repository, target.reference)
    return web.Response(headers={**_headers(target), "Content-Length": str(size)})


async def get_blob(site: Site, request: web.BaseRequest, target: Target) -> web.StreamResponse:
    """The blob or a range of it, streamed; a header that asks for several ranges is answered with all of it."""
    size = await site.store.blob_size(target.repository, target.reference)
    wanted = request.headers.get("Range", "")
    start, length = range_of(wanted, size) if wanted and "," not in wanted else (0, size)
    headers = {**_headers(target), "Content-Length": str(length)}
    if length != size or (wanted and "," not in wanted):
        headers["Content-Range"] = f"bytes {start}-{start + length - 1}/{size}"
    answer = web.StreamResponse(status=206 if "Content-Range" in headers else 200, headers=headers)
    async with AsyncExitStack() as stack:
        chunks = site.store.blob_read(target.repository, target.reference, start, length)
        if isinstance(chunks, AsyncGenerator):
            await stack.enter_async_context(aclosing(chunks))
        first = await anext(chunks, b"")  # before the head of the answer: a store that has nothing can still be reported
        await answer.prepare(request)
        sent = await _stream(answer, first, rest=chunks, progress_s=site.limits.progress_s)
    if sent != length and request.transport is not None:
        request.transport.abort()  # an answer under way has no other way to say that it failed
    return answer


async def delete_blob(site: Site, request: web.BaseRequest, target: Target) -> web.StreamResponse:
    """Take it out of the repository."""
    await site.store.blob_delete(target.repository, target.reference)
    return web.Response(status=202, headers=API)


def range_of(header: str, size: int) -> tuple[int, int]:
    """Start and length of what a Range header asks of `size` bytes. Rejected (416) if that is nothing."""
    match = _RANGE.fullmatch(header.strip())
    if match is not None and any(match.groups()):
        first, last = match.groups()
        if first:
            start, end = int(first), min(int(last), size - 1) if last else size - 1
        else:
            start, end = max(size - int(last), 0), size - 1
        if start <= end:
            return start, end - start + 1
    raise Rejected(416, "RANGE_INVALID", headers={"Content-Range": f"bytes */{size}"})


def _headers(target: Target) -> dict[str, str]:
    return {**API, "Content-Type": "application/octet-stream", "Accept-Ranges": "bytes", "Docker-Content-Digest": target.reference}


async def _stream(answer: web.StreamResponse, chunk: bytes, *, rest: AsyncIterator[bytes], progress_s: float) -> int:
    """Send all chunks; how many bytes that were, or -1 if the store broke off or the client does not read."""
    sent = 0
    try:
        while chunk:
            sent += len(chunk)
            async with asyncio.timeout(progress_s):
                await answer.write(chunk)
            chunk = await anext(rest, b"")
    except (Unavailable, NotFound, TimeoutError):
        return -1
    return sent
