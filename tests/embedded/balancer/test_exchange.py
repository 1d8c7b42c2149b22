"""One request and its answer: what is tried again, what never is, and what the client is told."""

import asyncio
import re

import pytest

from tests.embedded.balancer.bench import CHECK, Bench, Scripted, Writer, bench, free_port, hang_up, ok, on_loop, say_nothing, says, until

BODY = b"0123456789" * 20_000


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def absent(name: str) -> Scripted:
    return Scripted(name, port=free_port(), checks=say_nothing)


@on_loop
async def test_requests_go_round() -> None:
    async with bench(Scripted("1"), Scripted("2"), Scripted("3")) as at:
        answers = [await at.get() for _ in range(6)]
    assert [answer[-1:] for answer in answers] == [b"1", b"2", b"3", b"1", b"2", b"3"]


@on_loop
async def test_failed_connect_is_tried_at_another_server() -> None:
    async with bench(absent("gone"), Scripted("2")) as at:
        answers = [await at.get("/v2/x/manifests/t", "PUT", b"{}") for _ in range(3)]
    assert [status(answer) for answer in answers] == [200, 200, 200]
    assert at.got[1] == 3


@on_loop
async def test_nobody_to_connect_to_is_503() -> None:
    async with bench(absent("gone"), absent("away")) as at:
        assert status(await at.get()) == 503
        await asyncio.sleep(0.2)
        answer = await at.get("/", "PUT", b"x")
    assert (status(answer), b"no registry is up" in answer) == (503, True)


@pytest.mark.parametrize("method", ["GET", "PUT"])
@on_loop
async def test_request_a_server_hung_up_on_is_502_and_was_sent_once(method: str) -> None:
    async with bench(*(Scripted(name, behave=hang_up) for name in "123")) as at:
        answer = await at.get("/v2/x/manifests/t", method, b"" if method == "GET" else b"{}")
    assert status(answer) == 502
    assert sum(at.got) == 1


@on_loop
async def test_silent_server_is_504_after_the_time_out_and_was_sent_once() -> None:
    async with bench(*(Scripted(name, behave=say_nothing) for name in "12")) as at:
        started = asyncio.get_running_loop().time()
        answer = await at.get("/v2/x/manifests/t", "PUT", b"{}")
        took = asyncio.get_running_loop().time() - started
    assert status(answer) == 504
    assert 0.5 <= took < 1.5
    assert sum(at.got) == 1


@on_loop
async def test_answer_broken_off_reaches_the_client_as_a_short_body() -> None:
    server = Scripted("1", behave=says(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nshort", then_close=True))
    async with bench(server) as at:
        answer = await at.ask(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert answer.endswith(b"\r\n\r\nshort")


@on_loop
async def test_get_on_a_kept_connection_that_was_closed_is_sent_afresh() -> None:
    async def once(server: Scripted, writer: Writer, request: bytes) -> None:
        if len(server.heads) == 2:
            writer.close()
        else:
            await ok(server, writer, request)

    async with bench(server := Scripted("1", behave=once)) as at:
        answers = [await at.get(), await at.get()]
    assert [status(answer) for answer in answers] == [200, 200]
    assert (server.connections, len(server.heads)) == (2, 3)


@on_loop
async def test_put_after_the_server_closed_a_kept_connection_arrives_once() -> None:
    answer_then_close = says(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", then_close=True)
    async with bench(server := Scripted("1", behave=answer_then_close)) as at:
        for number in range(5):
            assert status(await at.get(f"/{number}", "PUT", b"x")) == 200
    assert [head.split()[1] for head in server.heads] == [b"/0", b"/1", b"/2", b"/3", b"/4"]


@on_loop
async def test_one_connection_serves_many_clients() -> None:
    async with bench(server := Scripted("1")) as at:
        for _ in range(20):
            await at.get()
    assert server.connections == 1


@on_loop
async def test_bodies_pass_byte_for_byte_by_length_and_in_chunks() -> None:
    chunked = b"4\r\nwiki\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)
    answer = says(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked)
    async with bench(server := Scripted("1", behave=answer)) as at:
        first = await at.get("/", "PUT", BODY)
        second = await at.ask(b"PUT / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked)
    assert server.bodies == [BODY, chunked]
    assert [one.partition(b"\r\n\r\n")[2] for one in (first, second)] == [chunked, chunked]


@on_loop
async def test_requests_sent_at_once_are_answered_in_order() -> None:
    one = b"GET /%d HTTP/1.1\r\nHost: a\r\n\r\n"
    last = b"PUT /3 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi"
    async with bench(Scripted("1"), Scripted("2"), Scripted("3")) as at:
        answer = await at.ask(b"".join(one % number for number in range(3)) + last)
    assert re.findall(rb"\r\n\r\n(\d)", answer) == [b"1", b"2", b"3", b"1"]


@pytest.mark.parametrize(
    ("method", "answer"),
    [
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n"),
        ("DELETE", b"HTTP/1.1 204 No Content\r\n\r\n"),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 99\r\n\r\n"),
    ],
)
@on_loop
async def test_answers_without_a_body_end_at_their_head(method: str, answer: bytes) -> None:
    async with bench(server := Scripted("1", behave=says(answer))) as at:
        assert [status(await at.get(method=method)) for _ in range(2)] == [int(answer[9:12])] * 2
    assert server.connections == 1


@on_loop
async def test_continue_is_the_servers_to_say() -> None:
    async def asked(server: Scripted, writer: Writer, request: bytes) -> None:
        writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        await ok(server, writer, request)

    async with bench(Scripted("1", behave=asked)) as at:
        answer = await at.ask(b"PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi")
    assert answer.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n")


@on_loop
async def test_refusal_before_the_body_came_reaches_a_client_that_still_sends() -> None:
    early = Scripted("1", checked=1)

    async def refuse(reader: asyncio.StreamReader, writer: Writer) -> None:
        if (head := await reader.readuntil(b"\r\n\r\n")).startswith(CHECK):
            await ok(early, writer, head)
            return
        writer.write(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n")
        await writer.drain()
        writer.close()

    early.converse = refuse  # type: ignore[method-assign]
    async with bench(early, Scripted("2")) as at:
        async with asyncio.timeout(5):
            while status(answer := await at.get("/", "PUT", BODY * 20)) != 413:
                pass
    assert b"Connection: close" in answer


@on_loop
async def test_neither_side_is_read_faster_than_the_other_takes() -> None:
    """A server that does not read stops the client; the balancer holds a few buffers, not the body."""

    async def deaf(reader: asyncio.StreamReader, writer: Writer) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if head.startswith(CHECK):
            await ok(server, writer, head)
        else:
            await asyncio.Event().wait()

    server = Scripted("1", checked=1)
    server.converse = deaf  # type: ignore[method-assign]
    async with bench(server) as at:
        sent = await _push_until_stuck(at)
    assert sent < 32_000_000


async def _push_until_stuck(at: Bench) -> int:
    _, writer = await at.client()
    writer.write(b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 999999999\r\n\r\n")
    sent = 0
    try:
        while sent < 64_000_000:
            writer.write(BODY)
            async with asyncio.timeout(0.2):
                await writer.drain()
            sent += len(BODY)
    except (TimeoutError, ConnectionError):
        pass
    finally:
        writer.transport.abort()
    return sent


@on_loop
async def test_client_that_leaves_frees_the_server() -> None:
    async with bench(Scripted("1", behave=say_nothing)) as at:
        _, writer = await at.client()
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await until(lambda: at.got == [1], "the request")
        writer.transport.abort()
        assert status(await at.get("/v2/", "GET")) == 200
