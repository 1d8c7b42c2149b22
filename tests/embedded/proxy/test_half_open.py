"""A connection with one direction ended is given up when nothing moves in the other: in this process, with a short limit."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable

import pytest

from chaoskit.drivers.embedded.proxy.proxies import Proxy
from chaoskit.drivers.embedded.proxy.stage import Setting, Toxic

LIMIT_S = 0.2
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def ended_after(upstream: Talk, toxics: list[Toxic], wait_s: float) -> float:
    """Send `x` and an EOF; after how many seconds the connection ends. TimeoutError if it does not within `wait_s`."""
    setting = Setting(asyncio.get_running_loop(), time.monotonic, random.Random(1), lambda toxicity: True, LIMIT_S)
    accepted: list[asyncio.StreamWriter] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted.append(writer)
        await upstream(reader, writer)

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    proxy = Proxy(setting, "p", "127.0.0.1:0", f"127.0.0.1:{server.sockets[0].getsockname()[1]}", toxics)
    await proxy.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", int(proxy.listen.rpartition(":")[2]))
    try:
        writer.write(b"x")
        writer.write_eof()
        start = time.monotonic()
        async with asyncio.timeout(wait_s):
            await reader.read()
        return time.monotonic() - start
    finally:
        proxy.stop()
        server.close()
        for ended in (writer, *accepted):
            ended.transport.abort()
        for _ in range(3):  # turns of the loop, in which the sockets close
            await asyncio.sleep(0)


async def never_answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    await asyncio.sleep(10)


async def answer_slowly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    for _ in range(8):
        await asyncio.sleep(0.1)
        writer.write(b"y")
    writer.close()


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.write(b"y")


def test_idle_half_open_connection_is_closed() -> None:
    assert LIMIT_S <= asyncio.run(ended_after(never_answer, [], 2)) < 1


def test_half_open_connection_that_moves_lives_on() -> None:
    assert 0.7 <= asyncio.run(ended_after(answer_slowly, [], 3)) < 2


def test_half_open_connection_with_stalled_bytes_lives_on() -> None:
    with pytest.raises(TimeoutError):
        asyncio.run(ended_after(answer, [Toxic("stall", "bandwidth", "downstream", 1.0, {"rate": 0})], 1))
