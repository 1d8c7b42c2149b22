"""Moments of the protocol in an experiment file: what they mean, how they are dumped and planned, and what is refused."""

from pathlib import Path

import pytest

from chaoskit.catalog import TOPOLOGIES
from chaoskit.cli.plan import plan_text
from chaoskit.errors import BadExperiment
from chaoskit.experiment import dump, restore
from chaoskit.model.strike import Trigger
from tests.unit.experiments import changed, load_text

S = 1_000_000_000
LARGE = ("workload.large_layer_mib=32",)


def at(moment: str) -> str:
    return changed("at: 0s", f"at: {moment}")


@pytest.mark.parametrize(
    ("moment", "trigger"),
    [
        ("{after: blob-put, nth: 3}", Trigger("after", "after blob-put, number 3", "upload-put", nth=3, within_ns=30 * S)),
        ("{after: ack, within: 5s}", Trigger("after", "after ack, number 1", "manifest-put", within_ns=5 * S)),
        (
            "{between: [post, patch], zone: us-south-2, lane: regional}",
            Trigger(
                "between",
                "between post and patch, number 1 at us-south-2 in the regional lane",
                "upload-post",
                "upload-patch",
                zone="us-south-2",
                lane="regional",
                within_ns=30 * S,
            ),
        ),
        (
            "{between: put-manifest}",
            Trigger("between", "between put and manifest, number 1", "upload-put", "manifest-put", within_ns=30 * S),
        ),
        ("{at_byte: 40%, of: pull}", Trigger("at-byte", "at 40% of a pulled layer, number 1", share=0.4, within_ns=30 * S)),
        ("{after: ack, within: {embedded: 5s, compose: 60s}}", Trigger("after", "after ack, number 1", "manifest-put", within_ns=60 * S)),
    ],
)
def test_a_moment_is_a_trigger_and_is_dumped_and_restored(tmp_path: Path, moment: str, trigger: Trigger) -> None:
    (variant,) = load_text(tmp_path, at(moment), sets=LARGE)
    assert variant.experiment.strikes[0].trigger == trigger
    assert restore(dump(variant.experiment), "x").strikes == variant.experiment.strikes


def test_a_time_has_no_trigger(tmp_path: Path) -> None:
    (variant,) = load_text(tmp_path, at("5s"))
    assert variant.experiment.strikes[0].trigger is None


def test_the_plan_names_the_moment_and_its_bound(tmp_path: Path) -> None:
    (variant,) = load_text(tmp_path, at("{between: [post, patch], nth: 2, within: 20s}"))
    text = plan_text(variant, TOPOLOGIES["three-zones"]())
    assert "between post and patch, number 2, for 15s (if that does not come within 20s: inconclusive)" in text


def test_steps_between_can_be_swept(tmp_path: Path) -> None:
    sweep = "sweep: {strikes.0.at.between: [post-patch, patch-put]}\n"
    variants = load_text(tmp_path, at("{between: post-patch}") + sweep)
    assert [variant.name for variant in variants] == ["post-patch", "patch-put"]
    assert [variant.experiment.strikes[0].trigger.then for variant in variants if variant.experiment.strikes[0].trigger] == [
        "upload-patch",
        "upload-put",
    ]


@pytest.mark.parametrize(
    ("moment", "says"),
    [
        ("{after: akc}", "strikes.0.at.after: 'akc' is not one of ack, "),
        (
            "{after: ack, between: post-put}",
            "strikes.0.at: needs a time such as 5s, or a mapping with exactly one of 'after', 'between' and",
        ),
        ("{nth: 3}", "'at_byte'; has only 'nth'"),
        ("{after: ack, nht: 3}", "strikes.0.at.nht: 'nht' is not one of nth, "),
        ("{after: ack, nth: 0}", "strikes.0.at.nth: input should be greater than or equal to 1; found 0"),
        ("{after: ack, within: 0s}", "strikes.0.at.within: 0s is no time at all"),
        ("{after: ack, zone: us-suoth-1}", "strikes.0.at.zone: 'us-suoth-1' is not one of us-south-1, us-south-2, us-south-3"),
        ("{after: ack, lane: both}", "strikes.0.at.lane: 'both' is not one of regional, pinned"),
        ("{between: [post, manifest]}", "strikes.0.at.between: 'post-manifest' is not one of put-manifest"),
        ("{at_byte: 40, of: pull}", "strikes.0.at.at_byte: 40 is not a place inside a blob; write a percentage"),
        ("{at_byte: 100%, of: pull}", "strikes.0.at.at_byte: '100%' is not a place inside a blob"),
        ("{at_byte: 40%}", "strikes.0.at.of: is required and not there"),
        ("{at_byte: 40%, of: pull}", "strikes.0.at.at_byte: no pull is large enough to be met inside; add workload.large_layer_mib"),
        ("soon", "strikes.0.at: 'soon' is not a duration"),
    ],
)
def test_a_moment_that_cannot_come_is_refused_with_its_line(tmp_path: Path, moment: str, says: str) -> None:
    with pytest.raises(BadExperiment) as caught:
        load_text(tmp_path, at(moment))
    (line,) = str(caught.value).splitlines()
    assert "x.yaml:13: " in line
    assert says in line


def test_a_strike_that_waits_for_a_trigger_may_be_active_at_any_time(tmp_path: Path) -> None:
    second = "  - {at: {after: ack}, for: 5s, fault: {kind: zone-outage, zone: us-south-2, shape: black-hole}}\nrecover: {"
    with pytest.raises(BadExperiment, match="contradicts strike 0, active at the same time"):
        load_text(tmp_path, changed("recover: {", second))
