import asyncio
import json
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from chaoskit import rundir
from chaoskit.cli.app import app
from chaoskit.cli.terminal import worst_code
from chaoskit.errors import HealFailed, Interrupted, NotReady
from chaoskit.experiment import Variant
from chaoskit.kinds import CHECKS, FAULTS
from chaoskit.model.results import RunResults
from chaoskit.rundir import RunFolder
from tests.unit.cli.conftest import Chaoskit
from tests.unit.experiments import VALID
from tests.unit.report.samples import lost, run_results, undecided

SWEEP = "sweep: {strikes.0.fault.shape: [refused, reset, stall]}\n"
COMMANDS = sorted(str(command.name) for command in app.registered_commands)


class Conductor:
    """Stands in for `run.conduct`: gives each run the next of the prepared ends, and remembers what it was asked."""

    def __init__(self, *ends: RunResults | BaseException) -> None:
        self.ends = list(ends)
        self.asked: list[tuple[str, int, float | None]] = []

    async def __call__(
        self,
        variant: Variant,
        *,
        driver: object,
        topology: object,
        folder: RunFolder,
        seed: int,
        progress: Callable[[str], None],
        stop: asyncio.Event,
        timeout_s: float | None,
    ) -> RunResults:
        self.asked.append((variant.name, seed, timeout_s))
        progress("striking")
        end = self.ends.pop(0)
        if isinstance(end, BaseException):
            raise end
        results = replace(end, variant=variant.name)
        folder.write_results(results)
        return results


class Stoppable(Conductor):
    """Waits to be stopped, as a run does, and gets a signal meanwhile."""

    async def __call__(self, variant: Variant, *, stop: asyncio.Event, **rest: object) -> RunResults:
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.wait_for(stop.wait(), 5)
        raise Interrupted("stopped; the region was healed first")


Conduct = Callable[[Conductor], Conductor]


@pytest.fixture
def conduct(monkeypatch: pytest.MonkeyPatch) -> Conduct:
    def use(conductor: Conductor) -> Conductor:
        monkeypatch.setattr("chaoskit.run.conduct", conductor)
        return conductor

    return use


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "x.yaml"
    path.write_text(VALID)
    return path


@pytest.mark.parametrize(("end", "code"), [(run_results(), 0), (lost(), 1), (undecided(), 3), (NotReady("no zone answered"), 4)])
def test_the_exit_code_is_that_of_the_results(
    end: RunResults | BaseException, code: int, file: Path, chaoskit: Chaoskit, conduct: Conduct
) -> None:
    conduct(Conductor(end))
    assert chaoskit("run", str(file)).code == code


def test_progress_goes_to_stderr_and_the_report_to_stdout(file: Path, chaoskit: Chaoskit, conduct: Conduct) -> None:
    conduct(Conductor(run_results()))
    ended = chaoskit("run", str(file))
    assert ended.out.startswith("HELD  all 3 checks held\n")
    assert "s  striking" in ended.err


def test_quiet_says_nothing_on_stderr(file: Path, chaoskit: Chaoskit, conduct: Conduct) -> None:
    conduct(Conductor(run_results()))
    assert "striking" not in chaoskit("run", str(file), "--quiet").err


def test_json_of_one_run_is_exactly_its_results(file: Path, chaoskit: Chaoskit, conduct: Conduct) -> None:
    conduct(Conductor(run_results()))
    ended = chaoskit("run", str(file), "--json")
    assert ended.out == (file.parent / "runs" / "zone-outage" / "latest" / "results.json").read_text()


def test_json_of_several_runs_is_an_array(file: Path, chaoskit: Chaoskit, conduct: Conduct) -> None:
    file.write_text(VALID + SWEEP)
    conduct(Conductor(run_results(), lost(), undecided()))
    found = json.loads(chaoskit("run", str(file), "--json").out)
    assert [(each["variant"], each["verdict"]) for each in found] == [("refused", "held"), ("reset", "violated"), ("stall", "inconclusive")]


def test_several_runs_end_in_one_table_and_the_worst_code(file: Path, chaoskit: Chaoskit, conduct: Conduct) -> None:
    file.write_text(VALID + SWEEP)
    conduct(Conductor(undecided(), lost(), HealFailed("proxy 'x' still has a toxic")))
    ended = chaoskit("run", str(file))
    assert ended.code == 1
    assert "experiment    variant    verdict       expected?" in ended.out
    assert "zone-outage [stall]: HealFailed: proxy 'x' still has a toxic" in ended.err


@pytest.mark.parametrize(
    ("codes", "worst"), [([0, 3], 3), ([3, 4], 4), ([4, 1, 0], 1), ([1, 130], 130), ([0, 0], 0), ([], 0)], ids=lambda value: str(value)
)
def test_of_several_codes_the_worst_is_130_1_4_3_0(codes: list[int], worst: int) -> None:
    assert worst_code(codes) == worst


def test_seed_and_timeout_reach_the_run(file: Path, chaoskit: Chaoskit, conduct: Conduct) -> None:
    conductor = conduct(Conductor(run_results(), run_results()))
    chaoskit("run", str(file), "--seed", "42", "--timeout", "10m")
    chaoskit("run", str(file))
    assert conductor.asked == [("default", 42, 600.0), ("default", 1, None)]


