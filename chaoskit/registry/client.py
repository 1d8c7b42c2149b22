"""An OCI client of one entry that never retries by itself: one call, one HTTP attempt, one Answer.

It judges nothing but its own attempt (the outcome table does); who tries again, and where, is a profile's business.
"""

import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Self

from yarl import URL

from chaoskit.model.history import Outcome
from chaoskit.model.workload import PlannedBlob
from chaoskit.registry.image import INDEX_TYPE, MANIFEST_TYPE, Blob, Manifest, blob_bytes, children, error_code, tags
from chaoskit.registry.outcome import Observation, Trouble, classify
from chaoskit.registry.wire import Held, Reading, Reply, Request, Wire

WRITES = frozenset({"upload-post", "upload-patch", "upload-put", "manifest-put", "manifest-delete", "blob-delete"})
_PAGES = 64
_NEXT = re.compile(r'<([^>]*)>\s*;\s*rel="?next"?')
_ACCEPT = {"Accept": f"{MANIFEST_TYPE}, {INDEX_TYPE}"}
_BINARY = {"Content-Type": "application/octet-stream"}


@dataclass(frozen=True, slots=True)
class Answer:
    """What one attempt showed. `called_ns` is before the first byte, `returned_ns` after the last.

    `got` is the digest of the bytes received by a GET, `advertised` and `advertised_bytes` are the headers' word. `location` is where an
    upload goes on, already rebased on the entry in use. `size_bytes` is of the whole body, of which a `held` beginning is left where it
    broke off. `code` is the first error code of the body; `retry_after_ns` is 0 without the header and where it is a date.
    """

    outcome: Outcome
    observed: str
    called_ns: int
    returned_ns: int
    status: int = 0
    got: str = ""
    advertised: str = ""
    advertised_bytes: int = -1
    size_bytes: int = -1
    children: tuple[str, ...] = ()
    entries: tuple[str, ...] = ()
    location: str = ""
    body: bytes = b""
    detail: str = ""
    trouble: Trouble = ""
    code: str = ""
    retry_after_ns: int = 0
    held: Held | None = None
    is_kept: bool = False


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload session under way: where its next step goes, and whether an earlier step of it was UNKNOWN."""

    location: str
    is_doubtful: bool = False


class Client:
    """The registry API through one entry (`http://host:port`); use as an async context manager."""

    def __init__(self, entry: str, *, timeout_ns: int, clock: Callable[[], int]) -> None:
        self.wire = Wire(entry, timeout_ns=timeout_ns, clock=clock)

    async def __aenter__(self) -> Self:
        await self.wire.__aenter__()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.wire.__aexit__(kind, error, trace)

    async def ping(self) -> Answer:
        """GET /v2/."""
        return _read(await self.wire.exchange(Request("GET", "/v2/")))

    async def blob_head(self, repository: str, digest: str) -> Answer:
        """Is the blob there, and how long is it said to be."""
        return _read(await self.wire.exchange(Request("HEAD", f"/v2/{repository}/blobs/{digest}")))

    async def blob_get(self, repository: str, digest: str, *, held: Held | None = None, reading: Reading | None = None) -> Answer:
        """The blob, or what comes after what is held of it, hashed as it comes and not kept. `reading` may make it wait: see Request."""
        request = Request("GET", f"/v2/{repository}/blobs/{digest}", held=held, reading=reading)
        return _content(await self.wire.exchange(request), asked=digest)

    async def upload_post(self, repository: str) -> Answer:
        """Open an upload session; its place is in `location`."""
        target = f"/v2/{repository}/blobs/uploads/"
        return _step(await self.wire.exchange(Request("POST", target)), target, Upload(""))

    async def upload_patch(self, upload: Upload, blob: PlannedBlob) -> Answer:
        """Send all bytes of a blob as one chunk; where the session goes on is in `location`."""
        headers = {**_BINARY, "Content-Range": f"0-{blob.size_bytes - 1}"} if blob.size_bytes else _BINARY
        request = Request("PATCH", upload.location, headers, blob_bytes(blob.seed, blob.size_bytes), blob.size_bytes)
        return _step(await self.wire.exchange(request), upload.location, upload)

    async def upload_put(self, upload: Upload, blob: Blob, *, has_bytes: bool) -> Answer:
        """End a session under the blob's digest, with all its bytes or, after a PATCH, with none."""
        joint = "&" if "?" in upload.location else "?"
        target = f"{upload.location}{joint}digest={blob.digest.replace(':', '%3A')}"
        planned = blob.planned
        chunks = blob_bytes(planned.seed, planned.size_bytes) if has_bytes else None
        reply = await self.wire.exchange(Request("PUT", target, _BINARY, chunks, planned.size_bytes))
        return _answer(reply, _observation(reply, is_write=True, upload=upload))

    async def manifest_put(self, repository: str, reference: str, manifest: Manifest) -> Answer:
        """Send a manifest under a tag or its digest."""
        request = Request("PUT", _manifest(repository, reference), {"Content-Type": MANIFEST_TYPE}, manifest.body)
        reply = await self.wire.exchange(request)
        return _answer(reply, _observation(reply, is_write=True))

    async def manifest_get(self, repository: str, reference: str) -> Answer:
        """The manifest of a tag or digest, with its bytes and children."""
        reply = await self.wire.exchange(Request("GET", _manifest(repository, reference), _ACCEPT, keeps_body=True))
        return _content(reply, asked=reference if ":" in reference else "", parse=children)

    async def manifest_head(self, repository: str, reference: str) -> Answer:
        """Is the manifest there, and what digest and length are said of it."""
        return _read(await self.wire.exchange(Request("HEAD", _manifest(repository, reference), _ACCEPT)))

    async def manifest_delete(self, repository: str, digest: str) -> Answer:
        """Delete a manifest by digest; no profile ever tries it again."""
        reply = await self.wire.exchange(Request("DELETE", _manifest(repository, digest)))
        return _answer(reply, _observation(reply, is_write=True))

    async def blob_delete(self, repository: str, digest: str) -> Answer:
        """Delete a blob of a repository; no profile ever tries it again."""
        reply = await self.wire.exchange(Request("DELETE", f"/v2/{repository}/blobs/{digest}"))
        return _answer(reply, _observation(reply, is_write=True))

    async def tags_list(self, repository: str, *, page_size: int = 0) -> Answer:
        """All tags: one attempt a page, of `page_size` tags or (0) as many as the registry gives.

        The answer spans all pages; where one of them failed it is that page's, with no entries.
        """
        target, pages = f"/v2/{repository}/tags/list{f'?n={page_size}' if page_size else ''}", list[Answer]()
        while True:
            reply = await self.wire.exchange(Request("GET", target, keeps_body=True))
            page = _content(reply, asked="", parse=tags)
            page = replace(page, children=(), entries=page.children, got="")
            pages.append(page)
            following = _NEXT.search(reply.headers.get("Link", ""))
            if page.observed != "read-ok":
                return replace(page, called_ns=pages[0].called_ns, entries=())
            if following is None:
                entries = tuple(tag for page in pages for tag in page.entries)
                return replace(page, called_ns=pages[0].called_ns, entries=entries, size_bytes=sum(page.size_bytes for page in pages))
            if len(pages) == _PAGES:
                detail = f"tags of {repository}: still a next page after {_PAGES}"
                return replace(page, outcome=Outcome.FAILED, observed="anything-else", entries=(), detail=detail)
            target = _rebased(target, following[1])


