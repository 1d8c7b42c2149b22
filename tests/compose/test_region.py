"""The driver contract on the real stack: comes up, is reached only through its links, obeys, goes away."""

import hashlib
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import pytest

from chaoskit.drivers import composefiles
from chaoskit.drivers.compose import ComposeDriver
from chaoskit.drivers.containers import ContainerRegion
from chaoskit.drivers.garage import peers_up
from chaoskit.errors import ChaosError, DeployFailed, EnvironmentMissing
from chaoskit.model.topology import one_zone, three_zones
from tests.compose.conftest import ENDPOINT

pytestmark = pytest.mark.docker

READY_S = 15.0
DOWN_S = 4.0
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


def deployed(folder: Path, name: str) -> Iterator[ContainerRegion]:
    driver = ComposeDriver(ENDPOINT, {}, folder, {"three-zones": three_zones})
    with driver.deploy(three_zones(), name=name) as deployment:
        assert isinstance(deployment, ContainerRegion)
        yield deployment


@pytest.fixture(scope="module")
def region(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ContainerRegion]:
    """A region that no test harms."""
    yield from deployed(tmp_path_factory.mktemp("regions"), "chaoskit-test-region")


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ContainerRegion]:
    """A region whose components tests kill; its stores may need a minute to find each other again."""
    yield from deployed(tmp_path_factory.mktemp("patient"), "chaoskit-test-patient")


def fetch(
    url: str, *, method: str = "GET", body: bytes | None = None, kind: str = "application/octet-stream"
) -> tuple[int, dict[str, str], bytes]:
    request = urllib.request.Request(url, data=body, method=method, headers={"Content-Type": kind, "Accept": MANIFEST})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, {name.lower(): value for name, value in answer.headers.items()}, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, {name.lower(): value for name, value in error.headers.items()}, error.read()


