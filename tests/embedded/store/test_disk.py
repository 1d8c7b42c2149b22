"""What a replica finds again in its folder, also after a crash in the middle of a write."""

import asyncio
import os
from pathlib import Path

import pytest

from chaoskit.drivers.embedded.store.disk import Disk
from chaoskit.drivers.embedded.store.frames import BadFrame, Splitter, frame
from chaoskit.drivers.embedded.store.log import Log
from chaoskit.drivers.embedded.store.messages import NEVER, TAG, Found, Key, Ping, Stamp

KEY = Key(TAG, "a", "v")
FIRST, SECOND = Stamp(1, "z#1", 0), Stamp(2, "z#1", 0)


async def written(folder: Path, *stamps: Stamp) -> None:
    disk = Disk(folder)
    keeping = asyncio.create_task(disk.log.keep())
    try:
        for stamp in stamps:
            await disk.write(KEY, stamp, f"value {stamp.counter}".encode())
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        disk.log.close()


def reopened(folder: Path) -> Found:
    disk = Disk(folder)
    try:
        return disk.read(KEY, body=True)
    finally:
        disk.log.close()


def test_a_disk_that_fails_ends_the_keeping_of_the_log(tmp_path: Path) -> None:
    async def body() -> None:
        log = Log(tmp_path / "log")
        keeping = asyncio.create_task(log.keep())
        os.close(log._file)
        saved = log.append(b"payload")
        with pytest.raises(OSError, match="Bad file descriptor"):
            await asyncio.wait_for(keeping, 5)
        assert not saved.done()
        log._file = os.open(os.devnull, os.O_RDWR)
        log.close()

    asyncio.run(body())


def test_the_newest_stamp_wins_in_either_order(tmp_path: Path) -> None:
    asyncio.run(written(tmp_path, SECOND, FIRST))
    assert reopened(tmp_path) == Found(SECOND, b"value 2")


def test_a_conditional_delete_is_newer_than_its_write_and_older_than_the_next() -> None:
    assert FIRST < Stamp(1, "z#1", 1) < SECOND


@pytest.mark.parametrize("lost", [1, 10, 25])
def test_a_torn_tail_costs_the_torn_record_only(tmp_path: Path, lost: int) -> None:
    asyncio.run(written(tmp_path, FIRST, SECOND))
    log = tmp_path / "log"
    log.write_bytes(log.read_bytes()[:-lost])
    assert reopened(tmp_path) == Found(FIRST, b"value 1")
    asyncio.run(written(tmp_path, SECOND))
    assert reopened(tmp_path) == Found(SECOND, b"value 2")


def test_a_flipped_bit_ends_the_log_there(tmp_path: Path) -> None:
    asyncio.run(written(tmp_path, FIRST))
    log = tmp_path / "log"
    kept = bytearray(log.read_bytes())
    kept[-1] ^= 1
    log.write_bytes(kept)
    assert reopened(tmp_path) == Found(NEVER, None)


def test_frames_come_out_as_they_went_in_however_they_are_cut() -> None:
    stream = b"".join(frame(number, Ping()) for number in range(1, 6))
    for size in range(1, len(stream) + 1):
        splitter = Splitter()
        got = [number for start in range(0, len(stream), size) for number, _ in splitter.feed(stream[start : start + size])]
        assert got == [1, 2, 3, 4, 5], f"cut into pieces of {size}"


def test_a_frame_longer_than_allowed_is_not_waited_for() -> None:
    with pytest.raises(BadFrame):
        Splitter().feed(b"GET / HTTP/1.1\r\n")
