"""JSON-lines files of which a SIGKILL costs at most a torn last line, and files that are replaced whole. Knows no file's name."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec

from chaoskit.errors import RunDirBroken

SCHEMA_VERSION = 1


class Rows:
    """A JSON-lines file that is only appended to: a header, then one unbuffered write a row."""

    def __init__(self, path: Path, kind: str) -> None:
        self._path = path
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

    def close(self) -> None:
        """No more rows. Idempotent."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


def read_rows(path: Path, kind: str, add: Callable[[bytes], object]) -> bool:
    """Hand every row after the header to `add`; False if the last one is torn (it has no newline)."""
    with reading(path), path.open("rb") as stream:
        for number, line in enumerate(stream, start=1):
            if not line.endswith(b"\n") and number > 1:
                return False
            try:
                if number == 1:
                    _check_header(msgspec.json.decode(line, type=dict[str, object]), kind)
                else:
                    add(line)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise RunDirBroken(f"{path}:{number}: is no row of a version {SCHEMA_VERSION} {kind} file: {error}") from error
        if stream.tell() == 0:
            raise RunDirBroken(f"{path}: is empty; even a run that was killed at once has a header there")
    return True


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
