"""A large blob through the embedded region, and how much memory each of its processes ever had for it.

    python -m tests.torture.blob 2048       pushes and pulls 2048 MB; exit 1 if a process had more than 200 MB

The blob is generated and hashed as it goes: nothing here has it whole either. It is pushed as Docker does, with one PATCH of unknown
length, through the first zone's entry and pulled through the last's. Three replicas have it, where temporary files go: 3 x its size.
"""

import argparse
import hashlib
import re
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from random import Random
from urllib.parse import urlsplit

from tabulate import tabulate

from chaoskit.drivers.embedded.driver import EmbeddedDriver
from chaoskit.drivers.embedded.region import EmbeddedRegion
from chaoskit.model.topology import three_zones

MB = 1_000_000
LIMIT_BYTES = 200 * MB
PIECE_BYTES = 250_000
ANSWER_S = 120.0
REPOSITORY = "torture/blob"


@dataclass(frozen=True, slots=True)
class Passage:
    """One blob there and back. `peak_bytes` is the most resident memory each process ever had, by component name."""

    size_bytes: int
    push_s: float
    pull_s: float
    idle_bytes: Mapping[str, int]
    peak_bytes: Mapping[str, int]

    @property
    def too_fat(self) -> dict[str, int]:
        """The processes that had more than they may."""
        return {name: peak for name, peak in self.peak_bytes.items() if peak > LIMIT_BYTES}


def pass_through(size_mb: int, root: Path | None = None) -> Passage:
    """Push and pull one blob through a fresh region. AssertionError if an answer is wrong or the bytes are not the same."""
    with EmbeddedDriver(root).deploy(three_zones(), name="chaoskit-blob") as region:
        assert isinstance(region, EmbeddedRegion)
        idle = peaks(region)
        entries = tuple(region.entries.values())
        started = time.monotonic()
        digest = push(entries[0], size_mb * MB)
        pushed = time.monotonic()
        pull(entries[-1], digest, size_mb * MB)
        return Passage(size_mb * MB, pushed - started, time.monotonic() - pushed, idle, peaks(region))


def peaks(region: EmbeddedRegion) -> dict[str, int]:
    """VmHWM of every process of the region that lives, in bytes."""
    return {name: _peak(life.pid) for name, life in region.lives.items() if life.state() == "running"}


def push(entry: str, size_bytes: int) -> str:
    """One upload, one PATCH in chunks; the blob's digest."""
    with closing(_connect(entry)) as connection:
        connection.request("POST", f"/v2/{REPOSITORY}/blobs/uploads/", body=b"")
        location = _place(_answered(connection, 202))
        hashed = hashlib.sha256()

        def body() -> Iterator[bytes]:
            for piece in pieces(size_bytes):
                hashed.update(piece)
                yield piece

        connection.request("PATCH", location, body=body(), headers={"Content-Type": "application/octet-stream"})
        location = _place(_answered(connection, 202))
        digest = f"sha256:{hashed.hexdigest()}"
        connection.request("PUT", f"{location}{'&' if '?' in location else '?'}digest={digest}", body=b"")
        _answered(connection, 201)
    return digest


def pull(entry: str, digest: str, size_bytes: int) -> None:
    """One GET, hashed as it comes."""
    with closing(_connect(entry)) as connection:
        connection.request("GET", f"/v2/{REPOSITORY}/blobs/{digest}")
        answer = connection.getresponse()
        assert answer.status == 200, f"GET of the blob was answered {answer.status}: {answer.read(300)!r}"
        found, came_bytes = hashlib.sha256(), 0
        while piece := answer.read(PIECE_BYTES):
            found.update(piece)
            came_bytes += len(piece)
    assert (came_bytes, f"sha256:{found.hexdigest()}") == (size_bytes, digest)


def pieces(size_bytes: int) -> Iterator[bytes]:
    """That many bytes, no two pieces the same."""
    noise = Random(size_bytes).randbytes(PIECE_BYTES)
    for start in range(0, size_bytes, PIECE_BYTES):
        yield (start.to_bytes(8, "big") + noise[8:])[: size_bytes - start]


def table(passage: Passage) -> str:
    """What each process had before and at most, in MB."""
    rows = [(name, passage.idle_bytes[name] / MB, peak / MB) for name, peak in passage.peak_bytes.items()]
    return tabulate(rows, headers=("process", "idle MB", "peak MB"), floatfmt=".0f")


def main() -> int:
    """The script."""
    parser = argparse.ArgumentParser(prog="python -m tests.torture.blob")
    parser.add_argument("size_mb", type=int, nargs="?", default=2048)
    passage = pass_through(parser.parse_args().size_mb)
    print(table(passage))
    rates = (passage.size_bytes / MB / seconds for seconds in (passage.push_s, passage.pull_s))
    print(f"{passage.size_bytes / MB:.0f} MB: pushed in {passage.push_s:.1f} s ({next(rates):.0f} MB/s), ", end="")
    print(f"pulled in {passage.pull_s:.1f} s ({next(rates):.0f} MB/s); limit {LIMIT_BYTES / MB:.0f} MB a process")
    for name, peak in passage.too_fat.items():
        print(f"TOO FAT: {name} had {peak / MB:.0f} MB")
    return 1 if passage.too_fat else 0


def _connect(entry: str) -> HTTPConnection:
    return HTTPConnection(urlsplit(entry).netloc, timeout=ANSWER_S)


def _answered(connection: HTTPConnection, status: int) -> HTTPResponse:
    answer = connection.getresponse()
    body = answer.read()
    assert answer.status == status, f"wanted {status}, was answered {answer.status}: {body[:300]!r}"
    return answer


def _place(answer: HTTPResponse) -> str:
    """Path and query of where the upload goes on."""
    place = urlsplit(answer.headers["Location"])
    return f"{place.path}?{place.query}" if place.query else place.path


def _peak(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)
    assert found, f"process {pid} has no VmHWM:\n{status}"
    return int(found[1]) * 1024


if __name__ == "__main__":
    sys.exit(main())
