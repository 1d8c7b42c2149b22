from dataclasses import dataclass

import pytest

from chaoskit.errors import BadExperiment, HealFailed, PlaneFailed
from chaoskit.faults.link import Latency, LinkCut
from chaoskit.faults.process import ProcessFreeze, ProcessKill, ProcessRestart
from chaoskit.faults.zone import ZoneOutage
from chaoskit.model.topology import three_zones
from chaoskit.plane.consumer import PlaneWedged
from chaoskit.plane.injector import Injector, Limits
from tests.unit.plane.fakes import Clock, FakeCanary, FakeDeployment, FakePlane

ENTRY = "client->lb.us-south-1"
OUTAGE_1 = ZoneOutage(zone="us-south-1")
OUTAGE_2 = ZoneOutage(zone="us-south-2")
SLOW_ENTRY = Latency.model_validate({"link": ENTRY, "latency": "1s"})


@dataclass
class Stage:
    plane: FakePlane
    deployment: FakeDeployment
    canary: FakeCanary
    injector: Injector


@pytest.fixture
def stage() -> Stage:
    topology, clock = three_zones(), Clock()
    plane = FakePlane(topology, clock)
    deployment = FakeDeployment(topology, plane)
    canary = FakeCanary()
    limits = Limits(before_s=1, effect_s=30, healthy_s=30)
    return Stage(plane, deployment, canary, Injector(topology, plane, deployment, clock, look_all=canary, limits=limits))


def test_strike_records_what_was_done_and_seen(stage: Stage) -> None:
    struck = stage.injector.inject(0, OUTAGE_1, wanted_ns=7)
    assert (struck.kind, struck.zones, len(struck.links), struck.components) == ("zone-outage", ("us-south-1",), 11, ())
    assert struck.fault["zone"] == "us-south-1"
    assert struck.cut_ns.keys() == set(struck.links) == stage.plane.down
    assert struck.injected_ns is not None and struck.injected_ns < min(struck.cut_ns.values())
    assert struck.effective_ns is not None and struck.effective_ns > max(struck.cut_ns.values())
    assert [(s.stage, s.seen) for s in struck.samples] == [("before", "healthy")] * 11 + [("during", "refused")] * 11


def test_healed_strike_is_clean_and_recorded(stage: Stage) -> None:
    stage.injector.inject(0, OUTAGE_1, wanted_ns=7)
    struck = stage.injector.heal(0)
    assert stage.plane.clean
    assert struck.healed_ns is not None and struck.clean_ns is not None and struck.healed_ns < struck.clean_ns
    assert [(s.stage, s.seen) for s in struck.samples[22:]] == [("after", "healthy")] * 11
    assert (struck.notes, stage.injector.active) == ((), ())
    stage.injector.assert_clean()


@pytest.mark.parametrize("first", [0, 1])
def test_healing_one_of_two_outages_leaves_the_other_whole(stage: Stage, first: int) -> None:
    stage.injector.inject(0, OUTAGE_1, wanted_ns=0)
    stage.injector.inject(1, OUTAGE_2, wanted_ns=0)
    assert len(stage.plane.down) == 18
    healed = stage.injector.heal(first)
    zone = ("us-south-2", "us-south-1")[first]
    assert stage.plane.down == {link.name for link in three_zones().touching(zone)}
    assert {(s.seen, s.expected) for s in healed.samples if s.stage == "after"} == {("healthy", "healthy"), ("refused", "refused")}


def test_strike_that_contradicts_an_active_one_changes_nothing(stage: Stage) -> None:
    stage.injector.inject(0, OUTAGE_1, wanted_ns=0)
    with pytest.raises(BadExperiment, match=r"strike 1 \(latency\) contradicts strike 0 \(zone-outage\): link 'client->lb.us-south-1'"):
        stage.injector.inject(1, SLOW_ENTRY, wanted_ns=0)
    assert stage.injector.active == (0,)


def test_strike_whose_effect_never_shows_is_on_record_without_a_time(stage: Stage) -> None:
    stage.canary.sees[f"during {ENTRY}"] = ["healthy"] * 1000
    struck = stage.injector.inject(0, OUTAGE_1, wanted_ns=0)
    assert struck.effective_ns is None
    assert [s.target for s in struck.samples if s.stage == "during" and not s.as_expected] == [ENTRY]


