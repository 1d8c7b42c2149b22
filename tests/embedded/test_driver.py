"""The embedded driver's own promises: fast, nothing left, ports held. What every driver promises stands in tests/contract."""

import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
import uuid
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from chaoskit.drivers.base import Address
from chaoskit.drivers.embedded.bugs import Bug
from chaoskit.drivers.embedded.driver import EmbeddedDriver
from chaoskit.drivers.embedded.layout import Layout, hold_ports, process_configs
from chaoskit.drivers.embedded.nursery import MODULES
from chaoskit.errors import DeployFailed, EnvironmentMissing
from chaoskit.model.topology import one_zone, three_zones
from tests.embedded.processes import MARK, STANDINS, descendants, exists, marked, wait_until

KILLS = 6


def refused(port: int) -> bool:
    with closing(socket.socket()) as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def test_region_is_up_in_two_seconds_and_gone_in_one(tmp_path: Path) -> None:
    before = set(descendants(os.getpid()))  # of other tests' fixtures
    started = time.monotonic()
    with EmbeddedDriver(tmp_path).deploy(three_zones(), name="timing") as region:
        ready = time.monotonic() - started
        processes = set(descendants(os.getpid())) - before
        leaving = time.monotonic()
    gone = time.monotonic() - leaving
    assert len(processes) >= 11
    assert [pid for pid in processes if exists(pid)] == []
    assert list(tmp_path.iterdir()) == []
    assert all(refused(at.port) for at in [*region.listeners.values(), region.control])
    assert ready < 2.0
    assert gone < 1.0


def test_parent_killed_leaves_no_process_no_port_and_no_folder(tmp_path: Path) -> None:
    mark = uuid.uuid4().hex
    with lonely(tmp_path, mark) as parent:
        assert parent.stdout is not None
        ports = json.loads(parent.stdout.readline())
        assert len(marked(mark)) == 12
        parent.kill()
        parent.wait()
        wait_until(lambda: not marked(mark), lambda: marked(mark))
        wait_until(lambda: not any(tmp_path.iterdir()), lambda: list(tmp_path.iterdir()))
    assert all(refused(port) for port in ports)


@pytest.mark.parametrize("number", range(KILLS))
def test_parent_killed_while_it_starts_leaves_nothing(tmp_path: Path, number: int) -> None:
    mark = uuid.uuid4().hex
    with lonely(tmp_path, mark) as parent:
        time.sleep(random.uniform(0.1, 1.0))  # any moment will do: that is the claim
        parent.kill()
        parent.wait()
        wait_until(lambda: not marked(mark), lambda: marked(mark))
        wait_until(lambda: not any(tmp_path.iterdir()), lambda: list(tmp_path.iterdir()))


def lonely(root: Path, mark: str) -> subprocess.Popen[str]:
    environment = {**os.environ, MARK: mark}
    return subprocess.Popen([sys.executable, "-m", "tests.embedded.lonely", root], stdout=subprocess.PIPE, text=True, env=environment)


def test_failed_start_names_who_ended_and_leaves_nothing(tmp_path: Path) -> None:
    driver = EmbeddedDriver(tmp_path, modules={**STANDINS, "registry": "tests.embedded.standin_broken"})
    before = set(descendants(os.getpid()))
    with (
        pytest.raises(DeployFailed, match=r"registry\.us-south-1 ended while it started; .*cannot read the secret \*\*\*"),
        driver.deploy(one_zone(), name="broken"),
    ):
        pass
    assert set(descendants(os.getpid())) <= before
    assert list(tmp_path.iterdir()) == []


def test_error_while_it_is_up_takes_it_away(tmp_path: Path) -> None:
    driver = EmbeddedDriver(tmp_path, modules=STANDINS)
    with pytest.raises(KeyboardInterrupt), driver.deploy(one_zone(), name="interrupted"):
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_component_that_died_by_itself_is_dead_and_starts_again(tmp_path: Path) -> None:
    with EmbeddedDriver(tmp_path, modules=STANDINS).deploy(one_zone(), name="died") as region:
        one = next(pid for pid in descendants(os.getpid()) if Path(f"/proc/{pid}/fd/2").readlink().name == "store.us-south-1.log")
        os.kill(one, signal.SIGKILL)
        wait_until(lambda: region.states()["store.us-south-1"].state == "dead", lambda: region.states())
        region.start("store.us-south-1")
        assert region.states()["store.us-south-1"].state == "running"


def test_secret_is_masked_in_saved_logs(tmp_path: Path) -> None:
    with EmbeddedDriver(tmp_path / "regions", modules=STANDINS).deploy(one_zone(), name="logs") as region:
        region.save_logs(tmp_path / "logs")
    assert "registry.us-south-1 1 ***" in (tmp_path / "logs" / "registry.us-south-1.log").read_text()


def test_bugs_and_versions_stand_in_the_facts(tmp_path: Path) -> None:
    with EmbeddedDriver(tmp_path, (Bug.SPORADIC_503,), STANDINS).deploy(one_zone(), name="facts") as region:
        assert region.facts["bugs"] == "sporadic-503"
        assert {"chaoskit", "python"} <= region.facts.keys()


def test_component_nobody_made_is_refused_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentMissing, match="no component of kind 'lb'"):
        EmbeddedDriver(tmp_path, modules={}).preflight(one_zone())


def test_held_port_is_its_components_and_nobody_elses() -> None:
    with ExitStack() as held:
        at = hold_ports(1, held)[0]
        for _ in range(2):
            with socket.create_server((at.host, at.port)), pytest.raises(OSError, match="in use"), socket.socket() as other:
                other.bind((at.host, at.port))
        with pytest.raises(OSError, match="in use"), socket.socket() as other:
            other.bind((at.host, at.port))
        assert refused(at.port)
        assert at.port < int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])


def test_every_link_is_a_listener_and_nobody_is_told_another_address() -> None:
    topology = three_zones()
    addresses = iter(Address("127.0.0.1", port) for port in range(1, 99))
    listeners = {link.name: next(addresses) for link in topology.links}
    layout = Layout(next(addresses), listeners, {component.name: next(addresses) for component in topology.components})
    configs = process_configs(topology, layout, folder=Path("/r"), bugs=(Bug.BIT_ROT,))
    assert configs["lb.us-south-1"].dials == {
        f"lb.us-south-1->registry.us-south-{zone}": listeners[f"lb.us-south-1->registry.us-south-{zone}"] for zone in (1, 2, 3)
    }
    assert len(configs["store.us-south-2"].dials) == 2
    assert configs["proxy"].proxies == {link.name: (listeners[link.name], layout.serving[link.target]) for link in topology.links}
    assert layout.entries["us-south-3"] == f"http://127.0.0.1:{listeners['client->lb.us-south-3'].port}"
    assert configs["store.us-south-2"].has(Bug.BIT_ROT)
    assert {config.folder for config in configs.values()} == {f"/r/{name}" for name in configs}
    assert configs.keys() == {*layout.serving, "proxy"}
    assert MODULES.keys() == {"lb", "registry", "store", "proxy"}
