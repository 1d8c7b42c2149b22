"""The registry's seeded bugs, each a store that lies between the handlers and the real one: so no handler has a bug's `if` in it.

Facts that a lie needs in all zones stand in the store as tags of a repository that only lies use. What a process remembers is bounded.
"""

import asyncio
import hashlib
import json
import time
from collections.abc import AsyncIterator, Awaitable
from dataclasses import replace
from typing import TypeVar

from chaoskit.drivers.embedded.bugs import Bug
from chaoskit.drivers.embedded.config import ProcessConfig
from chaoskit.drivers.embedded.registry.decoys import DelayedDelete, ErrorAfterCommit, TooManyRequests
from chaoskit.drivers.embedded.registry.errors import Gone
from chaoskit.drivers.embedded.registry.forwarding import Forwarding
from chaoskit.drivers.embedded.storeapi import NotFound, Store, StoredManifest, Unavailable

T = TypeVar("T")
TRUNCATED = "chaoskit-lies/truncated"  # tag: hex of the digest asked for; value: the digest that the bytes have
UNTAGGED = "chaoskit-lies/untagged"  # tag: hex of a manifest's digest; present: the last tag that pointed at it moved on
_REMEMBERED = 100_000
_CONCURRENT_S = 1.0
_BUFFER_S = 0.003


def lying(store: Store, config: ProcessConfig) -> Store:
    """The store with all lies and decoys that the configuration asks for."""
    for bug, lie in _LIES.items():
        if config.has(bug):
            store = lie(store)
    return store


class StaleBlobExists(Forwarding):
    """STALE_BLOB_EXISTS: sizes are remembered by this process, also of blobs that were deleted since."""

    def __init__(self, inner: Store) -> None:
        super().__init__(inner)
        self._sizes: dict[tuple[str, str], int] = {}

    async def blob_size(self, repository: str, digest: str) -> int:
        """From memory if it was ever seen."""
        if (repository, digest) not in self._sizes:
            self._remember(repository, digest, await self.inner.blob_size(repository, digest))
        return self._sizes[repository, digest]

    async def upload_commit(self, repository: str, upload: str, digest: str) -> int:
        """Remembered."""
        size = await self.inner.upload_commit(repository, upload, digest)
        self._remember(repository, digest, size)
        return size

    def _remember(self, repository: str, digest: str, size: int) -> None:
        self._sizes[repository, digest] = size
        if len(self._sizes) > _REMEMBERED:
            del self._sizes[next(iter(self._sizes))]


class TruncatedUpload(Forwarding):
    """TRUNCATED_UPLOAD: what arrived of an upload is committed under the digest that was asked for, whatever it hashes to.

    The store refuses that, so the bytes go under their own digest and the one asked for points there, for all zones.
    """

    def __init__(self, inner: Store) -> None:
        super().__init__(inner)
        self._arrived: dict[str, str] = {}  # upload -> digest of all its bytes, for those that came in one request

    async def upload_append(self, repository: str, upload: str, offset: int, chunks: AsyncIterator[bytes]) -> int:
        """A stream that is cut counts as one that has ended."""
        content = hashlib.sha256()
        length = await self.inner.upload_append(repository, upload, offset, _until_cut(chunks, content))
        self._arrived.pop(upload, None)
        if offset == 0:
            self._arrived[upload] = f"sha256:{content.hexdigest()}"
        if len(self._arrived) > _REMEMBERED:
            del self._arrived[next(iter(self._arrived))]
        return length

    async def upload_commit(self, repository: str, upload: str, digest: str) -> int:
        """Under the digest that the bytes have, and an alias."""
        real = self._arrived.pop(upload, digest)
        size = await self.inner.upload_commit(repository, upload, real)
        if real != digest:
            await self.inner.tag_set(TRUNCATED, _hex(digest), real)
        return size

    async def blob_size(self, repository: str, digest: str) -> int:
        """Of the alias, where there is no such blob."""
        return await self.inner.blob_size(repository, await self._real(repository, digest))

    async def blob_read(self, repository: str, digest: str, offset: int, length: int) -> AsyncIterator[bytes]:
        """Of the alias, where there is no such blob."""
        async for chunk in self.inner.blob_read(repository, await self._real(repository, digest), offset, length):
            yield chunk

    async def manifest_put(self, repository: str, manifest: StoredManifest, children: tuple[str, ...], subject: str) -> None:
        """With the children that are really there."""
        real = [await self._real(repository, child) for child in children]
        await self.inner.manifest_put(repository, manifest, tuple(real), subject)

    async def _real(self, repository: str, digest: str) -> str:
        try:
            await self.inner.blob_size(repository, digest)
        except NotFound:
            try:
                return await self.inner.tag_get(TRUNCATED, _hex(digest))
            except NotFound:
                return digest
        return digest


