"""Malformed, slow, idle and too many clients: a clear answer, and others are unharmed."""

import asyncio
import time
from dataclasses import replace

import pytest

from tests.embedded.balancer.bench import QUICK, Scripted, bench, on_loop
from tests.embedded.balancer.test_exchange import status


@pytest.mark.parametrize(
    ("request_bytes", "expected"),
    [
        (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5x\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n", 400),
        (b"\x16\x03\x01\x00\xa5\x01\x00", 400),
        (b"GET / HTTP/1.0\r\n\r\n", 505),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 17_000, 431),
        (b"GET / HTTP/1.1\r\nHost: a", 408),
        (b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf", 408),
    ],
)
@on_loop
async def test_bad_client_is_told_and_hung_up_on(request_bytes: bytes, expected: int) -> None:
    async with bench(server := Scripted("1")) as at:
        answer = await at.ask(request_bytes)
        assert status(answer) == expected
        assert b"Connection: close" in answer
        assert server.bodies == []
        assert status(await at.get()) == 200


@on_loop
async def test_client_that_sends_a_byte_at_a_time_runs_out_of_time() -> None:
    async with bench(Scripted("1")) as at:
        reader, writer = await at.client()
        started = time.monotonic()
        answer = asyncio.ensure_future(reader.read())
        for byte in b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 20:
            if answer.done():
                break
            writer.write(bytes([byte]))
            await asyncio.sleep(0.02)
        assert answer.done()
        assert status(answer.result()) == 408
        assert time.monotonic() - started < 1.5
        writer.transport.abort()


@on_loop
async def test_idle_connection_is_closed_in_time() -> None:
    async with bench(Scripted("1"), limits=replace(QUICK, kept_s=0.2)) as at:
        answer = await at.ask(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert answer.endswith(b"\r\n\r\n1")


@on_loop
async def test_five_hundred_idle_connections_harm_nobody() -> None:
    async with bench(Scripted("1"), limits=replace(QUICK, head_s=5.0)) as at:
        idle = [await at.client() for _ in range(500)]
        assert status(await at.get()) == 200
        for _, writer in idle:
            writer.transport.abort()


@on_loop
async def test_one_connection_too_many_is_told_so() -> None:
    async with bench(Scripted("1"), limits=replace(QUICK, connections=3, head_s=5.0)) as at:
        held = [await at.client() for _ in range(3)]
        await asyncio.sleep(0.05)
        assert status(await at.ask(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")) == 503
        for _, writer in held:
            writer.transport.abort()
        await asyncio.sleep(0.05)
        assert status(await at.get()) == 200
