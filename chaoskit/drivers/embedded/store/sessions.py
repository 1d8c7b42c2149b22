"""Upload sessions over a quorum of replicas. Bytes go to all replicas at explicit offsets; a commit is done when a quorum has hashed them.

An id is signed with the region's secret for its repository: every zone knows its own kind, and opening one costs no round.
A replica that fell behind is brought level when the quorum needs it.
"""

import hashlib
import hmac
import secrets

from chaoskit.drivers.embedded.bugs import Bug
from chaoskit.drivers.embedded.config import ProcessConfig
from chaoskit.drivers.embedded.store.calls import Said
from chaoskit.drivers.embedded.store.copying import copy_blob, level, patience_s
from chaoskit.drivers.embedded.store.messages import (
    LINK,
    Committed,
    Found,
    Key,
    Session,
    Stamp,
    UploadCommit,
    UploadCut,
    UploadEnd,
    UploadStat,
    UploadWhole,
    UploadWrite,
)
from chaoskit.drivers.embedded.store.quorum import Replicas
from chaoskit.drivers.embedded.store.registers import Registers
from chaoskit.drivers.embedded.storeapi import NotFound, Refused, Unavailable


def taken(answer: Said) -> bool:
    """The bytes are in that replica's session."""
    return isinstance(answer, Session) and answer.done


def committed(answer: Said) -> bool:
    """Hashed, and on that replica's disk."""
    return isinstance(answer, Committed)


