"""Bytes from one replica to another, through this process, a chunk at a time: blobs that one lacks, and sessions that fell behind.

A copy goes in as an upload session of its own, so the receiving replica hashes it like any other before it is kept.
"""

import secrets

from chaoskit.drivers.embedded.store.link import CALL_S
from chaoskit.drivers.embedded.store.messages import (
    CHUNK_MOST,
    BlobPart,
    Committed,
    Found,
    Key,
    Part,
    Session,
    UploadCommit,
    UploadPart,
    UploadWrite,
)
from chaoskit.drivers.embedded.store.quorum import Replicas

SLOWEST_BYTES_S = 20e6


def patience_s(size_bytes: int) -> float:
    """How long to wait for a replica that may have to hash so much, or to put it on disk."""
    return CALL_S + size_bytes / SLOWEST_BYTES_S


async def copy_blob(replicas: Replicas, link: Key, found: Found, *, source: str, target: str) -> bool:
    """Bring `target` a blob and its link, as found; False if either end failed."""
    size = int(found.value or b"0")
    upload = secrets.token_hex(32)
    at = 0
    while at < size:
        part = await replicas.one(source, BlobPart(link.name, at, CHUNK_MOST))
        if not isinstance(part, Part) or not part.body:
            return False
        taken = await replicas.one(target, UploadWrite(upload, at, part.body))
        if not isinstance(taken, Session) or not taken.done:
            return False
        at += len(part.body)
    commit = UploadCommit(upload, link.repository, link.name, found.stamp)
    return isinstance(await replicas.one(target, commit, patience_s(size)), Committed)


async def level(replicas: Replicas, upload: str, span: range, *, source: str, target: str) -> bool:
    """Bring these bytes of a session to `target`; False if either end failed."""
    at = span.start
    while at < span.stop:
        part = await replicas.one(source, UploadPart(upload, at, min(CHUNK_MOST, span.stop - at)))
        if not isinstance(part, Part) or not part.body:
            return False
        taken = await replicas.one(target, UploadWrite(upload, at, part.body))
        if not isinstance(taken, Session) or not taken.done:
            return False
        at += len(part.body)
    return True
