"""JSON-lines files of which a SIGKILL costs at most a torn last line, and files that are replaced whole. Knows no file's name."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec

from chaoskit.errors import RunDirBroken

SCHEMA_VERSION = 1
_BLOCK_BYTES = 2**18  # small enough for the rows of a block to stay in the CPU's cache

T = TypeVar("T")


class Rows:
    """A JSON-lines file that is only appended to: a header, then one unbuffered write a row. `written` counts the rows."""

    def __init__(self, path: Path, kind: str) -> None:
        self._path = path
        self.written = -1  # the header is no row
        self._encoder = msgspec.json.Encoder()
        with writing(path):
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o644)
        self.write({"schema_version": SCHEMA_VERSION, "kind": kind})

    def write(self, row: object) -> None:
        """One row, in one write, on disk (or in the kernel's hands) when this returns."""
        line = self._encoder.encode(row) + b"\n"
        with writing(self._path):
            written = os.write(self._file, line)
        if written != len(line):
            raise RunDirBroken(f"{self._path}: only {written} of {len(line)} bytes were written; is the disk full?")
        self.written += 1

    def close(self) -> None:
        """No more rows. Idempotent."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def read_rows(path: Path, kind: str, row: type[T], add: Callable[[list[T]], object]) -> tuple[int, bool]:
    """Hand all rows after the header to `add`, a block at a time: how many, and False if the last line is torn (it has no newline).

    A line that is no such row, or that `add` refuses with a ValueError or OverflowError, is RunDirBroken with its number.
    """
    decoder, rows, is_whole = msgspec.json.Decoder(row), 0, True
    with reading(path), path.open("rb") as stream:
        header = stream.readline()
        if not header:
            raise RunDirBroken(f"{path}: is empty; even a run that was killed at once has a header there")
        with _line(path, 1, kind):
            _check_header(msgspec.json.decode(header, type=dict[str, object]), kind)
        is_whole = header.endswith(b"\n")
        while block := stream.read(_BLOCK_BYTES):
            block += b"" if block.endswith(b"\n") else stream.readline()
            if not block.endswith(b"\n"):
                block, is_whole = block[: block.rfind(b"\n") + 1], False
            count = block.count(b"\n")
            if not _added(block, count, decoder, add):
                for number, line in enumerate(block.splitlines(keepends=True), start=rows + 2):
                    with _line(path, number, kind):
                        add([decoder.decode(line)])
            rows += count
    return rows, is_whole


def _added(block: bytes, count: int, decoder: msgspec.json.Decoder[T], add: Callable[[list[T]], object]) -> bool:
    """Decode and add all lines at once; False if something is wrong with one of them, or if they are not a row a line."""
    try:
        found = decoder.decode_lines(block)
        if len(found) == count:
            add(found)
    except (ValueError, OverflowError):
        return False
    return len(found) == count


@contextmanager
def _line(path: Path, number: int, kind: str) -> Iterator[None]:
    """Turn what is wrong with a line into RunDirBroken that names it."""
    try:
        yield
    except (ValueError, OverflowError) as error:
        raise RunDirBroken(f"{path}:{number}: is no row of a version {SCHEMA_VERSION} {kind} file: {error}") from error


def replace(path: Path, content: bytes) -> None:
    """Whole or not at all: a reader sees the old file or the new one."""
    fresh = path.with_name(f".{path.name}.new")
    with writing(path):
        fresh.write_bytes(content)
        fresh.replace(path)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn an OSError into RunDirBroken that names the path."""
    try:
        yield
    except OSError as error:
        raise RunDirBroken(f"{path}: cannot be written: {error.strerror or error}") from error


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn an OSError into RunDirBroken that names the path."""
    try:
        yield
    except FileNotFoundError as error:
        raise RunDirBroken(f"{path}: is missing; {path.parent} is not a whole run folder") from error
    except OSError as error:
        raise RunDirBroken(f"{path}: cannot be read: {error.strerror or error}") from error


def _check_header(header: Mapping[str, object], kind: str) -> None:
    if header.get("schema_version") != SCHEMA_VERSION or header.get("kind") != kind:
        raise msgspec.ValidationError(f"the header says kind {header.get('kind')!r}, schema_version {header.get('schema_version')!r}")
