"""A collector as rash as distribution's (distribution#3045): it deletes blobs no manifest refers to yet, a push's own among them.

It runs when it is told to (experiment `collection`), and all the time as a seeded bug. There is no careful one: like distribution, this
region can only be collected safely in a window without writes.
"""

import asyncio
from itertools import count
from pathlib import Path

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
            await self._once()

    async def keep_told(self, told: asyncio.Event, report: Path) -> None:
        """Collect once whenever told, until cancelled; `report` then says for the how manieth time, and how much went."""
        for times in count(1):
            await told.wait()
            told.clear()
            deleted = await self._once()
            new = report.with_suffix(".new")
            new.write_text(f"run {times}: {deleted} blobs that no manifest refers to deleted")
            new.rename(report)

    async def _once(self) -> int:
        deleted = 0
        before = self._unneeded()
        await asyncio.sleep(OLDER_S)
        for repository, digest in before & self._unneeded():
            try:
                await self._registers.put(Key(LINK, repository, digest), None)
            except Unavailable:
                break
            deleted += 1
        return deleted

    def _unneeded(self) -> set[tuple[str, str]]:
        for repository, digest in self._disk.registers(MANIFEST):
            if (repository, digest) not in self._seen:
                self._seen.add((repository, digest))
                value = self._disk.read(Key(MANIFEST, repository, digest), body=True).value
                if value is not None:
                    self._needed.update((repository, child) for child in _BODY.decode(value).children)
        return set(self._disk.registers(LINK)) - self._needed
