from datetime import timedelta

import pytest
from pydantic import ValidationError

from chaoskit.errors import BadExperiment
from chaoskit.faults.base import Fault
from chaoskit.faults.fold import Wanted, contradiction, fold, told
from chaoskit.faults.operation import Collection, WritePermission, WrongSecret
from chaoskit.faults.process import ProcessKill, RollingRestart
from chaoskit.kinds import FAULTS
from chaoskit.model.strike import Altered, Collected, ProcessRestarted
from chaoskit.model.topology import one_zone, three_zones

TOPOLOGY = three_zones()
REGISTRY_2 = "registry.us-south-2"


def test_permission_is_taken_at_every_store() -> None:
    stores = [f"store.us-south-{n}" for n in (1, 2, 3)]
    assert WritePermission().changes(TOPOLOGY) == tuple(Altered(store, "read-only") for store in stores)
    assert fold([WritePermission().changes(TOPOLOGY)]) == Wanted(altered=dict.fromkeys(stores, "read-only"))
    assert WritePermission().zones(TOPOLOGY) == TOPOLOGY.zones


def test_one_registry_has_another_secret() -> None:
    fault = WrongSecret(component=REGISTRY_2)
    assert fault.changes(TOPOLOGY) == (Altered(REGISTRY_2, "other-secret"),)
    assert fault.zones(TOPOLOGY) == ("us-south-2",)


def test_collector_runs_in_one_zone_and_leaves_nothing_to_heal() -> None:
    fault = Collection(zone="us-south-3")
    assert fault.changes(TOPOLOGY) == (Collected("registry.us-south-3"),)
    assert fold([fault.changes(TOPOLOGY)]) == Wanted()
    assert fault.zones(TOPOLOGY) == TOPOLOGY.zones


def test_registries_restart_in_turn_or_all_in_the_first() -> None:
    names = [f"registry.us-south-{n}" for n in (1, 2, 3)]
    one_by_one = RollingRestart.model_validate({"settle": "2s"})
    assert one_by_one.changes(TOPOLOGY) == tuple(ProcessRestarted(name, turn, 2000) for turn, name in enumerate(names))
    assert RollingRestart(order="at-once").changes(TOPOLOGY) == tuple(ProcessRestarted(name) for name in names)
    assert RollingRestart(component_kind="lb").changes(one_zone()) == (ProcessRestarted("lb.us-south-1", 0, 5000),)


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (WrongSecret(component="store.us-south-2"), "'store.us-south-2' is no registry and has no such secret; choose registry.us-south-2"),
        (
            WrongSecret(component="registry.us-south-9"),
            "registry.us-south-9' is not in the topology; choose one of registry.us-",
        ),
        (Collection(zone="us-suoth-1"), "collection: zone 'us-suoth-1' is not in the topology; choose one of us-south-1"),
    ],
)
def test_what_is_not_there_is_refused_with_the_way_out(fault: Fault, message: str) -> None:
    with pytest.raises(BadExperiment) as raised:
        fault.changes(TOPOLOGY)
    assert message in str(raised.value)


@pytest.mark.parametrize("given", [{"component_kind": "proxy"}, {"order": "slowly"}, {"settle": "-1s"}, {"zone": "us-south-1"}])
def test_rolling_restart_refuses_what_it_does_not_know(given: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        RollingRestart.model_validate(given)


def test_altered_component_cannot_be_killed_at_the_same_time() -> None:
    quarrel = contradiction(WrongSecret(component=REGISTRY_2).changes(TOPOLOGY), ProcessKill(component=REGISTRY_2).changes(TOPOLOGY))
    assert quarrel == "component 'registry.us-south-2' cannot have both other-secret and process killed at once"


def test_plan_has_a_word_for_each() -> None:
    changes = (Altered("store.z", "read-only"), Collected("registry.z"), ProcessRestarted("lb.z"), ProcessRestarted("lb.z", 1))
    assert [told(change) for change in changes] == ["read-only", "collector run", "process restarted", "process restarted, turn 2"]


def test_all_are_faults_an_experiment_may_name() -> None:
    assert {"write-permission", "wrong-secret", "collection", "rolling-restart"} <= FAULTS.keys()
    assert RollingRestart().settle == timedelta(seconds=5)
