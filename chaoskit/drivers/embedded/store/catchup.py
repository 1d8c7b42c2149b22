"""How a replica that was away gets what it missed: it asks each peer, again and again, what changed there, and fetches what is newer.

Rounds are bounded (replica.PAGE_MOST keys, FETCHES at once) and follow each other without a pause until a peer has nothing new.
"""

import asyncio

from chaoskit.drivers.embedded.store.copying import copy_blob
from chaoskit.drivers.embedded.store.messages import LINK, Changes, Found, Key, Read, Since
from chaoskit.drivers.embedded.store.quorum import Replicas

EVERY_S = 1.0
FETCHES = 16


class CatchUp:
    """One peer followed by one replica."""

    def __init__(self, replicas: Replicas, peer: str, *, every_s: float = EVERY_S) -> None:
        self._replicas = replicas
        self._disk = replicas.replica.disk
        self._peer = peer
        self._every_s = every_s
        self._epoch = ""
        self._cursor = 0

    async def keep(self) -> None:
        """Follow the peer until cancelled."""
        while True:
            while await self._round():
                pass
            await asyncio.sleep(self._every_s)

    async def _round(self) -> bool:
        """One page of changes; whether to ask for the next at once. What could not be fetched is asked for again."""
        changes = await self._replicas.one(self._peer, Since(self._epoch, self._cursor))
        if not isinstance(changes, Changes):
            return False
        newer = [key for key, stamp in changes.rows if stamp > self._disk.stamp(key)]
        for start in range(0, len(newer), FETCHES):
            fetched = await asyncio.gather(*(self._fetch(key) for key in newer[start : start + FETCHES]))
            if not all(fetched):
                return False
        self._epoch, self._cursor = changes.epoch, changes.cursor
        return bool(changes.rows)

    async def _fetch(self, key: Key) -> bool:
        found = await self._replicas.one(self._peer, Read(key, True))
        if not isinstance(found, Found):
            return False
        if found.stamp <= self._disk.stamp(key):
            return True
        if key.kind == LINK and found.value is not None and not self._disk.holds(key.name):
            return await copy_blob(self._replicas, key, found, source=self._peer, target=self._replicas.zone)
        await self._disk.write(key, found.stamp, found.value)
        return True
