"""Three stores in one event loop, wired to each other by plain TCP and a client for each."""

import asyncio
import hashlib
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from chaoskit.drivers.base import Address
from chaoskit.drivers.embedded.bugs import Bug
from chaoskit.drivers.embedded.config import ProcessConfig
from chaoskit.drivers.embedded.store.client import StoreClient
from chaoskit.drivers.embedded.store.server import serve
from chaoskit.drivers.embedded.storeapi import NotFound, StoredManifest, Unavailable

ZONES = ("us-south-1", "us-south-2", "us-south-3")
LIMIT_S = 8.0


class Region:
    """`stores` are clients by zone. `stop` is what a kill leaves of a store: nothing in memory survives it."""

    def __init__(self, folder: Path, zones: tuple[str, ...], bug: Bug | None) -> None:
        self.folder = folder
        self.zones = zones
        self.bugs = (bug.flag,) if bug else ()
        self.addresses = {zone: Address("127.0.0.1", free_port()) for zone in zones}
        self.stores: dict[str, StoreClient] = {}
        self._running: dict[str, asyncio.Task[None]] = {}
        self._starts = dict.fromkeys(zones, 0)

    def start(self, *zones: str) -> None:
        for zone in zones or self.zones:
            self._starts[zone] += 1
            dials = {f"store.{zone}->store.{peer}": self.addresses[peer] for peer in self.zones if peer != zone}
            config = ProcessConfig(
                component=f"store.{zone}",
                listen=self.addresses[zone],
                dials=dials,
                folder=str(self.folder / zone),
                incarnation=self._starts[zone],
                secret="secret",
                bugs=self.bugs,
            )
            self._running[zone] = asyncio.create_task(serve(config))

    async def stop(self, *zones: str) -> None:
        gone = [self._running.pop(zone) for zone in zones or tuple(self._running)]
        for task in gone:
            task.cancel()
        for result in await asyncio.gather(*gone, return_exceptions=True):
            assert isinstance(result, asyncio.CancelledError), f"a store ended by itself: {result!r}"

    async def ready(self, *zones: str) -> None:
        for zone in zones or self.zones:
            await until(lambda zone=zone: _is_ready(self.stores[zone]), f"{zone} is ready")  # type: ignore[misc]


@asynccontextmanager
async def region(folder: Path, *, zones: tuple[str, ...] = ZONES, bug: Bug | None = None) -> AsyncIterator[Region]:
    """All stores started and ready."""
    one = Region(folder, zones, bug)
    async with AsyncExitStack() as stack:
        for zone in zones:
            one.stores[zone] = await stack.enter_async_context(StoreClient(one.addresses[zone]))
        one.start()
        try:
            await one.ready()
            yield one
        finally:
            await one.stop()


async def _is_ready(store: StoreClient) -> bool:
    try:
        return await store.ready()
    except Unavailable:
        return False


async def until(condition: Callable[[], Awaitable[object]], what: str, limit_s: float = LIMIT_S) -> None:
    seen: object = None
    for _ in range(int(limit_s / 0.02)):
        seen = await condition()
        if seen:
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"not in {limit_s} s: {what}; last seen {seen!r}")


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def digest_of(body: bytes) -> str:
    return f"sha256:{hashlib.sha256(body).hexdigest()}"


async def pieces(body: bytes, size: int = 50_000) -> AsyncIterator[bytes]:
    for start in range(0, len(body), size):
        yield body[start : start + size]


async def push_blob(store: StoreClient, repository: str, body: bytes) -> str:
    upload = await store.upload_open(repository)
    assert await store.upload_append(repository, upload, 0, pieces(body)) == len(body)
    assert await store.upload_commit(repository, upload, digest_of(body)) == len(body)
    return digest_of(body)


async def pull_blob(store: StoreClient, repository: str, digest: str) -> bytes:
    size = await store.blob_size(repository, digest)
    return b"".join([chunk async for chunk in store.blob_read(repository, digest, 0, size)])


def manifest(text: str) -> StoredManifest:
    return StoredManifest(digest_of(text.encode()), "application/vnd.oci.image.manifest.v1+json", text.encode())


async def tag_or_absent(store: StoreClient, repository: str, tag: str) -> str:
    try:
        return await store.tag_get(repository, tag)
    except NotFound:
        return ""
