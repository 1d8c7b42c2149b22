"""A driver of the tests' own, and the way to see that nothing of a region is left."""

from collections.abc import Callable
from pathlib import Path

import docker
import pytest

from chaoskit.drivers.compose import ComposeDriver
from chaoskit.drivers.containers import LABEL_REGION
from chaoskit.model.topology import one_zone, three_zones

ENDPOINT = "unix:///var/run/docker.sock"


@pytest.fixture
def driver(tmp_path: Path) -> ComposeDriver:
    return ComposeDriver(
        endpoint=ENDPOINT, environment={}, root=tmp_path / "regions", topologies={"three-zones": three_zones, "one-zone": one_zone}
    )


@pytest.fixture(scope="session")
def leftovers(request: pytest.FixtureRequest) -> Callable[[str], list[str]]:
    """Containers, networks and volumes of a region (or of all that start so), by name."""
    client = docker.DockerClient(base_url=ENDPOINT)
    request.addfinalizer(client.close)

    def find(prefix: str) -> list[str]:
        found = [(container.name, container.labels) for container in client.containers.list(all=True)]
        found += [(network.name, network.attrs["Labels"]) for network in client.networks.list()]
        found += [(volume.name, volume.attrs["Labels"]) for volume in client.volumes.list()]
        return [str(name) for name, labels in found if (labels or {}).get(LABEL_REGION, "").startswith(prefix)]

    return find
