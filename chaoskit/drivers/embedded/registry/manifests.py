"""Manifests by tag and by digest, byte for byte; what one refers to has to be there before it is taken.

Accept never hides a manifest: a client that cannot read one says so itself.
"""

import asyncio
import hashlib
from collections.abc import Iterable

import msgspec
from aiohttp import web

from chaoskit.drivers.embedded.registry.errors import API, Rejected
from chaoskit.drivers.embedded.registry.names import Target, is_digest
from chaoskit.drivers.embedded.registry.site import MANIFEST_LIMIT_BYTES, Site, body_bytes
from chaoskit.drivers.embedded.storeapi import NotFound, Refused, Store, StoredManifest

OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
OCI_INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
_IMAGES = frozenset({OCI_MANIFEST, DOCKER_MANIFEST})
_INDEXES = frozenset({OCI_INDEX, DOCKER_LIST})
_LOOKUPS = 16  # children asked for at the same time
_REPORTED = 100  # missing children named in one answer


class Descriptor(msgspec.Struct, rename="camel"):
    """Another blob or manifest, as a manifest names it. `urls`: it may be fetched elsewhere."""

    digest: str
    size: int
    media_type: str = ""
    urls: tuple[str, ...] | None = None


class Document(msgspec.Struct, rename="camel"):
    """The parts of a manifest that a registry reads."""

    schema_version: int
    media_type: str = ""
    artifact_type: str = ""
    config: Descriptor | None = None
    layers: tuple[Descriptor, ...] | None = None
    manifests: tuple[Descriptor, ...] | None = None
    subject: Descriptor | None = None
    annotations: dict[str, str] | None = None


documents = msgspec.json.Decoder(Document)


async def get_manifest(site: Site, request: web.BaseRequest, target: Target) -> web.StreamResponse:
    """The stored bytes."""
    manifest = await _find(site.store, target)
    return web.Response(body=manifest.body, headers=_headers(manifest))


async def head_manifest(site: Site, request: web.BaseRequest, target: Target) -> web.StreamResponse:
    """Digest, type and length."""
    manifest = await _find(site.store, target)
    return web.Response(headers={**_headers(manifest), "Content-Length": str(len(manifest.body))})


async def put_manifest(site: Site, request: web.BaseRequest, target: Target) -> web.StreamResponse:
    """Store a manifest under its digest and, if it was sent to one, point the tag at it."""
    body = await body_bytes(site, request, MANIFEST_LIMIT_BYTES)
    by_digest = ":" in target.reference
    algorithm = target.reference.partition(":")[0] if by_digest else "sha256"
    digest = f"{algorithm}:{hashlib.new(algorithm, body).hexdigest()}"
    if by_digest and digest != target.reference:
        raise Rejected(400, "DIGEST_INVALID")
    media_type = request.headers.get("Content-Type", "").partition(";")[0].strip()
    document = parse(media_type, body)
    children = await _present_children(site.store, target.repository, document)
    subject = document.subject.digest if document.subject else ""
    try:
        await site.store.manifest_put(target.repository, StoredManifest(digest, media_type, body), children, subject)
    except Refused as error:
        raise Rejected(400, "MANIFEST_BLOB_UNKNOWN") from error
    if not by_digest:
        await site.store.tag_set(target.repository, target.reference, digest)
    headers = {**API, "Location": f"/v2/{target.repository}/manifests/{digest}", "Docker-Content-Digest": digest}
    return web.Response(status=201, headers={**headers, "OCI-Subject": subject} if subject else headers)


async def delete_manifest(site: Site, request: web.BaseRequest, target: Target) -> web.StreamResponse:
    """By tag: only the tag goes. By digest: the manifest goes, and all tags that point at it."""
    if ":" in target.reference:
        await site.store.manifest_delete(target.repository, target.reference)
    else:
        await site.store.tag_delete(target.repository, target.reference)
    return web.Response(status=202, headers=API)


def parse(media_type: str, body: bytes) -> Document:
    """A manifest of one of the four types. Rejected (MANIFEST_INVALID) if it is something else than its Content-Type says."""
    if media_type not in _IMAGES | _INDEXES:
        raise Rejected(400, "MANIFEST_INVALID", "not a media type of an image manifest or an index")
    try:
        document = documents.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Rejected(400, "MANIFEST_INVALID", "not the JSON of a manifest") from error
    is_index = media_type in _INDEXES
    if document.schema_version != 2:
        raise Rejected(400, "MANIFEST_INVALID", "schemaVersion is not 2")
    if document.media_type != media_type and (document.media_type or media_type in (DOCKER_MANIFEST, DOCKER_LIST)):
        raise Rejected(400, "MANIFEST_INVALID", "mediaType differs from Content-Type")
    if is_index != (document.manifests is not None) or is_index == (document.config is not None):
        raise Rejected(400, "MANIFEST_INVALID", "an image has a config and no manifests, an index has manifests and no config")
    parts = (*_images_parts(document), *(document.manifests or ()), *((document.subject,) if document.subject else ()))
    if not all(is_digest(part.digest) for part in parts):
        raise Rejected(400, "DIGEST_INVALID", "a descriptor's digest")
    return document


def _images_parts(document: Document) -> tuple[Descriptor, ...]:
    return (*((document.config,) if document.config else ()), *(document.layers or ()))


def _headers(manifest: StoredManifest) -> dict[str, str]:
    return {**API, "Content-Type": manifest.media_type, "Docker-Content-Digest": manifest.digest}


async def _find(store: Store, target: Target) -> StoredManifest:
    if ":" in target.reference:
        return await store.manifest_get(target.repository, target.reference)
    return await store.manifest_of(target.repository, target.reference)


async def _present_children(store: Store, repository: str, document: Document) -> tuple[str, ...]:
    """Digests of all children, each of which the repository has. Rejected names the missing ones; a subject may be missing."""
    blobs = dict.fromkeys(part.digest for part in _images_parts(document) if not _is_foreign(part))
    manifests = dict.fromkeys(part.digest for part in document.manifests or ())
    missing = await _missing(store, repository, blobs, are_blobs=True)
    missing += await _missing(store, repository, manifests, are_blobs=False)
    if missing:
        raise Rejected(400, "MANIFEST_BLOB_UNKNOWN", *missing[:_REPORTED])
    return (*blobs, *manifests)


def _is_foreign(part: Descriptor) -> bool:
    return bool(part.urls) and ("foreign" in part.media_type or "nondistributable" in part.media_type)


async def _missing(store: Store, repository: str, digests: Iterable[str], *, are_blobs: bool) -> list[str]:
    wanted, missing = list(digests), list[str]()
    for start in range(0, len(wanted), _LOOKUPS):
        batch = wanted[start : start + _LOOKUPS]
        lookups = (store.blob_size(repository, d) if are_blobs else store.manifest_get(repository, d) for d in batch)
        for digest, found in zip(batch, await asyncio.gather(*lookups, return_exceptions=True), strict=True):
            if isinstance(found, NotFound):
                missing.append(digest)
            elif isinstance(found, BaseException):
                raise found
    return missing
