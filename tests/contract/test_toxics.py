"""What each toxic does to bytes, with real sockets: the same of the real Toxiproxy and of ours."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest

from tests.contract.planes import (
    SIDES,
    Api,
    Side,
    dial,
    echo,
    read_all,
    read_exactly,
    upstream,
)

SENT = bytes(range(256)) * 200


@pytest.fixture(scope="module", params=SIDES)
def side(request: pytest.FixtureRequest) -> Side:
    chosen: Side = request.param
    return chosen


@pytest.fixture(scope="module")
def api(side: Side) -> Iterator[Api]:
    with side() as server:
        yield server


@pytest.fixture
def port(api: Api) -> Iterator[int]:
    """The proxy `echo` to an echo server."""
    with upstream(echo) as target:
        yield api.proxy("echo", target)
        api.call("DELETE", "/proxies/echo")


@pytest.fixture
def peer(port: int) -> Iterator[socket.socket]:
    """A live connection that has carried bytes already."""
    with closing(dial(port)) as connection:
        ask(connection, b"hello")
        yield connection


def ask(peer: socket.socket, data: bytes) -> float:
    """Send, get the same back; how many ms that took."""
    start = time.monotonic()
    peer.sendall(data)
    assert read_exactly(peer, len(data)) == data
    return (time.monotonic() - start) * 1000


def silent(peer: socket.socket, for_s: float = 0.3) -> bool:
    peer.settimeout(for_s)
    try:
        peer.recv(1, socket.MSG_PEEK)
    except TimeoutError:
        return True
    finally:
        peer.settimeout(5)
    return False


@pytest.mark.parametrize("stream", ["upstream", "downstream"])
def test_latency_delays_each_answer_of_a_live_connection_and_ends_at_removal(api: Api, peer: socket.socket, stream: str) -> None:
    api.strike("echo", "latency", stream=stream, latency=100)
    assert 100 <= ask(peer, b"x") < 160
    assert 100 <= ask(peer, b"x") < 160
    api.heal("echo", "latency")
    assert ask(peer, b"x") < 50


def test_latency_does_not_delay_the_dial_nor_a_close_with_nothing_under_way(api: Api, port: int) -> None:
    api.strike("echo", "latency", stream="upstream", latency=500)
    start = time.monotonic()
    with closing(dial(port)) as peer:
        peer.shutdown(socket.SHUT_WR)
        assert read_all(peer) == b""
    assert time.monotonic() - start < 0.4


def test_jitter_keeps_the_order(api: Api, peer: socket.socket) -> None:
    api.strike("echo", "latency", latency=50, jitter=50)
    assert ask(peer, SENT * 10) < 2000


@pytest.mark.parametrize("calm", ["removal", "change to 0"])
def test_what_a_latency_holds_goes_on_at_once(api: Api, peer: socket.socket, calm: str) -> None:
    api.strike("echo", "latency", latency=3000)
    peer.sendall(SENT)
    assert silent(peer)
    start = time.monotonic()
    if calm == "removal":
        api.heal("echo", "latency")
    else:
        api.change("echo", "latency", latency=0)
    assert read_exactly(peer, len(SENT)) == SENT
    assert time.monotonic() - start < 0.5


@pytest.mark.parametrize("rate_kb_s", [20, 100, 1000])
def test_bandwidth_is_accurate(api: Api, peer: socket.socket, rate_kb_s: int) -> None:
    api.strike("echo", "bandwidth", rate=rate_kb_s)
    wanted_ms = len(SENT) / rate_kb_s
    assert wanted_ms * 0.95 <= ask(peer, SENT) <= wanted_ms * 1.05 + 50


def test_bandwidth_saves_nothing_up_while_idle(api: Api, peer: socket.socket) -> None:
    api.strike("echo", "bandwidth", rate=20)
    assert silent(peer)
    assert ask(peer, SENT[:4000]) >= 190


def test_bandwidth_changes_under_a_live_transfer(api: Api, peer: socket.socket) -> None:
    api.strike("echo", "bandwidth", rate=1)
    peer.sendall(SENT)
    assert len(read_exactly(peer, 100)) == 100
    start = time.monotonic()
    api.change("echo", "bandwidth", rate=200)
    assert read_exactly(peer, len(SENT) - 100) == SENT[100:]
    assert time.monotonic() - start < 0.6


def test_close_with_nothing_held_passes_a_stall(api: Api, port: int, peer: socket.socket) -> None:
    api.strike("echo", "bandwidth", rate=0)
    peer.shutdown(socket.SHUT_WR)
    assert read_all(peer) == b""


@pytest.mark.parametrize("stream", ["upstream", "downstream"])
def test_timeout_0_swallows_for_ever_and_closes_at_removal(api: Api, peer: socket.socket, stream: str) -> None:
    api.strike("echo", "timeout", stream=stream, timeout=0)
    peer.sendall(b"x")
    assert silent(peer)
    api.heal("echo", "timeout")
    assert read_all(peer) == b""


def test_timeout_closes_an_idle_connection_and_every_byte_sets_it_back(api: Api, peer: socket.socket) -> None:
    api.strike("echo", "timeout", stream="upstream", timeout=200)
    start = time.monotonic()
    for _ in range(4):
        assert silent(peer, 0.1)
        peer.sendall(b"x")
    assert read_all(peer) == b""
    assert 0.6 <= time.monotonic() - start < 0.75


@pytest.mark.parametrize("stream", ["upstream", "downstream"])
@pytest.mark.parametrize("timeout_ms", [0, 150])
def test_reset_peer_resets_new_connections_after_their_first_byte(api: Api, port: int, stream: str, timeout_ms: int) -> None:
    api.strike("echo", "reset_peer", stream=stream, timeout=timeout_ms)
    with closing(dial(port)) as peer:
        assert silent(peer, 0.1)
        start = time.monotonic()
        peer.sendall(b"x")
        with pytest.raises(ConnectionResetError):
            peer.recv(1)
        assert timeout_ms <= (time.monotonic() - start) * 1000 < timeout_ms + 60


def test_reset_peer_closes_older_connections_without_a_reset(api: Api, peer: socket.socket) -> None:
    api.strike("echo", "reset_peer")
    peer.sendall(b"x")
    assert read_all(peer) == b""


def test_slow_close_holds_the_end_back_and_not_the_bytes(api: Api, peer: socket.socket) -> None:
    api.strike("echo", "slow_close", stream="upstream", delay=200)
    assert ask(peer, b"x") < 50
    start = time.monotonic()
    peer.shutdown(socket.SHUT_WR)
    assert read_all(peer) == b""
    assert 0.2 <= time.monotonic() - start < 0.26


def test_limit_data_closes_after_exactly_so_many_bytes_of_each_connection(api: Api, port: int) -> None:
    api.strike("echo", "limit_data", bytes=700)
    for _ in range(2):
        with closing(dial(port)) as peer:
            peer.sendall(SENT[:500])
            assert read_exactly(peer, 500) == SENT[:500]
            peer.sendall(SENT[500:1000])
            assert read_all(peer) == SENT[500:700]


def test_limit_data_counts_from_when_it_came(api: Api, peer: socket.socket) -> None:
    api.strike("echo", "limit_data", bytes=10)
    peer.sendall(SENT[:20])
    assert read_all(peer) == SENT[:10]


def test_slicer_cuts_and_loses_nothing(api: Api, peer: socket.socket) -> None:
    api.strike("echo", "slicer", average_size=64, size_variation=32, delay=20_000)
    peer.sendall(SENT[:1000])
    pieces: list[bytes] = []
    start = time.monotonic()
    while sum(map(len, pieces)) < 1000:
        pieces.append(peer.recv(65536))
    assert b"".join(pieces) == SENT[:1000]
    sizes = sorted(map(len, pieces))
    assert sizes[len(sizes) // 2] <= 96, sizes  # a busy host reads some pieces together
    assert 0.2 <= time.monotonic() - start < 1


def test_toxics_of_one_stream_add_up_in_their_order(api: Api, peer: socket.socket) -> None:
    api.strike("echo", "latency", latency=200)
    api.strike("echo", "bandwidth", rate=10)
    assert 400 <= ask(peer, SENT[:2000]) < 500


def test_latency_behind_a_bandwidth_counts_from_the_read(api: Api, peer: socket.socket) -> None:
    api.strike("echo", "bandwidth", rate=10)
    api.strike("echo", "latency", latency=150)
    assert 195 <= ask(peer, SENT[:2000]) < 290


def test_toxicity_0_touches_no_connection_and_a_half_touches_some(api: Api, port: int) -> None:
    with ExitStack() as stack:
        peers = [stack.enter_context(closing(dial(port))) for _ in range(40)]
        for peer in peers:
            ask(peer, b"x")
        api.strike("echo", "limit_data", toxicity=0, bytes=0)
        assert all(ask(peer, b"x") < 100 for peer in peers)
        api.heal("echo", "limit_data")
        api.strike("echo", "limit_data", toxicity=0.5, bytes=0)
        for peer in peers:
            peer.sendall(b"x")
        left = sum(len(peer.recv(1)) for peer in peers)
        assert 5 <= left <= 35


def test_toxics_come_and_go_under_a_transfer_that_stays_whole(api: Api, peer: socket.socket) -> None:
    sent = SENT * 200
    sender = threading.Thread(target=peer.sendall, args=(sent,))
    received: list[bytes] = []
    reader = threading.Thread(target=lambda: received.append(read_exactly(peer, len(sent))))
    sender.start()
    reader.start()
    for _ in range(10):
        for stream in ("upstream", "downstream"):
            api.strike("echo", "latency", stream=stream, latency=20, jitter=20)
            api.heal("echo", "latency")
            api.strike("echo", "bandwidth", stream=stream, rate=2000)
            api.change("echo", "bandwidth", rate=0)
            api.heal("echo", "bandwidth")
    sender.join()
    reader.join()
    assert received == [sent]


def test_large_transfer_arrives_whole_through_every_lossless_toxic(api: Api, peer: socket.socket) -> None:
    api.strike("echo", "latency", latency=5, jitter=5)
    api.strike("echo", "bandwidth", stream="upstream", rate=50_000)
    api.strike("echo", "slow_close", delay=10)
    sent = SENT * 80
    sender = threading.Thread(target=peer.sendall, args=(sent,))
    sender.start()
    assert read_exactly(peer, len(sent)) == sent
    sender.join()
