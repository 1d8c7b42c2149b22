"""A region of containers that is up: its addresses, and handles to freeze, kill, restart and read each component. Docker SDK only."""

import socket
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

import requests
from docker.client import DockerClient
from docker.errors import APIError, DockerException, NotFound
from docker.models.containers import Container

from chaoskit.drivers.base import Address, ComponentState
from chaoskit.drivers.composefiles import CONTROL_PORT, SECRETS, listener_port
from chaoskit.errors import PlaneFailed
from chaoskit.model.topology import Topology

LABEL_REGION = "io.chaoskit.region"
LABEL_COMPONENT = "io.chaoskit.component"
_PLANE_LIMIT_S = 10.0


def containers_of(client: DockerClient, project: str) -> dict[str, Container]:
    """Containers of a region by component name (`toxiproxy` among them), stopped ones included."""
    found = client.containers.list(all=True, filters={"label": f"{LABEL_REGION}={project}"})
    return {container.labels[LABEL_COMPONENT]: container for container in found}


@contextmanager
def docker_errors(wanted: str, project: str) -> Iterator[None]:
    """Turn errors of the Docker SDK into PlaneFailed that says what was wanted and how to clean up."""
    try:
        yield
    except (DockerException, requests.RequestException) as error:
        raise PlaneFailed(
            f"{wanted}: {error}; if the Docker daemon died, start it and run 'chaoskit down --name {project}' "
            f"(everything of this run is labelled {LABEL_REGION}={project})"
        ) from error


@dataclass(frozen=True, slots=True)
class ContainerRegion:
    """The Deployment of the compose driver. `values` is the region's env file."""

    client: DockerClient
    project: str
    topology: Topology
    values: Mapping[str, str]
    containers: Mapping[str, Container]
    facts: Mapping[str, str]

    def close(self) -> None:
        """Close the connections to the daemon; the region stays up."""
        self.client.close()

    def _address(self, listener: int) -> Address:
        return Address("127.0.0.1", int(self.values[f"CHAOSKIT_PORT_{listener}"]))

    @property
    def control(self) -> Address:
        """Where the Toxiproxy API answers."""
        return self._address(CONTROL_PORT)

    @property
    def listeners(self) -> Mapping[str, Address]:
        """Every link's published listener."""
        return {link.name: self._address(listener_port(self.topology, link)) for link in self.topology.links}

    @property
    def entries(self) -> Mapping[str, str]:
        """Base URL of each zone's entry."""
        listeners = self.listeners
        links = [link for link in self.topology.links if link.source == "client"]
        return {link.zones[0]: f"http://{listeners[link.name].host}:{listeners[link.name].port}" for link in links}

    def states(self) -> Mapping[str, ComponentState]:
        """State of every component, read from the daemon now."""
        names = [component.name for component in self.topology.components]
        with docker_errors("reading component states", self.project), ThreadPoolExecutor(len(names)) as pool:
            return dict(zip(names, pool.map(self._state, names), strict=True))

    def _state(self, component: str) -> ComponentState:
        state = cast(Mapping[str, object], self.client.api.inspect_container(self._container(component).id or component)["State"])
        word: Literal["running", "frozen", "dead"] = "frozen" if state["Paused"] else "running" if state["Running"] else "dead"
        return ComponentState(word, str(state["StartedAt"]))

    def _container(self, component: str) -> Container:
        try:
            return self.containers[component]
        except KeyError as error:
            raise PlaneFailed(f"region '{self.project}' has no component '{component}'; it has {', '.join(self.containers)}") from error

    def _act(self, verb: str, component: str, act: Callable[[Container], None], *, unless: str) -> None:
        with docker_errors(f"{verb} {component}", self.project):
            if self._state(component).state != unless:
                act(self._container(component))

    def freeze(self, component: str) -> None:
        """Pause the container: the cgroup freezer, which no process can catch."""
        self._act("freeze", component, lambda container: container.pause(), unless="frozen")

    def thaw(self, component: str) -> None:
        """Unpause the container if it is paused."""
        with docker_errors(f"thaw {component}", self.project):
            if self._state(component).state == "frozen":
                self._container(component).unpause()

    def kill(self, component: str) -> None:
        """SIGKILL to the container; a frozen one is thawed first, since a frozen process takes no signal."""
        self.thaw(component)
        self._act("kill", component, lambda container: container.kill(), unless="dead")

    def start(self, component: str) -> None:
        """Start a dead container with its volumes."""
        with docker_errors(f"start {component}", self.project):
            if self._state(component).state == "dead":
                self._container(component).start()

    def restart(self, component: str) -> None:
        """Stop gracefully (1 s), then start."""
        with docker_errors(f"restart {component}", self.project):
            self._container(component).restart(timeout=1)

    def restart_plane(self) -> None:
        """Restart Toxiproxy; its configuration file brings back every proxy, enabled and without toxics."""
        with docker_errors("restart toxiproxy", self.project):
            self._container("toxiproxy").restart(timeout=0)
        wait_tcp(self.control, time.monotonic() + _PLANE_LIMIT_S)

    def save_logs(self, folder: Path) -> None:
        """Every component's log as `NAME.log`, with the region's secrets masked."""
        hidden = [self.values[name].encode() for name in SECRETS] + [self.values["CHAOSKIT_S3_KEY"].encode()]
        folder.mkdir(parents=True, exist_ok=True)
        for name, container in self.containers.items():
            try:
                log = container.logs(timestamps=True)
            except NotFound:
                log = b"(the container is gone)\n"
            except (APIError, requests.RequestException) as error:
                raise PlaneFailed(f"reading the log of {name}: {error}") from error
            for secret in hidden:
                log = log.replace(secret, b"***")
            (folder / f"{name}.log").write_bytes(log)


def wait_tcp(address: Address, deadline: float) -> None:
    """Wait until an HTTP server answers at an address; PlaneFailed with the last error at the deadline (time.monotonic())."""
    while True:
        try:
            with socket.create_connection((address.host, address.port), timeout=1) as connection:
                connection.settimeout(1)
                connection.sendall(b"GET /version HTTP/1.0\r\n\r\n")
                if connection.recv(1):
                    return
                last = "accepted, then closed"
        except OSError as error:
            last = str(error)
        if time.monotonic() > deadline:
            raise PlaneFailed(f"nothing answers at {address.host}:{address.port}; last: {last}")
        time.sleep(0.05)