def test_only_links_not_yet_seen_are_looked_at_again(stage: Stage) -> None:
    stage.canary.sees[f"during {ENTRY}"] = ["healthy", "healthy"]
    struck = stage.injector.inject(0, OUTAGE_1, wanted_ns=0)
    assert struck.effective_ns is not None
    assert len([look for look in stage.canary.looked if look[0] == "during"]) == 11 + 2


def test_half_applied_strike_is_undone_and_raised(stage: Stage) -> None:
    stage.plane.failures = [PlaneFailed("no")]
    with pytest.raises(PlaneFailed, match=r"strike 0 \(zone-outage\) was not put on and is undone: no"):
        stage.injector.inject(0, OUTAGE_1, wanted_ns=0)
    assert stage.plane.clean and stage.injector.active == ()


def test_strike_that_cannot_be_undone_is_a_failed_heal(stage: Stage) -> None:
    stage.plane.failures = [PlaneFailed("no"), PlaneFailed("never"), PlaneFailed("never")]
    with pytest.raises(HealFailed, match="strike 0 failed"):
        stage.injector.inject(0, OUTAGE_1, wanted_ns=0)


def test_heal_is_tried_twice_before_it_fails(stage: Stage) -> None:
    stage.injector.inject(0, OUTAGE_1, wanted_ns=0)
    stage.plane.failures = [PlaneFailed("once")]
    stage.injector.heal(0)
    assert stage.plane.clean


def test_processes_are_healed_even_if_links_cannot_be(stage: Stage) -> None:
    stage.injector.inject(0, ProcessKill(component="lb.us-south-1"), wanted_ns=0)
    stage.plane.failures = [PlaneFailed("no"), PlaneFailed("no")]
    with pytest.raises(HealFailed, match="no; run 'chaoskit down'") as raised:
        stage.injector.heal(0)
    assert isinstance(raised.value.__cause__, ExceptionGroup)
    assert stage.deployment.processes == {"lb.us-south-1": "running"}
    assert stage.plane.down == {ENTRY}


def test_links_are_healed_even_if_a_process_cannot_be(stage: Stage) -> None:
    stage.injector.inject(0, ProcessKill(component="lb.us-south-1"), wanted_ns=0)
    stage.deployment.broken = {"lb.us-south-1"}
    with pytest.raises(HealFailed, match=r"start lb.us-south-1: broken"):
        stage.injector.heal(0)
    assert stage.plane.clean
    with pytest.raises(HealFailed, match=r"component 'lb.us-south-1' is dead; run 'chaoskit down'"):
        stage.injector.assert_clean()


def test_system_that_does_not_recover_is_a_note_not_an_error(stage: Stage) -> None:
    stage.injector.inject(0, LinkCut(link=ENTRY), wanted_ns=0)
    stage.canary.sees[f"after {ENTRY}"] = ["silent"] * 1000
    struck = stage.injector.heal(0)
    assert struck.healed_ns is not None and struck.clean_ns is None
    assert struck.notes == (f"{ENTRY} was silent, not healthy, 30 s after the heal",)


def test_wedged_toxiproxy_is_restarted_and_every_active_strike_says_so(stage: Stage) -> None:
    stage.injector.inject(0, OUTAGE_1, wanted_ns=0)
    stage.plane.failures = [PlaneWedged("no answer")]
    second = stage.injector.inject(1, OUTAGE_2, wanted_ns=0)
    assert stage.deployment.log == ["restart_plane"]
    assert len(stage.plane.down) == 18
    first = stage.injector.heal(0)
    assert first.notes == second.notes == ("toxiproxy-restarted",)
    assert len(first.disturbed) == len(second.disturbed) == 1


def test_toxiproxy_wedged_at_heal_is_in_the_healed_strikes_record(stage: Stage) -> None:
    stage.injector.inject(0, OUTAGE_1, wanted_ns=0)
    stage.plane.failures = [PlaneWedged("no answer")]
    assert stage.injector.heal(0).notes == ("toxiproxy-restarted",)
    assert stage.plane.clean


