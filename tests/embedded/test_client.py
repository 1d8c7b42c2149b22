"""The client against sockets that misbehave on purpose: what it proves of each, and that it asks exactly once."""

import asyncio
import hashlib
import socket
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from chaoskit.model.history import Outcome
from chaoskit.model.workload import PlannedBlob
from chaoskit.registry.client import Answer, Client, Upload
from chaoskit.registry.image import blob, blob_bytes, image_manifest
from chaoskit.registry.wire import KEPT_BYTES

Writer = asyncio.StreamWriter
Behaviour = Callable[[Writer], Awaitable[None]]

CONFIG = blob(PlannedBlob(seed=1, size_bytes=300, chunked=False))
LAYER = blob(PlannedBlob(seed=2, size_bytes=200_000, chunked=True))
MANIFEST = image_manifest(CONFIG, (LAYER,), run_id="r", session=1, attempt=0)
WRONG = "sha256:" + "0" * 64


def answering(status: str, body: bytes = b"", **headers: str) -> Behaviour:
    lines = {"Content-Length": str(len(body)), **{name.replace("_", "-"): value for name, value in headers.items()}}
    head = f"HTTP/1.1 {status}\r\n" + "".join(f"{name}: {value}\r\n" for name, value in lines.items()) + "\r\n"

    async def behave(writer: Writer) -> None:
        writer.write(head.encode() + body)

    return behave


async def reset(writer: Writer) -> None:
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.close()


async def hang_up(writer: Writer) -> None:
    writer.close()


async def say_nothing(writer: Writer) -> None:
    await asyncio.Event().wait()


def then_hang_up(behaviour: Behaviour) -> Behaviour:
    async def behave(writer: Writer) -> None:
        await behaviour(writer)
        await writer.drain()
        writer.close()

    return behave


@dataclass(slots=True)
class Script:
    """A server that treats its n-th request as told; the last behaviour goes on for ever."""

    behaviours: tuple[Behaviour, ...]
    heads: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    connections: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: Writer) -> None:
        self.connections += 1
        try:
            while not writer.is_closing():
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                self.heads.append(head)
                lengths = [line.split(":")[1] for line in head.splitlines() if line.lower().startswith("content-length:")]
                self.bodies.append(await reader.readexactly(int(lengths[0]) if lengths else 0))
                await self.behaviours[min(len(self.heads), len(self.behaviours)) - 1](writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def scripted(*behaviours: Behaviour, timeout_s: float = 10) -> AsyncIterator[tuple[Script, Client]]:
    script = Script(behaviours)
    tasks: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: Writer) -> None:
        task = asyncio.ensure_future(script.serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    try:
        async with Client(f"http://127.0.0.1:{port}", timeout_ns=round(timeout_s * 1e9), clock=time.monotonic_ns) as client:
            yield script, client
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()


Call = Callable[[Client], Awaitable[Answer]]


def run(call: Call, *behaviours: Behaviour, timeout_s: float = 10) -> tuple[Script, Answer]:
    async def go() -> tuple[Script, Answer]:
        async with scripted(*behaviours, timeout_s=timeout_s) as (script, client):
            return script, await call(client)

    return asyncio.run(go())


CALLS: dict[str, Call] = {
    "PUT": lambda client: client.manifest_put("r", "v1", MANIFEST),
    "DELETE": lambda client: client.manifest_delete("r", MANIFEST.digest),
    "GET": lambda client: client.manifest_get("r", "v1"),
    "HEAD": lambda client: client.blob_head("r", CONFIG.digest),
    "POST": lambda client: client.upload_post("r"),
    "PATCH": lambda client: client.upload_patch(Upload("/v2/r/blobs/uploads/u?_state=s"), LAYER.planned),
}


@pytest.mark.parametrize("method", CALLS)
@pytest.mark.parametrize(("drop", "row"), [(reset, "maybe-sent-reset"), (hang_up, "maybe-sent-eof")])
def test_a_dropped_request_is_sent_exactly_once(method: str, drop: Behaviour, row: str) -> None:
    script, answer = run(CALLS[method], drop)
    assert [head.split(" ")[0] for head in script.heads] == [method]
    assert script.connections == 1
    assert answer.observed == row
    assert answer.outcome is (Outcome.FAILED if method in ("GET", "HEAD") else Outcome.UNKNOWN)


@pytest.mark.parametrize("method", CALLS)
@pytest.mark.parametrize("drop", [reset, hang_up])
def test_a_request_dropped_on_a_reused_connection_is_sent_exactly_once(method: str, drop: Behaviour) -> None:
    async def go() -> tuple[Script, Answer]:
        async with scripted(answering("200 OK", b"{}"), drop) as (script, client):
            assert (await client.ping()).observed == "read-ok"
            return script, await CALLS[method](client)

    script, answer = asyncio.run(go())
    assert [head.split(" ")[0] for head in script.heads] == ["GET", method]
    assert script.connections == 1
    assert answer.observed.startswith("maybe-sent-")


def test_a_refused_connect_proves_that_a_write_did_not_happen() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]

        async def go() -> Answer:
            async with Client(f"http://127.0.0.1:{port}", timeout_ns=10**10, clock=time.monotonic_ns) as client:
                return await client.manifest_put("r", "v1", MANIFEST)

        answer = asyncio.run(go())
    assert (answer.outcome, answer.observed) == (Outcome.FAILED, "connect-refused")


