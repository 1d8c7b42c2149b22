"""Upload sessions of one replica: in memory and in the log while short, then a file each; written at the end only, hashed as it grows.

To make a file and to take it away again costs more than all the rest of a small upload.
A session needs no opening: its id is signed by the region (see sessions.py), so one never heard of is an empty one. What ended stays ended.
"""

import asyncio
import hashlib
import os
import re
import time
from collections import OrderedDict
from pathlib import Path

from chaoskit.drivers.embedded.store.disk import Disk, read_part
from chaoskit.drivers.embedded.store.messages import Committed, Down, Key, Part, Session, Stamp

HELD_MOST = 64 * 1024
SESSIONS_MOST = 1500
ENDED_MOST = 100_000
IDLE_MOST_S = 3600.0
_INLINE_MOST = 32 * 1024
_SYNC_EVERY = 32 << 20
_ID = re.compile(r"[0-9a-f]{64}")


class _Upload:
    """`held` has all bytes until there is a file; `hash` is of the first `hashed` bytes."""

    __slots__ = ("filed", "hash", "hashed", "held", "length", "lock", "touched_at")

    def __init__(self, held: bytes = b"", *, filed_bytes: int = 0) -> None:
        self.held = held
        self.filed = filed_bytes > 0
        self.length = filed_bytes or len(held)
        self.hash = hashlib.sha256()
        self.hashed = 0
        self.lock = asyncio.Lock()
        self.touched_at = time.monotonic()

    def grow(self, body: bytes) -> None:
        """Bytes were put at the end."""
        if self.hashed == self.length:
            self.hash.update(body)
            self.hashed += len(body)
        self.length += len(body)


