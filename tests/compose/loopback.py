"""A real Toxiproxy on the host's loopback, and TCP servers in the test process for it to lead to."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress

import docker

from chaoskit.drivers.base import Address
from chaoskit.plane.toxiproxy import Plane
from tests.compose.conftest import ENDPOINT

IMAGE = "ghcr.io/shopify/toxiproxy:2.12.0"
Converse = Callable[[socket.socket], None]


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answer_http(peer: socket.socket) -> None:
    """One request head, one small answer."""
    head = b""
    while b"\r\n\r\n" not in head and (more := peer.recv(65536)):
        head += more
    peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


def refuse_hello(peer: socket.socket) -> None:
    """Garage's server: reads a hello of 64 bytes and hangs up on a wrong MAC."""
    hello = b""
    while len(hello) < 64 and (more := peer.recv(64 - len(hello))):
        hello += more


def echo(peer: socket.socket) -> None:
    while more := peer.recv(65536):
        peer.sendall(more)


@contextmanager
def upstream(converse: Converse) -> Iterator[str]:
    """A TCP server in this process; every connection is one conversation on its own thread."""

    def serve(peer: socket.socket) -> None:
        with closing(peer), suppress(OSError):  # the fault under test
            converse(peer)

    def accept(listener: socket.socket) -> None:
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=serve, args=(peer,), daemon=True).start()

    with closing(socket.create_server(("127.0.0.1", 0), backlog=128)) as listener:
        thread = threading.Thread(target=accept, args=(listener,), daemon=True)
        thread.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
    thread.join()


@contextmanager
def toxiproxy_server() -> Iterator[Plane]:
    """Toxiproxy's image on the host's loopback: its listeners have their exact shapes there."""
    client = docker.DockerClient(base_url=ENDPOINT)
    port = free_port()
    command = ["/toxiproxy", "-host=127.0.0.1", f"-port={port}"]
    with closing(client):
        container = client.containers.run(IMAGE, entrypoint=command[:1], command=command[1:], network_mode="host", detach=True)
        try:
            plane = Plane(Address("127.0.0.1", port), time.monotonic_ns)
            wait_until(lambda: answers(port), f"Toxiproxy on port {port}")
            yield plane
        finally:
            container.remove(force=True)


def answers(port: int) -> bool:
    with closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_until(happened: Callable[[], bool], what: str, limit_s: float = 10.0) -> None:
    end = time.monotonic() + limit_s
    while not happened():
        assert time.monotonic() < end, f"{what}: not within {limit_s} s"
        time.sleep(0.02)
