"""What a registry says to its store: one message for each method of `storeapi.Store`, with its arguments and in its order."""

import msgspec

from chaoskit.drivers.embedded.store.messages import Answer, Request


class TagGet(msgspec.Struct, array_like=True, frozen=True, tag=200):
    """Text: the digest."""

    repository: str
    tag: str


class ManifestGet(msgspec.Struct, array_like=True, frozen=True, tag=201):
    """Manifest."""

    repository: str
    digest: str


class BlobSize(msgspec.Struct, array_like=True, frozen=True, tag=202):
    """Number."""

    repository: str
    digest: str


class BlobRead(msgspec.Struct, array_like=True, frozen=True, tag=203):
    """Bytes, at most CHUNK_MOST of them. messages.Part."""

    repository: str
    digest: str
    offset: int
    length: int


class BlobMount(msgspec.Struct, array_like=True, frozen=True, tag=204):
    """Number: 1 if it was mounted."""

    repository: str
    digest: str
    source: str


class BlobDelete(msgspec.Struct, array_like=True, frozen=True, tag=205):
    """Number: 0."""

    repository: str
    digest: str


class UploadOpen(msgspec.Struct, array_like=True, frozen=True, tag=206):
    """Text: the session's id."""

    repository: str


class UploadAppend(msgspec.Struct, array_like=True, frozen=True, tag=207):
    """Number: the new length. A longer body is several messages."""

    repository: str
    upload: str
    offset: int
    body: bytes


class UploadLength(msgspec.Struct, array_like=True, frozen=True, tag=208):
    """Number."""

    repository: str
    upload: str


class UploadFinish(msgspec.Struct, array_like=True, frozen=True, tag=209):
    """Number: the blob's size."""

    repository: str
    upload: str
    digest: str


class UploadCancel(msgspec.Struct, array_like=True, frozen=True, tag=210):
    """Number: 0."""

    repository: str
    upload: str


class ManifestPut(msgspec.Struct, array_like=True, frozen=True, tag=211):
    """Number: 0."""

    repository: str
    digest: str
    media_type: str
    body: bytes
    children: tuple[str, ...]
    subject: str


class ManifestDelete(msgspec.Struct, array_like=True, frozen=True, tag=212):
    """Number: 0."""

    repository: str
    digest: str


class Referrers(msgspec.Struct, array_like=True, frozen=True, tag=213):
    """Texts: digests of candidates, to be asked for one by one, so that no answer grows without bound."""

    repository: str
    subject: str


class TagSet(msgspec.Struct, array_like=True, frozen=True, tag=214):
    """Number: 0."""

    repository: str
    tag: str
    digest: str


class TagDelete(msgspec.Struct, array_like=True, frozen=True, tag=215):
    """Number: 0."""

    repository: str
    tag: str


class TagList(msgspec.Struct, array_like=True, frozen=True, tag=216):
    """Texts: a page of tags after a name."""

    repository: str
    after: str


class Ready(msgspec.Struct, array_like=True, frozen=True, tag=217, gc=False):
    """Number: 1 if a quorum answers."""


class BlobBegin(msgspec.Struct, array_like=True, frozen=True, tag=218):
    """Begun."""

    repository: str
    digest: str


class UploadWhole(msgspec.Struct, array_like=True, frozen=True, tag=219):
    """Number: the blob's size."""

    repository: str
    upload: str
    digest: str
    body: bytes


class ManifestOf(msgspec.Struct, array_like=True, frozen=True, tag=220):
    """Manifest, of the digest that the tag has."""

    repository: str
    tag: str


class Text(msgspec.Struct, array_like=True, frozen=True, tag=300, gc=False):
    """One string."""

    text: str


class Number(msgspec.Struct, array_like=True, frozen=True, tag=301, gc=False):
    """One number."""

    number: int


class Texts(msgspec.Struct, array_like=True, frozen=True, tag=302):
    """Strings; further ones come `after` this name, or there are none where that is empty."""

    texts: tuple[str, ...]
    after: str


class Manifest(msgspec.Struct, array_like=True, frozen=True, tag=303, gc=False):
    """A manifest as it was sent."""

    digest: str
    media_type: str
    body: bytes


class Begun(msgspec.Struct, array_like=True, frozen=True, tag=305, gc=False):
    """A blob's size and its first bytes, at most CHUNK_MOST of them."""

    size: int
    body: bytes


class Failure(msgspec.Struct, array_like=True, frozen=True, tag=304, gc=False):
    """One of the three exceptions of storeapi, by its class name."""

    kind: str
    text: str


Call = (
    TagGet
    | ManifestGet
    | BlobSize
    | BlobRead
    | BlobMount
    | BlobDelete
    | UploadOpen
    | UploadAppend
    | UploadLength
    | UploadFinish
    | UploadCancel
    | ManifestPut
    | ManifestDelete
    | Referrers
    | TagSet
    | TagDelete
    | TagList
    | Ready
    | BlobBegin
    | UploadWhole
    | ManifestOf
)
Reply = Text | Number | Texts | Manifest | Begun | Failure
Asked = Request | Call
Said = Answer | Reply
