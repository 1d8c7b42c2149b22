"""What a coordinator and a replica say to each other: msgpack arrays, told apart by a number. Requests first, then answers.

Content is registers: a key (kind, repository, name) has a stamp and a value, None for absent. Bytes of blobs and uploads go by offset.
"""

import msgspec

TAG, MANIFEST, LINK, BLOB, UPLOAD, ENDED = 1, 2, 3, 4, 5, 6
CHUNK_MOST = 256 * 1024


class Key(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What a register is called. TAG, MANIFEST and LINK are shared registers; BLOB, UPLOAD and ENDED are a replica's own records."""

    kind: int
    repository: str
    name: str


class Stamp(msgspec.Struct, array_like=True, frozen=True, order=True, gc=False):
    """Order of writes. `part` is 1 for a conditional delete: after the write it deletes, before every other one."""

    counter: int
    writer: str
    part: int


NEVER = Stamp(0, "", 0)


class StoredBody(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """The value of a MANIFEST register."""

    media_type: str
    body: bytes
    children: tuple[str, ...]
    subject: str


class Ping(msgspec.Struct, array_like=True, frozen=True, tag=0, gc=False):
    """Are you there? Pong."""


class Read(msgspec.Struct, array_like=True, frozen=True, tag=1):
    """A register's stamp and value; without `body` the value of a manifest is left empty. Found."""

    key: Key
    body: bool


class Write(msgspec.Struct, array_like=True, frozen=True, tag=2):
    """Keep the value if the stamp is newer than what is kept. Written, or Lacking for a link whose blob is not here."""

    key: Key
    stamp: Stamp
    value: bytes | None


class ListTags(msgspec.Struct, array_like=True, frozen=True, tag=3):
    """Tag registers of a repository after a name, absent ones too. TagPage."""

    repository: str
    after: str


class ListReferrers(msgspec.Struct, array_like=True, frozen=True, tag=4):
    """Digests of manifests here that name the subject. Names."""

    repository: str
    subject: str


class BlobPart(msgspec.Struct, array_like=True, frozen=True, tag=5):
    """Bytes of a blob. Part, or Lacking."""

    digest: str
    offset: int
    length: int


class UploadWrite(msgspec.Struct, array_like=True, frozen=True, tag=6):
    """Put bytes at an offset, which must be the session's length here. Session."""

    upload: str
    offset: int
    body: bytes


class UploadStat(msgspec.Struct, array_like=True, frozen=True, tag=7):
    """A session as it is here. Session."""

    upload: str


class UploadPart(msgspec.Struct, array_like=True, frozen=True, tag=8):
    """Bytes of a session. Part; shorter than asked at its end."""

    upload: str
    offset: int
    length: int


class UploadCut(msgspec.Struct, array_like=True, frozen=True, tag=9):
    """Take back one append that no quorum took: from `length` to `offset`, if it is `length` now. Session."""

    upload: str
    length: int
    offset: int


class UploadEnd(msgspec.Struct, array_like=True, frozen=True, tag=10):
    """Drop a session for good. Session, as it was."""

    upload: str


class UploadCommit(msgspec.Struct, array_like=True, frozen=True, tag=11):
    """Hash; if that is the digest, keep the bytes as a blob and link it. Committed, or Session if it is not."""

    upload: str
    repository: str
    digest: str
    stamp: Stamp


class UploadWhole(msgspec.Struct, array_like=True, frozen=True, tag=13):
    """UploadWrite and UploadCommit of a session that is empty here. Committed; or Session if it is not empty, or has another digest."""

    upload: str
    repository: str
    digest: str
    stamp: Stamp
    body: bytes


class Since(msgspec.Struct, array_like=True, frozen=True, tag=12):
    """Which registers changed after place `cursor` of your life `epoch`. Changes."""

    epoch: str
    cursor: int


class Pong(msgspec.Struct, array_like=True, frozen=True, tag=100, gc=False):
    """I am."""


class Down(msgspec.Struct, array_like=True, frozen=True, tag=101, gc=False):
    """No answer: made up by the asking side, or by a replica that is too busy. Whether the request was carried out is not known."""

    why: str


class Found(msgspec.Struct, array_like=True, frozen=True, tag=102):
    """A register; NEVER and None for one that was never written."""

    stamp: Stamp
    value: bytes | None


class Written(msgspec.Struct, array_like=True, frozen=True, tag=103):
    """The stamp that is kept now, which is on disk: the writer's, or a newer one."""

    stamp: Stamp


class Lacking(msgspec.Struct, array_like=True, frozen=True, tag=104, gc=False):
    """The blob's bytes are not here."""


class TagPage(msgspec.Struct, array_like=True, frozen=True, tag=105):
    """Registers in order of names; `known` if anything was ever written to the repository; `more` if there are further ones."""

    known: bool
    more: bool
    rows: tuple[tuple[str, Stamp, bytes | None], ...]


class Names(msgspec.Struct, array_like=True, frozen=True, tag=106):
    """Digests."""

    names: tuple[str, ...]


class Part(msgspec.Struct, array_like=True, frozen=True, tag=107, gc=False):
    """Bytes."""

    body: bytes


class Session(msgspec.Struct, array_like=True, frozen=True, tag=108, gc=False):
    """Length of a session, and whether the request was carried out; `ended` if it was committed or cancelled."""

    length: int
    done: bool
    ended: bool


class Committed(msgspec.Struct, array_like=True, frozen=True, tag=109):
    """Blob and link are on disk; the link's stamp kept now, and the blob's size."""

    stamp: Stamp
    size: int


class Changes(msgspec.Struct, array_like=True, frozen=True, tag=110):
    """Registers changed, oldest first, up to place `cursor` of life `epoch`."""

    epoch: str
    cursor: int
    rows: tuple[tuple[Key, Stamp], ...]


Request = (
    Ping
    | Read
    | Write
    | ListTags
    | ListReferrers
    | BlobPart
    | UploadWrite
    | UploadStat
    | UploadPart
    | UploadCut
    | UploadEnd
    | UploadCommit
    | UploadWhole
    | Since
)
Answer = Pong | Down | Found | Written | Lacking | TagPage | Names | Part | Session | Committed | Changes
