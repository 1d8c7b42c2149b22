"""Upload sessions: opened, continued and ended at any replica; what a body's bytes hash to decides, never what a client says.

The `_state` of an upload's URL carries the offset it goes on at; the store refuses bytes at any other.
"""

import hashlib
import re
from collections.abc import AsyncIterator

from aiohttp import web

from chaoskit.drivers.embedded.registry.errors import API, Rejected
from chaoskit.drivers.embedded.registry.names import Target, is_digest, is_name
from chaoskit.drivers.embedded.registry.signing import signed_offset, upload_url
from chaoskit.drivers.embedded.registry.site import BLOB_LIMIT_BYTES, Site, body_bytes, body_chunks
from chaoskit.drivers.embedded.storeapi import WHOLE_MOST, Refused

_CONTENT_RANGE = re.compile(r"(?:bytes )?(\d{1,18})-(\d{1,18})(?:/\S*)?")


async def open_upload(site: Site, request: web.BaseRequest, target: Target) -> web.StreamResponse:
    """POST: mount from another repository, or take the whole blob at once, or open a session."""
    query, repository = request.query, target.repository
    mount, source = query.get("mount", ""), query.get("from", "")
    if is_digest(mount) and is_name(source) and await site.store.blob_mount(repository, mount, source):
        return _created(repository, mount)
    digest = _wanted_digest(request) if "digest" in query else ""
    session = Target("uploads", repository, await site.store.upload_open(repository))
    if digest:
        return await _finish(site, request, session, 0, digest)
    return _progress(site, session, 202, 0)


async def continue_upload(site: Site, request: web.BaseRequest, target: Target) -> web.StreamResponse:
    """PATCH: append a chunk, with or without a Content-Range."""
    offset = _offset(site, request, target)
    limit_bytes = await _room(site, request, target, offset)
    length = await _append(site, target, offset, body_chunks(site, request, limit_bytes))
    return _progress(site, target, 202, length)


async def finish_upload(site: Site, request: web.BaseRequest, target: Target) -> web.StreamResponse:
    """PUT: the last bytes, if any, and the digest that all of them must have."""
    digest = _wanted_digest(request)
    offset = _offset(site, request, target)
    return await _finish(site, request, target, offset, digest)


async def upload_status(site: Site, request: web.BaseRequest, target: Target) -> web.StreamResponse:
    """GET: how far a session has come; needs no signature, and hands out a fresh one."""
    return _progress(site, target, 204, await site.store.upload_length(target.repository, target.reference))


async def cancel_upload(site: Site, request: web.BaseRequest, target: Target) -> web.StreamResponse:
    """DELETE: drop a session."""
    _offset(site, request, target)
    await site.store.upload_cancel(target.repository, target.reference)
    return web.Response(status=204, headers={**API, "Docker-Upload-UUID": target.reference})


def _offset(site: Site, request: web.BaseRequest, target: Target) -> int:
    return signed_offset(site.secret, target.repository, target.reference, request.query.get("_state", ""))


def _wanted_digest(request: web.BaseRequest) -> str:
    digest = request.query.get("digest", "")
    if not is_digest(digest):
        raise Rejected(400, "DIGEST_INVALID", "digest parsing failed" if digest else "digest missing")
    return digest


async def _finish(site: Site, request: web.BaseRequest, target: Target, offset: int, digest: str) -> web.StreamResponse:
    if request.body_exists:
        limit_bytes = await _room(site, request, target, offset)
        if offset == 0 and (request.content_length or WHOLE_MOST + 1) <= WHOLE_MOST and site.verifies_uploads:
            return await _take_whole(site, target, await body_bytes(site, request, limit_bytes), digest)
        content = hashlib.new(digest.partition(":")[0])
        await _append(site, target, offset, _hashed(body_chunks(site, request, limit_bytes), content))
        if site.verifies_uploads and offset == 0 and content.hexdigest() != digest.partition(":")[2]:
            raise Rejected(400, "DIGEST_INVALID", "content does not match digest")
    try:
        await site.store.upload_commit(target.repository, target.reference, digest)
    except Refused as error:
        raise Rejected(400, "DIGEST_INVALID", "content does not match digest") from error
    return _created(target.repository, digest)


async def _take_whole(site: Site, target: Target, body: bytes, digest: str) -> web.StreamResponse:
    """A blob that came in one piece: nothing of it is stored under a digest it has not."""
    algorithm, _, wanted = digest.partition(":")
    if hashlib.new(algorithm, body).hexdigest() != wanted:
        raise Rejected(400, "DIGEST_INVALID", "content does not match digest")
    try:
        await site.store.upload_whole(target.repository, target.reference, digest, body)
    except Refused as error:
        raise await _out_of_order(site, target) from error
    return _created(target.repository, digest)


async def _hashed(chunks: AsyncIterator[bytes], content: "hashlib._Hash") -> AsyncIterator[bytes]:
    async for chunk in chunks:
        content.update(chunk)
        yield chunk


async def _room(site: Site, request: web.BaseRequest, target: Target, offset: int) -> int:
    """How many bytes the body may have: what its Content-Range announces, or what is left below the limit of a blob."""
    header, announced = request.headers.get("Content-Range"), request.content_length
    room = BLOB_LIMIT_BYTES - offset
    if header is not None:
        match = _CONTENT_RANGE.fullmatch(header.strip())
        if match is None:
            raise Rejected(400, "RANGE_INVALID", "Content-Range is not START-END")
        start, end = int(match[1]), int(match[2])
        if start != offset or end < start:
            raise await _out_of_order(site, target)
        if announced is not None and announced != end - start + 1:
            raise Rejected(400, "SIZE_INVALID")
        room = min(room, end - start + 1)
    if (announced or 0) > room:
        raise Rejected(413, "SIZE_INVALID", f"a blob has at most {BLOB_LIMIT_BYTES} bytes")
    return room


async def _append(site: Site, target: Target, offset: int, chunks: AsyncIterator[bytes]) -> int:
    try:
        return await site.store.upload_append(target.repository, target.reference, offset, chunks)
    except Refused as error:
        raise await _out_of_order(site, target) from error


async def _out_of_order(site: Site, target: Target) -> Rejected:
    """A 416 that says where the session really is."""
    length = await site.store.upload_length(target.repository, target.reference)
    return Rejected(416, "RANGE_INVALID", headers=_where(site, target, length))


def _where(site: Site, target: Target, length: int) -> dict[str, str]:
    return {
        **API,
        "Location": upload_url(site.secret, target.repository, target.reference, length),
        "Docker-Upload-UUID": target.reference,
        "Range": f"0-{max(length - 1, 0)}",
    }


def _progress(site: Site, target: Target, status: int, length: int) -> web.Response:
    return web.Response(status=status, headers=_where(site, target, length))


def _created(repository: str, digest: str) -> web.Response:
    headers = {**API, "Location": f"/v2/{repository}/blobs/{digest}", "Docker-Content-Digest": digest}
    return web.Response(status=201, headers=headers)
