"""Atomic registers over a quorum of replicas, after Attiya, Bar-Noy and Dolev (Sharing memory robustly in message-passing systems, 1995).

A read asks a quorum and writes the newest value back where not yet a quorum has it, so that no later read can miss it.
`write` asks for the newest stamp first. `put` guesses one, and guesses again if a replica knew a newer one: one round instead of two, but
its value may show under two stamps, so it is only for content that has no second value (links and manifests).
"""

from chaoskit.drivers.embedded.bugs import Bug
from chaoskit.drivers.embedded.config import ProcessConfig
from chaoskit.drivers.embedded.store.calls import Said
from chaoskit.drivers.embedded.store.copying import copy_blob
from chaoskit.drivers.embedded.store.lies import REPLICATED_AFTER_S, TAG_LAG_S, skewed_clock
from chaoskit.drivers.embedded.store.messages import LINK, NEVER, TAG, Found, Key, Lacking, Read, Stamp, Write, Written
from chaoskit.drivers.embedded.store.quorum import Replicas
from chaoskit.drivers.embedded.storeapi import Unavailable

GUESSES_MOST = 4


def kept(answer: Said) -> bool:
    """The value, or a newer one, is on that replica's disk."""
    return isinstance(answer, Written)


class Registers:
    """Reads and writes of one coordinator. Its writer id is that of a zone and an incarnation, and it never uses a counter twice."""

    def __init__(self, replicas: Replicas, config: ProcessConfig) -> None:
        self._replicas = replicas
        self._disk = replicas.replica.disk
        self._writer = f"{config.zone}#{config.incarnation}"
        self._issued = 0
        self._turn = 0
        self._local_reads = config.has(Bug.LOCAL_TAG_READS)
        self._by_clock = skewed_clock(config.zone) if config.has(Bug.LAST_WRITER_BY_CLOCK) else None
        self._early = config.has(Bug.ACK_BEFORE_REPLICATION)
        self._lagging = config.has(Bug.ROUND_ROBIN_LAG)

    def stamp_after(self, counter: int) -> Stamp:
        """A new stamp, newer than the counter and than all that were given out here."""
        self._issued = max(counter, self._issued, self._disk.clock) + 1
        return Stamp(self._issued, self._writer, 0)

    async def read(self, key: Key, *, body: bool = False) -> Found:
        """The register, which a quorum has by now. Without `body` the value of a manifest is empty. Unavailable."""
        if key.kind == TAG and (self._local_reads or self._lagging):
            return await self._lax_read(key)
        found = await self._found(key)
        newest = max(found.values(), key=_by_stamp)
        holders = [zone for zone, one in found.items() if one.stamp == newest.stamp]
        enough = len(holders) >= self._replicas.need or newest.stamp == NEVER or self._by_clock is not None
        if enough and (not body or newest.value is None):
            return newest
        whole = newest
        if newest.value is not None:
            source = self._replicas.zone if self._replicas.zone in holders else holders[0]
            own = source == self._replicas.zone
            answer = self._disk.read(key, body=True) if own else await self._replicas.one(source, Read(key, True))
            if not isinstance(answer, Found):
                raise Unavailable(f"{source} did not give {key.name} of {key.repository} again")
            if answer.stamp != newest.stamp:
                holders = [source]
            whole = answer
        if len(holders) < self._replicas.need:
            await self._spread(key, whole, holders)
        return whole

    async def write(self, key: Key, value: bytes | None) -> None:
        """Give the register a value. Unavailable: it may have it all the same."""
        if self._by_clock is not None:
            await self._write(key, Stamp(self._by_clock(), self._writer, 0), value)
            return
        found = await self._found(key)
        await self._write(key, self.stamp_after(max(one.stamp.counter for one in found.values())), value)

    async def erase(self, key: Key, seen: Stamp) -> None:
        """Make the register absent if nothing newer than `seen` was written, at whatever time. Idempotent."""
        await self._write(key, Stamp(seen.counter, seen.writer, 1), None)

    async def put(self, key: Key, value: bytes | None) -> None:
        """Give the register of an immutable thing its value, or None. Unavailable: it may have it all the same."""
        counter = 0
        for _ in range(GUESSES_MOST):
            stamp = self.stamp_after(counter)
            counter = await self._write(key, stamp, value)
            if counter <= stamp.counter:
                return
        raise Unavailable(f"{key.name} of {key.repository} is being written by others all the time")

    async def _found(self, key: Key) -> dict[str, Found]:
        answers = await self._replicas.peek(Read(key, False))
        found = {zone: one for zone, one in answers.items() if isinstance(one, Found)}
        if len(found) < (1 if self._by_clock else self._replicas.need):
            raise Unavailable(f"{len(found)} of {len(self._replicas.zones)} replicas answered a read of {key.name}: {_why(answers)}")
        return found

    async def _write(self, key: Key, stamp: Stamp, value: bytes | None) -> int:
        """Ask all to keep it; the newest counter they have now."""
        request = Write(key, stamp, value)
        zones = self._replicas.zones
        if self._early:
            zones = self._held_back(request, zones[1:], REPLICATED_AFTER_S)
        elif self._lagging and key.kind == TAG:
            zones = self._held_back(request, zones[2:], TAG_LAG_S)
        need = 1 if self._early or self._by_clock else self._replicas.need
        answers = await self._replicas.ask(request, zones=zones, good=kept)
        stamps = [one.stamp for one in answers.values() if isinstance(one, Written)]
        if len(stamps) < need:
            holders = [zone for zone, one in answers.items() if isinstance(one, Written)]
            await self._bring(key, Found(stamp, value), holders, answers)
        return max((one.counter for one in stamps), default=stamp.counter)

    async def _spread(self, key: Key, newest: Found, holders: list[str]) -> None:
        """Write a value back until a quorum has it."""
        others = tuple(zone for zone in self._replicas.zones if zone not in holders)
        request = Write(key, newest.stamp, newest.value)
        answers = await self._replicas.ask(request, zones=others, good=kept, need=self._replicas.need - len(holders))
        holders = holders + [zone for zone, one in answers.items() if isinstance(one, Written)]
        if len(holders) < self._replicas.need:
            await self._bring(key, newest, holders, answers)

    async def _bring(self, key: Key, newest: Found, holders: list[str], answers: dict[str, Said]) -> None:
        """Give the blob to those who cannot keep its link without it, until a quorum has both. Unavailable."""
        lacking = [zone for zone, one in answers.items() if isinstance(one, Lacking)]
        missing = self._replicas.need - len(holders)
        if key.kind == LINK and newest.value is not None and holders:
            for zone in lacking:
                if missing > 0 and await copy_blob(self._replicas, key, newest, source=holders[0], target=zone):
                    missing -= 1
        if missing > 0:
            raise Unavailable(f"{missing} more replicas had to keep {key.name} of {key.repository}: {_why(answers)}")

    async def _lax_read(self, key: Key) -> Found:
        """Seeded bugs: one replica is believed, the own one or each in its turn."""
        zones = self._replicas.zones if self._lagging else (self._replicas.zone,)
        for _ in zones:
            self._turn += 1
            answer = await self._replicas.one(zones[self._turn % len(zones)], Read(key, False))
            if isinstance(answer, Found):
                return answer
        raise Unavailable("no replica answered")

    def _held_back(self, request: Write, zones: tuple[str, ...], delay_s: float) -> tuple[str, ...]:
        """Seeded bugs: replicate to these later; the ones to ask now."""
        self._replicas.later(delay_s, request, zones)
        return tuple(zone for zone in self._replicas.zones if zone not in zones)


def _by_stamp(found: Found) -> Stamp:
    return found.stamp


def _why(answers: dict[str, Said]) -> str:
    others = [f"{zone}: {answer}" for zone, answer in answers.items() if not isinstance(answer, Found | Written)]
    return ", ".join(others) or "nobody else answered"
