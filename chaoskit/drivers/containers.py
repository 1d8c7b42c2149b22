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

from chaoskit.drivers import alterations
from chaoskit.drivers.base import Address, ComponentState
from chaoskit.drivers.composefiles import CONTROL_PORT, SECRETS, listener_port
from chaoskit.errors import PlaneFailed
from chaoskit.model.strike import Alteration
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
    containers: dict[str, Container]
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

    @property
    def _folder(self) -> Path:
        return Path(self.values["CHAOSKIT_REGION_DIR"])

    def _named(self, kind: str) -> dict[str, Container]:
        return {one.name: self._container(one.name) for one in self.topology.components if one.kind == kind}

    def alterations(self) -> Mapping[str, Alteration]:
        """From the note of the permission and the environment of the registries' containers."""
        found: dict[str, Alteration] = {}
        if alterations.is_read_only(self._folder):
            found |= dict.fromkeys(self._named("store"), "read-only")
        with docker_errors("reading the registries' secrets", self.project):
            for name, registry in self._named("registry").items():
                if alterations.secret_of(self.client, registry) != self.values["CHAOSKIT_HTTP_SECRET"]:
                    found[name] = "other-secret"
        return found

    def alter(self, component: str, alteration: Alteration) -> None:
        """Take the permission from the cluster's key, or make the registry's container again with a secret of its own."""
        self._alter(component, alteration, restores=False)

    def restore(self, component: str, alteration: Alteration) -> None:
        """Give the permission back, or make the registry's container again with the region's secret."""
        self._alter(component, alteration, restores=True)

    def _alter(self, component: str, alteration: Alteration, *, restores: bool) -> None:
        kind, container = component.partition(".")[0], self._container(component)
        with docker_errors(f"{alteration} of {component}", self.project):
            match kind, alteration:
                case "store", "read-only":
                    stores = [container, *(one for name, one in self._named("store").items() if name != component)]
                    alterations.set_writing(stores, self.values["CHAOSKIT_S3_KEY"], self._folder, allowed=restores)
                case "registry", "other-secret":
                    common = self.values["CHAOSKIT_HTTP_SECRET"]
                    secret = common if restores else f"other-{common}"
                    if alterations.secret_of(self.client, container) != secret:
                        self.containers[component] = alterations.with_secret(self.client, container, secret, folder=self._folder)
                case _:
                    raise PlaneFailed(f"{component} cannot be {alteration}: only stores are read-only, only registries have a secret")

    def collect(self, component: str) -> str:
        """`registry garbage-collect` in the registry's container."""
        with docker_errors(f"collecting at {component}", self.project):
            return alterations.collect(self._container(component))

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
            past = alterations.past_log(self._folder, name)
            log = (past.read_bytes() if past.exists() else b"") + log
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
