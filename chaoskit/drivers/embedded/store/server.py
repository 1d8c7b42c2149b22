"""The store's process: one port, one replica, one coordinator, until cancelled. A disk that fails ends it: better away than wrong."""

import asyncio
import signal
from collections.abc import Awaitable
from pathlib import Path
from typing import get_args

from chaoskit.drivers.embedded.bugs import Bug
from chaoskit.drivers.embedded.config import COLLECTED, READ_ONLY, ProcessConfig
from chaoskit.drivers.embedded.store import calls
from chaoskit.drivers.embedded.store.calls import Asked, Begun, Call, Failure, Manifest, Number, Said, Text, Texts
from chaoskit.drivers.embedded.store.catchup import EVERY_S, CatchUp
from chaoskit.drivers.embedded.store.collector import Collector
from chaoskit.drivers.embedded.store.coordinator import Coordinator
from chaoskit.drivers.embedded.store.disk import Disk
from chaoskit.drivers.embedded.store.lies import FLUSHED_AFTER_S, LAZY_CATCH_UP_S
from chaoskit.drivers.embedded.store.link import Link
from chaoskit.drivers.embedded.store.messages import CHUNK_MOST, Part
from chaoskit.drivers.embedded.store.port import Port
from chaoskit.drivers.embedded.store.quorum import Replicas
from chaoskit.drivers.embedded.store.registers import Registers
from chaoskit.drivers.embedded.store.replica import Replica
from chaoskit.drivers.embedded.store.sessions import Sessions
from chaoskit.drivers.embedded.store.uploads import Uploads
from chaoskit.drivers.embedded.storeapi import NotFound, Refused, StoredManifest, Unavailable

EXPIRE_EVERY_S = 60.0
_CALLS: frozenset[type] = frozenset(get_args(Call))
_READS: frozenset[type] = frozenset(
    (
        calls.TagGet,
        calls.ManifestGet,
        calls.ManifestOf,
        calls.BlobBegin,
        calls.BlobSize,
        calls.BlobRead,
        calls.TagList,
        calls.Referrers,
        calls.Ready,
        calls.UploadLength,
    )
)
_LAZY = (Bug.MANIFEST_BEFORE_BLOBS, Bug.ACK_BEFORE_REPLICATION)