def test_a_connect_that_hangs_proves_that_a_write_did_not_happen() -> None:
    with socket.socket() as full, socket.socket() as first:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        first.connect(full.getsockname())  # fills the queue: Linux drops the SYN of the next one

        async def go() -> Answer:
            async with Client(f"http://127.0.0.1:{full.getsockname()[1]}", timeout_ns=200_000_000, clock=time.monotonic_ns) as client:
                return await client.manifest_put("r", "v1", MANIFEST)

        answer = asyncio.run(go())
    assert (answer.outcome, answer.observed) == (Outcome.FAILED, "connect-timeout")


def test_silence_ends_at_the_deadline_of_the_attempt() -> None:
    script, answer = run(CALLS["PUT"], say_nothing, timeout_s=0.2)
    assert (answer.outcome, answer.observed, len(script.heads)) == (Outcome.UNKNOWN, "maybe-sent-timeout", 1)
    assert 0.1e9 < answer.returned_ns - answer.called_ns < 5e9


def test_a_body_that_stalls_ends_at_the_same_deadline() -> None:
    _, answer = run(CALLS["GET"], answering("200 OK", b"{", Content_Length="100"), timeout_s=0.2)
    assert (answer.outcome, answer.observed, answer.status) == (Outcome.FAILED, "maybe-sent-timeout", 200)


def test_a_body_cut_short_is_not_corruption() -> None:
    _, answer = run(CALLS["GET"], then_hang_up(answering("200 OK", b"{", Content_Length="100")))
    assert (answer.outcome, answer.observed, answer.got) == (Outcome.FAILED, "short-body", "")


async def half_then_reset(writer: Writer) -> None:
    await answering("200 OK", b"{", Content_Length="100")(writer)
    await writer.drain()
    await reset(writer)


@pytest.mark.parametrize(
    ("behaviour", "trouble"),
    [(then_hang_up(answering("200 OK", b"{", Content_Length="100")), "cut"), (half_then_reset, "reset")],
    ids=["end", "reset"],
)
def test_a_body_that_ends_early_is_told_from_one_that_is_reset(behaviour: Behaviour, trouble: str) -> None:
    _, answer = run(CALLS["GET"], behaviour)
    assert (answer.trouble, answer.observed, answer.status) == (trouble, "short-body", 200)


WHOLE = b"".join(blob_bytes(LAYER.planned.seed, LAYER.planned.size_bytes))
CUT = 150_000


def resumed(rest: Behaviour) -> tuple[Script, Answer, Answer]:
    async def go() -> tuple[Script, Answer, Answer]:
        half = then_hang_up(answering("200 OK", WHOLE[:CUT], Content_Length=str(len(WHOLE))))
        async with scripted(half, rest) as (script, client):
            first = await client.blob_get("r", LAYER.digest)
            return script, first, await client.blob_get("r", LAYER.digest, held=first.held)

    return asyncio.run(go())


def test_the_rest_of_a_body_is_hashed_on_from_what_is_held() -> None:
    at = f"bytes {CUT}-{len(WHOLE) - 1}/{len(WHOLE)}"
    script, first, second = resumed(answering("206 Partial Content", WHOLE[CUT:], Content_Range=at, Docker_Content_Digest=LAYER.digest))
    assert first.held is not None
    assert (first.held.size_bytes, first.trouble) == (CUT, "cut")
    assert f"Range: bytes={CUT}-\r\n" in script.heads[1]
    assert (second.outcome, second.observed, second.status) == (Outcome.OK, "rest-ok", 206)
    assert (second.got, second.size_bytes, second.held) == (LAYER.digest, len(WHOLE), None)


