"""Lists: the tags of a repository in pages, and the manifests that refer to another. Nothing is remembered between pages."""

from bisect import bisect_right

import msgspec
from aiohttp import web

from chaoskit.drivers.embedded.registry.errors import API, JSON, Rejected
from chaoskit.drivers.embedded.registry.manifests import OCI_INDEX, documents
from chaoskit.drivers.embedded.registry.names import Target
from chaoskit.drivers.embedded.registry.site import Site
from chaoskit.drivers.embedded.storeapi import NotFound, StoredManifest

PAGE_LIMIT = 10_000


async def list_tags(site: Site, request: web.BaseRequest, target: Target) -> web.StreamResponse:
    """At most `n` tags that sort after `last`, in order, with a Link to the next page where there is more."""
    count = _count(request.query.get("n"))
    tags = await site.store.tags(target.repository)
    start = bisect_right(tags, request.query.get("last", ""))
    page = tags[start : start + count]
    headers = dict(JSON)
    if page and start + count < len(tags):
        headers["Link"] = f'</v2/{target.repository}/tags/list?last={page[-1]}&n={count}>; rel="next"'
    return web.Response(body=msgspec.json.encode({"name": target.repository, "tags": page}), headers=headers)


async def list_referrers(site: Site, request: web.BaseRequest, target: Target) -> web.StreamResponse:
    """An index of the manifests whose subject is this digest, of one artifact type if asked; empty for a digest nobody refers to."""
    wanted = request.query.get("artifactType", "")
    try:
        found = await site.store.referrers(target.repository, target.reference)
    except NotFound:
        found = ()
    entries = [entry for entry in map(_entry, found) if wanted in ("", entry["artifactType"])]
    headers = {**API, "Content-Type": OCI_INDEX, **({"OCI-Filters-Applied": "artifactType"} if wanted else {})}
    body = msgspec.json.encode({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries})
    return web.Response(body=body, headers=headers)


def _count(text: str | None) -> int:
    if text is None:
        return PAGE_LIMIT
    if not (text.isascii() and text.isdecimal() and len(text) < 10):
        raise Rejected(400, "PAGINATION_NUMBER_INVALID")
    return min(int(text), PAGE_LIMIT)


def _entry(manifest: StoredManifest) -> dict[str, str | int | dict[str, str]]:
    document = documents.decode(manifest.body)
    entry: dict[str, str | int | dict[str, str]] = {
        "mediaType": manifest.media_type,
        "digest": manifest.digest,
        "size": len(manifest.body),
        "artifactType": document.artifact_type or (document.config.media_type if document.config else ""),
    }
    return {**entry, "annotations": document.annotations} if document.annotations else entry
