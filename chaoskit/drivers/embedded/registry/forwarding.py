"""A store that does what another store does: what the lies below it are told apart from."""

from collections.abc import AsyncIterator

from chaoskit.drivers.embedded.storeapi import Store, StoredManifest


class Forwarding(Store):
    """Passes every call on to `inner`; see storeapi.Store for what each does, and for those that are made of others."""

    def __init__(self, inner: Store) -> None:
        self.inner = inner

    async def blob_size(self, repository: str, digest: str) -> int:
        """Passed on."""
        return await self.inner.blob_size(repository, digest)

    def blob_read(self, repository: str, digest: str, offset: int, length: int) -> AsyncIterator[bytes]:
        """Passed on."""
        return self.inner.blob_read(repository, digest, offset, length)

    async def blob_mount(self, repository: str, digest: str, source: str) -> bool:
        """Passed on."""
        return await self.inner.blob_mount(repository, digest, source)

    async def blob_delete(self, repository: str, digest: str) -> None:
        """Passed on."""
        await self.inner.blob_delete(repository, digest)

    async def upload_open(self, repository: str) -> str:
        """Passed on."""
        return await self.inner.upload_open(repository)

    async def upload_append(self, repository: str, upload: str, offset: int, chunks: AsyncIterator[bytes]) -> int:
        """Passed on."""
        return await self.inner.upload_append(repository, upload, offset, chunks)

    async def upload_length(self, repository: str, upload: str) -> int:
        """Passed on."""
        return await self.inner.upload_length(repository, upload)

    async def upload_commit(self, repository: str, upload: str, digest: str) -> int:
        """Passed on."""
        return await self.inner.upload_commit(repository, upload, digest)

    async def upload_cancel(self, repository: str, upload: str) -> None:
        """Passed on."""
        await self.inner.upload_cancel(repository, upload)

    async def manifest_put(self, repository: str, manifest: StoredManifest, children: tuple[str, ...], subject: str) -> None:
        """Passed on."""
        await self.inner.manifest_put(repository, manifest, children, subject)

    async def manifest_get(self, repository: str, digest: str) -> StoredManifest:
        """Passed on."""
        return await self.inner.manifest_get(repository, digest)

    async def manifest_delete(self, repository: str, digest: str) -> None:
        """Passed on."""
        await self.inner.manifest_delete(repository, digest)

    async def referrers(self, repository: str, subject: str) -> tuple[StoredManifest, ...]:
        """Passed on."""
        return await self.inner.referrers(repository, subject)

    async def tag_set(self, repository: str, tag: str, digest: str) -> None:
        """Passed on."""
        await self.inner.tag_set(repository, tag, digest)

    async def tag_get(self, repository: str, tag: str) -> str:
        """Passed on."""
        return await self.inner.tag_get(repository, tag)

    async def tag_delete(self, repository: str, tag: str) -> None:
        """Passed on."""
        await self.inner.tag_delete(repository, tag)

    async def tags(self, repository: str) -> tuple[str, ...]:
        """Passed on."""
        return await self.inner.tags(repository)

    async def ready(self) -> bool:
        """Passed on."""
        return await self.inner.ready()
