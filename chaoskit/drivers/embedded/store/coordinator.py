"""What a registry may ask, turned into questions to a quorum: tags, manifests and blobs. Upload sessions are in sessions.py.

The methods are those of `storeapi.Store`, but for streams and whole lists: those come in parts, and the client puts them together.
"""

import asyncio

import msgspec

from chaoskit.drivers.embedded.bugs import Bug
from chaoskit.drivers.embedded.config import ProcessConfig
from chaoskit.drivers.embedded.store.lies import ABSENT_FOR_S, ROTTEN_ONE_IN, is_rotten, rotten
from chaoskit.drivers.embedded.store.messages import (
    LINK,
    MANIFEST,
    TAG,
    BlobPart,
    Key,
    ListReferrers,
    ListTags,
    Names,
    Part,
    Ping,
    Pong,
    Stamp,
    StoredBody,
    TagPage,
)
from chaoskit.drivers.embedded.store.quorum import Replicas
from chaoskit.drivers.embedded.store.registers import Registers
from chaoskit.drivers.embedded.storeapi import NotFound, StoredManifest, Unavailable

_ENCODER = msgspec.msgpack.Encoder()
_BODY = msgspec.msgpack.Decoder(StoredBody)


class Coordinator:
    """Every method raises Unavailable if no quorum answers, and NotFound if one says so."""

    def __init__(self, replicas: Replicas, registers: Registers, config: ProcessConfig) -> None:
        self._replicas = replicas
        self._disk = replicas.replica.disk
        self._registers = registers
        self._served = 0
        self._local_blobs = config.has(Bug.MANIFEST_BEFORE_BLOBS)
        self._rotten = config.has(Bug.BIT_ROT) and is_rotten(config.zone)
        self._in_place = config.has(Bug.TAG_REWRITTEN_IN_PLACE)

    async def tag_get(self, repository: str, tag: str) -> str:
        """The digest."""
        found = await self._registers.read(Key(TAG, repository, tag))
        if found.value is None:
            raise NotFound(f"no tag {tag} in {repository}")
        return found.value.decode()

    async def tag_set(self, repository: str, tag: str, digest: str) -> None:
        """Two rounds: the newest stamp, then the write."""
        key = Key(TAG, repository, tag)
        if self._in_place and (await self._registers.read(key)).value is not None:
            await self._registers.write(key, None)
            await asyncio.sleep(ABSENT_FOR_S)
        await self._registers.write(key, digest.encode())

    async def tag_delete(self, repository: str, tag: str) -> None:
        """Write absent."""
        await self.tag_get(repository, tag)
        await self._registers.write(Key(TAG, repository, tag), None)

    async def tags(self, repository: str, after: str) -> tuple[list[str], str]:
        """A page of tags in order, and after which name the next one begins, or ''."""
        rows, known, end = await self._tag_rows(repository, after)
        if not known:
            raise NotFound(f"nothing was ever written to {repository}")
        return [tag for tag, (_, value) in rows.items() if value is not None], end

    async def manifest_put(self, repository: str, manifest: StoredManifest, children: tuple[str, ...], subject: str) -> None:
        """One round: a manifest has no second value."""
        value = _ENCODER.encode(StoredBody(manifest.media_type, manifest.body, children, subject))
        await self._registers.put(Key(MANIFEST, repository, manifest.digest), value)

    async def manifest_get(self, repository: str, digest: str) -> StoredManifest:
        """Stamps from a quorum, the body from the own replica if it has the newest."""
        found = await self._registers.read(Key(MANIFEST, repository, digest), body=True)
        if found.value is None:
            raise NotFound(f"no manifest {digest} in {repository}")
        stored = _BODY.decode(found.value)
        return StoredManifest(digest, stored.media_type, stored.body)

    async def manifest_delete(self, repository: str, digest: str) -> None:
        """The tags first, each only if it still points here when the delete gets to it; then the manifest."""
        key = Key(MANIFEST, repository, digest)
        if (await self._registers.read(key)).value is None:
            raise NotFound(f"no manifest {digest} in {repository}")
        after, more = "", True
        while more:
            rows, _, after = await self._tag_rows(repository, after)
            more = bool(after)
            for tag, (stamp, value) in rows.items():
                if value == digest.encode():
                    await self._registers.erase(Key(TAG, repository, tag), stamp)
        await self._registers.put(key, None)

    async def referrers(self, repository: str, subject: str) -> list[str]:
        """Digests of manifests that name the subject on any of a quorum of replicas; some may be deleted."""
        answers = await self._replicas.peek(ListReferrers(repository, subject))
        names = [answer.names for answer in answers.values() if isinstance(answer, Names)]
        self._quorum(len(names), "a list of referrers")
        return sorted({name for some in names for name in some})

    async def blob_size(self, repository: str, digest: str) -> int:
        """From the link, which a quorum has with the bytes."""
        key = Key(LINK, repository, digest)
        found = self._disk.read(key, body=False) if self._local_blobs else await self._registers.read(key)
        if found.value is None:
            raise NotFound(f"no blob {digest} in {repository}")
        return int(found.value)

    async def blob_part(self, repository: str, digest: str, offset: int, length: int) -> bytes:
        """Bytes from the own replica if it has the link, else from any that has. Does not ask a quorum again: blob_size did."""
        if self._disk.read(Key(LINK, repository, digest), body=False).value is not None:
            body = await self._disk.blob_part(digest, offset, length)
            if body is not None:
                self._served += 1
                return rotten(body) if self._rotten and self._served % ROTTEN_ONE_IN == 0 else body
        await self.blob_size(repository, digest)
        for zone in self._replicas.zones:
            answer = await self._replicas.one(zone, BlobPart(digest, offset, length))
            if isinstance(answer, Part):
                return answer.body
        raise Unavailable(f"none of the replicas that answer has {digest}")

    async def blob_mount(self, repository: str, digest: str, source: str) -> bool:
        """Link it here too; whoever lacks the bytes is given them."""
        try:
            size = await self.blob_size(source, digest)
        except NotFound:
            return False
        await self._registers.put(Key(LINK, repository, digest), str(size).encode())
        return True

    async def blob_delete(self, repository: str, digest: str) -> None:
        """The link only; other repositories may have theirs."""
        await self.blob_size(repository, digest)
        await self._registers.put(Key(LINK, repository, digest), None)

    async def ready(self) -> bool:
        """A quorum answers now."""
        answers = await self._replicas.peek(Ping())
        return sum(isinstance(answer, Pong) for answer in answers.values()) >= self._replicas.need

    async def _tag_rows(self, repository: str, after: str) -> tuple[dict[str, tuple[Stamp, bytes | None]], bool, str]:
        """Newest registers of a quorum, by tag in order; whether anything was ever written; where the next page begins, or ''."""
        answers = await self._replicas.peek(ListTags(repository, after))
        pages = [answer for answer in answers.values() if isinstance(answer, TagPage)]
        self._quorum(len(pages), "a list of tags")
        # Past the shortest page that has more, the other pages know too little.
        end = min((page.rows[-1][0] for page in pages if page.more), default="")
        rows: dict[str, tuple[Stamp, bytes | None]] = {}
        for page in pages:
            for tag, stamp, value in page.rows:
                if (not end or tag <= end) and (tag not in rows or rows[tag][0] < stamp):
                    rows[tag] = (stamp, value)
        return dict(sorted(rows.items())), any(page.known for page in pages), end

    def _quorum(self, count: int, what: str) -> None:
        if count < self._replicas.need:
            raise Unavailable(f"{count} of {len(self._replicas.zones)} replicas answered {what}; {self._replicas.need} had to")
