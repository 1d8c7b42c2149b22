"""The two sides of each contract: ours, and the real thing it doubles."""

import os
import socket
import subprocess
import time
import urllib.request
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import docker
import pytest

from chaoskit.drivers.base import Address
from tests.embedded.registry.memory import MemoryStore
from tests.embedded.registry.running import running
from tests.embedded.registry.talk import Talk

BINARY = Path.home() / ".cache/chaoskit/bin/registry"
IMAGE = "registry:3.1.2"
READY_LIMIT_S = 20.0
CONFIG = """
version: 0.1
log: {{level: error, accesslog: {{disabled: true}}}}
storage:
  inmemory: {{}}
  delete: {{enabled: true}}
  maintenance: {{uploadpurging: {{enabled: false}}}}
http: {{addr: "{addr}", relativeurls: true, secret: contract}}
"""


def wait_ready(address: Address) -> None:
    deadline = time.monotonic() + READY_LIMIT_S
    while True:
        try:
            urllib.request.urlopen(f"http://{address.host}:{address.port}/v2/", timeout=2).close()
            return
        except OSError as error:
            assert time.monotonic() < deadline, f"the registry does not answer after {READY_LIMIT_S} s: {error}"
        time.sleep(0.05)


@contextmanager
def distribution_process(folder: Path) -> Iterator[Address]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = Address("127.0.0.1", probe.getsockname()[1])
    config = folder / "config.yml"
    config.write_text(CONFIG.format(addr=f"{address.host}:{address.port}"))
    with (folder / "log").open("wb") as log, subprocess.Popen([BINARY, "serve", config], stdout=log, stderr=log) as process:
        try:
            wait_ready(address)
            yield address
        finally:
            process.kill()


@contextmanager
def distribution_container(folder: Path) -> Iterator[Address]:
    config = folder / "config.yml"
    config.write_text(CONFIG.format(addr=":5000"))
    with closing(docker.DockerClient(base_url=os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock"))) as client:
        container = client.containers.create(
            IMAGE,
            ports={"5000/tcp": ("127.0.0.1", 0)},
            volumes={str(config): {"bind": "/etc/distribution/config.yml", "mode": "ro"}},
        )
        try:
            container.start()
            container.reload()
            published = container.ports["5000/tcp"]
            assert published, "Docker published no port"
            address = Address("127.0.0.1", int(published[0]["HostPort"]))
            wait_ready(address)
            yield address
        finally:
            container.remove(force=True, v=True)


@pytest.fixture(scope="session", params=["embedded", pytest.param("distribution", marks=pytest.mark.docker)])
def entry(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Address]:
    """Where a registry answers: ours over a store in memory, or the real distribution (a local binary, else its image)."""
    if request.param == "embedded":
        with running(MemoryStore(), secret="contract") as address:
            yield address
        return
    real = distribution_process if BINARY.is_file() else distribution_container
    with real(tmp_path_factory.mktemp("distribution")) as address:
        yield address


@pytest.fixture
def talk(entry: Address) -> Iterator[Talk]:
    with Talk.to(entry) as talk:
        yield talk


@pytest.fixture
def repository(request: pytest.FixtureRequest) -> str:
    """A repository of the test's own."""
    return f"contract/{zlib.crc32(request.node.nodeid.encode()):08x}"
