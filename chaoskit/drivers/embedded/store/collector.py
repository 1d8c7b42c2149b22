"""A seeded bug (distribution#3045): a collector that deletes blobs no manifest refers to yet, a push's own among them."""

import asyncio

import msgspec

from chaoskit.drivers.embedded.store.disk import Disk
from chaoskit.drivers.embedded.store.messages import LINK, MANIFEST, Key, StoredBody
from chaoskit.drivers.embedded.store.registers import Registers
from chaoskit.drivers.embedded.storeapi import Unavailable

EVERY_S = 0.8
OLDER_S = 0.2
_BODY = msgspec.msgpack.Decoder(StoredBody)


class Collector:
    """Deletes links that nothing here refers to, in two looks OLDER_S apart."""

    def __init__(self, disk: Disk, registers: Registers) -> None:
        self._disk = disk
        self._registers = registers
        self._seen: set[tuple[str, str]] = set()
        self._needed: set[tuple[str, str]] = set()

    async def keep(self) -> None:
        """Collect until cancelled."""
        while True:
            await asyncio.sleep(EVERY_S)
            before = self._unneeded()
            await asyncio.sleep(OLDER_S)
            for repository, digest in before & self._unneeded():
                try:
                    await self._registers.put(Key(LINK, repository, digest), None)
                except Unavailable:
                    break

    def _unneeded(self) -> set[tuple[str, str]]:
        for repository, digest in self._disk.registers(MANIFEST):
            if (repository, digest) not in self._seen:
                self._seen.add((repository, digest))
                value = self._disk.read(Key(MANIFEST, repository, digest), body=True).value
                if value is not None:
                    self._needed.update((repository, child) for child in _BODY.decode(value).children)
        return set(self._disk.registers(LINK)) - self._needed