class Desk:
    """Sends what comes in to the replica or the coordinator."""

    def __init__(self, replica: Replica, coordinator: Coordinator, sessions: Sessions, read_only: Path) -> None:
        self._read_only = read_only
        self._replica = replica
        self._coordinator = coordinator
        self._sessions = sessions

    def respond(self, request: Asked) -> Said | Awaitable[Said]:
        """A peer's request is answered by the replica, a registry's call by a quorum."""
        if type(request) in _CALLS:
            return self._answer(request)  # type: ignore[arg-type]  # a Call, by the set of their types
        return self._replica.answer(request)  # type: ignore[arg-type]

    async def _answer(self, call: Call) -> Said:
        try:
            if type(call) not in _READS and self._read_only.exists():
                raise Unavailable("this registry may not write here")
            return await self._call(call)
        except (NotFound, Refused, Unavailable) as error:
            return Failure(type(error).__name__, str(error))

    async def _call(self, call: Call) -> Said:
        match call:
            case calls.TagGet(repository, tag):
                return Text(await self._coordinator.tag_get(repository, tag))
            case calls.ManifestGet(repository, digest):
                stored = await self._coordinator.manifest_get(repository, digest)
                return Manifest(digest, stored.media_type, stored.body)
            case calls.ManifestOf(repository, tag):
                stored = await self._coordinator.manifest_get(repository, await self._coordinator.tag_get(repository, tag))
                return Manifest(stored.digest, stored.media_type, stored.body)
            case calls.BlobBegin(repository, digest):
                size = await self._coordinator.blob_size(repository, digest)
                part = await self._coordinator.blob_part(repository, digest, 0, min(size, CHUNK_MOST)) if size else b""
                return Begun(size, part)
            case calls.BlobSize(repository, digest):
                return Number(await self._coordinator.blob_size(repository, digest))
            case calls.BlobRead(repository, digest, offset, length):
                return Part(await self._coordinator.blob_part(repository, digest, offset, length))
            case calls.BlobMount(repository, digest, source):
                return Number(int(await self._coordinator.blob_mount(repository, digest, source)))
            case calls.BlobDelete(repository, digest):
                await self._coordinator.blob_delete(repository, digest)
            case calls.ManifestPut(repository, digest, media_type, body, children, subject):
                await self._coordinator.manifest_put(repository, StoredManifest(digest, media_type, body), children, subject)
            case calls.ManifestDelete(repository, digest):
                await self._coordinator.manifest_delete(repository, digest)
            case calls.TagSet(repository, tag, digest):
                await self._coordinator.tag_set(repository, tag, digest)
            case calls.TagDelete(repository, tag):
                await self._coordinator.tag_delete(repository, tag)
            case calls.TagList(repository, after):
                names, end = await self._coordinator.tags(repository, after)
                return Texts(tuple(names), end)
            case calls.Referrers(repository, subject):
                return Texts(tuple(await self._coordinator.referrers(repository, subject)), "")
            case calls.Ready():
                return Number(int(await self._coordinator.ready()))
            case _:
                return await self._upload(call)
        return Number(0)

    async def _upload(
        self,
        call: calls.UploadOpen | calls.UploadAppend | calls.UploadLength | calls.UploadFinish | calls.UploadWhole | calls.UploadCancel,
    ) -> Said:
        match call:
            case calls.UploadOpen(repository):
                return Text(self._sessions.open(repository))
            case calls.UploadAppend(repository, upload, offset, body):
                return Number(await self._sessions.append(repository, upload, offset, body))
            case calls.UploadLength(repository, upload):
                return Number(await self._sessions.length(repository, upload))
            case calls.UploadFinish(repository, upload, digest):
                return Number(await self._sessions.commit(repository, upload, digest))
            case calls.UploadWhole(repository, upload, digest, body):
                return Number(await self._sessions.whole(repository, upload, digest, body))
            case calls.UploadCancel(repository, upload):
                await self._sessions.cancel(repository, upload)
                return Number(0)


async def serve(config: ProcessConfig) -> None:
    """Open the folder and answer on `config.listen` until cancelled."""
    disk = Disk(
        config.path,
        lazy_s=FLUSHED_AFTER_S if config.has(Bug.ACK_BEFORE_DURABLE) else 0.0,
        forgets_deletes=config.has(Bug.DELETE_UNDONE),
    )
    try:
        await _serve(config, disk)
    finally:
        disk.log.close()


async def _serve(config: ProcessConfig, disk: Disk) -> None:
    replica = Replica(disk, Uploads(config.path, disk), epoch=f"{config.zone}#{config.incarnation}")
    prefix = f"{config.component}->store."
    links = {name.removeprefix(prefix): Link(address) for name, address in config.dials.items() if name.startswith(prefix)}
    replicas = Replicas(config.zone, replica, links)
    registers = Registers(replicas, config)
    sessions = Sessions(replicas, registers, config)
    desk = Desk(replica, Coordinator(replicas, registers, config), sessions, config.path / READ_ONLY)
    port = Port(desk.respond, lambda: replicas.quorate)
    every_s = LAZY_CATCH_UP_S if any(config.has(bug) for bug in _LAZY) else EVERY_S
    collector, told = Collector(disk, registers), asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR2, told.set)
    server = await asyncio.get_running_loop().create_server(port.connected, config.listen.host, config.listen.port)
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(disk.log.keep())
            group.create_task(port.sweep())
            group.create_task(_expire(replica.uploads))
            for zone, link in links.items():
                group.create_task(link.keep())
                group.create_task(CatchUp(replicas, zone, every_s=every_s).keep())
            group.create_task(collector.keep_told(told, config.path / COLLECTED))
            if config.has(Bug.COLLECT_DURING_PUSH):
                group.create_task(collector.keep())
    finally:
        server.close()
        await port.close()
        await replicas.close()


async def _expire(uploads: Uploads) -> None:
    while True:
        await asyncio.sleep(EXPIRE_EVERY_S)
        uploads.expire()