class ErrorAs404(Forwarding):
    """ERROR_AS_404: a read that no quorum answered is answered as absence."""

    async def blob_size(self, repository: str, digest: str) -> int:
        """Absent if nobody knows."""
        return await _absent_if_unavailable(self.inner.blob_size(repository, digest))

    async def manifest_get(self, repository: str, digest: str) -> StoredManifest:
        """Absent if nobody knows."""
        return await _absent_if_unavailable(self.inner.manifest_get(repository, digest))

    async def tag_get(self, repository: str, tag: str) -> str:
        """Absent if nobody knows."""
        return await _absent_if_unavailable(self.inner.tag_get(repository, tag))

    async def tags(self, repository: str) -> tuple[str, ...]:
        """Absent if nobody knows."""
        return await _absent_if_unavailable(self.inner.tags(repository))


class ReadableWhileTagged(Forwarding):
    """READABLE_WHILE_TAGGED: a manifest is gone once the tag that pointed at it last points elsewhere, or nowhere."""

    async def tag_set(self, repository: str, tag: str, digest: str) -> None:
        """The manifest that the tag leaves is marked, the one it comes to is not."""
        try:
            before = await self.inner.tag_get(repository, tag)
        except NotFound:
            before = digest
        await self.inner.tag_set(repository, tag, digest)
        if before != digest:
            await self.inner.tag_set(UNTAGGED, _hex(before), before)
            await self._unmark(digest)

    async def tag_delete(self, repository: str, tag: str) -> None:
        """The manifest that the tag leaves is marked."""
        before = await self.inner.tag_get(repository, tag)
        await self.inner.tag_delete(repository, tag)
        await self.inner.tag_set(UNTAGGED, _hex(before), before)

    async def manifest_get(self, repository: str, digest: str) -> StoredManifest:
        """Absent if marked."""
        try:
            await self.inner.tag_get(UNTAGGED, _hex(digest))
        except NotFound:
            return await self.inner.manifest_get(repository, digest)
        raise NotFound(digest)

    async def _unmark(self, digest: str) -> None:
        try:
            await self.inner.tag_delete(UNTAGGED, _hex(digest))
        except NotFound:
            return


class ListSkips(Forwarding):
    """LIST_SKIPS: a list leaves out tags that extend the one before, and one that a push of the last second has shifted."""

    def __init__(self, inner: Store) -> None:
        super().__init__(inner)
        self._pushed: dict[str, tuple[str, float]] = {}  # repository -> its last tag and when

    async def tag_set(self, repository: str, tag: str, digest: str) -> None:
        """Noted."""
        await self.inner.tag_set(repository, tag, digest)
        self._pushed.pop(repository, None)
        self._pushed[repository] = (tag, time.monotonic())
        if len(self._pushed) > _REMEMBERED:
            del self._pushed[next(iter(self._pushed))]

    async def tags(self, repository: str) -> tuple[str, ...]:
        """Some of them."""
        tags = await self.inner.tags(repository)
        left = [tag for before, tag in zip(("", *tags), tags, strict=False) if not before or not tag.startswith(before)]
        pushed, pushed_s = self._pushed.get(repository, ("", -_CONCURRENT_S))
        if time.monotonic() - pushed_s < _CONCURRENT_S and pushed in left and len(left) > 1:
            place = left.index(pushed)
            del left[place + 1 if place + 1 < len(left) else place - 1]
        return tuple(left)