class Sessions:
    """The upload methods of `storeapi.Store`; an append takes one chunk."""

    def __init__(self, replicas: Replicas, registers: Registers, config: ProcessConfig) -> None:
        self._replicas = replicas
        self._registers = registers
        self._secret = config.secret.encode()
        self._local = config.has(Bug.MANIFEST_BEFORE_BLOBS)

    def open(self, repository: str) -> str:
        """A new session's id."""
        number = secrets.token_hex(16)
        return number + self._signature(repository, number)

    async def append(self, repository: str, upload: str, offset: int, body: bytes) -> int:
        """Put a chunk at the end of a quorum's sessions; the new length. NotFound, Refused, Unavailable."""
        self._check(repository, upload)
        end = offset + len(body)
        answers = await self._replicas.ask(UploadWrite(upload, offset, body), good=taken)
        took = [zone for zone, one in answers.items() if taken(one)]
        if len(took) >= self._replicas.need:
            return end
        others = self._lengths(upload, {zone: one for zone, one in answers.items() if zone not in took}, len(took))
        length = max(others.values(), default=0)
        if length > offset or not took:
            await self._take_back(upload, took, end, offset)
            raise Refused(f"the session is {length} bytes long, not {offset}")
        await self._level(upload, took, others, end)
        return end

    async def length(self, repository: str, upload: str) -> int:
        """Length of the session, which a quorum has by now."""
        self._check(repository, upload)
        lengths = self._lengths(upload, await self._replicas.peek(UploadStat(upload)), 0)
        most = max(lengths.values())
        await self._level(upload, [zone for zone, one in lengths.items() if one == most], lengths, most)
        return most

    async def commit(self, repository: str, upload: str, digest: str) -> int:
        """Make the session a blob; its size. A digest that matches proves that a replica has it all, whatever the others say."""
        self._check(repository, upload)
        stamp = self._registers.stamp_after(0)
        request = UploadCommit(upload, repository, digest, stamp)
        answers = await self._commit(request)
        done = {zone: one for zone, one in answers.items() if isinstance(one, Committed)}
        if not done:
            lengths = self._lengths(upload, answers, 0)
            most = max(lengths.values())
            leaders = [zone for zone, one in lengths.items() if one == most]
            if len(leaders) == len(lengths):
                raise Refused(f"{most} bytes do not have the digest {digest}")
            await self._level(upload, leaders, lengths, most)
            answers = await self._commit(request)
            done = {zone: one for zone, one in answers.items() if isinstance(one, Committed)}
            if not done:
                raise Refused(f"{most} bytes do not have the digest {digest}")
        return await self._linked(Key(LINK, repository, digest), stamp, done)

    async def whole(self, repository: str, upload: str, digest: str, body: bytes) -> int:
        """Append and commit in one round, if the session is empty everywhere; else one after the other."""
        self._check(repository, upload)
        stamp = self._registers.stamp_after(0)
        zones = (self._replicas.zone,) if self._local else self._replicas.zones
        answers = await self._replicas.ask(UploadWhole(upload, repository, digest, stamp, body), good=committed, zones=zones)
        done = {zone: one for zone, one in answers.items() if isinstance(one, Committed)}
        if done:
            return await self._linked(Key(LINK, repository, digest), stamp, done)
        self._lengths(upload, answers, 0)
        await self.append(repository, upload, 0, body)
        return await self.commit(repository, upload, digest)

    async def cancel(self, repository: str, upload: str) -> None:
        """End the session at a quorum."""
        self._check(repository, upload)
        self._lengths(upload, await self._replicas.peek(UploadStat(upload)), 0)
        answers = await self._replicas.ask(UploadEnd(upload))
        if sum(isinstance(one, Session) for one in answers.values()) < self._replicas.need:
            raise Unavailable(f"fewer than {self._replicas.need} replicas ended the session")

    async def _commit(self, request: UploadCommit) -> dict[str, Said]:
        limit_s = patience_s(self._replicas.replica.uploads.stat(request.upload).length)
        zones = (self._replicas.zone,) if self._local else self._replicas.zones
        return await self._replicas.ask(request, good=committed, zones=zones, limit_s=limit_s)

    async def _linked(self, link: Key, stamp: Stamp, done: dict[str, Committed]) -> int:
        """Blob and link on a quorum, the link with a stamp that no replica overrides; the blob's size. Unavailable."""
        size = next(iter(done.values())).size
        await self._complete(link, Found(stamp, str(size).encode()), list(done))
        if any(one.stamp > stamp for one in done.values()):
            await self._registers.put(link, str(size).encode())
        return size

    async def _complete(self, link: Key, found: Found, done: list[str]) -> None:
        """Copy the blob until a quorum has it. Unavailable."""
        missing = 0 if self._local else self._replicas.need - len(done)
        for zone in self._replicas.zones:
            if missing > 0 and zone not in done and await copy_blob(self._replicas, link, found, source=done[0], target=zone):
                missing -= 1
        if missing > 0:
            raise Unavailable(f"{missing} more replicas had to keep the blob {link.name}")

    async def _level(self, upload: str, leaders: list[str], lengths: dict[str, int], end: int) -> None:
        """Bring others up to the leaders' length until a quorum has it. Unavailable."""
        missing = self._replicas.need - len(leaders)
        for zone, start in sorted(lengths.items(), key=lambda one: -one[1]):
            behind = missing > 0 and zone not in leaders
            if behind and await level(self._replicas, upload, range(start, end), source=leaders[0], target=zone):
                missing -= 1
        if missing > 0:
            raise Unavailable(f"{missing} more replicas had to take the session's bytes")

    async def _take_back(self, upload: str, zones: list[str], length: int, offset: int) -> None:
        """Undo an append at the wrong offset where a replica that was behind took it. What is missed here, the hash finds at the commit."""
        if zones:
            await self._replicas.ask(UploadCut(upload, length, offset), zones=zones, need=len(zones))

    def _lengths(self, upload: str, answers: dict[str, Said], others: int) -> dict[str, int]:
        """Lengths by zone, if those and `others` are a quorum and none says that the session ended. NotFound, Unavailable."""
        sessions = {zone: one for zone, one in answers.items() if isinstance(one, Session)}
        if any(one.ended for one in sessions.values()):
            raise NotFound(f"upload session {upload} has ended")
        need = 1 if self._local else self._replicas.need
        if len(sessions) + others < need:
            raise Unavailable(f"{len(sessions) + others} of {len(self._replicas.zones)} replicas know of the session; {need} had to")
        return {zone: one.length for zone, one in sessions.items()}

    def _check(self, repository: str, upload: str) -> None:
        if not hmac.compare_digest(upload[32:].encode(), self._signature(repository, upload[:32]).encode()):
            raise NotFound(f"no upload session {upload!r} in {repository}")

    def _signature(self, repository: str, number: str) -> str:
        return hmac.new(self._secret, f"{repository} {number}".encode(), hashlib.sha256).hexdigest()[:32]
