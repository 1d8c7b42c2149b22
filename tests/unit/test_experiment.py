from datetime import timedelta
from pathlib import Path

import pytest

from chaoskit.errors import BadExperiment
from chaoskit.experiment import dump, restore
from chaoskit.model.verdict import Expectation
from tests.unit.experiments import VALID, changed, load_text

SWEEP = "sweep: {strikes.0.fault.shape: [refused, black-hole]}\n"


def refusal(folder: Path, text: str, *sets: str) -> str:
    with pytest.raises(BadExperiment) as caught:
        load_text(folder, text, sets=sets)
    return str(caught.value).replace(str(folder), "")


def test_a_file_without_sweep_is_one_variant_called_default(tmp_path: Path) -> None:
    (variant,) = load_text(tmp_path, VALID)
    assert (variant.name, variant.experiment.name, variant.experiment.topology) == ("default", "zone-outage", "three-zones")
    assert len(variant.experiment_sha256) == 64


@pytest.mark.parametrize(("driver", "rate", "steady"), [("compose", 2.0, 10), ("embedded", 40.0, 3)])
def test_values_by_driver_are_those_of_the_asked_driver(tmp_path: Path, driver: str, rate: float, steady: int) -> None:
    (variant,) = load_text(tmp_path, VALID, driver=driver)
    assert variant.experiment.workload.rate == rate
    assert variant.experiment.steady == timedelta(seconds=steady)


def test_values_of_the_other_driver_are_validated_too(tmp_path: Path) -> None:
    assert refusal(tmp_path, changed("embedded: 40/s", "embedded: 40")) == (
        "/x.yaml:8: workload.rate.embedded: 40 is not a rate; write a number over a unit, such as 4/s or 30/m"
    )


def test_a_value_that_leaves_out_the_asked_driver_is_refused(tmp_path: Path) -> None:
    assert "x.yaml:11: steady: has no value for the driver 'compose', only for embedded" in refusal(
        tmp_path, changed("{embedded: 3s, compose: 10s}", "{embedded: 3s}")
    )


def test_a_misspelt_driver_beside_a_right_one_is_refused(tmp_path: Path) -> None:
    assert "steady.compse: 'compse' is not one of compose, embedded" in refusal(tmp_path, changed("3s, compose: 10s", "3s, compse: 10s"))


def test_guards_always_run_and_effect_only_with_strikes(tmp_path: Path) -> None:
    (struck,) = load_text(tmp_path, VALID)
    (calm,) = load_text(tmp_path, VALID, sets=["strikes=[]"])
    assert [check.check for check in struck.experiment.checks][-3:] == ["coverage", "effect", "host"]
    assert [check.check for check in calm.experiment.checks][-2:] == ["coverage", "host"]


def test_a_guard_with_parameters_is_not_added_again(tmp_path: Path) -> None:
    (variant,) = load_text(tmp_path, changed("  - durability\n", "  - durability\n  - host\n"))
    assert [check.check for check in variant.experiment.checks].count("host") == 1


def test_a_sweep_is_one_variant_a_value_in_its_order(tmp_path: Path) -> None:
    variants = load_text(tmp_path, VALID + SWEEP)
    assert [variant.name for variant in variants] == ["refused", "black-hole"]
    assert [variant.experiment.strikes[0].fault.model_dump(mode="json")["shape"] for variant in variants] == ["refused", "black-hole"]


def test_setting_the_swept_path_leaves_that_one_variant(tmp_path: Path) -> None:
    (variant,) = load_text(tmp_path, VALID + SWEEP, sets=["strikes.0.fault.shape=black-hole"])
    assert variant.name == "black-hole"


def test_set_reaches_into_lists_and_adds_keys_that_the_file_leaves_out(tmp_path: Path) -> None:
    (variant,) = load_text(tmp_path, VALID, sets=["strikes.0.for=7s", "seed=9", "workload.rate=4/s"])
    assert (variant.experiment.strikes[0].lasts, variant.experiment.seed, variant.experiment.workload.rate) == (
        timedelta(seconds=7),
        9,
        4.0,
    )


EXPECT = """\
expect:
  compose:
    black-hole: {violated: [failover], may: [availability], because: the balancer waits for 10 s}
"""


def test_expect_is_resolved_by_driver_and_swept_value(tmp_path: Path) -> None:
    refused, hole = load_text(tmp_path, VALID + SWEEP + EXPECT)
    assert refused.expectation == Expectation()
    assert hole.expectation == Expectation(("failover",), ("availability",), "the balancer waits for 10 s")
    assert [variant.expectation for variant in load_text(tmp_path, VALID + SWEEP + EXPECT, driver="embedded")] == [Expectation()] * 2


def test_expect_of_a_value_that_is_not_swept_is_refused(tmp_path: Path) -> None:
    assert "expect.compose.black-hole: 'black-hole' is not one of" in refusal(tmp_path, VALID + EXPECT)


def test_what_is_dumped_is_restored_and_can_be_loaded_again(tmp_path: Path) -> None:
    variant = load_text(tmp_path, VALID + SWEEP + EXPECT)[1]
    text = dump(variant.experiment)
    assert restore(text, "experiment.yaml") == variant.experiment
    (again,) = load_text(tmp_path, text)
    assert again.experiment == variant.experiment


