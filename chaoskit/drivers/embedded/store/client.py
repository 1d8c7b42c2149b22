"""A registry's view of its zone's store: `storeapi.Store` over one link. It asks once, and never again for the same call."""

import asyncio
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Self

from chaoskit.drivers.base import Address
from chaoskit.drivers.embedded.store import calls
from chaoskit.drivers.embedded.store.calls import Begun, Call, Failure, Manifest, Number, Said, Text, Texts
from chaoskit.drivers.embedded.store.frames import BadFrame
from chaoskit.drivers.embedded.store.link import Link
from chaoskit.drivers.embedded.store.messages import CHUNK_MOST, Down, Part
from chaoskit.drivers.embedded.storeapi import NotFound, Refused, Store, StoredManifest, Unavailable

LIMIT_S = 3.5
COMMIT_LIMIT_S = 120.0
_FAILURES: dict[str, type[Exception]] = {one.__name__: one for one in (NotFound, Refused, Unavailable)}


class StoreClient(Store):
    """`async with StoreClient(address) as store`: the link is kept up inside. Calls fail with Unavailable while it is not."""

    def __init__(self, address: Address) -> None:
        self._link = Link(address)
        self._keeping: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        """Begin to dial; does not wait for the store."""
        self._keeping = asyncio.get_running_loop().create_task(self._link.keep())
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Hang up."""
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)

    @property
    def connected(self) -> bool:
        """The store has answered on this connection."""
        return self._link.up

    async def blob_size(self, repository: str, digest: str) -> int:
        """Size in bytes of a blob linked to the repository. NotFound."""
        return await self._number(calls.BlobSize(repository, digest))

    async def blob_read(self, repository: str, digest: str, offset: int, length: int) -> AsyncIterator[bytes]:
        """`length` bytes from `offset`; the next chunk is asked for while one is handed out. Call blob_size first: it asks a quorum."""
        end = offset + length
        ahead = self._ask_part(repository, digest, offset, end) if length > 0 else None
        while ahead is not None:
            part = self._answer(await ahead)
            if not isinstance(part, Part) or not part.body:
                raise Unavailable(f"{digest} ended at {offset}, before {end}")
            offset += len(part.body)
            ahead = self._ask_part(repository, digest, offset, end) if offset < end else None
            yield part.body

    async def blob_begin(self, repository: str, digest: str) -> tuple[int, bytes]:
        """Size of a blob, and its first bytes: all of them up to CHUNK_MOST. NotFound."""
        answer = await self._call(calls.BlobBegin(repository, digest), 2 * LIMIT_S)
        if not isinstance(answer, Begun):
            raise _strange(answer)
        return answer.size, answer.body

    async def blob_mount(self, repository: str, digest: str, source: str) -> bool:
        """Link a blob of another repository; False if that has none."""
        return await self._number(calls.BlobMount(repository, digest, source), COMMIT_LIMIT_S) == 1

    async def blob_delete(self, repository: str, digest: str) -> None:
        """Remove the repository's link. NotFound."""
        await self._number(calls.BlobDelete(repository, digest))

    async def upload_open(self, repository: str) -> str:
        """A new upload session's id: 64 hexadecimal digits."""
        return await self._text(calls.UploadOpen(repository))

    async def upload_append(self, repository: str, upload: str, offset: int, chunks: AsyncIterator[bytes]) -> int:
        """Append; the new length. Pieces are gathered into chunks of CHUNK_MOST, each of them on a quorum before the next is sent."""
        gathered = bytearray()
        sent = False
        async for piece in chunks:
            gathered += piece
            while len(gathered) >= CHUNK_MOST:
                offset = await self._number(calls.UploadAppend(repository, upload, offset, bytes(gathered[:CHUNK_MOST])))
                del gathered[:CHUNK_MOST]
                sent = True
        if gathered or not sent:
            offset = await self._number(calls.UploadAppend(repository, upload, offset, bytes(gathered)))
        return offset

    async def upload_length(self, repository: str, upload: str) -> int:
        """How many bytes a session has. NotFound."""
        return await self._number(calls.UploadLength(repository, upload))

    async def upload_commit(self, repository: str, upload: str, digest: str) -> int:
        """End the session as a blob linked to the repository; its size. Refused (the session stays), NotFound."""
        return await self._number(calls.UploadFinish(repository, upload, digest), COMMIT_LIMIT_S)

    async def upload_whole(self, repository: str, upload: str, digest: str, body: bytes) -> int:
        """All of a blob into an empty session, and its end. Refused, NotFound."""
        return await self._number(calls.UploadWhole(repository, upload, digest, body), COMMIT_LIMIT_S)

    async def upload_cancel(self, repository: str, upload: str) -> None:
        """Drop a session. NotFound."""
        await self._number(calls.UploadCancel(repository, upload))

    async def manifest_put(self, repository: str, manifest: StoredManifest, children: tuple[str, ...], subject: str) -> None:
        """Store a manifest under its digest. Refused if it is longer than a frame (5 MiB)."""
        call = calls.ManifestPut(repository, manifest.digest, manifest.media_type, manifest.body, children, subject)
        try:
            await self._number(call)
        except BadFrame as error:
            raise Refused(str(error)) from error

    async def manifest_get(self, repository: str, digest: str) -> StoredManifest:
        """The manifest of a digest. NotFound."""
        return _manifest(await self._call(calls.ManifestGet(repository, digest)))

    async def manifest_of(self, repository: str, tag: str) -> StoredManifest:
        """The manifest of the digest that the tag's register has. NotFound."""
        return _manifest(await self._call(calls.ManifestOf(repository, tag), 2 * LIMIT_S))

    async def manifest_delete(self, repository: str, digest: str) -> None:
        """Remove a manifest and every tag that points at it. NotFound."""
        await self._number(calls.ManifestDelete(repository, digest))

    async def referrers(self, repository: str, subject: str) -> tuple[StoredManifest, ...]:
        """Manifests that name `subject`."""
        answer = await self._call(calls.Referrers(repository, subject))
        if not isinstance(answer, Texts):
            raise _strange(answer)
        found = []
        for digest in answer.texts:
            try:
                found.append(await self.manifest_get(repository, digest))
            except NotFound:
                continue
        return tuple(found)

    async def tag_set(self, repository: str, tag: str, digest: str) -> None:
        """Write the tag's register."""
        await self._number(calls.TagSet(repository, tag, digest))

    async def tag_get(self, repository: str, tag: str) -> str:
        """Read the tag's register. NotFound."""
        return await self._text(calls.TagGet(repository, tag))

    async def tag_delete(self, repository: str, tag: str) -> None:
        """Write 'absent'. NotFound if it is absent already."""
        await self._number(calls.TagDelete(repository, tag))

    async def tags(self, repository: str) -> tuple[str, ...]:
        """All tags of the repository, sorted. NotFound for a repository that nobody wrote to."""
        names: list[str] = []
        after, more = "", True
        while more:
            page = await self._call(calls.TagList(repository, after))
            if not isinstance(page, Texts):
                raise _strange(page)
            names += page.texts
            after = page.after
            more = bool(after)
        return tuple(names)

    async def ready(self) -> bool:
        """A quorum of stores answers."""
        return await self._number(calls.Ready()) == 1

    def _ask_part(self, repository: str, digest: str, offset: int, end: int) -> "asyncio.Future[Said]":
        return self._link.ask(calls.BlobRead(repository, digest, offset, min(CHUNK_MOST, end - offset)), LIMIT_S)

    async def _call(self, call: Call, limit_s: float = LIMIT_S) -> Said:
        return self._answer(await self._link.ask(call, limit_s))

    async def _number(self, call: Call, limit_s: float = LIMIT_S) -> int:
        answer = await self._call(call, limit_s)
        if not isinstance(answer, Number):
            raise _strange(answer)
        return answer.number

    async def _text(self, call: Call) -> str:
        answer = await self._call(call)
        if not isinstance(answer, Text):
            raise _strange(answer)
        return answer.text

    def _answer(self, answer: Said) -> Said:
        match answer:
            case Failure(kind, text):
                raise _FAILURES.get(kind, Unavailable)(text)
            case Down(why):
                raise Unavailable(f"store: {why}")
        return answer


def _manifest(answer: Said) -> StoredManifest:
    if not isinstance(answer, Manifest):
        raise _strange(answer)
    return StoredManifest(answer.digest, answer.media_type, answer.body)


def _strange(answer: Said) -> Unavailable:
    return Unavailable(f"the store answered with a {type(answer).__name__}")
