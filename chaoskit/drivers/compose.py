"""The compose driver: a region of HAProxy, CNCF distribution, Garage and Toxiproxy in Docker Compose.

testcontainers' DockerCompose brings it up and down, the Docker SDK does the rest. Everything it makes is labelled with the
region's name; a region made for a run goes away with it, one made by `up` stays until `down`.
"""

import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import requests
from docker.client import DockerClient
from docker.errors import APIError, DockerException, ImageNotFound, NotFound
from docker.models.containers import Container
from testcontainers.compose import DockerCompose

from chaoskit.drivers import composefiles
from chaoskit.drivers.base import Deployment
from chaoskit.drivers.containers import LABEL_REGION, ContainerRegion, containers_of
from chaoskit.drivers.garage import form_cluster
from chaoskit.errors import ChaosError, DeployFailed, EnvironmentMissing
from chaoskit.model.topology import Topology

READY_LIMIT_S = 90.0
_POLL_S = 0.1


@dataclass(frozen=True, slots=True)
class RegionInfo:
    """A region on this host as its labels tell it; `personal` is one that `up` made and only `down` takes away."""

    name: str
    topology: str
    personal: bool
    states: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ComposeDriver:
    """Deploys topologies that have a file `compose/NAME.yaml`. `endpoint` is the Docker daemon's; `root` keeps region folders."""

    endpoint: str
    environment: Mapping[str, str]
    root: Path
    topologies: Mapping[str, Callable[[], Topology]]
    name: str = "compose"

    def _client(self) -> DockerClient:
        """A client the caller closes; EnvironmentMissing if no daemon answers."""
        client: DockerClient | None = None
        try:
            if self.endpoint.startswith("unix://"):  # the SDK leaks its socket when this fails, so it is tried first
                with socket.socket(socket.AF_UNIX) as probe:
                    probe.connect(self.endpoint.removeprefix("unix://"))
            client = DockerClient(base_url=self.endpoint, timeout=30)
            client.ping()
        except (DockerException, requests.RequestException, OSError) as error:
            if client is not None:
                client.close()
            raise EnvironmentMissing(f"no Docker daemon answers at {self.endpoint} ({error}); start it, or set DOCKER_HOST") from error
        return client

    def preflight(self, topology: Topology) -> None:
        """Docker client, daemon, Compose plugin, compose file and images; an image that is missing is pulled."""
        if shutil.which("docker") is None:
            raise EnvironmentMissing("no 'docker' command on PATH; install Docker's client")
        plugin = subprocess.run(["docker", "compose", "version"], capture_output=True, text=True, timeout=30, check=False)
        if plugin.returncode != 0:
            raise EnvironmentMissing("'docker compose version' fails: install Docker's Compose plugin, or run 'make images'")
        if not self._file(topology).is_file():
            raise EnvironmentMissing(f"topology '{topology.name}' has no compose file {self._file(topology)}")
        with closing(self._client()) as client:
            for name, reference in composefiles.images(self.environment).items():
                _ensure_image(client, name, reference)

    def _file(self, topology: Topology) -> Path:
        return composefiles.compose_folder() / f"{topology.name}.yaml"

    @contextmanager
    def deploy(self, topology: Topology, *, name: str) -> Iterator[Deployment]:
        """Up, ready, and away again whatever happens; a start that fails has cleaned up after itself."""
        region = self.up(topology, name=name, personal=False)
        try:
            yield region
        finally:
            region.close()
            self.down(name)

    def up(self, topology: Topology, *, name: str, personal: bool = True) -> ContainerRegion:
        """Bring a region up and wait until every entry answers. A start that fails takes away what it made, then raises."""
        self.preflight(topology)
        folder = composefiles.create_region(self.root, name, topology, images=composefiles.images(self.environment), personal=personal)
        deadline = time.monotonic() + READY_LIMIT_S
        try:
            self._compose(topology, folder).start()
            region = self.attach(name)
            stores = {c.zone: region.containers[c.name] for c in topology.components if c.kind == "store"}
            form_cluster(
                topology,
                stores,
                folder=folder,
                key=region.values["CHAOSKIT_S3_KEY"],
                secret=region.values["CHAOSKIT_S3_SECRET"],
                deadline=deadline,
            )
            for zone, url in region.entries.items():
                _wait_entry(zone, url, deadline)
        except BaseException as error:
            self.down(name)
            if isinstance(error, subprocess.CalledProcessError):
                raise DeployFailed(f"'docker compose up' failed for region '{name}': {_last_line(error.stderr)}") from error
            raise
        return region

    def _compose(self, topology: Topology, folder: Path) -> DockerCompose:
        return DockerCompose(
            context=str(composefiles.compose_folder()),
            compose_file_name=str(self._file(topology)),
            env_file=str(folder / "region.env"),
            wait=False,
        )

    def attach(self, name: str) -> ContainerRegion:
        """A region that is up, by its name. DeployFailed if there is none."""
        values = composefiles.region_values(self.root, name)
        client = self._client()
        containers = containers_of(client, name)
        topology = self.topologies[values["CHAOSKIT_TOPOLOGY"]]()
        absent = [c.name for c in topology.components if c.name not in containers]
        if absent:
            raise DeployFailed(f"region '{name}' lacks the containers of {', '.join(absent)}; run 'chaoskit down --name {name}'")
        return ContainerRegion(client, name, topology, values, containers, _facts(client, values))

    def down(self, name: str) -> None:
        """Take a region away: containers, networks, volumes, folder. Safe to repeat; DeployFailed names what would not go."""
        try:
            values = composefiles.region_values(self.root, name)
        except DeployFailed:
            values = {}
        with closing(self._client()) as client:
            self._down(client, name, values)
        composefiles.remove_region(self.root, name)

    def _down(self, client: DockerClient, name: str, values: Mapping[str, str]) -> None:
        _kill_all(client, name)
        problem = ""
        if values.get("CHAOSKIT_TOPOLOGY") in self.topologies:
            try:
                self._compose(self.topologies[values["CHAOSKIT_TOPOLOGY"]](), self.root / name).stop()
            except subprocess.CalledProcessError as error:
                problem = f"; 'docker compose down' said: {_last_line(error.stderr)}"
        left = _remove_leftovers(client, name)
        if left:
            raise DeployFailed(f"region '{name}' is not gone, {', '.join(left)} would not be removed{problem}")

    def regions(self) -> tuple[RegionInfo, ...]:
        """All regions on this host, running or not, by name."""
        found: dict[str, RegionInfo] = {}
        with closing(self._client()) as client:
            for container in client.containers.list(all=True, filters={"label": LABEL_REGION}):
                labels = container.labels
                before = found.get(labels[LABEL_REGION])
                states = {**(before.states if before else {}), labels["io.chaoskit.component"]: container.status}
                found[labels[LABEL_REGION]] = RegionInfo(
                    labels[LABEL_REGION], labels["io.chaoskit.topology"], labels["io.chaoskit.personal"] == "true", states
                )
        return tuple(found[name] for name in sorted(found))