def push_by_hand(entry: str, repository: str, tag: str, content: bytes) -> str:
    """One image through one entry with nothing but urllib; the manifest's digest."""
    blobs = []
    for body in (b"{}", content):
        digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
        _, headers, _ = fetch(f"{entry}/v2/{repository}/blobs/uploads/", method="POST", body=b"")
        location = headers["location"] if headers["location"].startswith("http") else entry + headers["location"]
        status, _, _ = fetch(f"{location}&digest={digest}", method="PUT", body=body)
        assert status == 201
        blobs.append({"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest, "size": len(body)})
    config = {**blobs[0], "mediaType": "application/vnd.oci.image.config.v1+json"}
    manifest = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": blobs[1:]}).encode()
    status, headers, _ = fetch(f"{entry}/v2/{repository}/manifests/{tag}", method="PUT", body=manifest, kind=MANIFEST)
    assert status == 201
    return headers["docker-content-digest"]


def settled(url: str) -> tuple[int, dict[str, str], bytes]:
    """The answer, once it is not an error of the server: a balancer may still count a server as down."""
    deadline = time.monotonic() + 60
    while (answer := fetch(url))[0] >= 500:
        assert time.monotonic() < deadline, f"{url} still answers {answer[0]}"
        time.sleep(0.1)
    return answer


def wait_for_entry(entry: str) -> None:
    settled(f"{entry}/v2/")


def test_region_is_ready_in_time_and_leaves_nothing(driver: ComposeDriver, leftovers: Callable[[str], list[str]]) -> None:
    started = time.monotonic()
    with driver.deploy(three_zones(), name="chaoskit-test-timing"):
        ready = time.monotonic() - started
        assert len(leftovers("chaoskit-test-timing")) == 10 + 4 + 3
        leaving = time.monotonic()
    gone = time.monotonic() - leaving
    assert leftovers("chaoskit-test-timing") == []
    assert list(driver.root.glob("*/")) == []
    assert ready < READY_S
    assert gone < DOWN_S


def test_what_one_zone_took_every_zone_serves(region: ContainerRegion) -> None:
    for zone, entry in region.entries.items():
        wait_for_entry(entry)
        digest = push_by_hand(entry, f"by-hand/{zone}", "v1", zone.encode() * 1000)
        for other in region.entries.values():
            status, _, body = settled(f"{other}/v2/by-hand/{zone}/manifests/v1")
            assert (status, f"sha256:{hashlib.sha256(body).hexdigest()}") == (200, digest)


def test_every_listener_of_a_topology_stands_in_its_compose_file() -> None:
    for topology in (three_zones(), one_zone()):
        text = (composefiles.compose_folder() / f"{topology.name}.yaml").read_text()
        proxies = json.loads((composefiles.compose_folder() / f"config/toxiproxy-{topology.name}.json").read_text())
        assert [proxy["name"] for proxy in proxies] == [link.name for link in topology.links]
        for link, proxy in zip(topology.links, proxies, strict=True):
            port = composefiles.listener_port(topology, link)
            assert f':{port}"  # {link.name}' in text
            assert proxy["listen"] == f"0.0.0.0:{port}"
            assert proxy["upstream"].startswith(link.target.replace(".", "-") + ":")


def test_every_store_sees_every_peer(region: ContainerRegion) -> None:
    assert [peers_up(region.containers[c.name]) for c in region.topology.components if c.kind == "store"] == [3, 3, 3]


def test_ports_are_published_on_loopback_only_and_nothing_is_privileged(region: ContainerRegion) -> None:
    for container in region.containers.values():
        container.reload()
        host = container.attrs["HostConfig"]
        bound = [binding["HostIp"] for bindings in (host["PortBindings"] or {}).values() for binding in bindings]
        assert set(bound) <= {"127.0.0.1"}
        assert host["Privileged"] is False
        assert host["CapDrop"] == ["ALL"]


@pytest.mark.parametrize("component", ["lb.us-south-1", "registry.us-south-2", "store.us-south-3"])
def test_component_freezes_thaws_dies_and_starts_again(patient: ContainerRegion, component: str) -> None:
    patient.freeze(component)
    patient.freeze(component)
    assert patient.states()[component].state == "frozen"
    patient.thaw(component)
    assert patient.states()[component].state == "running"
    before = patient.states()[component].started
    patient.kill(component)
    assert patient.states()[component].state == "dead"
    patient.start(component)
    assert patient.states()[component].state == "running"
    patient.restart(component)
    assert patient.states()[component].started > before


def test_toxiproxy_keeps_its_addresses_when_it_is_restarted(patient: ContainerRegion) -> None:
    patient.restart_plane()
    status, _, body = fetch(f"http://{patient.control.host}:{patient.control.port}/proxies")
    assert (status, sorted(json.loads(body))) == (200, sorted(patient.listeners))


def test_logs_are_saved_with_secrets_masked(region: ContainerRegion, tmp_path: Path) -> None:
    region.save_logs(tmp_path)
    assert sorted(path.stem for path in tmp_path.iterdir()) == sorted(region.containers)
    text = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert not any(region.values[name].encode() in text for name in composefiles.SECRETS)


def test_name_in_use_is_refused_and_the_first_region_lives(region: ContainerRegion) -> None:
    driver = ComposeDriver(ENDPOINT, {}, Path(region.values["CHAOSKIT_REGION_DIR"]).parent, {"three-zones": three_zones})
    with pytest.raises(DeployFailed, match=r"exists; run 'chaoskit down --name chaoskit-test-region'"):
        driver.up(three_zones(), name="chaoskit-test-region")
    wait_for_entry(region.entries["us-south-1"])


def test_two_regions_side_by_side_share_nothing(region: ContainerRegion, driver: ComposeDriver) -> None:
    with driver.deploy(one_zone(), name="chaoskit-test-second") as second:
        push_by_hand(second.entries["us-south-1"], "only/here", "v1", b"x")
        assert settled(f"{region.entries['us-south-1']}/v2/only/here/manifests/v1")[0] == 404
        assert not {a.port for a in second.listeners.values()} & {a.port for a in region.listeners.values()}


def test_failed_start_leaves_nothing(tmp_path: Path, leftovers: Callable[[str], list[str]]) -> None:
    override = {"CHAOSKIT_IMAGE_GARAGE": composefiles.images({})["CHAOSKIT_IMAGE_TOXIPROXY"]}
    driver = ComposeDriver(ENDPOINT, override, tmp_path, {"one-zone": one_zone})
    with pytest.raises(DeployFailed, match="chaoskit-test-broken"):
        driver.up(one_zone(), name="chaoskit-test-broken")
    assert leftovers("chaoskit-test-broken") == []
    assert list(tmp_path.glob("*/")) == []


def test_port_taken_by_another_program_is_named(
    driver: ComposeDriver, leftovers: Callable[[str], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    client = docker.DockerClient(base_url=ENDPOINT)
    free = composefiles.free_ports
    taken = client.containers.run(
        composefiles.images({})["CHAOSKIT_IMAGE_TOXIPROXY"],
        ["/toxiproxy", "-host=0.0.0.0"],
        detach=True,
        ports={"8474/tcp": 0},
    )
    try:
        taken.reload()
        port = int(taken.attrs["NetworkSettings"]["Ports"]["8474/tcp"][0]["HostPort"])
        monkeypatch.setattr(composefiles, "free_ports", lambda count, other: [*free(count - 1, other | {port}), port])
        with pytest.raises(DeployFailed, match=f"{port}.*(already allocated|already in use)"):
            driver.up(one_zone(), name="chaoskit-test-taken")
    finally:
        taken.remove(force=True)
        client.close()
    assert leftovers("chaoskit-test-taken") == []


def test_missing_image_is_named_with_the_way_out(tmp_path: Path) -> None:
    driver = ComposeDriver(ENDPOINT, {"CHAOSKIT_IMAGE_HAPROXY": "chaoskit.invalid/none:1"}, tmp_path, {})
    with pytest.raises(EnvironmentMissing, match=r"chaoskit.invalid/none:1.*make images.*CHAOSKIT_IMAGE_HAPROXY"):
        driver.preflight(three_zones())


def test_no_daemon_is_named_with_the_way_out(tmp_path: Path) -> None:
    driver = ComposeDriver("unix:///nowhere/docker.sock", {}, tmp_path, {})
    with pytest.raises(ChaosError, match=r"no Docker daemon answers at unix:///nowhere/docker.sock"):
        driver.preflight(three_zones())