def test_a_run_folder_is_run_again_with_its_variant_and_seed(file: Path, chaoskit: Chaoskit, conduct: Conduct) -> None:
    file.write_text(VALID + SWEEP)
    conductor = conduct(Conductor(run_results(), run_results()))
    chaoskit("run", str(file), "--set", "strikes.0.fault.shape=stall", "--seed", "42")
    assert chaoskit("run", "runs/zone-outage/latest").code == 0
    assert conductor.asked == [("stall", 42, None), ("stall", 42, None)]


def test_a_signal_stops_the_run_and_ends_in_130(file: Path, chaoskit: Chaoskit, conduct: Conduct) -> None:
    file.write_text(VALID + SWEEP)
    conduct(Stoppable())
    ended = chaoskit("run", str(file))
    assert ended.code == 130
    assert "Interrupted: stopped; the region was healed first" in ended.err


def test_the_folder_tells_what_was_asked_even_if_the_run_failed(file: Path, chaoskit: Chaoskit, conduct: Conduct) -> None:
    conduct(Conductor(NotReady("no zone answered")))
    ended = chaoskit("run", str(file), "--seed", "5", "--driver", "compose")
    assert "chaoskit: NotReady: no zone answered" in ended.err
    meta = json.loads((file.parent / "runs" / "zone-outage" / "latest" / "run.json").read_text())
    assert (meta["driver"], meta["seed"], meta["argv"]) == ("compose", 5, ["run", str(file), "--seed", "5", "--driver", "compose"])


def test_errors_of_a_group_are_all_told(file: Path, chaoskit: Chaoskit, conduct: Conduct) -> None:
    conduct(Conductor(ExceptionGroup("run", [HealFailed("still cut"), Interrupted("stopped")])))
    ended = chaoskit("run", str(file))
    assert ended.code == 130
    assert "HealFailed: still cut" in ended.err


def test_a_bug_of_ours_shows_its_traceback_and_is_exit_4(file: Path, chaoskit: Chaoskit, conduct: Conduct) -> None:
    conduct(Conductor(ZeroDivisionError("oh")))
    ended = chaoskit("run", str(file))
    assert ended.code == 4
    assert "Traceback" in ended.err
    assert ended.err.splitlines()[-1] == "chaoskit: internal error: ZeroDivisionError: oh; this is a bug in chaoskit"


def test_plan_prints_what_would_be_cut_and_starts_nothing(file: Path, chaoskit: Chaoskit) -> None:
    ended = chaoskit("plan", str(file), "--driver", "compose")
    assert ended.code == 0
    assert "strike 0: zone-outage zone=us-south-2" in ended.out
    assert "from 0s to 15s; 11 of 21 links" in ended.out
    (entry,) = (line for line in ended.out.splitlines() if line.startswith("client->"))
    assert entry.split(maxsplit=1) == ["client->lb.us-south-2", "proxy down  refused (from outside Docker: accepted, then closed)"]
    assert not (file.parent / "runs").exists()


def test_plan_of_a_kill_shows_what_peers_see(file: Path, chaoskit: Chaoskit) -> None:
    ended = chaoskit("plan", str(file), "--set", "strikes.0.fault={kind: process-freeze, component: store.us-south-1}")
    assert "store.us-south-1" in ended.out
    assert "silent" in ended.out


def test_check_judges_a_stored_run_and_starts_nothing(
    file: Path, chaoskit: Chaoskit, conduct: Conduct, monkeypatch: pytest.MonkeyPatch
) -> None:
    conduct(Conductor(run_results()))
    chaoskit("run", str(file))
    monkeypatch.setattr("chaoskit.cli.runs.judge", lambda stored: stored.results)
    ended = chaoskit("check", "runs/zone-outage/latest", "--json")
    assert (ended.code, json.loads(ended.out)["verdict"]) == (0, "held")


def test_check_of_what_is_no_run_is_exit_4(tmp_path: Path, chaoskit: Chaoskit) -> None:
    ended = chaoskit("check", str(tmp_path / "nothing"))
    assert (ended.code, ended.out) == (4, "")
    assert "RunDirBroken" in ended.err


def test_faults_and_checks_list_every_one(chaoskit: Chaoskit) -> None:
    faults, checks = chaoskit("faults").out, chaoskit("checks").out
    assert [kind for kind in FAULTS if kind not in faults] == []
    assert [name for name in CHECKS if name not in checks] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_helps_with_an_example(command: str, chaoskit: Chaoskit) -> None:
    ended = chaoskit(command, "--help")
    assert ended.code == 0
    assert f"Example: chaoskit {command}" in ended.out


def test_no_daemon_is_the_machines_fault(chaoskit: Chaoskit, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    ended = chaoskit("status")
    assert (ended.code, ended.out) == (4, "")
    assert "EnvironmentMissing: no Docker daemon answers" in ended.err


def test_doctor_names_what_is_missing(chaoskit: Chaoskit, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    ended = chaoskit("doctor")
    assert ended.code == 4
    assert "no 'docker' command on PATH" in ended.out
    assert "this machine lacks: docker client, daemon, compose plugin" in ended.err


def test_a_stored_run_of_a_killed_process_can_be_read(file: Path, chaoskit: Chaoskit, conduct: Conduct) -> None:
    conduct(Conductor(NotReady("no zone answered")))
    chaoskit("run", str(file))
    stored = rundir.load(file.parent / "runs" / "zone-outage" / "latest")
    assert not stored.evidence.complete