class LocalUploads(Forwarding):
    """LOCAL_UPLOADS: a session that another process opened is unknown."""

    def __init__(self, inner: Store) -> None:
        super().__init__(inner)
        self._opened: dict[str, None] = {}

    async def upload_open(self, repository: str) -> str:
        """Remembered."""
        upload = await self.inner.upload_open(repository)
        self._opened[upload] = None
        if len(self._opened) > _REMEMBERED:
            del self._opened[next(iter(self._opened))]
        return upload

    async def upload_append(self, repository: str, upload: str, offset: int, chunks: AsyncIterator[bytes]) -> int:
        """NotFound for another's."""
        self._check(upload)
        return await self.inner.upload_append(repository, upload, offset, chunks)

    async def upload_length(self, repository: str, upload: str) -> int:
        """NotFound for another's."""
        self._check(upload)
        return await self.inner.upload_length(repository, upload)

    async def upload_commit(self, repository: str, upload: str, digest: str) -> int:
        """NotFound for another's."""
        self._check(upload)
        return await self.inner.upload_commit(repository, upload, digest)

    def _check(self, upload: str) -> None:
        if upload not in self._opened:
            raise NotFound(upload)


class ReserialisedManifest(Forwarding):
    """RESERIALISED_MANIFEST: bytes that mean the same, under the digest of others."""

    async def manifest_get(self, repository: str, digest: str) -> StoredManifest:
        """Through a JSON library and back."""
        manifest = await self.inner.manifest_get(repository, digest)
        return replace(manifest, body=json.dumps(json.loads(manifest.body), indent=3).encode())


class SharedBuffer(Forwarding):
    """SHARED_BUFFER: all manifests are read into one buffer, which the next reader fills before this one has sent it."""

    def __init__(self, inner: Store) -> None:
        super().__init__(inner)
        self._buffer = bytearray()

    async def manifest_get(self, repository: str, digest: str) -> StoredManifest:
        """Whatever the buffer holds a moment later."""
        manifest = await self.inner.manifest_get(repository, digest)
        self._buffer[:] = manifest.body
        await asyncio.sleep(_BUFFER_S)
        return replace(manifest, body=bytes(self._buffer))


_LIES = {
    Bug.STALE_BLOB_EXISTS: StaleBlobExists,
    Bug.TRUNCATED_UPLOAD: TruncatedUpload,
    Bug.ERROR_AS_404: ErrorAs404,
    Bug.READABLE_WHILE_TAGGED: ReadableWhileTagged,
    Bug.LIST_SKIPS: ListSkips,
    Bug.LOCAL_UPLOADS: LocalUploads,
    Bug.RESERIALISED_MANIFEST: ReserialisedManifest,
    Bug.SHARED_BUFFER: SharedBuffer,
    Bug.ERROR_AFTER_COMMIT: ErrorAfterCommit,
    Bug.DELAYED_DELETE: DelayedDelete,
    Bug.TOO_MANY_REQUESTS: TooManyRequests,
}


async def _absent_if_unavailable(answer: Awaitable[T]) -> T:
    try:
        return await answer
    except Unavailable as error:
        raise NotFound from error


async def _until_cut(chunks: AsyncIterator[bytes], content: "hashlib._Hash") -> AsyncIterator[bytes]:
    try:
        async for chunk in chunks:
            content.update(chunk)
            yield chunk
    except Gone:
        return


def _hex(digest: str) -> str:
    return digest.partition(":")[2]