def _ensure_image(client: DockerClient, name: str, reference: str) -> None:
    try:
        client.images.get(reference)
        return
    except ImageNotFound:
        pass
    try:
        client.images.pull(reference)
    except (APIError, requests.RequestException) as error:
        raise EnvironmentMissing(
            f"image '{reference}' ({name}) is not on this host and cannot be pulled ({error}); "
            f"run 'make images' to build it, or set {name} to one you have"
        ) from error


def _facts(client: DockerClient, values: Mapping[str, str]) -> dict[str, str]:
    facts = {"docker": str(client.version()["Version"]), "region": values["COMPOSE_PROJECT_NAME"]}
    for name, reference in values.items():
        if name.startswith("CHAOSKIT_IMAGE_"):
            kind = name.removeprefix("CHAOSKIT_IMAGE_").lower()
            try:
                image = client.images.get(reference)
            except ImageNotFound:
                continue
            digests = image.attrs.get("RepoDigests") or [image.id]
            facts[f"image.{kind}"] = f"{reference} {digests[0]}"
    return facts


def _wait_entry(zone: str, url: str, deadline: float) -> None:
    """Six good answers in a row: a balancer spreads over three registries, and one that still starts shows within two rounds."""
    good = 0
    while good < 6:
        try:
            with urllib.request.urlopen(f"{url}/v2/", timeout=2) as answer:
                good += 1
                last = f"status {answer.status}"
                continue
        except OSError as error:
            good, last = 0, str(error)
        if time.monotonic() > deadline:
            raise DeployFailed(f"the entry of {zone} ({url}/v2/) did not answer within {READY_LIMIT_S:g} s; last: {last}")
        time.sleep(_POLL_S)


def _kill_all(client: DockerClient, name: str) -> None:
    def kill(container: Container) -> None:
        try:
            if container.status == "paused":
                container.unpause()
            if container.status in ("paused", "running"):
                container.kill()
        except (APIError, NotFound):
            return  # already gone or dead; what really stays is found by _remove_leftovers

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(kill, containers_of(client, name).values()))


def _remove_leftovers(client: DockerClient, name: str) -> list[str]:
    label: dict[str, str | list[str] | bool] = {"label": f"{LABEL_REGION}={name}"}
    left: list[str] = []
    for container in client.containers.list(all=True, filters=label):
        left += _remove(f"container {container.name}", partial(container.remove, force=True, v=True))
    for network in client.networks.list(filters=label):
        left += _remove(f"network {network.name}", network.remove)
    for volume in client.volumes.list(filters=label):
        left += _remove(f"volume {volume.name}", volume.remove)
    return left


def _remove(what: str, remove: Callable[[], None]) -> list[str]:
    try:
        remove()
    except NotFound:
        return []
    except (APIError, ChaosError) as error:
        return [f"{what} ({error})"]
    return []


def _last_line(text: bytes) -> str:
    lines = text.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "nothing"