class Uploads:
    """Sessions by id. All of a session's work is done one after the other, in the order it was asked."""

    def __init__(self, folder: Path, disk: Disk) -> None:
        self._folder = folder / "uploads"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._disk = disk
        self._ended: OrderedDict[str, None] = OrderedDict.fromkeys(disk.ended)
        self._uploads: dict[str, _Upload] = {}
        for upload, held in disk.started.items():
            self._uploads[upload] = _Upload(held)
        for file in self._folder.iterdir():
            size = file.stat().st_size
            if file.name in self._ended or size <= self.stat(file.name).length:
                file.unlink()
            else:
                self._uploads[file.name] = _Upload(filed_bytes=size)
        disk.started.clear()

    def stat(self, upload: str) -> Session:
        """The session as it is."""
        known = self._uploads.get(upload)
        return Session(known.length if known else 0, True, upload in self._ended)

    async def write(self, upload: str, offset: int, body: bytes) -> Session | Down:
        """Append, if `offset` is the length."""
        session = self._session(upload)
        if session is None:
            return self._none(upload)
        async with session.lock:
            if upload in self._ended or session.length != offset:
                return Session(session.length, False, upload in self._ended)
            if not session.filed and offset + len(body) <= HELD_MOST:
                await self._disk.write_upload(upload, offset, body)
                session.held += body
                session.grow(body)
            elif len(body) <= _INLINE_MOST:
                self._append(upload, session, body)
            else:
                await asyncio.to_thread(self._append, upload, session, body)
            return Session(session.length, True, False)

    async def part(self, upload: str, offset: int, length: int) -> Part:
        """Bytes of a session; none if it is not here."""
        session = self._uploads.get(upload)
        if session is None or not session.filed:
            return Part(session.held[offset : offset + length] if session else b"")
        return Part(await asyncio.to_thread(read_part, self._folder / upload, offset, length))

    async def cut(self, upload: str, length: int, offset: int) -> Session | Down:
        """Shorten from `length` to `offset`, if that is the length now."""
        session = self._session(upload)
        if session is None:
            return self._none(upload)
        async with session.lock:
            if session.length != length or offset >= length or upload in self._ended:
                return Session(session.length, False, upload in self._ended)
            if session.filed:
                os.truncate(self._folder / upload, offset)
            else:
                await self._disk.write_upload(upload, offset, b"")
                session.held = session.held[:offset]
            session.length, session.hash, session.hashed = offset, hashlib.sha256(), 0
            return Session(offset, True, False)

    async def end(self, upload: str) -> Session | Down:
        """Drop the session."""
        session = self._session(upload)
        if session is None:
            return self._none(upload)
        async with session.lock:
            length = session.length
            if upload not in self._ended:
                self._forget(upload)
            return Session(length, True, False)

    async def commit(self, upload: str, key: Key, stamp: Stamp) -> Committed | Session | Down:
        """Make it the blob `key.name`, linked to `key.repository`, if the bytes here have that digest."""
        session = self._session(upload)
        if session is None:
            return self._none(upload)
        async with session.lock:
            if upload in self._ended:
                return Session(session.length, False, True)
            if await self._digest(upload, session, key.name.partition(":")[0]) != key.name:
                return Session(session.length, False, False)
            size = session.length
            content = self._folder / upload if session.filed else session.held
            kept = await self._disk.write_blob(key, stamp, size, content)
            self._forget(upload)
            return Committed(kept, size)

    async def whole(self, upload: str, key: Key, stamp: Stamp, body: bytes) -> Committed | Session | Down:
        """Append all and commit, if the session is empty and these bytes have the digest `key.name`."""
        session = self._session(upload)
        if session is None:
            return self._none(upload)
        async with session.lock:
            if session.length or upload in self._ended or not _has_digest(body, key.name):
                return Session(session.length, False, upload in self._ended)
            kept = await self._disk.write_blob(key, stamp, len(body), body)
            self._forget(upload)
            return Committed(kept, len(body))

    def expire(self) -> None:
        """Drop sessions nobody touched for an hour."""
        limit = time.monotonic() - IDLE_MOST_S
        for upload in [upload for upload, session in self._uploads.items() if session.touched_at < limit and not session.lock.locked()]:
            self._forget(upload)

    def _session(self, upload: str) -> _Upload | None:
        """The session, new if it was not heard of; None if it ended, is none, or there are too many: see `_none`."""
        session = self._uploads.get(upload)
        if session is None and _ID.fullmatch(upload) and upload not in self._ended and len(self._uploads) < SESSIONS_MOST:
            session = self._uploads[upload] = _Upload()
        if session is not None:
            session.touched_at = time.monotonic()
        return session

    def _none(self, upload: str) -> Session | Down:
        ended = upload in self._ended or not _ID.fullmatch(upload)
        return Session(0, False, True) if ended else Down("too many upload sessions")

    def _append(self, upload: str, session: _Upload, body: bytes) -> None:
        handle = os.open(self._folder / upload, os.O_WRONLY | os.O_CREAT, 0o644)
        try:
            at = session.length if session.filed else 0
            rest = memoryview(body if session.filed else session.held + body)
            while rest:
                written = os.pwrite(handle, rest, at)
                rest, at = rest[written:], at + written
            if session.length // _SYNC_EVERY != at // _SYNC_EVERY:
                os.fdatasync(handle)  # a little at a time, so that a commit of gigabytes is not one long fsync
        finally:
            os.close(handle)
        session.filed, session.held = True, b""
        session.grow(body)

    async def _digest(self, upload: str, session: _Upload, algorithm: str) -> str:
        if algorithm == "sha256" and session.hashed == session.length:
            return f"sha256:{session.hash.hexdigest()}"
        if algorithm not in ("sha256", "sha512"):
            return ""
        if not session.filed:
            return f"{algorithm}:{hashlib.new(algorithm, session.held).hexdigest()}"
        return f"{algorithm}:{await asyncio.to_thread(_hash_file, self._folder / upload, algorithm)}"

    def _forget(self, upload: str) -> None:
        session = self._uploads.pop(upload, None)
        if session is not None and session.filed:
            (self._folder / upload).unlink(missing_ok=True)
        self._ended[upload] = None
        self._disk.note_ended(upload)
        if len(self._ended) > ENDED_MOST:
            self._ended.popitem(last=False)


def _has_digest(body: bytes, digest: str) -> bool:
    algorithm, _, wanted = digest.partition(":")
    return algorithm in ("sha256", "sha512") and hashlib.new(algorithm, body).hexdigest() == wanted


def _hash_file(path: Path, algorithm: str) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()
