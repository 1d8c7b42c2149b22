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
    """The blob or a range of it, streamed unless it is small; a header that asks for several ranges is answered with all of it."""
    wanted = request.headers.get("Range", "")
    if wanted and "," not in wanted:
        size = await site.store.blob_size(target.repository, target.reference)
        start, length = range_of(wanted, size)
        headers = {**_headers(target), "Content-Range": f"bytes {start}-{start + length - 1}/{size}", "Content-Length": str(length)}
        return await _streamed(site, request, target, web.StreamResponse(status=206, headers=headers), start, b"")
    size, first = await site.store.blob_begin(target.repository, target.reference)
    if len(first) == size:
        return web.Response(body=first, headers=_headers(target))
    answer = web.StreamResponse(headers={**_headers(target), "Content-Length": str(size)})
    return await _streamed(site, request, target, answer, 0, first)


async def _streamed(
    site: Site, request: web.BaseRequest, target: Target, answer: web.StreamResponse, start: int, first: bytes
) -> web.StreamResponse:
    """The bytes from `start` on that the answer's length announces, `first` among them if the store gave some already."""
    length = answer.content_length or 0
    async with AsyncExitStack() as stack:
        chunks = site.store.blob_read(target.repository, target.reference, start + len(first), length - len(first))
        if isinstance(chunks, AsyncGenerator):
            await stack.enter_async_context(aclosing(chunks))
        first = first or await anext(chunks, b"")  # before the head of the answer: a store that has nothing can still be reported
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
