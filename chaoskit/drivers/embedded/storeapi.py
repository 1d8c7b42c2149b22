"""What a registry may ask of its zone's store, over the link `registry.Z->store.Z`. All go to a quorum: 2 of 3 replicas, read and write.

A call raises Unavailable when no quorum answered in time (the operation may have happened), and NotFound only when a quorum says so.
Three calls are made of others: one who speaks to a store over a link does each as one message, everybody else inherits them.
"""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol

PART_MOST = 256 * 1024
WHOLE_MOST = 64 * 1024


class Unavailable(Exception):
    """No quorum answered in time, or the store could not be reached: nothing is known."""


class NotFound(Exception):
    """A quorum answered that there is no such thing."""


class Refused(Exception):
    """The request contradicts what is stored: a wrong offset, a digest that the bytes do not have."""


@dataclass(frozen=True, slots=True)
class StoredManifest:
    """A manifest as it was sent, byte for byte."""

    digest: str
    media_type: str
    body: bytes


class Store(Protocol):
    """Blobs are immutable and shared by all repositories; links say which repository may serve one. Tags are atomic registers."""

    async def blob_size(self, repository: str, digest: str) -> int:
        """Size in bytes of a blob linked to the repository. NotFound."""
        ...

    def blob_read(self, repository: str, digest: str, offset: int, length: int) -> AsyncIterator[bytes]:
        """`length` bytes from `offset`, in chunks of at most 256 KiB. NotFound."""
        ...

    async def blob_begin(self, repository: str, digest: str) -> tuple[int, bytes]:
        """Size of a blob, and its first bytes: all of them up to PART_MOST. NotFound."""
        size = await self.blob_size(repository, digest)
        parts = self.blob_read(repository, digest, 0, min(size, PART_MOST))
        if not isinstance(parts, AsyncGenerator):
            return size, await anext(parts, b"")
        async with aclosing(parts):
            return size, await anext(parts, b"")

    async def blob_mount(self, repository: str, digest: str, source: str) -> bool:
        """Link a blob of another repository; False if that has none."""
        ...

    async def blob_delete(self, repository: str, digest: str) -> None:
        """Remove the repository's link. NotFound."""
        ...

    async def upload_open(self, repository: str) -> str:
        """A new upload session's id, known to all zones."""
        ...

    async def upload_append(self, repository: str, upload: str, offset: int, chunks: AsyncIterator[bytes]) -> int:
        """Append; the new length. NotFound for an unknown session, Refused if `offset` is not its length. A cut stream leaves a prefix."""
        ...

    async def upload_length(self, repository: str, upload: str) -> int:
        """How many bytes a session has. NotFound."""
        ...

    async def upload_commit(self, repository: str, upload: str, digest: str) -> int:
        """End the session as a blob linked to the repository; its size. Every replica hashes before it acknowledges. Refused, NotFound."""
        ...

    async def upload_whole(self, repository: str, upload: str, digest: str, body: bytes) -> int:
        """All of a blob of at most WHOLE_MOST bytes into an empty session, and its end. Refused if the session is not empty, NotFound."""
        await self.upload_append(repository, upload, 0, _once(body))
        return await self.upload_commit(repository, upload, digest)

    async def upload_cancel(self, repository: str, upload: str) -> None:
        """Drop a session. NotFound."""
        ...

    async def manifest_put(self, repository: str, manifest: StoredManifest, children: tuple[str, ...], subject: str) -> None:
        """Store a manifest under its digest. `children` are blobs and manifests it needs; `subject` is the digest it refers to, or ''."""
        ...

    async def manifest_get(self, repository: str, digest: str) -> StoredManifest:
        """The manifest of a digest. NotFound."""
        ...

    async def manifest_delete(self, repository: str, digest: str) -> None:
        """Remove a manifest and every tag that points at it. NotFound."""
        ...

    async def referrers(self, repository: str, subject: str) -> tuple[StoredManifest, ...]:
        """Manifests that name `subject`."""
        ...

    async def tag_set(self, repository: str, tag: str, digest: str) -> None:
        """Write the tag's register."""
        ...

    async def tag_get(self, repository: str, tag: str) -> str:
        """Read the tag's register: two phases, with write-back where the replicas disagree. NotFound."""
        ...

    async def manifest_of(self, repository: str, tag: str) -> StoredManifest:
        """The manifest of the digest that the tag's register has. NotFound."""
        return await self.manifest_get(repository, await self.tag_get(repository, tag))

    async def tag_delete(self, repository: str, tag: str) -> None:
        """Write 'absent'. NotFound if it is absent already."""
        ...

    async def tags(self, repository: str) -> tuple[str, ...]:
        """All tags of the repository, sorted. NotFound for a repository that nobody wrote to."""
        ...

    async def ready(self) -> bool:
        """A quorum of stores answers."""
        ...


async def _once(body: bytes) -> AsyncIterator[bytes]:
    yield body