@asynccontextmanager
async def open_clients(entries: Mapping[str, str], *, timeout_ns: int, clock: Callable[[], int]) -> AsyncIterator[Mapping[str, Client]]:
    """A client a zone, each with connections of its own."""
    async with AsyncExitStack() as stack:
        yield {
            zone: await stack.enter_async_context(Client(entry, timeout_ns=timeout_ns, clock=clock))
            for zone, entry in sorted(entries.items())
        }


def _manifest(repository: str, reference: str) -> str:
    return f"/v2/{repository}/manifests/{reference}"


def _rebased(target: str, location: str) -> str:
    """Path and query of a Location, relative or absolute: whatever host it names, we go on at the entry in use."""
    return URL("http://entry" + target, encoded=True).join(URL(location, encoded=True)).raw_path_qs


def _observation(reply: Reply, *, is_write: bool, upload: Upload | None = None) -> Observation:
    return Observation(
        is_write=is_write,
        is_sent=reply.sent_ns is not None,
        status=reply.status,
        trouble=reply.trouble,
        is_rest=reply.is_rest,
        is_upload_step=upload is not None,
        is_after_unknown=upload is not None and upload.is_doubtful,
    )


def _answer(reply: Reply, seen: Observation) -> Answer:
    outcome, observed = classify(seen)
    length = reply.headers.get("Content-Length", "") if reply.status == 200 else ""
    return Answer(
        outcome=outcome,
        observed=observed,
        called_ns=reply.called_ns if reply.sent_ns is None else reply.sent_ns,
        returned_ns=reply.returned_ns,
        status=reply.status,
        advertised=reply.headers.get("Docker-Content-Digest", "") if reply.status < 300 else "",
        advertised_bytes=int(length) if length.isdecimal() and not seen.is_write else -1,
        detail=reply.detail or (reply.body[:200].decode(errors="replace").strip() if reply.status >= 400 else ""),
        trouble=reply.trouble,
        code=error_code(reply.body) if reply.status >= 400 else "",
        retry_after_ns=_retry_after_ns(reply),
        held=reply.held if reply.status in (200, 206) else None,
        is_kept=reply.is_kept,
    )


def _retry_after_ns(reply: Reply) -> int:
    text = reply.headers.get("Retry-After", "") if reply.status >= 400 else ""
    return int(text) * 1_000_000_000 if text.isdecimal() else 0


def _read(reply: Reply) -> Answer:
    return _answer(reply, _observation(reply, is_write=False))


def _step(reply: Reply, target: str, upload: Upload) -> Answer:
    """An upload step whose answer must say where the next one goes."""
    try:
        location = _rebased(target, reply.headers["Location"])
    except (KeyError, ValueError):
        location = ""
    seen = replace(_observation(reply, is_write=True, upload=upload), parses=bool(location))
    return replace(_answer(reply, seen), location=location)


def _content(reply: Reply, *, asked: str, parse: Callable[[bytes], tuple[str, ...]] | None = None) -> Answer:
    """A GET's answer: bytes against the digest asked for and the one advertised, then parsed."""
    seen = _observation(reply, is_write=False)
    if (reply.status != 200 and not reply.is_rest) or reply.trouble:
        return _answer(reply, seen)
    got = f"sha256:{reply.sha256}"
    found, parses = tuple[str, ...](), True
    if parse is not None:
        try:
            found = parse(reply.body)
        except ValueError:
            parses = False
    digest_matches = asked in ("", got) and reply.headers.get("Docker-Content-Digest", got) == got
    answer = _answer(reply, replace(seen, digest_matches=digest_matches, parses=parses))
    return replace(answer, got=got, size_bytes=reply.size_bytes, children=found, body=reply.body)
