"""The experiments on the real stack, run as a user runs them. `make test` takes a sample, `make nightly` all of them.

In the sample: refused, the control, and one more that depends on the commit.
"""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from chaoskit.catalog import DRIVERS, TOPOLOGIES
from chaoskit.experiment import load
from tests.mutants import corrupt

pytestmark = [pytest.mark.docker, pytest.mark.timeout(900)]

ROOT = Path(__file__).parent.parent.parent
FILES = sorted((ROOT / "experiments").glob("*.yaml"))
ALWAYS = ("zone-outage:refused", "one-zone:default")
TOO_LONG = ("each-component-alone:default",)
# Not in the sample before a whole night has passed them; `make nightly` runs them.
NEW = (
    "deletes",
    "one-link-trickle",
    "one-way-partition",
    "outage-mid-pull",
    "outage-mid-upload",
    "pull-storm",
    "registry-mix",
    "store-kill-after-ack",
    "store-read-only",
    "stores-down",
    "tag-race",
    "wrong-secret",
    "zone-partition",
)


def swept_path(file: Path) -> str:
    """The path a file sweeps, so that one variant can be chosen with --set."""
    line = next(line for line in file.read_text().splitlines() if line.startswith("sweep:"))
    return line.partition("{")[2].partition(":")[0]


def rotating(names: list[str]) -> str:
    """One name, chosen by the commit: the same for everyone who tests it."""
    shown = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False).stdout
    return names[int(shown[:8] or "0", 16) % len(names)]


def all_variants() -> list[str]:
    loaded = (load(file, driver="compose", drivers=DRIVERS, topologies=TOPOLOGIES) for file in FILES)
    return [f"{variant.experiment.name}:{variant.name}" for variants in loaded for variant in variants]


VARIANTS = all_variants()
SAMPLE = (*ALWAYS, rotating([name for name in VARIANTS if name not in (*ALWAYS, *TOO_LONG) and name.partition(":")[0] not in NEW]))
CASES = [pytest.param(name, marks=() if name in SAMPLE else pytest.mark.nightly, id=name) for name in VARIANTS]


def chaoskit(*arguments: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "chaoskit.cli.app", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=880, check=False)


@pytest.mark.parametrize("case", CASES)
def test_experiment_ends_as_it_expects(
    case: str, tmp_path: Path, plain_environment: dict[str, str], leftovers: Callable[[str], list[str]]
) -> None:
    name, _, variant = case.partition(":")
    file = ROOT / "experiments" / f"{name}.yaml"
    choice = [] if variant == "default" else ["--set", f"{swept_path(file)}={variant}"]
    done = chaoskit("run", str(file), "--driver", "compose", "--out", str(tmp_path), *choice, environment=plain_environment)
    print(done.stdout)
    folder = tmp_path / name / "latest"
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    results = json.loads((folder / "results.json").read_text())
    assert leftovers(f"chaoskit-{name}-") == []
    assert sorted(path.name for path in (folder / "logs").iterdir())
    again = chaoskit("check", str(folder), "--json", environment=plain_environment)
    assert (again.returncode, json.loads(again.stdout)) == (0, results)
    if case == "zone-outage:refused":
        the_promise_is_kept(results)
        assert corrupt.main(folder, tmp_path / "corrupted") == 0
    if case == "one-zone:default":
        assert results["verdict"] == "violated"
        a_lost_push_is_not_excused(folder, plain_environment)


def the_promise_is_kept(results: dict[str, object]) -> None:
    """The figures that a lost zone must meet in the shape `refused`."""
    found = msgspec.convert(results["checks"], list[dict[str, object]])
    numbers = {check["check"]: msgspec.convert(check["numbers"], dict[str, float]) for check in found}
    (strike,) = msgspec.convert(results["strikes"], list[dict[str, object]])
    assert results["verdict"] == "held"
    assert numbers["durability"]["lost_images"] == 0
    assert numbers["availability"]["unrecovered"] == 0
    assert len(msgspec.convert(strike["links"], list[str])) == 11
    assert msgspec.convert(strike["failover_s"], list[float])[0] <= 3.0
    assert numbers["effect"]["cut_span_ms.0"] <= 50.0


def a_lost_push_is_not_excused(folder: Path, environment: dict[str, str]) -> None:
    """The same run with one acknowledged manifest gone in the end: the expected violation does not cover it."""
    history = folder / "history.jsonl"
    rows = [json.loads(line) for line in history.read_text().splitlines()]
    lost = next(row["digest"] for row in rows if row.get("action") == "manifest-put" and row.get("outcome") == 1)
    absent = {"status": 404, "observed": "absent", "got": "", "advertised": "", "children": []}
    rows = [row | absent if row.get("phase") == "final" and row.get("digest") == lost else row for row in rows]
    history.write_text("".join(json.dumps(row) + "\n" for row in rows))
    judged = chaoskit("check", str(folder), "--json", environment=environment)
    verdicts = {check["check"]: check["verdict"] for check in json.loads(judged.stdout)["checks"]}
    assert (judged.returncode, verdicts["durability"]) == (1, "violated")
