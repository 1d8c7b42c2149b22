"""Whole runs on the embedded region, as a user starts them; and the selftest on a few bugs."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from chaoskit.catalog import DRIVERS, TOPOLOGIES
from chaoskit.experiment import load

ROOT = Path(__file__).parent.parent.parent
FILES = sorted((ROOT / "experiments").glob("*.yaml"))
ALWAYS = ("demo:default", "two-zones-lost:default")
COMMAND = [sys.executable, "-m", "chaoskit.cli.app"]


def all_variants() -> list[str]:
    loaded = (load(file, driver="embedded", drivers=DRIVERS, topologies=TOPOLOGIES) for file in FILES)
    return [f"{variant.experiment.name}:{variant.name}" for variants in loaded for variant in variants]


CASES = [pytest.param(name, marks=() if name in ALWAYS else pytest.mark.nightly, id=name) for name in all_variants()]


def swept_path(file: Path) -> str:
    """The path a file sweeps, so that one variant can be chosen with --set."""
    ((path, _),) = yaml.safe_load(file.read_text())["sweep"].items()
    return str(path)


def chaoskit(*arguments: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run([*COMMAND, *arguments], env=environment, capture_output=True, text=True, timeout=300, check=False)


def descendants(pid: int | str) -> list[str]:
    """All processes below one."""
    own = [child for path in Path(f"/proc/{pid}/task").glob("*/children") for child in path.read_text().split()]
    return [process for child in own for process in (child, *descendants(child))]


@pytest.mark.parametrize("case", CASES)
def test_experiment_ends_as_it_expects(case: str, tmp_path: Path, plain_environment: dict[str, str]) -> None:
    name, _, variant = case.partition(":")
    file = str(ROOT / "experiments" / f"{name}.yaml")
    choice = [] if variant == "default" else ["--set", f"{swept_path(Path(file))}={variant}"]
    done = chaoskit("run", file, "--driver", "embedded", "--out", str(tmp_path), *choice, environment=plain_environment)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    results = json.loads((tmp_path / name / "latest" / "results.json").read_text())
    again = chaoskit("check", str(tmp_path / name / "latest"), "--json", environment=plain_environment)
    assert (again.returncode, json.loads(again.stdout)) == (0, results)


def test_bugs_are_caught_and_the_quiet_control_is_held(tmp_path: Path, plain_environment: dict[str, str]) -> None:
    bugs = [word for flag in ("bit-rot", "ack-before-durable", "toxic-ignored") for word in ("--bug", flag)]
    done = chaoskit("selftest", *bugs, "--out", str(tmp_path), environment=plain_environment)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert "3 of 3 as they should be" in done.stdout


def test_nothing_is_left_when_the_run_is_killed(tmp_path: Path, plain_environment: dict[str, str]) -> None:
    log = tmp_path / "log"
    marked = {**plain_environment, "TMPDIR": str(tmp_path)}
    with log.open("wb") as output:
        command = [*COMMAND, "run", str(ROOT / "experiments" / "demo.yaml"), "--driver", "embedded", "--out", str(tmp_path / "runs")]
        run = subprocess.Popen(command, env=marked, stdout=output, stderr=output)
    deadline = time.monotonic() + 60
    while "in effect" not in log.read_text():
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)
    children = descendants(run.pid)
    assert len(children) == 1 + 10, "the nursery, nine components and the fault proxy"
    run.send_signal(signal.SIGKILL)
    run.wait(timeout=5)
    deadline = time.monotonic() + 5
    while left := [pid for pid in children if Path(f"/proc/{pid}").exists()]:
        assert time.monotonic() < deadline, f"still there 5 s after the run was killed: {left}"
        time.sleep(0.05)
    judged = chaoskit("check", str(tmp_path / "runs" / "demo" / "latest"), environment=plain_environment)
    assert judged.returncode in (1, 3), "a prefix of a run is never held"
