"""Where our Toxiproxy API is stricter than the real one, and the seeded bug."""

import time
from contextlib import closing
from typing import cast

import pytest

from tests.contract.planes import answer_http, dial, ours, read_all, upstream

TARGET = "127.0.0.1:1"
NAME = "a->b"
PATH = "/proxies/a-%3Eb"


@pytest.mark.parametrize(
    ("type_name", "attributes", "error"),
    [
        ("latency", {"delay": 5}, "bad request body: toxic 'latency' has no attribute 'delay'; it has latency, jitter"),
        ("bandwidth", {"rate": -1}, "bad request body: toxic 'bandwidth' wants rate -1, which is outside 0..2147483647"),
        ("slicer", {}, "bad request body: toxic 'slicer': average_size must be at least 1, not 0"),
        (
            "slicer",
            {"average_size": 5, "size_variation": 5},
            "bad request body: toxic 'slicer': size_variation must be less than average_size 5, not 5",
        ),
    ],
)
def test_ours_refuses_what_the_real_one_ignores_or_dies_of(type_name: str, attributes: dict[str, int], error: str) -> None:
    with ours() as api:
        api.proxy(NAME, TARGET)
        answer = api.call("POST", f"{PATH}/toxics", {"type": type_name, "attributes": attributes})
        assert answer.shown == {"error": error, "status": 400}
        assert api.call("POST", f"{PATH}/toxics", {"type": "latency", "toxicity": 5}).status == 400
        assert api.call("GET", f"{PATH}/toxics").shown == []


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET /proxies HTTP/1.1\r\n" + b"X: " + b"y" * 20_000 + b"\r\n\r\n", b"431"),
        (b"POST /proxies HTTP/1.1\r\nContent-Length: 2000000\r\n\r\n", b"413"),
        (b"POST /proxies HTTP/1.1\r\nContent-Length: -1\r\n\r\n", b"400"),
        (b"POST /proxies HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", b"411"),
        (b"nonsense\r\n\r\n", b"400"),
        (b"\x16\x03\x01\r\n\r\n", b"400"),
    ],
)
def test_ours_answers_malformed_requests_and_closes(sent: bytes, status: bytes) -> None:
    with ours() as api, closing(dial(api.address.port)) as peer:
        peer.sendall(sent)
        assert read_all(peer).split()[1] == status
        assert api.call("GET", "/proxies").status == 200


def test_ours_with_toxics_ignored_lists_them_and_does_nothing() -> None:
    with ours("toxic-ignored") as api, upstream(answer_http) as target:
        port = api.proxy(NAME, target)
        api.strike(NAME, "timeout")
        api.strike(NAME, "latency", stream="upstream", latency=60_000)
        assert len(cast("list[object]", api.call("GET", f"{PATH}/toxics").shown)) == 2
        start = time.monotonic()
        with closing(dial(port)) as peer:
            peer.sendall(b"GET / HTTP/1.1\r\n\r\n")
            assert read_all(peer).endswith(b"ok")
        assert time.monotonic() - start < 1
