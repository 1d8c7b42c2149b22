"""How connections begin and end through a proxy, with real sockets: the same of the real Toxiproxy and of ours."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress

import pytest

from tests.contract.planes import (
    SIDES,
    Api,
    Side,
    dial,
    echo,
    flood,
    free_port,
    read_all,
    read_exactly,
    reset_at_once,
    upstream,
    wait_until,
)


@pytest.fixture(scope="module", params=SIDES)
def side(request: pytest.FixtureRequest) -> Side:
    chosen: Side = request.param
    return chosen


@pytest.fixture(scope="module")
def api(side: Side) -> Iterator[Api]:
    with side() as server:
        yield server


def test_disabling_closes_live_connections_without_a_reset(api: Api) -> None:
    with upstream(echo) as target, closing(dial(api.proxy("echo", target))) as peer:
        peer.sendall(b"x")
        assert read_exactly(peer, 1) == b"x"
        api.call("PATCH", "/proxies/echo", {"enabled": False})
        assert peer.recv(1) == b""
    api.call("DELETE", "/proxies/echo")


def test_dead_upstream_is_accepted_then_closed(api: Api) -> None:
    port = api.proxy("dead", f"127.0.0.1:{free_port()}")
    with closing(dial(port)) as peer:
        assert peer.recv(1) == b""
    api.call("DELETE", "/proxies/dead")


def test_upstream_that_resets_is_a_close_for_the_client(api: Api) -> None:
    with upstream(reset_at_once) as target, closing(dial(api.proxy("resets", target))) as peer:
        peer.sendall(b"x")
        assert read_all(peer) == b""
    api.call("DELETE", "/proxies/resets")


def test_client_that_goes_away_is_told_to_the_upstream(api: Api) -> None:
    gone = threading.Event()

    def until_gone(peer: socket.socket) -> None:
        read_all(peer)
        gone.set()

    with upstream(until_gone) as target:
        with closing(dial(api.proxy("gone", target))) as peer:
            peer.sendall(b"x")
        assert gone.wait(2)
    api.call("DELETE", "/proxies/gone")


def test_client_that_does_not_read_stops_the_upstream(api: Api) -> None:
    """Back-pressure: what is under way is kernel buffers and a bounded rest."""
    sent = [0]

    def count(peer: socket.socket) -> None:
        while True:
            sent[0] += peer.send(bytes(65536))

    def stands_still() -> bool:
        before = sent[0]
        time.sleep(0.3)
        return 0 < before == sent[0]

    with upstream(count) as target, closing(dial(api.proxy("unread", target))):
        wait_until(stands_still, "an upstream that waits")
        assert sent[0] < 20_000_000
    api.call("DELETE", "/proxies/unread")


def test_endless_download_ends_when_the_proxy_is_disabled(api: Api) -> None:
    with upstream(flood) as target, closing(dial(api.proxy("flood", target))) as peer:
        peer.recv(1)
        api.call("PATCH", "/proxies/flood", {"enabled": False})
        with suppress(ConnectionResetError):  # bytes that nobody had read yet
            read_all(peer)
    api.call("DELETE", "/proxies/flood")
