"""What every driver promises of a region, the same tests for the embedded one and the real stack: comes up, obeys, goes away."""

import functools
import hashlib
import json
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from chaoskit.drivers.base import Address, Deployment, Driver
from chaoskit.drivers.compose import ComposeDriver
from chaoskit.drivers.embedded.driver import EmbeddedDriver
from chaoskit.model.topology import one_zone, three_zones

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
COMPONENTS = ("lb.us-south-1", "registry.us-south-2", "store.us-south-3")
RECOVER_S = 60.0
_TOPOLOGIES = {"three-zones": three_zones, "one-zone": one_zone}


@pytest.fixture(scope="module", params=["embedded", pytest.param("compose", marks=pytest.mark.docker)])
def driver(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Driver:
    root = tmp_path_factory.mktemp("regions")
    if request.param == "embedded":
        return EmbeddedDriver(root)
    return ComposeDriver("unix:///var/run/docker.sock", {}, root, _TOPOLOGIES)


@pytest.fixture(scope="module")
def region(driver: Driver) -> Iterator[Deployment]:
    with driver.deploy(three_zones(), name="chaoskit-contract") as deployment:
        yield deployment


def fetch(
    url: str, *, method: str = "GET", body: bytes | None = None, kind: str = "application/octet-stream"
) -> tuple[int, dict[str, str], bytes]:
    """Status (0 for no answer), headers and body."""
    request = urllib.request.Request(url, data=body, method=method, headers={"Content-Type": kind, "Accept": MANIFEST})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, {name.lower(): value for name, value in answer.headers.items()}, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, {name.lower(): value for name, value in error.headers.items()}, error.read()
    except OSError:
        return 0, {}, b""


def push_by_hand(entry: str, repository: str, tag: str, content: bytes) -> str:
    """One image through one entry with nothing but urllib; the manifest's digest, or '' if a step was not carried out."""
    blobs = []
    for body in (b"{}", content):
        digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
        _, headers, _ = fetch(f"{entry}/v2/{repository}/blobs/uploads/", method="POST", body=b"")
        location = headers.get("location", "")
        if not location.startswith("http"):
            location = entry + location
        if fetch(f"{location}{'&' if '?' in location else '?'}digest={digest}", method="PUT", body=body)[0] != 201:
            return ""
        blobs.append({"mediaType": "application/vnd.oci.image.layer.v1.tar", "digest": digest, "size": len(body)})
    config = {**blobs[0], "mediaType": "application/vnd.oci.image.config.v1+json"}
    manifest = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": blobs[1:]}).encode()
    status, headers, _ = fetch(f"{entry}/v2/{repository}/manifests/{tag}", method="PUT", body=manifest, kind=MANIFEST)
    return headers["docker-content-digest"] if status == 201 else ""


def push_when_well(entry: str, repository: str, content: bytes) -> str:
    """Push until it is taken: a component that was struck a moment ago may not have been noticed yet."""
    end = time.monotonic() + RECOVER_S
    while not (digest := push_by_hand(entry, repository, "v1", content)):
        assert time.monotonic() < end, f"no push to {entry} was taken within {RECOVER_S:g} s"
        time.sleep(0.05)
    return digest


def wait_served(region: Deployment, repository: str, digest: str) -> None:
    """Until every entry gives those bytes six times in a row: each balancer through each registry."""
    for entry in region.entries.values():
        url = f"{entry}/v2/{repository}/manifests/v1"
        wait_for(functools.partial(_serves, url, digest), functools.partial(fetch, url))


def _serves(url: str, digest: str) -> bool:
    answers = [fetch(url) for _ in range(6)]
    return all(status == 200 and f"sha256:{hashlib.sha256(body).hexdigest()}" == digest for status, _, body in answers)


def _answers(url: str) -> bool:
    return all(fetch(url)[0] == 200 for _ in range(6))


def wait_for(happened: Callable[[], bool], what: Callable[[], object]) -> None:
    end = time.monotonic() + RECOVER_S
    while not happened():
        assert time.monotonic() < end, f"not within {RECOVER_S:g} s: {what()}"
        time.sleep(0.05)


def wait_all_well(region: Deployment) -> None:
    """Every entry answers six times in a row: each balancer through each registry."""
    for entry in region.entries.values():
        wait_for(functools.partial(_answers, f"{entry}/v2/"), functools.partial(fetch, f"{entry}/v2/"))


def accepts(at: Address) -> bool:
    with closing(socket.socket()) as probe:
        probe.settimeout(2)
        return probe.connect_ex((at.host, at.port)) == 0


def test_region_has_every_zone_link_and_component(region: Deployment) -> None:
    topology = three_zones()
    assert region.topology == topology
    assert tuple(region.entries) == topology.zones
    assert set(region.listeners) == {link.name for link in topology.links}
    assert {name: state.state for name, state in region.states().items()} == {one.name: "running" for one in topology.components}
    assert region.facts


def test_every_listener_can_be_dialled_and_no_two_are_the_same(region: Deployment) -> None:
    addresses = [*region.listeners.values(), region.control]
    assert len(set(addresses)) == len(addresses)
    assert [at for at in addresses if not accepts(at)] == []


def test_control_lists_every_link_enabled_and_clean(region: Deployment) -> None:
    status, _, body = fetch(f"http://{region.control.host}:{region.control.port}/proxies")
    proxies = json.loads(body)
    assert status == 200
    assert sorted(proxies) == sorted(region.listeners)
    assert all(proxy["enabled"] and proxy["toxics"] == [] for proxy in proxies.values())


def test_what_one_zone_took_every_zone_serves(region: Deployment) -> None:
    wait_all_well(region)
    for zone, entry in region.entries.items():
        digest = push_when_well(entry, f"by-hand/{zone}", zone.encode() * 1000)
        wait_served(region, f"by-hand/{zone}", digest)


@pytest.mark.parametrize("component", COMPONENTS)
def test_component_freezes_thaws_dies_and_starts_again(region: Deployment, component: str) -> None:
    region.freeze(component)
    region.freeze(component)
    assert region.states()[component].state == "frozen"
    region.thaw(component)
    region.thaw(component)
    assert region.states()[component].state == "running"
    before = region.states()[component].started
    region.kill(component)
    region.kill(component)
    assert region.states()[component].state == "dead"
    region.start(component)
    region.start(component)
    started = region.states()[component]
    assert (started.state, started.started > before) == ("running", True)
    region.restart(component)
    assert region.states()[component].started > started.started


def test_frozen_component_can_be_killed(region: Deployment) -> None:
    region.freeze("registry.us-south-1")
    region.kill("registry.us-south-1")
    assert region.states()["registry.us-south-1"].state == "dead"
    region.start("registry.us-south-1")
    assert region.states()["registry.us-south-1"].state == "running"


@pytest.mark.parametrize("component", COMPONENTS)
def test_region_serves_what_it_took_after_a_component_was_killed_and_came_back(region: Deployment, component: str) -> None:
    digest = push_when_well(region.entries["us-south-1"], f"killed/{component}", component.encode())
    region.kill(component)
    region.start(component)
    wait_served(region, f"killed/{component}", digest)


def test_entry_of_a_killed_balancer_is_silent_and_the_others_answer(region: Deployment) -> None:
    wait_all_well(region)
    region.kill("lb.us-south-1")
    assert fetch(f"{region.entries['us-south-1']}/v2/")[0] == 0
    wait_for(functools.partial(_answers, f"{region.entries['us-south-2']}/v2/"), region.states)
    region.start("lb.us-south-1")
    wait_all_well(region)


def test_killed_registry_is_taken_out_and_every_entry_answers_again(region: Deployment) -> None:
    wait_all_well(region)
    region.kill("registry.us-south-2")
    wait_all_well(region)
    region.start("registry.us-south-2")


def test_restarted_plane_has_the_same_addresses_and_no_toxic(region: Deployment) -> None:
    control = f"http://{region.control.host}:{region.control.port}"
    link = "lb.us-south-1->registry.us-south-1"
    toxic = {"name": "t", "type": "latency", "stream": "upstream", "attributes": {"latency": 50}}
    status, _, _ = fetch(f"{control}/proxies/{link}/toxics", method="POST", body=json.dumps(toxic).encode())
    assert status == 200
    region.restart_plane()
    proxies = json.loads(fetch(f"{control}/proxies")[2])
    assert sorted(proxies) == sorted(region.listeners)
    assert proxies[link]["toxics"] == []
    wait_all_well(region)


def test_every_component_has_a_log(region: Deployment, tmp_path: Path) -> None:
    region.save_logs(tmp_path)
    assert {path.stem for path in tmp_path.iterdir()} >= {component.name for component in region.topology.components}


def test_two_regions_side_by_side_share_nothing(region: Deployment, driver: Driver) -> None:
    with driver.deploy(one_zone(), name="chaoskit-contract-second") as second:
        assert push_when_well(second.entries["us-south-1"], "only/here", b"x")
        elsewhere = f"{region.entries['us-south-1']}/v2/only/here/manifests/v1"
        wait_for(lambda: fetch(elsewhere)[0] == 404, lambda: fetch(elsewhere))
        assert not set(second.listeners.values()) & set(region.listeners.values())


def test_region_goes_away_when_what_it_was_for_fails(driver: Driver) -> None:
    seen: list[Address] = []

    def fail(deployment: Deployment) -> None:
        seen.extend([*deployment.listeners.values(), deployment.control])
        deployment.freeze("store.us-south-1")
        raise LookupError("on purpose")

    with pytest.raises(LookupError, match="on purpose"), driver.deploy(one_zone(), name="chaoskit-contract-failing") as deployment:
        fail(deployment)
    assert seen
    assert [at for at in seen if accepts(at)] == []
