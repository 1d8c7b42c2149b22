"""A store in memory: one quorum that always agrees, with switches for what can go wrong."""

import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from chaoskit.drivers.embedded.storeapi import NotFound, Refused, Store, StoredManifest, Unavailable

CHUNK_BYTES = 256 * 1024
Key = tuple[str, str]


@dataclass(slots=True)
class MemoryStore(Store):
    """Fills the Store protocol. `is_available` False: every call raises Unavailable. `broken_after`: reads end there, unavailable."""

    is_available: bool = True
    broken_after: int | None = None
    blobs: dict[str, bytes] = field(default_factory=dict)
    links: set[Key] = field(default_factory=set)
    uploads: dict[Key, bytearray] = field(default_factory=dict)
    manifests: dict[Key, StoredManifest] = field(default_factory=dict)
    subjects: dict[Key, list[str]] = field(default_factory=dict)
    registers: dict[str, dict[str, str]] = field(default_factory=dict)
    opened: int = 0

    def check(self) -> None:
        if not self.is_available:
            raise Unavailable("switched off")

    async def ready(self) -> bool:
        return self.is_available

    async def blob_size(self, repository: str, digest: str) -> int:
        self.check()
        if (repository, digest) not in self.links:
            raise NotFound(digest)
        return len(self.blobs[digest])

    async def blob_read(self, repository: str, digest: str, offset: int, length: int) -> AsyncIterator[bytes]:
        await self.blob_size(repository, digest)
        end = offset + length
        for start in range(offset, end, CHUNK_BYTES):
            if self.broken_after is not None and start >= self.broken_after:
                raise Unavailable("broken off")
            yield self.blobs[digest][start : min(start + CHUNK_BYTES, end)]

    async def blob_mount(self, repository: str, digest: str, source: str) -> bool:
        self.check()
        if (source, digest) in self.links:
            self.links.add((repository, digest))
            return True
        return False

    async def blob_delete(self, repository: str, digest: str) -> None:
        await self.blob_size(repository, digest)
        self.links.discard((repository, digest))

    async def upload_open(self, repository: str) -> str:
        self.check()
        self.opened += 1
        upload = f"upload-{self.opened}"
        self.uploads[repository, upload] = bytearray()
        return upload

    def session(self, repository: str, upload: str) -> bytearray:
        self.check()
        if (repository, upload) not in self.uploads:
            raise NotFound(upload)
        return self.uploads[repository, upload]

    async def upload_append(self, repository: str, upload: str, offset: int, chunks: AsyncIterator[bytes]) -> int:
        session = self.session(repository, upload)
        if offset != len(session):
            raise Refused(offset)
        async for chunk in chunks:
            assert len(chunk) <= CHUNK_BYTES
            session += chunk
        return len(session)

    async def upload_length(self, repository: str, upload: str) -> int:
        return len(self.session(repository, upload))

    async def upload_commit(self, repository: str, upload: str, digest: str) -> int:
        content = bytes(self.session(repository, upload))
        algorithm, _, wanted = digest.partition(":")
        if hashlib.new(algorithm, content).hexdigest() != wanted:
            raise Refused(digest)
        self.blobs[digest] = content
        self.links.add((repository, digest))
        del self.uploads[repository, upload]
        return len(content)

    async def upload_cancel(self, repository: str, upload: str) -> None:
        self.session(repository, upload)
        del self.uploads[repository, upload]

    async def manifest_put(self, repository: str, manifest: StoredManifest, children: tuple[str, ...], subject: str) -> None:
        self.check()
        self.registers.setdefault(repository, {})
        self.manifests[repository, manifest.digest] = manifest
        if subject:
            self.subjects.setdefault((repository, subject), []).append(manifest.digest)

    async def manifest_get(self, repository: str, digest: str) -> StoredManifest:
        self.check()
        if (repository, digest) not in self.manifests:
            raise NotFound(digest)
        return self.manifests[repository, digest]

    async def manifest_delete(self, repository: str, digest: str) -> None:
        await self.manifest_get(repository, digest)
        del self.manifests[repository, digest]
        register = self.registers[repository]
        for tag in [tag for tag, value in register.items() if value == digest]:
            del register[tag]

    async def referrers(self, repository: str, subject: str) -> tuple[StoredManifest, ...]:
        self.check()
        digests = dict.fromkeys(self.subjects.get((repository, subject), ()))
        return tuple(self.manifests[repository, d] for d in digests if (repository, d) in self.manifests)

    async def tag_set(self, repository: str, tag: str, digest: str) -> None:
        self.check()
        self.registers.setdefault(repository, {})[tag] = digest

    async def tag_get(self, repository: str, tag: str) -> str:
        self.check()
        try:
            return self.registers[repository][tag]
        except KeyError:
            raise NotFound(tag) from None

    async def tag_delete(self, repository: str, tag: str) -> None:
        await self.tag_get(repository, tag)
        del self.registers[repository][tag]

    async def tags(self, repository: str) -> tuple[str, ...]:
        self.check()
        if repository not in self.registers:
            raise NotFound(repository)
        return tuple(sorted(self.registers[repository]))
