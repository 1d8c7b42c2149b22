"""An append-only log: length, checksum, payload. One fsync for all that waits for one, on a thread of its own.

A log and not a database: every write of a replica is one small record, replay is one pass, and a torn tail is a length that does not fit.
It is never compacted: the region of a run lives for minutes.
"""

import asyncio
import os
import struct
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import NamedTuple

RECORD_MOST = 8 << 20
_HEAD = struct.Struct(">II")


class Place(NamedTuple):
    """Where a record's payload is in the log."""

    offset: int
    length: int


def replay(path: Path) -> Iterator[tuple[Place, bytes]]:
    """All whole records, oldest first; what comes after the first torn one is cut off the file."""
    path.touch()
    with path.open("r+b") as log:
        end = 0
        while len(head := log.read(_HEAD.size)) == _HEAD.size:
            length, checksum = _HEAD.unpack(head)
            if length > RECORD_MOST:
                break
            payload = log.read(length)
            if len(payload) < length or zlib.crc32(payload) != checksum:
                break
            yield Place(end + _HEAD.size, length), payload
            end += _HEAD.size + length
        log.truncate(end)


class Log:
    """`keep` has to run for appends to reach the disk. With `lazy_s` they get there only so much later, which is a lie to whoever asked."""

    def __init__(self, path: Path, *, lazy_s: float = 0.0) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND)
        self._end = os.fstat(self._file).st_size
        self._lazy_s = lazy_s
        self._waiting: list[tuple[bytes, asyncio.Future[Place]]] = []
        self._wake = asyncio.Event()
        self._batches: SimpleQueue[tuple[list[bytes], asyncio.Future[None]] | None] = SimpleQueue()
        self._thread = Thread(target=self._write_batches, name="log", daemon=True)
        self._thread.start()

    def append(self, payload: bytes) -> "asyncio.Future[Place]":
        """Done when the record is on disk."""
        done = self.note(payload)
        self._wake.set()
        return done

    def note(self, payload: bytes) -> "asyncio.Future[Place]":
        """The same, but it waits for the next append to be written with."""
        if len(payload) > RECORD_MOST:
            raise ValueError(f"a record of {len(payload)} bytes is longer than {RECORD_MOST}")
        done: asyncio.Future[Place] = asyncio.get_running_loop().create_future()
        self._waiting.append((payload, done))
        return done

    def read(self, place: Place) -> bytes:
        """A record's payload."""
        return os.pread(self._file, place.length, place.offset)

    async def keep(self) -> None:
        """Write and fsync batch after batch, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await self._wake.wait()
            self._wake.clear()
            if self._lazy_s:
                await asyncio.sleep(self._lazy_s)
            batch, self._waiting = self._waiting, []
            written: asyncio.Future[None] = loop.create_future()
            self._batches.put(([payload for payload, _ in batch], written))
            await written
            for payload, done in batch:
                place = Place(self._end + _HEAD.size, len(payload))
                self._end += _HEAD.size + len(payload)
                if not done.done():
                    done.set_result(place)

    def _write_batches(self) -> None:
        """The thread's life. An executor costs 20 µs of CPU a batch more, of 50."""
        while (batch := self._batches.get()) is not None:
            payloads, written = batch
            error: OSError | None = None
            try:
                self._write(payloads)
            except OSError as failed:
                error = failed
            with suppress(RuntimeError):  # the loop is closed: nobody waits
                written.get_loop().call_soon_threadsafe(_settle, written, error)

    def _write(self, payloads: list[bytes]) -> None:
        rest = memoryview(b"".join(_HEAD.pack(len(payload), zlib.crc32(payload)) + payload for payload in payloads))
        while rest:
            rest = rest[os.write(self._file, rest) :]
        os.fdatasync(self._file)

    def close(self) -> None:
        """What was not written by now is lost, and nobody was told otherwise."""
        self._batches.put(None)
        self._thread.join()
        os.close(self._file)


def _settle(written: "asyncio.Future[None]", error: OSError | None) -> None:
    if written.done():  # cancelled: the store ends
        return
    if error is None:
        written.set_result(None)
    else:
        written.set_exception(error)
