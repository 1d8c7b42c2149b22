"""One replica: answers what coordinators ask, its own among them, from what is on its disk. It knows nothing of quorums."""

from collections.abc import Awaitable

from chaoskit.drivers.embedded.store.disk import Disk
from chaoskit.drivers.embedded.store.messages import (
    CHUNK_MOST,
    LINK,
    MANIFEST,
    TAG,
    Answer,
    BlobPart,
    Changes,
    Key,
    Lacking,
    ListReferrers,
    ListTags,
    Names,
    Part,
    Ping,
    Pong,
    Read,
    Request,
    Since,
    TagPage,
    UploadCommit,
    UploadCut,
    UploadEnd,
    UploadPart,
    UploadStat,
    UploadWhole,
    UploadWrite,
    Write,
    Written,
)
from chaoskit.drivers.embedded.store.uploads import Uploads

PAGE_MOST = 2000
NAMES_MOST = 10_000


class Replica:
    """`epoch` names this life of the process: places in its order of changes mean nothing in another one."""

    def __init__(self, disk: Disk, uploads: Uploads, epoch: str) -> None:
        self.disk = disk
        self.uploads = uploads
        self._epoch = epoch

    def answer(self, request: Request) -> Answer | Awaitable[Answer]:
        """At once for what memory has; else something to wait for."""
        match request:
            case Read(key, body):
                return self.disk.read(key, body=body)
            case Ping():
                return Pong()
            case Since(epoch, cursor):
                return self._since(epoch, cursor)
            case ListTags(repository, after):
                return self._tags(repository, after)
            case ListReferrers(repository, subject):
                return Names(tuple(self.disk.referrers(repository, subject))[:NAMES_MOST])
            case UploadStat(upload):
                return self.uploads.stat(upload)
            case Write():
                return self._write(request)
            case BlobPart(digest, offset, length):
                return self._blob_part(digest, offset, length)
        return self._upload(request)

    def _upload(self, request: UploadWrite | UploadPart | UploadCut | UploadEnd | UploadCommit | UploadWhole) -> Awaitable[Answer]:
        match request:
            case UploadWrite(upload, offset, body):
                return self.uploads.write(upload, offset, body)
            case UploadPart(upload, offset, length):
                return self.uploads.part(upload, offset, min(length, CHUNK_MOST))
            case UploadCut(upload, length, offset):
                return self.uploads.cut(upload, length, offset)
            case UploadEnd(upload):
                return self.uploads.end(upload)
            case UploadCommit(upload, repository, digest, stamp):
                return self.uploads.commit(upload, Key(LINK, repository, digest), stamp)
            case UploadWhole(upload, repository, digest, stamp, body):
                return self.uploads.whole(upload, Key(LINK, repository, digest), stamp, body)

    async def _write(self, request: Write) -> Answer:
        key = request.key
        if key.kind not in (TAG, MANIFEST, LINK) or (key.kind == LINK and request.value is not None and not self.disk.holds(key.name)):
            return Lacking()
        return Written(await self.disk.write(key, request.stamp, request.value))

    async def _blob_part(self, digest: str, offset: int, length: int) -> Answer:
        body = await self.disk.blob_part(digest, offset, min(length, CHUNK_MOST))
        return Lacking() if body is None else Part(body)

    def _tags(self, repository: str, after: str) -> TagPage:
        rows = self.disk.tags(repository)
        names = sorted(name for name in rows if name > after)
        page = tuple((name, rows[name][0], _in_memory(rows[name][1])) for name in names[:PAGE_MOST])
        return TagPage(self.disk.knows(repository), len(names) > PAGE_MOST, page)

    def _since(self, epoch: str, cursor: int) -> Changes:
        start = cursor if epoch == self._epoch else 0
        keys = self.disk.order[start : start + PAGE_MOST]
        return Changes(self._epoch, start + len(keys), tuple((key, self.disk.stamp(key)) for key in dict.fromkeys(keys)))


def _in_memory(value: object) -> bytes | None:
    """Values of tags are never left in the log."""
    return value if isinstance(value, bytes) else None
