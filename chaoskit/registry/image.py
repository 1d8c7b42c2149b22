"""Images made from seeds: incompressible blobs that are never stored, manifests whose bytes are unique per HTTP attempt.

Unique content makes every tag a register with unique writes, so that the exact check costs one sort; see docs/checks.md.
"""

import hashlib
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

import msgspec

from chaoskit.model.workload import PlannedBlob

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
INDEX_TYPE = "application/vnd.oci.image.index.v1+json"
BLOB_TYPE = "application/vnd.chaoskit.random.v1"  # no registry or client may try to read our random bytes as a config or a tar
CHUNK_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Blob:
    """A blob whose digest is known before a byte of it is sent."""

    planned: PlannedBlob
    digest: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """The exact bytes of a manifest, their digest, and the digests it refers to."""

    body: bytes
    digest: str
    children: tuple[str, ...]


def digest_of(content: bytes) -> str:
    """`sha256:` and the hex digest."""
    return "sha256:" + hashlib.sha256(content).hexdigest()


def blob_bytes(seed: int, size_bytes: int) -> Iterator[bytes]:
    """The blob of a seed, in chunks; same seed and size, same bytes."""
    source = random.Random(seed)
    for start in range(0, size_bytes, CHUNK_BYTES):
        yield source.randbytes(min(CHUNK_BYTES, size_bytes - start))


def blob(planned: PlannedBlob) -> Blob:
    """Hash a planned blob."""
    sha256 = hashlib.sha256()
    for chunk in blob_bytes(planned.seed, planned.size_bytes):
        sha256.update(chunk)
    return Blob(planned, f"sha256:{sha256.hexdigest()}")


def image_manifest(config: Blob, layers: tuple[Blob, ...], *, run_id: str, session: int, attempt: int) -> Manifest:
    """An OCI image manifest in canonical JSON (sorted keys, no spaces)."""
    document = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": _descriptor(config),
        "layers": [_descriptor(layer) for layer in layers],
        "annotations": {"dev.chaoskit.run": run_id, "dev.chaoskit.session": str(session), "dev.chaoskit.attempt": str(attempt)},
    }
    body = json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
    return Manifest(body, digest_of(body), tuple(part.digest for part in (config, *layers)))


def _descriptor(part: Blob) -> dict[str, str | int]:
    return {"mediaType": BLOB_TYPE, "digest": part.digest, "size": part.planned.size_bytes}


_Digest = Annotated[str, msgspec.Meta(pattern="^sha256:[0-9a-f]{64}$")]


class _Reference(msgspec.Struct):
    digest: _Digest


class _Document(msgspec.Struct, rename={"schema_version": "schemaVersion"}):
    schema_version: int
    config: _Reference | None = None
    layers: tuple[_Reference, ...] = ()
    manifests: tuple[_Reference, ...] | None = None


class _TagList(msgspec.Struct):
    name: str
    tags: tuple[str, ...] | None = ()


class _Error(msgspec.Struct):
    code: str = ""


class _Errors(msgspec.Struct):
    errors: tuple[_Error, ...] = ()


_refusals = msgspec.json.Decoder(_Errors)
_documents = msgspec.json.Decoder(_Document)
_tag_lists = msgspec.json.Decoder(_TagList)


def children(body: bytes) -> tuple[str, ...]:
    """Digests that a manifest refers to: config and layers of an image, manifests of an index. ValueError if it is neither."""
    try:
        document = _documents.decode(body)
    except msgspec.MsgspecError as error:
        raise ValueError(f"not a manifest ({error}): {body[:80]!r}") from error
    if document.manifests is not None:
        return tuple(child.digest for child in document.manifests)
    if document.config is None:
        raise ValueError(f"neither an image manifest nor an index: {body[:80]!r}")
    return tuple(child.digest for child in (document.config, *document.layers))


def tags(body: bytes) -> tuple[str, ...]:
    """Tags of a tags/list answer, in its order (`null` where there are none). ValueError if it is no such list."""
    try:
        return _tag_lists.decode(body).tags or ()
    except msgspec.MsgspecError as error:
        raise ValueError(f"not a list of tags ({error}): {body[:80]!r}") from error


def error_code(body: bytes) -> str:
    """The first error code of a refusal, "" if it names none."""
    try:
        return next((error.code for error in _refusals.decode(body).errors), "")
    except msgspec.MsgspecError:
        return ""