def test_other_bytes_than_the_missing_ones_are_another_digest() -> None:
    at = f"bytes {CUT}-{len(WHOLE) - 1}/{len(WHOLE)}"
    _, _, second = resumed(answering("206 Partial Content", WHOLE[: len(WHOLE) - CUT], Content_Range=at))
    assert (second.outcome, second.observed) == (Outcome.OK, "digest-differs")


def test_a_registry_that_ignores_the_range_sends_a_whole_body() -> None:
    _, _, second = resumed(answering("200 OK", WHOLE))
    assert (second.observed, second.got, second.size_bytes) == ("read-ok", LAYER.digest, len(WHOLE))


def test_a_range_that_begins_elsewhere_is_no_answer_to_ours() -> None:
    _, _, second = resumed(answering("206 Partial Content", WHOLE[1:], Content_Range=f"bytes 1-{len(WHOLE) - 1}/{len(WHOLE)}"))
    assert (second.outcome, second.observed) == (Outcome.FAILED, "anything-else")


def test_a_body_that_breaks_off_twice_is_held_to_the_second_break() -> None:
    more = answering("206 Partial Content", WHOLE[CUT:-10], Content_Range=f"bytes {CUT}-", Content_Length=str(len(WHOLE) - CUT))
    _, first, second = resumed(then_hang_up(more))
    assert first.held is not None
    assert second.held is not None
    assert (first.held.size_bytes, second.held.size_bytes) == (CUT, len(WHOLE) - 10)
    assert second.held.sha256.hexdigest() == hashlib.sha256(WHOLE[:-10]).hexdigest()
    assert first.held.sha256.hexdigest() == hashlib.sha256(WHOLE[:CUT]).hexdigest()


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b'{"errors":[{"code":"TOOMANYREQUESTS","message":"m"},{"code":"UNKNOWN"}]}', "TOOMANYREQUESTS"),
        (b'{"errors":[]}', ""),
        (b'{"errors":["x"]}', ""),
        (b"<html>", ""),
        (b"", ""),
    ],
)
def test_a_refusal_tells_its_code_and_when_to_come_again(body: bytes, code: str) -> None:
    _, answer = run(CALLS["GET"], answering("429 Too Many", body, Retry_After="7"))
    assert (answer.code, answer.retry_after_ns) == (code, 7 * 10**9)


@pytest.mark.parametrize("text", ["Wed, 21 Oct 2037 07:28:00 GMT", "soon", "-1"])
def test_a_date_to_come_again_at_is_not_read(text: str) -> None:
    _, answer = run(CALLS["GET"], answering("503 Unavailable", Retry_After=text))
    assert answer.retry_after_ns == 0


def test_an_answer_says_whether_its_connection_had_served_before() -> None:
    async def go() -> list[bool]:
        async with scripted(answering("200 OK", b"{}"), answering("200 OK", b"{}"), hang_up) as (_, client):
            return [(await client.ping()).is_kept for _ in range(3)]

    assert asyncio.run(go()) == [False, True, True]


def test_a_manifest_is_hashed_and_its_children_are_named() -> None:
    _, answer = run(CALLS["GET"], answering("200 OK", MANIFEST.body, Docker_Content_Digest=MANIFEST.digest))
    assert (answer.outcome, answer.observed) == (Outcome.OK, "read-ok")
    assert answer.got == answer.advertised == MANIFEST.digest
    assert answer.size_bytes == answer.advertised_bytes == len(MANIFEST.body)
    assert answer.children == (CONFIG.digest, LAYER.digest)
    assert answer.body == MANIFEST.body


@pytest.mark.parametrize(
    ("body", "headers", "row"),
    [
        (b"<html>", {}, "unparsable"),
        (MANIFEST.body, {"Docker_Content_Digest": WRONG}, "digest-differs"),
        (MANIFEST.body[:-1] + b" ", {"Docker_Content_Digest": MANIFEST.digest}, "digest-differs"),
    ],
)
def test_a_complete_but_wrong_manifest_is_an_answer_and_a_violation(body: bytes, headers: dict[str, str], row: str) -> None:
    _, answer = run(CALLS["GET"], answering("200 OK", body, **headers))
    assert (answer.outcome, answer.observed) == (Outcome.OK, row)
    assert answer.got == "sha256:" + hashlib.sha256(body).hexdigest()


def test_a_blob_of_other_bytes_differs_from_the_digest_asked_for() -> None:
    _, answer = run(lambda client: client.blob_get("r", CONFIG.digest), answering("200 OK", b"other"))
    assert (answer.outcome, answer.observed) == (Outcome.OK, "digest-differs")


