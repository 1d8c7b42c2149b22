"""What clients may not do to a registry: come too many, too slow, too long, or break off; others are never harmed."""

import asyncio
import contextlib
import hashlib
import resource
import socket
import struct
import time
from collections.abc import AsyncIterator, Callable, Iterator

import pytest

from chaoskit.drivers.base import Address
from chaoskit.drivers.embedded.registry.health import watch
from chaoskit.drivers.embedded.registry.site import Limits, Readiness
from tests.embedded.registry.memory import CHUNK_BYTES, MemoryStore
from tests.embedded.registry.running import running, talking
from tests.embedded.registry.talk import BINARY, Talk, digest_of

SHORT = Limits(connections=600, header_s=0.4, idle_s=0.8, progress_s=0.4)
BIG = 64 * 1024 * 1024


@contextlib.contextmanager
def dialled(address: Address) -> Iterator[socket.socket]:
    with socket.create_connection((address.host, address.port), timeout=10) as connection:
        yield connection


def until_closed(connection: socket.socket) -> bytes:
    """Everything up to the end; a reset is an end."""
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := connection.recv(65536):
            received += piece
    return received


def eventually(is_so: Callable[[], bool], limit_s: float = 5.0) -> None:
    deadline = time.monotonic() + limit_s
    while not is_so():
        assert time.monotonic() < deadline, f"not so after {limit_s} s"
        time.sleep(0.01)


