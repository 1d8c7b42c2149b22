"""What a replica keeps: registers and small blobs in the log, with an index in memory; larger blobs as files named by their digest.

A register or blob is seen only when it is on disk. A link is kept only where its blob is, so whoever has the link has the bytes.
"""

import asyncio
import os
from collections import defaultdict
from pathlib import Path

import msgspec

from chaoskit.drivers.embedded.store.log import Log, Place, replay
from chaoskit.drivers.embedded.store.messages import BLOB, ENDED, LINK, MANIFEST, NEVER, TAG, UPLOAD, Found, Key, Stamp, StoredBody

_ENCODER = msgspec.msgpack.Encoder()


class Record(msgspec.Struct, array_like=True, frozen=True):
    """One entry of the log."""

    key: Key
    stamp: Stamp
    value: bytes | None


_RECORD = msgspec.msgpack.Decoder(Record)
_BODY = msgspec.msgpack.Decoder(StoredBody)
_Row = tuple[Stamp, bytes | Place | None]


def encoded(record: Record) -> bytes:
    """A record as it stands in the log."""
    return _ENCODER.encode(record)


class Disk:
    """One folder: `log` and `blobs/`. `order` has every key that changed, oldest first, for peers that catch up."""

    def __init__(self, folder: Path, *, lazy_s: float = 0.0, forgets_deletes: bool = False) -> None:
        self._blobs = folder / "blobs"
        self._blobs.mkdir(parents=True, exist_ok=True)
        self._forgets_deletes = forgets_deletes
        self._lazy = bool(lazy_s)
        self._rows: dict[tuple[int, str], dict[str, _Row]] = defaultdict(dict)
        self._referrers: dict[tuple[str, str], set[str]] = defaultdict(set)
        self._held: dict[str, Place | bytes | int] = {}
        self.started: dict[str, bytes] = {}
        self.ended: list[str] = []
        self.order: list[Key] = []
        self.clock = 0
        for file in self._blobs.iterdir():
            self._held[file.name] = file.stat().st_size
        for place, payload in replay(folder / "log"):
            self._apply(_RECORD.decode(payload), place)
        self.log = Log(folder / "log", lazy_s=lazy_s)

    def stamp(self, key: Key) -> Stamp:
        """The register's stamp; NEVER if it was not written."""
        rows = self._rows.get((key.kind, key.repository))
        row = rows.get(key.name) if rows else None
        return row[0] if row else NEVER

    def read(self, key: Key, *, body: bool) -> Found:
        """The register; without `body` a manifest's value is empty."""
        rows = self._rows.get((key.kind, key.repository))
        row = rows.get(key.name) if rows else None
        if row is None:
            return Found(NEVER, None)
        stamp, value = row
        if isinstance(value, Place):
            return Found(stamp, _RECORD.decode(self.log.read(value)).value if body else b"")
        if key.kind == MANIFEST and value is not None and not body:
            return Found(stamp, b"")
        return Found(stamp, value)

    async def write(self, key: Key, stamp: Stamp, value: bytes | None) -> Stamp:
        """Keep the value if the stamp is newer; the stamp kept, once that is on disk."""
        known = self.stamp(key)
        if known >= stamp:
            return known
        await self._keep([Record(key, stamp, value)])
        return self.stamp(key)

    async def write_blob(self, key: Key, stamp: Stamp, size: int, content: bytes | Path) -> Stamp:
        """Make bytes or a file the blob `key.name` and write the link `key`: as one wait for the disk where the bytes are given."""
        records = []
        if key.name not in self._held:
            if isinstance(content, bytes):
                records.append(Record(Key(BLOB, "", key.name), NEVER, content))
            else:
                await asyncio.to_thread(_rename_durably, content, self._blobs / key.name)
                self._held[key.name] = size
        if self.stamp(key) < stamp:
            records.append(Record(key, stamp, str(size).encode()))
        await self._keep(records)
        return self.stamp(key)

    async def _keep(self, records: list[Record]) -> None:
        saved = [self.log.append(encoded(record)) for record in records]
        for record, place in zip(records, saved, strict=True):
            self._apply(record, None if self._lazy else await place)

    def _apply(self, record: Record, place: Place | None) -> None:
        key, stamp, value = record.key, record.stamp, record.value
        if key.kind == UPLOAD:
            self.started[key.name] = self.started.get(key.name, b"")[: stamp.counter] + (value or b"")
            return
        if key.kind == ENDED:
            self.started.pop(key.name, None)
            self.ended.append(key.name)
            return
        if key.kind == BLOB:
            self._held[key.name] = place or value or b""
            return
        rows = self._rows[key.kind, key.repository]
        if key.name in rows and rows[key.name][0] >= stamp:
            return
        self.clock = max(self.clock, stamp.counter)
        if value is None and self._forgets_deletes:
            rows.pop(key.name, None)
            return
        in_log = key.kind == MANIFEST and value is not None and place is not None
        rows[key.name] = (stamp, place if in_log else value)
        self.order.append(key)
        if key.kind == MANIFEST and value is not None and (subject := _BODY.decode(value).subject):
            self._referrers[key.repository, subject].add(key.name)

    def knows(self, repository: str) -> bool:
        """Anything was ever written to the repository."""
        return any(self._rows.get((kind, repository)) for kind in (TAG, MANIFEST, LINK))

    def tags(self, repository: str) -> dict[str, _Row]:
        """Tag registers by name, absent ones too."""
        return self._rows.get((TAG, repository), {})

    def referrers(self, repository: str, subject: str) -> set[str]:
        """Digests of manifests that name the subject, or did before they were deleted."""
        return self._referrers.get((repository, subject), set())

    def registers(self, kind: int) -> list[tuple[str, str]]:
        """Repository and name of every register of a kind that has a value."""
        return [
            (repository, name)
            for (one, repository), rows in self._rows.items()
            if one == kind
            for name, row in rows.items()
            if row[1] is not None
        ]

    async def write_upload(self, upload: str, offset: int, body: bytes) -> None:
        """A session has these bytes from `offset` on and none after them."""
        saved = self.log.append(encoded(Record(Key(UPLOAD, "", upload), Stamp(offset, "", 0), body)))
        if not self._lazy:
            await saved

    def note_ended(self, upload: str) -> None:
        """Remember over a restart that a session has ended; not worth waiting for."""
        self.log.note(encoded(Record(Key(ENDED, "", upload), NEVER, None)))

    def holds(self, digest: str) -> bool:
        """The blob's bytes are here."""
        return digest in self._held

    async def blob_part(self, digest: str, offset: int, length: int) -> bytes | None:
        """Bytes of a blob; None if it is not here."""
        held = self._held.get(digest)
        if held is None:
            return None
        if isinstance(held, int):
            return await asyncio.to_thread(read_part, self._blobs / digest, offset, length)
        whole = held if isinstance(held, bytes) else _RECORD.decode(self.log.read(held)).value or b""
        return whole[offset : offset + length]


def read_part(file: Path, offset: int, length: int) -> bytes:
    """Bytes of a file; fewer at its end."""
    handle = os.open(file, os.O_RDONLY)
    try:
        return os.pread(handle, length, offset)
    finally:
        os.close(handle)


def _rename_durably(source: Path, target: Path) -> None:
    """The bytes first, then the name: after a crash a blob is whole or not there."""
    handle = os.open(source, os.O_RDWR)
    try:
        os.fdatasync(handle)
    finally:
        os.close(handle)
    source.rename(target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
