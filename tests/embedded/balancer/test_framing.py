"""Heads and bodies: what is taken, what is refused, and that it does not matter how the bytes come."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaoskit.drivers.embedded.balancer.framing import Body, Malformed, parse_request, parse_response, split_head

CHUNKED = b"5\r\nhello\r\nA;name=value\r\n0123456789\r\n0\r\nExpires: never\r\n\r\n"


def request(*lines: bytes) -> bytes:
    return b"\r\n".join([b"PUT /v2/a/manifests/t HTTP/1.1", b"Host: here", *lines])


def test_hop_by_hop_fields_and_those_connection_names_are_left_out() -> None:
    parsed = parse_request(request(b"Connection: close, X-Mine", b"X-Mine: 1", b"TE: trailers", b"Upgrade: h2c", b"Accept: */*"))
    assert parsed.forward == b"PUT /v2/a/manifests/t HTTP/1.1\r\nHost: here\r\nAccept: */*\r\n\r\n"
    assert not parsed.keeps_alive


def test_connection_cannot_take_the_length_away() -> None:
    assert b"Content-Length: 3" in parse_request(request(b"Connection: content-length", b"Content-Length: 3")).forward


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (request(b"Content-Length: 3", b"Transfer-Encoding: chunked"), 400),
        (request(b"Content-Length: 3", b"Content-Length: 3"), 400),
        (request(b"Content-Length: +3"), 400),
        (request(b"Content-Length: 3, 3"), 400),
        (request(b"Content-Length: -1"), 400),
        (request(b"Content-Length: 0x3"), 400),
        (request(b"Content-Length : 3"), 400),
        (request(b"Transfer-Encoding: gzip, chunked"), 400),
        (request(b"Transfer-Encoding: xchunked"), 400),
        (request(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"), 400),
        (request(b"X-Folded: a", b" b"), 400),
        (request(b"X-Null: \x00"), 400),
        (request(b"X-Bare: a\rb"), 400),
        (request(b"X-Bare: a\nContent-Length: 3"), 400),
        (request(b"Host: there"), 400),
        (request(b"no colon"), 400),
        (b"GET / HTTP/1.1", 400),
        (b"GET  / HTTP/1.1\r\nHost: a", 400),
        (b"GET /a b HTTP/1.1\r\nHost: a", 400),
        (b"GET / HTTP/1.0", 505),
        (b"GET /", 400),
        (b"CONNECT a:1 HTTP/1.1\r\nHost: a", 405),
        (request(*[b"X: 1"] * 101), 431),
    ],
)
def test_request_that_two_parsers_could_read_in_two_ways_is_refused(head: bytes, status: int) -> None:
    with pytest.raises(Malformed) as refused:
        parse_request(head)
    assert refused.value.status == status


@pytest.mark.parametrize(
    "chunks",
    [
        b"5 x\r\nhello",
        b"-5\r\n",
        b"0x5\r\n",
        b"\r\n",
        b"5\nhello",
        b"5\r\nhello!\r\n",
        b"fffffffffffff\r\n",
        b"5;" + b"x" * 5000,
        b"0\r\nbad\r\n",
    ],
)
def test_sloppy_chunks_are_refused(chunks: bytes) -> None:
    with pytest.raises(Malformed):
        Body(None).feed(chunks)


@given(st.lists(st.integers(1, 20)))
def test_body_of_chunks_ends_at_its_end_however_it_is_cut(cuts: list[int]) -> None:
    body, rest, taken = Body(None), CHUNKED + b"GET", 0
    for cut in [*cuts, len(rest)]:
        piece, rest = rest[:cut], rest[cut:]
        used = body.feed(piece)
        taken += used
        if body.done:
            assert piece[used:] + rest == b"GET"
            break
    assert body.done
    assert taken == len(CHUNKED)


@given(st.binary(max_size=300))
def test_garbage_is_a_head_or_malformed_and_nothing_else(garbage: bytes) -> None:
    try:
        head = split_head(bytearray(garbage + b"\r\n\r\n"))
        assert head is not None
        parse_request(head)
    except Malformed:
        pass


def test_head_is_complete_only_with_its_empty_line_and_is_bounded() -> None:
    buffer = bytearray(b"GET / HTTP/1.1\r\nHost: a\r\n\r\nrest")
    assert split_head(bytearray(buffer[:-6])) is None
    assert split_head(buffer) == b"GET / HTTP/1.1\r\nHost: a"
    assert buffer == b"rest"
    with pytest.raises(Malformed, match="16384"):
        split_head(bytearray(b"x" * 16_385))
    with pytest.raises(Malformed, match="not HTTP"):
        split_head(bytearray(b"GET / HTTP/1.1\nHost: a\n\n"))


@pytest.mark.parametrize(
    ("method", "head", "left"),
    [
        (b"HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 9", 0),
        (b"GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9", 0),
        (b"PUT", b"HTTP/1.1 204 No Content", 0),
        (b"GET", b"HTTP/1.1 200 OK\r\nContent-Length: 9", 9),
        (b"GET", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked", None),
        (b"GET", b"HTTP/1.1 200 OK", -1),
    ],
)
def test_length_of_an_answer(method: bytes, head: bytes, left: int | None) -> None:
    response = parse_response(head, method=method)
    assert response.body.left == left
    assert response.body.done == (left == 0)
    assert response.keeps_alive == (left != -1)