@pytest.mark.parametrize(
    "head", [b"GET /v2/" + b"x" * 10_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /v2/ HTTP/1.1\r\nX: " + b"x" * 10_000]
)
def test_line_that_is_too_long_is_431(head: bytes) -> None:
    with running(MemoryStore()) as address, dialled(address) as connection:
        connection.sendall(head + b"\r\n\r\n")
        assert until_closed(connection).startswith(b"HTTP/1.0 431 ")


def test_too_many_headers_are_refused() -> None:
    with running(MemoryStore()) as address, dialled(address) as connection:
        connection.sendall(b"GET /v2/ HTTP/1.1\r\nHost: x\r\n" + b"X-Y: z\r\n" * 500 + b"\r\n")
        assert until_closed(connection).startswith(b"HTTP/1.0 4")


def test_malformed_request_is_answered_without_an_echo_and_without_a_log(caplog: pytest.LogCaptureFixture) -> None:
    with running(MemoryStore()) as address, dialled(address) as connection:
        connection.sendall(b"GET /v2/ HTTP/1.1\r\nHost: x\r\n<script>secret\r\n\r\n")
        answer = until_closed(connection)
    assert answer.startswith(b"HTTP/1.0 400 ")
    assert b'"code":"UNSUPPORTED"' in answer
    assert b"secret" not in answer
    assert not caplog.records


def test_head_that_trickles_in_is_408_and_nobody_waits_for_it() -> None:
    with running(MemoryStore(), limits=SHORT) as address, dialled(address) as slow, Talk.to(address) as talk:
        slow.sendall(b"GET /v2/ HTTP/1.1\r\n")
        began = time.monotonic()
        assert talk.ask("GET", "/v2/").status == 200
        slow.settimeout(0.05)
        answer = b""
        while not answer and time.monotonic() - began < 5:
            with contextlib.suppress(TimeoutError):
                answer = slow.recv(4096)
            if not answer:
                slow.sendall(b"x")
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert time.monotonic() - began < 2


def test_idle_connection_is_closed() -> None:
    with running(MemoryStore(), limits=SHORT) as address, dialled(address) as connection:
        assert until_closed(connection) == b""


def test_body_that_stalls_is_408() -> None:
    with running(MemoryStore(), limits=SHORT) as address, Talk.to(address) as talk, dialled(address) as connection:
        target = talk.open("r")
        connection.sendall(f"PATCH {target} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc".encode())
        assert until_closed(connection).startswith(b"HTTP/1.1 408 ")


def test_client_that_hangs_up_leaves_a_prefix_to_go_on_from() -> None:
    store = MemoryStore()
    with running(store) as address, Talk.to(address) as talk:
        location = talk.open("r")
        with dialled(address) as connection:
            connection.sendall(f"PATCH {location} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nabc".encode())
            eventually(lambda: bytes(store.uploads["r", "upload-1"]) == b"abc")
        location = talk.ask("GET", location).headers["location"]
        assert talk.ask("PUT", f"{location}&digest={digest_of(b'abcdef')}", b"def", BINARY).status == 201


def test_500_idle_connections_harm_nobody_and_the_601st_is_turned_away() -> None:
    limits = Limits(connections=600)
    with running(MemoryStore(), limits=limits) as address, contextlib.ExitStack() as stack:
        talk = stack.enter_context(Talk.to(address))
        idle = [stack.enter_context(dialled(address)) for _ in range(500)]
        assert talk.ask("GET", "/v2/").status == 200
        idle += [stack.enter_context(dialled(address)) for _ in range(99)]
        assert talk.ask("GET", "/v2/").status == 200
        with dialled(address) as one_more:
            assert until_closed(one_more).startswith(b"HTTP/1.1 503 ")
        idle[0].close()

        def has_room() -> bool:
            with Talk.to(address) as late:
                return late.ask("GET", "/v2/").status == 200

        eventually(has_room)


class WatchedStore(MemoryStore):
    """Counts the reads that have ended, however they did."""

    ended = 0

    async def blob_read(self, repository: str, digest: str, offset: int, length: int) -> AsyncIterator[bytes]:
        try:
            async for chunk in MemoryStore.blob_read(self, repository, digest, offset, length):
                yield chunk
        finally:
            self.ended += 1


def test_reset_in_the_middle_of_an_answer_harms_nobody_and_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    store = WatchedStore()
    with running(store) as address, Talk.to(address) as talk:
        digest = talk.push_blob("r", b"x" * 5_000_000)
        with dialled(address) as connection:
            connection.sendall(f"GET /v2/r/blobs/{digest} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            connection.recv(1000)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        eventually(lambda: store.ended == 2)  # the first part, and what was left of the rest
        assert talk.ask("HEAD", f"/v2/r/blobs/{digest}").status == 200
    assert not caplog.records


def test_client_that_does_not_read_is_cut_off() -> None:
    store = WatchedStore()
    with running(store, limits=SHORT) as address, Talk.to(address) as talk, dialled(address) as connection:
        digest = talk.push_blob("r", b"x" * 20_000_000)
        connection.sendall(f"GET /v2/r/blobs/{digest} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        connection.recv(1)
        eventually(lambda: store.ended == 2)  # the first part, and what was left of the rest
        assert len(until_closed(connection)) < 20_000_000


def test_blob_that_the_store_cannot_finish_is_cut_and_not_ended() -> None:
    store = MemoryStore(broken_after=CHUNK_BYTES)
    with running(store) as address, Talk.to(address) as talk, dialled(address) as connection:
        digest = talk.push_blob("r", b"x" * (3 * CHUNK_BYTES))
        connection.sendall(f"GET /v2/r/blobs/{digest} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        head, _, body = until_closed(connection).partition(b"\r\n\r\n")
        assert f"Content-Length: {3 * CHUNK_BYTES}".encode() in head
        assert len(body) < 3 * CHUNK_BYTES


def test_blob_that_the_store_cannot_begin_is_503() -> None:
    with talking(MemoryStore(broken_after=0)) as talk:
        digest = talk.push_blob("r", b"x")
        reply = talk.ask("GET", f"/v2/r/blobs/{digest}")
        assert (reply.status, reply.codes) == (503, ["UNAVAILABLE"])


class EndlessStore(MemoryStore):
    """Keeps no byte of an upload, and serves zeros."""

    async def upload_append(self, repository: str, upload: str, offset: int, chunks: AsyncIterator[bytes]) -> int:
        length = 0
        async for chunk in chunks:
            length += len(chunk)
        return length

    async def upload_commit(self, repository: str, upload: str, digest: str) -> int:
        return BIG

    async def blob_size(self, repository: str, digest: str) -> int:
        return BIG

    async def blob_read(self, repository: str, digest: str, offset: int, length: int) -> AsyncIterator[bytes]:
        for _ in range(length // CHUNK_BYTES):
            yield bytes(CHUNK_BYTES)


def test_64_mb_go_in_and_out_in_flat_memory() -> None:
    zeros = bytes(CHUNK_BYTES)
    content = hashlib.sha256()
    for _ in range(BIG // CHUNK_BYTES):
        content.update(zeros)
    with talking(EndlessStore()) as talk:
        location = talk.open("r")
        before_kb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        body = (zeros for _ in range(BIG // CHUNK_BYTES))
        headers = {**BINARY, "Content-Length": str(BIG)}
        talk.connection.request("PUT", f"{location}&digest=sha256:{content.hexdigest()}", body, headers)
        with talk.connection.getresponse() as response:
            assert (response.status, response.read()) == (201, b"")
        talk.connection.request("GET", f"/v2/r/blobs/{digest_of(b'x')}")
        with talk.connection.getresponse() as response:
            assert sum(len(piece) for piece in iter(lambda: response.read(CHUNK_BYTES), b"")) == BIG
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kb < 16 * 1024


def test_base_is_503_while_the_store_is_away() -> None:
    store = MemoryStore()
    with running(store) as address, Talk.to(address) as talk:
        assert talk.ask("GET", "/v2/").status == 200
        store.is_available = False
        eventually(lambda: talk.ask("GET", "/v2/").status == 503)
        store.is_available = True
        eventually(lambda: talk.ask("GET", "/v2/").status == 200)


class Over(Exception):
    """The script of a store has ended."""


def test_unhealthy_after_two_failures_healthy_after_one_answer() -> None:
    readiness, seen, script = Readiness(), list[bool](), [False, True, False, True, False, None, True]

    class Moody(MemoryStore):
        async def ready(self) -> bool:
            seen.append(readiness.is_ready)
            if len(seen) > len(script):
                raise Over
            answer = script[len(seen) - 1]
            if answer is None:
                await asyncio.Event().wait()
            return bool(answer)

    with pytest.raises(Over):
        asyncio.run(watch(Moody(), readiness, interval_s=0, limit_s=0.02))
    assert seen == [False, False, True, True, True, True, False, True]
