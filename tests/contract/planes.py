"""Both sides of the Toxiproxy contract, each a process on this host's loopback, and TCP servers in the test process for them to lead to."""

import http.client
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from dataclasses import dataclass

import docker
import msgspec
import pytest

from chaoskit.drivers.base import Address
from chaoskit.drivers.embedded.config import ProcessConfig
from chaoskit.plane.toxiproxy import Plane

IMAGE = "ghcr.io/shopify/toxiproxy:2.12.0"
ENDPOINT = "unix:///var/run/docker.sock"
LAUNCH = """
import sys, msgspec, uvloop
from chaoskit.drivers.embedded.config import ProcessConfig
from chaoskit.drivers.embedded.proxy.server import serve
uvloop.run(serve(msgspec.json.decode(sys.argv[1], type=ProcessConfig)))
"""
Converse = Callable[[socket.socket], None]


@dataclass(frozen=True)
class Answer:
    """A response of the API; `shown` is its decoded JSON, None if it has none."""

    status: int
    content_type: str
    text: str

    @property
    def shown(self) -> object:
        return msgspec.json.decode(self.text) if self.text.startswith(("{", "[")) else None


@dataclass(frozen=True)
class Api:
    """One Toxiproxy, ours or the real one."""

    plane: Plane
    address: Address
    pid: int = 0

    def call(self, method: str, path: str, body: object = None, **headers: str) -> Answer:
        """One request; a body that is no bytes is sent as JSON."""
        sent = body if isinstance(body, bytes) else msgspec.json.encode(body) if body is not None else None
        with closing(http.client.HTTPConnection(self.address.host, self.address.port, timeout=5)) as connection:
            connection.request(method, path, body=sent, headers={name.replace("_", "-"): value for name, value in headers.items()})
            response = connection.getresponse()
            return Answer(response.status, response.headers.get("content-type", ""), response.read().decode())

    def proxy(self, name: str, upstream: str) -> int:
        """A new proxy to an upstream; its port."""
        answer = self.call("POST", "/proxies", {"name": name, "listen": "127.0.0.1:0", "upstream": upstream})
        assert answer.status == 201, answer
        return int(msgspec.json.decode(answer.text)["listen"].rpartition(":")[2])

    def strike(self, name: str, type_name: str, stream: str = "downstream", toxicity: float = 1, **attributes: int) -> None:
        """Add a toxic called like its type."""
        wanted = {"name": type_name, "type": type_name, "stream": stream, "toxicity": toxicity, "attributes": attributes}
        answer = self.call("POST", f"/proxies/{name}/toxics", wanted)
        assert answer.status == 200, answer

    def change(self, name: str, toxic: str, **attributes: int) -> None:
        """Change a toxic's attributes."""
        answer = self.call("PATCH", f"/proxies/{name}/toxics/{toxic}", {"attributes": attributes})
        assert answer.status == 200, answer

    def heal(self, name: str, toxic: str) -> None:
        """Remove a toxic."""
        answer = self.call("DELETE", f"/proxies/{name}/toxics/{toxic}")
        assert answer.status == 204, answer


Side = Callable[[], AbstractContextManager[Api]]


@contextmanager
def ours(*bugs: str) -> Iterator[Api]:
    """Our fault proxy, without a link."""
    address = Address("127.0.0.1", free_port())
    config = ProcessConfig("proxy", address, {}, "/nonexistent", bugs=bugs)
    process = subprocess.Popen([sys.executable, "-c", LAUNCH, msgspec.json.encode(config).decode()])
    try:
        yield _answering(address, process.pid)
    finally:
        process.kill()
        process.wait()


@contextmanager
def real() -> Iterator[Api]:
    """Toxiproxy's image on the host's network: its listeners have their exact shapes there."""
    address = Address("127.0.0.1", free_port())
    command = ["-host=127.0.0.1", f"-port={address.port}"]
    with closing(docker.DockerClient(base_url=ENDPOINT)) as client:
        container = client.containers.run(IMAGE, entrypoint=["/toxiproxy"], command=command, network_mode="host", detach=True)
        try:
            yield _answering(address, 0)
        finally:
            container.remove(force=True)


SIDES = [pytest.param(ours, id="ours"), pytest.param(real, id="real", marks=pytest.mark.docker)]


def _answering(address: Address, pid: int) -> Api:
    wait_until(lambda: answers(address.port), f"the API on port {address.port}")
    return Api(Plane(address, time.monotonic_ns), address, pid)


def free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answers(port: int) -> bool:
    with closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_until(happened: Callable[[], bool], what: str, limit_s: float = 10.0) -> None:
    end = time.monotonic() + limit_s
    while not happened():
        assert time.monotonic() < end, f"{what}: not within {limit_s} s"
        time.sleep(0.02)


def dial(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=5)


def read_all(peer: socket.socket) -> bytes:
    """Everything up to the end."""
    received = bytearray()
    while more := peer.recv(65536):
        received += more
    return bytes(received)


def read_exactly(peer: socket.socket, size: int) -> bytes:
    received = bytearray()
    while len(received) < size:
        more = peer.recv(min(65536, size - len(received)))
        assert more, f"closed after {len(received)} of {size} bytes"
        received += more
    return bytes(received)


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


def flood(peer: socket.socket) -> None:
    """A download without end."""
    while True:
        peer.sendall(bytes(65536))


def reset_at_once(peer: socket.socket) -> None:
    """Reads a byte, then RST."""
    peer.recv(1)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


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