def test_an_endless_answer_is_not_swallowed() -> None:
    _, answer = run(CALLS["GET"], answering("200 OK", b"x" * (KEPT_BYTES + 1)))
    assert (answer.outcome, answer.observed) == (Outcome.FAILED, "anything-else")


def test_a_404_is_an_answer_to_a_read() -> None:
    _, answer = run(CALLS["GET"], answering("404 Not Found", b'{"errors":[]}'))
    assert (answer.outcome, answer.observed, answer.got, answer.advertised_bytes) == (Outcome.OK, "absent", "", -1)
    assert answer.detail == '{"errors":[]}'


def test_a_redirect_is_not_followed() -> None:
    script, answer = run(CALLS["GET"], answering("307 Temporary Redirect", Location="/elsewhere"))
    assert (answer.outcome, answer.observed, len(script.heads)) == (Outcome.FAILED, "redirect", 1)


@pytest.mark.parametrize(
    "location", ["/v2/r/blobs/uploads/u?_state=a%3D", "http://registry.internal:5000/v2/r/blobs/uploads/u?_state=a%3D", "u?_state=a%3D"]
)
def test_an_upload_goes_on_at_the_entry_in_use_whatever_host_the_location_names(location: str) -> None:
    async def go() -> tuple[Script, Answer]:
        async with scripted(answering("202 Accepted", Location=location), answering("201 Created")) as (script, client):
            opened = await client.upload_post("r")
            return script, await client.upload_put(Upload(opened.location), CONFIG, has_bytes=True)

    script, answer = asyncio.run(go())
    assert answer.observed == "write-ok"
    assert script.heads[1].startswith(f"PUT /v2/r/blobs/uploads/u?_state=a%3D&digest={CONFIG.digest.replace(':', '%3A')} HTTP/1.1\r\n")
    assert "sha256:" + hashlib.sha256(script.bodies[1]).hexdigest() == CONFIG.digest


def test_an_upload_opened_without_a_location_cannot_go_on() -> None:
    _, answer = run(CALLS["POST"], answering("202 Accepted"))
    assert (answer.outcome, answer.observed, answer.location) == (Outcome.UNKNOWN, "anything-else", "")


def test_a_patch_streams_all_bytes_with_their_length() -> None:
    script, answer = run(CALLS["PATCH"], answering("202 Accepted", Location="/v2/r/blobs/uploads/u?_state=t"))
    assert (answer.observed, answer.location) == ("write-ok", "/v2/r/blobs/uploads/u?_state=t")
    assert "sha256:" + hashlib.sha256(script.bodies[0]).hexdigest() == LAYER.digest
    assert "Content-Range: 0-199999\r\n" in script.heads[0]


def test_nothing_is_asked_for_compressed() -> None:
    script, _ = run(CALLS["GET"], answering("200 OK", MANIFEST.body))
    assert "Accept-Encoding: identity\r\n" in script.heads[0]


def test_pages_of_tags_are_one_list() -> None:
    pages = (
        answering("200 OK", b'{"name":"r","tags":["a","b"]}', Link='</v2/r/tags/list?last=b&n=2>; rel="next"'),
        answering("200 OK", b'{"name":"r","tags":["c"]}'),
    )
    script, answer = run(lambda client: client.tags_list("r"), *pages)
    assert (answer.observed, answer.entries) == ("read-ok", ("a", "b", "c"))
    assert script.heads[1].startswith("GET /v2/r/tags/list?last=b&n=2 ")


def test_a_list_whose_next_page_fails_is_no_list() -> None:
    pages = (
        answering("200 OK", b'{"name":"r","tags":["a"]}', Link='</v2/r/tags/list?last=a>; rel="next"'),
        answering("503 Service Unavailable"),
    )
    _, answer = run(lambda client: client.tags_list("r"), *pages)
    assert (answer.outcome, answer.observed, answer.entries) == (Outcome.FAILED, "http-5xx", ())


def test_the_interval_begins_before_the_first_byte_and_ends_after_the_last() -> None:
    seen_ns: list[int] = []

    async def note(writer: Writer) -> None:
        seen_ns.append(time.monotonic_ns())
        await answering("200 OK", MANIFEST.body)(writer)

    before_ns = time.monotonic_ns()
    _, answer = run(CALLS["GET"], note)
    assert before_ns < answer.called_ns < seen_ns[0] < answer.returned_ns < time.monotonic_ns()
