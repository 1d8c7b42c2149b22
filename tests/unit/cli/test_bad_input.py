"""Bad input ends before anything starts: exit code 2, and a message with the place, the value found and what would do."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.unit.cli.conftest import Chaoskit
from tests.unit.experiments import VALID, changed

BOTH = """\
  - at: 5s
    for: 5s
    fault: {kind: zone-outage, zone: us-south-2, shape: black-hole}
recover: {"""
SHORT_FIRST = changed("for: {embedded: 5s, compose: 15s}", "for: 15s")


@dataclass(frozen=True)
class Row:
    says: tuple[str, ...]
    text: str = VALID
    options: tuple[str, ...] = ()


ROWS = {
    "an unknown zone": Row(
        ("x.yaml:15: strikes.0.fault.zone: ", "'us-south-9'", "us-south-3, us-south-2, us-south-1"), changed("us-south-2", "us-south-9")
    ),
    "an unknown fault": Row(
        ("x.yaml:15: strikes.0.fault.kind: 'zone-outtage' is not one of zone-outage,", "did you mean 'zone-outage'?"),
        changed("kind: zone-outage", "kind: zone-outtage"),
    ),
    "no fault at all": Row(("x.yaml:15: strikes.0.fault: needs 'kind'",), changed("kind: zone-outage, ", "")),
    "an unknown shape": Row(
        ("x.yaml:15: strikes.0.fault.shape: 'blakhole' is not one of black-hole, ", "refused", "did you mean 'black-hole'?"),
        changed("shape: refused", "shape: blakhole"),
    ),
    "an unknown key": Row(
        ("x.yaml:11: stedy: 'stedy' is not one of steady,", "steady: is required and not there"), changed("steady:", "stedy:")
    ),
    "an unknown key of the workload": Row(
        ("x.yaml:9: workload.timout: 'timout' is not one of timeout, ", "did you mean 'timeout'?"), changed("timeout: 10s", "timout: 10s")
    ),
    "an unknown key of a fault": Row(
        ("x.yaml:15: strikes.0.fault.zne: 'zne' is not one of zone, ", "strikes.0.fault.zone: is required"),
        changed("zone: us-south-2", "zne: us-south-2"),
    ),
    "an unknown key of a strike": Row(("x.yaml:13: strikes.0.att: 'att' is not one of at, ", "for"), changed("- at: 0s", "- att: 0s")),
    "an unknown parameter of a check": Row(
        ("x.yaml:19: checks.1.tags.stalenes: 'stalenes' is not one of staleness, convergence, ",), changed("staleness: 0s", "stalenes: 0s")
    ),
    "a negative duration": Row(
        ("x.yaml:9: workload.timeout: '-1s' is not a duration; write a number and a unit",), changed("timeout: 10s", "timeout: -1s")
    ),
    "a duration without unit": Row(("x.yaml:9: workload.timeout: 10 is not a duration",), changed("timeout: 10s", "timeout: 10")),
    "a duration of nothing": Row(
        ("x.yaml:14: strikes.0.for: 0s is no time at all; write a duration above 0",),
        changed("for: {embedded: 5s, compose: 15s}", "for: 0s"),
    ),
    "a duration beyond all time": Row(
        ("x.yaml:9: workload.timeout: ", "longer than any run"), changed("timeout: 10s", f"timeout: {'9' * 30}h")
    ),
    "a rate of 0": Row(
        ("x.yaml:8: workload.rate: '0/s' asks for nothing; a rate must be above 0",), changed("{embedded: 40/s, compose: 2/s}", "0/s")
    ),
    "a rate without unit": Row(("x.yaml:8: workload.rate: 2.0 is not a rate; write",), changed("{embedded: 40/s, compose: 2/s}", "2.0")),
    "a rate beyond reason": Row(
        ("x.yaml:8: workload.rate: ", "less than or equal to 1000"), changed("{embedded: 40/s, compose: 2/s}", "99999/s")
    ),
    "a file that is not YAML": Row(("x.yaml:2: is not YAML: ",), "{name: [\n"),
    "a list instead of an experiment": Row(("x.yaml:1: is a YAML list, not a mapping",), "- a\n"),
    "an empty file": Row(("x.yaml: is empty; an experiment is a mapping with",), ""),
    "two contradicting strikes": Row(
        ("x.yaml:16: strikes.1: contradicts strike 0, active at the same time: ", "us-south-2"), SHORT_FIRST.replace("recover: {", BOTH)
    ),
    "an unknown topology": Row(
        ("x.yaml:5: topology: 'three-zone' is not one of three-zones, one-zone",), changed("three-zones", "three-zone")
    ),
    "an unknown promise": Row(("x.yaml:2: claims.1: 'S12' is not one of",), changed("[S1, S3]", "[S1, S12]")),
    "a bad name": Row(("x.yaml:1: name: ", "found 'Zone Outage'"), changed("name: zone-outage", "name: Zone Outage")),
    "an unknown driver": Row(
        ("--driver: 'compos' is not one of compose, embedded (did you mean 'compose'?)",), options=("--driver", "compos")
    ),
    "a --set without value": Row(("--set seed: is not of the form path=value",), options=("--set", "seed")),
    "a --set path that is not there": Row(
        ("--set: strikes.4.for: 'strikes' has no item '4'; it has 1",), options=("--set", "strikes.4.for=1s")
    ),
    "a --set key that is unknown": Row(("--set: workload.rat: 'rat' is not one of rate, ",), options=("--set", "workload.rat=1/s")),
    "a --set value that is none": Row(
        ("--set: strikes.0.fault.shape: 'blakhole' is not one of black-hole, ",), options=("--set", "strikes.0.fault.shape=blakhole")
    ),
    "a --set seed that is none": Row(("--set: seed: ", "found 'x'"), options=("--set", "seed=x")),
    "a --set inside a value": Row(("--set: name.x: 'name' is 'zone-outage', which has no 'x' in it",), options=("--set", "name.x=1")),
    "an unknown check": Row(
        ("x.yaml:18: checks.0: 'durable' is not one of durability, ", "did you mean 'durability'?"), changed("- durability", "- durable")
    ),
    "a check twice": Row(("x.yaml:19: checks.1: 'durability' stands here twice",), changed("- durability", "- durability\n  - durability")),
    "a check that is a list": Row(
        ("x.yaml:18: checks.0: write a check as its name, or as name: {parameter: value}",), changed("- durability", "- [durability]")
    ),
    "expect without because": Row(
        ("x.yaml:22: expect: 'because' is required with 'violated'",), VALID + "expect: {violated: [failover]}\n"
    ),
    "expect of a check that is not run": Row(
        ("x.yaml:22: expect.violated.0: 'integrity' is not one of", "expect names checks this experiment runs"),
        VALID + "expect: {violated: [integrity], because: x}\n",
    ),
    "expect of a guard": Row(("x.yaml:22: expect.may.0: 'host' is not one of",), VALID + "expect: {may: [host]}\n"),
    "a timeout without unit": Row(("--timeout: '10' is not a duration",), options=("--timeout", "10")),
    "a timeout of nothing": Row(("--timeout: '0s' is no time at all",), options=("--timeout", "0s")),
}


@pytest.mark.parametrize("row", ROWS)
def test_bad_input_is_named_and_nothing_starts(row: str, tmp_path: Path, chaoskit: Chaoskit) -> None:
    file = tmp_path / "x.yaml"
    file.write_text(ROWS[row].text)
    ended = chaoskit("run", str(file), "--out", str(tmp_path / "runs"), *ROWS[row].options)
    assert ended.code == 2, ended
    assert [piece for piece in ROWS[row].says if piece not in ended.err] == [], ended.err
    assert "Traceback" not in ended.err
    assert ended.out == ""
    assert not (tmp_path / "runs").exists()


def test_a_missing_file_is_named(tmp_path: Path, chaoskit: Chaoskit) -> None:
    ended = chaoskit("run", str(tmp_path / "nothing.yaml"))
    assert (ended.code, ended.out) == (2, "")
    assert "nothing.yaml: cannot be read: No such file or directory" in ended.err


def test_every_file_is_validated_before_the_first_starts(tmp_path: Path, chaoskit: Chaoskit) -> None:
    good, bad = tmp_path / "good.yaml", tmp_path / "bad.yaml"
    good.write_text(VALID)
    bad.write_text(changed("us-south-2", "us-south-9"))
    ended = chaoskit("run", str(good), str(bad), str(tmp_path / "none.yaml"), "--out", str(tmp_path / "runs"))
    assert ended.code == 2
    assert "bad.yaml:15" in ended.err
    assert "none.yaml: cannot be read" in ended.err
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    "arguments", [("run",), ("run", "x", "--seed", "many"), ("run", "x", "--seed", "-1"), ("explode",), ("plan", "--no-such-option")]
)
def test_usage_errors_are_exit_2(arguments: tuple[str, ...], chaoskit: Chaoskit) -> None:
    ended = chaoskit(*arguments)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err


INJECTIONS = {
    "an unknown fault": (("zone-outtage",), "FAULT: 'zone-outtage' is not one of zone-outage,"),
    "a missing parameter": (("zone-outage",), "inject: zone: is required and not there"),
    "an unknown parameter": (("zone-outage", "zone=us-south-1", "shap=reset"), "inject: shap: 'shap' is not one of shape, "),
    "an unknown shape": (("zone-outage", "zone=us-south-1", "shape=blakhole"), "inject: shape: 'blakhole' is not one of black-hole, "),
    "a parameter twice": (("zone-outage", "zone=a", "zone=b"), "inject: 'zone' is given twice"),
    "a word": (("zone-outage", "us-south-1"), "inject: 'us-south-1' is not of the form key=value"),
    "a duration of nothing": (("zone-kill", "zone=us-south-1", "--for", "0s"), "--for: '0s' is no time at all"),
    "a guardian without end": (("zone-kill", "zone=us-south-1", "--detach"), "--detach: needs --for"),
    "a driver that has no regions to keep": (
        ("zone-kill", "zone=us-south-1", "--driver", "embedded"),
        "--driver: 'embedded' is not one of compose",
    ),
}


@pytest.mark.parametrize("injection", INJECTIONS)
def test_a_bad_injection_is_named_before_a_region_is_looked_for(injection: str, chaoskit: Chaoskit) -> None:
    arguments, message = INJECTIONS[injection]
    ended = chaoskit("inject", *arguments)
    assert (ended.code, ended.out) == (2, "")
    assert message in ended.err