def test_every_error_is_listed_with_its_line(tmp_path: Path) -> None:
    broken = changed("rate: {embedded: 40/s, compose: 2/s}", "rate: 0/s").replace("for: {embedded: 5s, compose: 15s}", "for: -1s")
    lines = refusal(tmp_path, broken).splitlines()
    assert lines == [
        "/x.yaml:8: workload.rate: '0/s' asks for nothing; a rate must be above 0",
        "/x.yaml:14: strikes.0.for: '-1s' is not a duration; write a number and a unit, such as 500ms, 15s, 2m or 1h",
    ]


def test_strikes_that_do_not_overlap_cannot_contradict_each_other(tmp_path: Path) -> None:
    second = "  - {at: 15s, for: 5s, fault: {kind: zone-outage, zone: us-south-2, shape: black-hole}}\nrecover: {"
    (variant,) = load_text(tmp_path, changed("recover: {", second))
    assert len(variant.experiment.strikes) == 2


YAML_TROUBLES = {
    "a duplicate key": (VALID + "seed: 1\nseed: 2\n", "x.yaml:23: seed: 'seed' stands here twice; first at"),
    "a duplicate key deep inside": (changed("mix: basic", "mix: basic\n  mix: basic"), "x.yaml:8: workload.mix: 'mix' stands here twice"),
    "an object tag": (
        VALID + "seed: !!python/object/apply:os.system [ls]\n",
        "has the tag 'tag:yaml.org,2002:python/object/apply:os.system'",
    ),
    "a scalar tag": (VALID + "seed: !!python/name:os.system ''\n", "x.yaml:22: is not YAML: could not determine a constructor"),
    "an alias to itself": ("name: &a [*a]\n", "levels (by its aliases?)"),
    "two documents": (VALID + "---\na: 1\n", "is not YAML: but found another document"),
    "a list": ("- a\n", "x.yaml:1: is a YAML list, not a mapping"),
    "nothing": ("# only a comment\n", "x.yaml: is empty"),
    "a control character": ("name: \x00\n", "x.yaml: is not YAML: unacceptable character"),
    "a key that is a list": ("? [a]\n: b\n", "x.yaml:1: a key must be a word"),
    "an impossible date": (VALID + "seed: 2024-13-45\n", "x.yaml:22: seed: '2024-13-45' cannot be read"),
    "an open bracket": ("name: [a\nb: c\n", "x.yaml:2: is not YAML: expected ',' or ']'"),
    "a merge key": (changed("  mix: basic", "  <<: {mix: basic}"), "workload.<<: '<<' is not one of"),
    "deep nesting": ("a: " + "[" * 5000, "x.yaml: is nested too deeply"),
    "a later version": (VALID + "schema_version: 2\n", "x.yaml:22: schema_version: 2 is not a version this chaoskit reads"),
}


@pytest.mark.parametrize("trouble", YAML_TROUBLES)
def test_yaml_that_no_reader_could_see_through_is_refused(tmp_path: Path, trouble: str) -> None:
    text, message = YAML_TROUBLES[trouble]
    assert message in refusal(tmp_path, text)


def test_aliases_that_expand_without_bound_are_refused(tmp_path: Path) -> None:
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{b}: &{b} [{','.join([f'*{a}'] * 9)}]\n" for a, b in zip("abcdefg", "bcdefgh", strict=True)
    )
    assert "expands to more than 20000 values" in refusal(tmp_path, bomb)


def test_a_huge_file_is_refused_before_it_is_parsed(tmp_path: Path) -> None:
    assert "is larger than 1000000 bytes" in refusal(tmp_path, VALID + "#" * 1_000_000)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadExperiment, match="is not UTF-8 text"):
        load_text_of(tmp_path / "x.yaml")


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadExperiment, match="cannot be read: Is a directory"):
        load_text_of(tmp_path)


def load_text_of(path: Path) -> None:
    from chaoskit.catalog import DRIVERS, TOPOLOGIES
    from chaoskit.experiment import load

    load(path, driver="compose", drivers=DRIVERS, topologies=TOPOLOGIES)


SWEEP_TROUBLES = {
    "a path that is not there": ("sweep: {strikes.3.fault.shape: [refused]}\n", "'strikes' has no item '3'; it has 1, counted from 0"),
    "a value that does not validate": (
        "sweep: {strikes.0.fault.shape: [refused, blakhole]}\n",
        "x.yaml:22: sweep.strikes.0.fault.shape.1: 'blakhole' is not one of black-hole,",
    ),
    "two paths": ("sweep: {seed: [1], strikes.0.at: [0s]}\n", "sweep: must be one path with a list of values"),
    "no values": ("sweep: {seed: []}\n", "sweep.seed: must be a list of one or more single values"),
    "a value twice": ("sweep: {seed: [1, 1]}\n", "sweep.seed.1: 1 is swept twice"),
    "a whole mapping": ("sweep: {strikes.0.fault: [{kind: zone-kill}]}\n", "must be a list of one or more single values"),
}


@pytest.mark.parametrize("trouble", SWEEP_TROUBLES)
def test_a_sweep_that_cannot_be_done_is_refused(tmp_path: Path, trouble: str) -> None:
    text, message = SWEEP_TROUBLES[trouble]
    assert message in refusal(tmp_path, VALID + text)