def test_strike_lost_before_its_end_is_noted(stage: Stage) -> None:
    stage.injector.inject(0, LinkCut(link=ENTRY), wanted_ns=0)
    stage.deployment.restart_plane()
    assert stage.injector.heal(0).notes == (f"before the heal: proxy '{ENTRY}' is enabled",)


def test_kill_goes_links_first_and_its_canaries_look_at_links_and_process(stage: Stage) -> None:
    struck = stage.injector.inject(0, ProcessKill(component="store.us-south-2"), wanted_ns=0)
    assert struck.components == ("store.us-south-2",)
    assert {s.target: s.seen for s in struck.samples if s.stage == "during"} == {
        "registry.us-south-2->store.us-south-2": "refused",
        "store.us-south-1->store.us-south-2": "refused",
        "store.us-south-3->store.us-south-2": "refused",
        "store.us-south-2": "dead",
    }
    assert struck.cut_ns["store.us-south-2"] > max(at_ns for place, at_ns in struck.cut_ns.items() if "->" in place)
    stage.injector.heal(0)
    assert stage.deployment.log == ["kill store.us-south-2", "start store.us-south-2"]


def test_freeze_is_seen_on_the_links_into_the_process(stage: Stage) -> None:
    struck = stage.injector.inject(0, ProcessFreeze(component="lb.us-south-1"), wanted_ns=0)
    assert {s.target: s.seen for s in struck.samples if s.stage == "during"} == {ENTRY: "silent", "lb.us-south-1": "frozen"}
    stage.injector.heal(0)
    assert stage.deployment.log == ["freeze lb.us-south-1", "thaw lb.us-south-1"]


def test_restart_happens_once_and_is_seen_by_its_start(stage: Stage) -> None:
    struck = stage.injector.inject(0, ProcessRestart(component="lb.us-south-1"), wanted_ns=0)
    assert [(s.target, s.seen) for s in struck.samples if s.stage == "during"] == [("lb.us-south-1", "restarted")]
    healed = stage.injector.heal(0)
    assert stage.deployment.log == ["restart lb.us-south-1"]
    assert [(s.target, s.seen) for s in healed.samples if s.stage == "after"] == [(ENTRY, "healthy"), ("lb.us-south-1", "running")]


def test_heal_all_takes_everything_off_before_it_looks(stage: Stage) -> None:
    stage.injector.inject(0, OUTAGE_1, wanted_ns=0)
    stage.injector.inject(1, ProcessFreeze(component="lb.us-south-2"), wanted_ns=0)
    healed = stage.injector.heal_all()
    assert [struck.number for struck in healed] == [0, 1]
    assert stage.plane.clean and stage.deployment.processes == {"lb.us-south-2": "running"}
    assert stage.injector.active == ()


def test_heal_all_cleans_a_plane_of_which_it_knows_no_strike(stage: Stage) -> None:
    other = FakeDeployment(three_zones(), stage.plane)
    Injector(three_zones(), stage.plane, other, Clock(), look_all=FakeCanary()).inject(0, OUTAGE_1, wanted_ns=0)
    assert stage.injector.heal_all() == ()
    assert stage.plane.clean


def test_plane_that_is_not_clean_is_told_with_the_time_since_its_strike(stage: Stage) -> None:
    stage.injector.inject(0, LinkCut(link=ENTRY), wanted_ns=0)
    stage.injector.heal(0)
    leftover = FakePlane(three_zones(), Clock())
    leftover.links[ENTRY] = stage.plane.links[ENTRY]
    Injector(three_zones(), stage.plane, stage.deployment, Clock(), look_all=FakeCanary()).inject(9, SLOW_ENTRY, wanted_ns=0)
    with pytest.raises(
        HealFailed, match=r"proxy 'client->lb.us-south-1' still has toxic 'latency' \d+ s after its strike ended; .*'chaoskit down'"
    ):
        stage.injector.assert_clean()


def test_strike_that_is_not_active_cannot_be_healed(stage: Stage) -> None:
    stage.injector.inject(3, OUTAGE_1, wanted_ns=0)
    with pytest.raises(HealFailed, match=r"strike 4 is not active; active are \[3\]"):
        stage.injector.heal(4)
