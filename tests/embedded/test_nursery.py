"""The nursery: children as ordered, and none left when it ends, however it ends."""

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from chaoskit.drivers.embedded.config import ProcessConfig
from chaoskit.drivers.embedded.layout import hold_ports
from chaoskit.drivers.embedded.nurse import Nurse
from chaoskit.drivers.embedded.nursery import log_of
from chaoskit.errors import DeployFailed, PlaneFailed
from tests.embedded.processes import children_of, exists, wait_until
from tests.embedded.standin import MODULE

KINDS = {"registry": MODULE, "broken": "tests.embedded.standin_broken"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "region"


@pytest.fixture
def nurse(folder: Path) -> Iterator[Nurse]:
    with ExitStack() as stack:
        nurse = Nurse()
        stack.callback(nurse.close)
        nurse.begin(folder, KINDS)
        yield nurse


def told(folder: Path, component: str) -> ProcessConfig:
    with ExitStack() as held:
        return ProcessConfig(component, hold_ports(1, held)[0], {}, str(folder / component))


def log(config: ProcessConfig) -> str:
    return log_of(config).read_text() if log_of(config).exists() else ""


def state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]


def test_child_serves_in_a_session_of_its_own_with_a_log_beside_its_folder(nurse: Nurse, folder: Path) -> None:
    config = told(folder, "registry.a")
    pid = nurse.spawn(config)
    wait_until(lambda: "registry.a starts" in log(config), lambda: list(folder.iterdir()))
    assert os.getsid(pid) == pid
    assert (folder / "registry.a").is_dir()
    assert log_of(config) == folder / "registry.a.log"
    assert sorted(str(Path(f"/proc/{pid}/fd/{number}").readlink()) for number in range(3)) == ["/dev/null", *[str(log_of(config))] * 2]


def test_child_that_was_ended_is_gone_and_ending_it_again_does_nothing(nurse: Nurse, folder: Path) -> None:
    pid = nurse.spawn(told(folder, "registry.a"))
    nurse.end(pid)
    assert not exists(pid)
    nurse.end(pid)
    nurse.signal(pid, signal.SIGCONT)


def test_stopped_child_is_ended_too(nurse: Nurse, folder: Path) -> None:
    pid = nurse.spawn(told(folder, "registry.a"))
    nurse.signal(pid, signal.SIGSTOP)
    wait_until(lambda: state(pid) == "T", lambda: state(pid))
    nurse.end(pid)
    assert not exists(pid)


def test_sigterm_ends_a_child_by_its_own_means(nurse: Nurse, folder: Path) -> None:
    config = told(folder, "registry.a")
    pid = nurse.spawn(config)
    wait_until(lambda: "registry.a starts" in log(config), lambda: list(folder.iterdir()))
    nurse.signal(pid, signal.SIGTERM)
    wait_until(lambda: state(pid) == "Z", lambda: state(pid))


def test_child_that_breaks_down_says_why_in_its_log(nurse: Nurse, folder: Path) -> None:
    config = told(folder, "broken.a")
    pid = nurse.spawn(config)
    wait_until(lambda: state(pid) == "Z", lambda: state(pid))
    assert "ValueError: broken.a cannot read" in log_of(config).read_text()


def test_module_that_is_not_there_is_named(folder: Path) -> None:
    nurse = Nurse()
    with pytest.raises(PlaneFailed, match=r"Begin: ModuleNotFoundError.*nowhere"):
        nurse.begin(folder, {"registry": "nowhere"})
    nurse.close()
    assert not folder.exists()


def test_closed_nursery_leaves_no_child_and_no_folder(folder: Path) -> None:
    nurse = Nurse()
    nurse.begin(folder, KINDS)
    pids = [nurse.spawn(told(folder, f"registry.{name}")) for name in "abc"]
    nurse.signal(pids[0], signal.SIGSTOP)
    nurse.close()
    assert [pid for pid in pids if exists(pid)] == []
    assert not folder.exists()


def test_killed_nursery_takes_its_children_along_stopped_ones_too(folder: Path) -> None:
    nurse = Nurse()
    nurse.begin(folder, KINDS)
    pids = [nurse.spawn(told(folder, f"registry.{name}")) for name in "abc"]
    nurse.signal(pids[0], signal.SIGSTOP)
    wait_until(lambda: state(pids[0]) == "T", lambda: state(pids[0]))
    home = next(pid for pid in children_of(os.getpid()) if pids[0] in children_of(pid))
    os.kill(home, signal.SIGKILL)
    wait_until(lambda: not any(map(exists, pids)), lambda: [pid for pid in pids if exists(pid)])
    with pytest.raises(PlaneFailed, match="is gone"):
        nurse.end(pids[0])
    with pytest.raises(DeployFailed, match="ended with -9"):
        nurse.close()
