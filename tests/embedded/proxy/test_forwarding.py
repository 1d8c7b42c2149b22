"""What our fault proxy does better than the real one: it never wedges, dials side by side, forwards a half-close, and keeps little."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from functools import partial
from pathlib import Path

import pytest

from tests.contract.planes import Api, dial, echo, flood, ours, read_all, read_exactly, upstream, wait_until

TOXICS: dict[str, dict[str, int]] = {
    "latency": {"latency": 200, "jitter": 50},
    "bandwidth": {"rate": 10},
    "slow_close": {"delay": 1000},
    "slicer": {"average_size": 100, "size_variation": 50, "delay": 10},
    "limit_data": {"bytes": 1_000_000_000},
    "reset_peer": {"timeout": 60_000},
    "timeout": {"timeout": 0},
}


@pytest.fixture(scope="module")
def api() -> Iterator[Api]:
    with ours() as server:
        yield server


class Timed:
    """How long the API took, by kind of call. The best of a kind counts: a busy host only adds to it."""

    def __init__(self) -> None:
        self.took_ms: dict[str, list[float]] = {}

    def __call__(self, kind: str, call: Callable[[], object]) -> None:
        start = time.monotonic()
        call()
        self.took_ms.setdefault(kind, []).append((time.monotonic() - start) * 1000)

    def were_within_100_ms(self) -> None:
        assert all(min(took) < 100 for took in self.took_ms.values()), self.took_ms


def resident_kb(api: Api) -> int:
    status = Path(f"/proc/{api.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])


@contextmanager
def unread_downloads(port: int, count: int) -> Iterator[None]:
    """Clients that read nothing of a download without end."""
    with ExitStack() as stack:
        peers = [stack.enter_context(closing(dial(port))) for _ in range(count)]
        for peer in peers:
            wait_until(lambda peer=peer: len(peer.recv(1 << 20, socket.MSG_PEEK)) > 60_000, "a full receive buffer")  # type: ignore[misc]
        yield


@pytest.mark.parametrize("type_name", TOXICS)
def test_api_answers_while_clients_do_not_read_and_toxics_come_and_go(api: Api, type_name: str) -> None:
    timed = Timed()
    attributes = TOXICS[type_name]
    with upstream(flood) as target:
        port = api.proxy("flood", target)
        for stream in ("downstream", "upstream", "downstream", "upstream"):
            with unread_downloads(port, 10):
                timed("add", partial(api.strike, "flood", type_name, stream, **attributes))
                timed("change", partial(api.change, "flood", type_name, **attributes))
                timed("list", partial(api.call, "GET", "/proxies"))
                timed("remove", partial(api.heal, "flood", type_name))
                api.strike("flood", type_name, stream, **attributes)
                timed("reset", partial(api.call, "POST", "/reset"))
                timed("disable", partial(api.call, "PATCH", "/proxies/flood", {"enabled": False}))
                timed("enable", partial(api.call, "PATCH", "/proxies/flood", {"enabled": True}))
        timed("delete", partial(api.call, "DELETE", "/proxies/flood"))
    timed.were_within_100_ms()


def test_toxics_come_and_go_while_clients_abort(api: Api) -> None:
    timed = Timed()
    with upstream(flood) as target:
        port = api.proxy("aborted", target)
        for type_name, attributes in TOXICS.items():
            with ExitStack() as stack:
                peers = [stack.enter_context(closing(dial(port))) for _ in range(10)]
                api.strike("aborted", type_name, "downstream", **attributes)
                for peer in peers:
                    peer.close()
                timed("remove", partial(api.heal, "aborted", type_name))
        assert api.call("DELETE", "/proxies/aborted").status == 204
    timed.were_within_100_ms()


@pytest.mark.parametrize("type_name", ["latency", "bandwidth", "slicer"])
def test_memory_stays_small_while_clients_do_not_read(api: Api, type_name: str) -> None:
    attributes = {"latency": {"latency": 60_000}, "bandwidth": {"rate": 0}, "slicer": {"average_size": 1}}[type_name]
    with upstream(flood) as target:
        port = api.proxy("unread", target)
        before_kb = resident_kb(api)
        with unread_downloads(port, 20):
            api.strike("unread", type_name, "downstream", **attributes)
            with ExitStack() as stack:
                for _ in range(20):
                    stack.enter_context(closing(dial(port)))
                time.sleep(0.5)
                assert resident_kb(api) - before_kb < 40 * 500
                assert api.call("GET", "/proxies").status == 200
        api.call("DELETE", "/proxies/unread")


def test_half_close_of_the_client_does_not_cut_the_answer(api: Api) -> None:
    def answer_after_the_end(peer: socket.socket) -> None:
        peer.sendall(b"got " + read_all(peer))

    with upstream(answer_after_the_end) as target, closing(dial(api.proxy("half", target))) as peer:
        peer.sendall(b"all")
        peer.shutdown(socket.SHUT_WR)
        assert read_all(peer) == b"got all"
    api.call("DELETE", "/proxies/half")


def test_half_close_of_the_upstream_does_not_cut_the_request(api: Api) -> None:
    got = []
    done = threading.Event()

    def answer_first(peer: socket.socket) -> None:
        peer.sendall(b"early")
        peer.shutdown(socket.SHUT_WR)
        got.append(read_all(peer))
        done.set()

    with upstream(answer_first) as target, closing(dial(api.proxy("early", target))) as peer:
        assert read_all(peer) == b"early"
        peer.sendall(b"late")
        peer.shutdown(socket.SHUT_WR)
        assert done.wait(2)
        assert got == [b"late"]
    api.call("DELETE", "/proxies/early")


@contextmanager
def black_hole() -> Iterator[str]:
    """A listener whose queue is full: SYNs are dropped."""
    with ExitStack() as stack:
        listener = stack.enter_context(closing(socket.create_server(("127.0.0.1", 0), backlog=0)))
        for _ in range(3):
            filler = stack.enter_context(closing(socket.socket()))
            filler.setblocking(False)
            with suppress(BlockingIOError):
                filler.connect(listener.getsockname())
        yield f"127.0.0.1:{listener.getsockname()[1]}"


def test_dial_without_an_answer_holds_nobody_up_and_ends_in_3_s(api: Api) -> None:
    with black_hole() as target, upstream(echo) as alive:
        port = api.proxy("hole", target)
        start = time.monotonic()
        with closing(dial(port)) as stuck:
            stuck.sendall(b"x")
            assert api.call("PATCH", "/proxies/hole", {"enabled": True}).status == 200
            other = api.proxy("alive", alive)
            with closing(dial(other)) as peer:
                peer.sendall(b"x")
                assert read_exactly(peer, 1) == b"x"
            assert read_all(stuck) == b""
        assert 2.9 <= time.monotonic() - start < 3.5
    for name in ("hole", "alive"):
        api.call("DELETE", f"/proxies/{name}")


def test_what_a_client_sends_before_the_upstream_is_dialled_arrives(api: Api) -> None:
    sent = bytes(range(256)) * 4000
    with upstream(echo) as target:
        port = api.proxy("early", target)
        for _ in range(20):
            with closing(dial(port)) as peer:
                sender = threading.Thread(target=peer.sendall, args=(sent,))
                sender.start()
                assert read_exactly(peer, len(sent)) == sent
                sender.join()
        api.call("DELETE", "/proxies/early")


def test_nothing_is_left_of_connections_that_have_ended() -> None:
    with ours() as server, upstream(echo) as target:
        open_files = Path(f"/proc/{server.pid}/fd")
        port = server.proxy("echo", target)
        before = len(list(open_files.iterdir()))
        for index in range(50):
            peer = dial(port)
            peer.sendall(b"x" * index)
            peer.close()
        wait_until(lambda: len(list(open_files.iterdir())) <= before, "all sockets of ended connections closed")
