"""Alterations, collections and turns of restarts, put on and taken off by the injector."""

import pytest

from chaoskit.errors import HealFailed, PlaneFailed
from chaoskit.faults.operation import Collection, WritePermission, WrongSecret
from chaoskit.faults.process import RollingRestart
from chaoskit.model.topology import three_zones
from chaoskit.plane import processes
from chaoskit.plane.injector import Injector, Limits
from tests.unit.plane.fakes import Clock, FakeCanary, FakeDeployment, FakePlane

REGISTRIES = [f"registry.us-south-{n}" for n in (1, 2, 3)]
STORES = [f"store.us-south-{n}" for n in (1, 2, 3)]
INTO_1 = [f"lb.us-south-{n}->registry.us-south-1" for n in (1, 2, 3)]


class Stage:
    def __init__(self) -> None:
        topology, clock = three_zones(), Clock()
        self.plane = FakePlane(topology, clock)
        self.deployment = FakeDeployment(topology, self.plane)
        self.canary = FakeCanary()
        limits = Limits(before_s=1, effect_s=30, healthy_s=30)
        self.injector = Injector(topology, self.plane, self.deployment, clock, look_all=self.canary, limits=limits)


@pytest.fixture
def stage() -> Stage:
    return Stage()


def test_permission_is_taken_seen_and_given_back(stage: Stage) -> None:
    struck = stage.injector.inject(0, WritePermission(), wanted_ns=0)
    assert {s.target: s.seen for s in struck.samples if s.stage == "during"} == dict.fromkeys(STORES, "read-only")
    assert struck.effective_ns is not None and set(STORES) <= struck.cut_ns.keys()
    healed = stage.injector.heal(0)
    assert {s.target: s.seen for s in healed.samples if s.stage == "after" and s.target in STORES} == dict.fromkeys(STORES, "running")
    assert stage.deployment.log == [f"alter {one} read-only" for one in STORES] + [f"restore {one} read-only" for one in STORES]
    stage.injector.assert_clean()


def test_alteration_of_a_dead_process_is_healed_by_one_who_does_not_know_of_it(stage: Stage) -> None:
    stage.deployment.altered = {REGISTRIES[1]: "other-secret"}
    with pytest.raises(HealFailed, match=r"component 'registry.us-south-2' is other-secret; run 'chaoskit down'"):
        stage.injector.assert_clean()
    assert stage.injector.heal_all() == ()
    assert stage.deployment.altered == {}
    stage.injector.assert_clean()


def test_alteration_that_fails_is_undone_and_raised(stage: Stage) -> None:
    stage.deployment.broken = {STORES[2]}
    with pytest.raises(PlaneFailed, match=r"1 components could not be altered; first: alter store.us-south-3 read-only: broken"):
        stage.injector.inject(0, WritePermission(), wanted_ns=0)
    assert stage.deployment.altered == {} and stage.injector.active == ()


def test_two_alterations_of_two_strikes_leave_one_by_one(stage: Stage) -> None:
    stage.injector.inject(0, WritePermission(), wanted_ns=0)
    stage.injector.inject(1, WrongSecret(component=REGISTRIES[0]), wanted_ns=0)
    stage.injector.heal(0)
    assert stage.deployment.altered == {REGISTRIES[0]: "other-secret"}
    stage.injector.heal(1)
    assert stage.deployment.altered == {}


def test_alteration_that_does_not_read_back_is_told(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage.deployment, "alter", lambda component, alteration: None)
    with pytest.raises(PlaneFailed, match=r"altered are \{\}, wanted \{'registry.us-south-1': 'other-secret'\}"):
        processes.alter(stage.deployment, {REGISTRIES[0]: "other-secret"}, clock=Clock())


def test_collector_runs_once_and_its_last_words_are_on_record(stage: Stage) -> None:
    struck = stage.injector.inject(0, Collection(zone="us-south-1"), wanted_ns=0)
    assert struck.notes == ("the collector of registry.us-south-1 ran for 1.0 s and said last: 3 blobs deleted",)
    stage.injector.heal(0)
    assert stage.deployment.log == ["collect registry.us-south-1"]


def test_collector_that_fails_is_a_strike_not_put_on(stage: Stage) -> None:
    stage.deployment.broken = {REGISTRIES[0]}
    with pytest.raises(PlaneFailed, match=r"collect registry.us-south-1: broken"):
        stage.injector.inject(0, Collection(zone="us-south-1"), wanted_ns=0)


def test_next_registry_restarts_when_the_last_one_answers(stage: Stage) -> None:
    stage.canary.sees[f"turn {INTO_1[0]}"] = ["refused", "refused"]
    fault = RollingRestart.model_validate({"settle": "0s"})
    struck = stage.injector.inject(0, fault, wanted_ns=0)
    assert stage.deployment.log == [f"restart {one}" for one in REGISTRIES]
    turns = [link for look, link in stage.canary.looked if look == "turn"]
    assert turns[:5] == [*INTO_1, INTO_1[0], INTO_1[0]]
    assert turns[5:] == [link.replace("registry.us-south-1", "registry.us-south-2") for link in INTO_1]
    assert {s.seen for s in struck.samples if s.stage == "during"} == {"restarted"}


def test_registry_that_does_not_answer_ends_the_rollout(stage: Stage) -> None:
    stage.canary.sees[f"turn {INTO_1[0]}"] = ["refused"] * 1000
    with pytest.raises(PlaneFailed, match=r"registry.us-south-1: no answer 30 s after the restart; the others wait"):
        stage.injector.inject(0, RollingRestart.model_validate({"settle": "0s"}), wanted_ns=0)
    assert stage.deployment.log == ["restart registry.us-south-1"]


def test_all_at_once_has_one_turn(stage: Stage) -> None:
    stage.injector.inject(0, RollingRestart(order="at-once"), wanted_ns=0)
    assert sorted(stage.deployment.log) == [f"restart {one}" for one in REGISTRIES]
    assert "turn" not in {look for look, _ in stage.canary.looked}
