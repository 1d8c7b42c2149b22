"""What a correct registry may do and a hasty judge would call a bug: stores like those of lies.py, for controls that must be held."""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import count

from chaoskit.drivers.embedded.registry.errors import Rejected
from chaoskit.drivers.embedded.registry.forwarding import Forwarding
from chaoskit.drivers.embedded.storeapi import NotFound, Store, StoredManifest, Unavailable

LATER_S = 0.3
_ONE_IN = 5
_THROTTLED_ONE_IN = 20


class ErrorAfterCommit(Forwarding):
    """ERROR_AFTER_COMMIT: one write in five is carried out and then answered with a 503."""

    def __init__(self, inner: Store) -> None:
        super().__init__(inner)
        self._writes = count(1)

    async def upload_commit(self, repository: str, upload: str, digest: str) -> int:
        """Done, perhaps not said."""
        size = await self.inner.upload_commit(repository, upload, digest)
        self._perhaps_fail()
        return size

    async def tag_set(self, repository: str, tag: str, digest: str) -> None:
        """Done, perhaps not said."""
        await self.inner.tag_set(repository, tag, digest)
        self._perhaps_fail()

    async def manifest_delete(self, repository: str, digest: str) -> None:
        """Done, perhaps not said."""
        await self.inner.manifest_delete(repository, digest)
        self._perhaps_fail()

    async def blob_delete(self, repository: str, digest: str) -> None:
        """Done, perhaps not said."""
        await self.inner.blob_delete(repository, digest)
        self._perhaps_fail()

    def _perhaps_fail(self) -> None:
        if next(self._writes) % _ONE_IN == 0:
            raise Unavailable("a decoy: the write was carried out")


class DelayedDelete(Forwarding):
    """DELAYED_DELETE: a delete is acknowledged at once and carried out LATER_S later, as a region does that declares deletes eventual."""

    def __init__(self, inner: Store) -> None:
        super().__init__(inner)
        self._pending: set[asyncio.Future[None]] = set()

    async def manifest_delete(self, repository: str, digest: str) -> None:
        """Later, if it is there now."""
        await self.inner.manifest_get(repository, digest)
        self._later(lambda: self.inner.manifest_delete(repository, digest))

    async def blob_delete(self, repository: str, digest: str) -> None:
        """Later, if it is there now."""
        await self.inner.blob_size(repository, digest)
        self._later(lambda: self.inner.blob_delete(repository, digest))

    def _later(self, delete: Callable[[], Awaitable[None]]) -> None:
        work = asyncio.ensure_future(_until_done(delete))
        self._pending.add(work)
        work.add_done_callback(self._pending.discard)


class TooManyRequests(Forwarding):
    """TOO_MANY_REQUESTS: one request in twenty is answered with a 429, before it has done anything."""

    def __init__(self, inner: Store) -> None:
        super().__init__(inner)
        self._requests = count(1)

    async def upload_open(self, repository: str) -> str:
        """Perhaps refused."""
        self._perhaps_refuse()
        return await self.inner.upload_open(repository)

    async def manifest_put(self, repository: str, manifest: StoredManifest, children: tuple[str, ...], subject: str) -> None:
        """Perhaps refused."""
        self._perhaps_refuse()
        await self.inner.manifest_put(repository, manifest, children, subject)

    async def manifest_get(self, repository: str, digest: str) -> StoredManifest:
        """Perhaps refused."""
        self._perhaps_refuse()
        return await self.inner.manifest_get(repository, digest)

    async def manifest_delete(self, repository: str, digest: str) -> None:
        """Perhaps refused."""
        self._perhaps_refuse()
        await self.inner.manifest_delete(repository, digest)

    async def tags(self, repository: str) -> tuple[str, ...]:
        """Perhaps refused."""
        self._perhaps_refuse()
        return await self.inner.tags(repository)

    def _perhaps_refuse(self) -> None:
        if next(self._requests) % _THROTTLED_ONE_IN == 0:
            raise Rejected(429, "TOOMANYREQUESTS")


async def _until_done(delete: Callable[[], Awaitable[None]]) -> None:
    while True:
        await asyncio.sleep(LATER_S)
        try:
            await delete()
        except NotFound:
            return
        except Unavailable:
            continue
        return
