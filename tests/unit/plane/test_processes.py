import pytest

from chaoskit.drivers.base import State
from chaoskit.errors import PlaneFailed
from chaoskit.faults.fold import Held
from chaoskit.model.topology import three_zones
from chaoskit.plane import processes
from tests.unit.plane.fakes import Clock, FakeDeployment, FakePlane

LB = "lb.us-south-1"


@pytest.fixture
def deployment() -> FakeDeployment:
    return FakeDeployment(three_zones(), FakePlane(three_zones(), Clock()))


@pytest.mark.parametrize(
    ("found", "wanted", "log"),
    [
        ("running", "frozen", [f"freeze {LB}"]),
        ("running", "dead", [f"kill {LB}"]),
        ("frozen", "dead", [f"kill {LB}"]),
        ("frozen", None, [f"thaw {LB}"]),
        ("dead", None, [f"start {LB}"]),
        ("dead", "frozen", [f"start {LB}", f"freeze {LB}"]),
        ("frozen", "frozen", []),
        ("running", None, []),
    ],
)
def test_component_takes_the_shortest_way(deployment: FakeDeployment, found: State, wanted: Held | None, log: list[str]) -> None:
    deployment.processes[LB] = found
    done = processes.move(deployment, {LB: wanted} if wanted else {}, clock=Clock())
    assert deployment.log == log
    assert set(done) == ({LB} if log else set())


def test_all_components_are_tried_even_if_one_fails(deployment: FakeDeployment) -> None:
    deployment.broken = {LB}
    with pytest.raises(PlaneFailed, match=r"1 of 2 components could not be moved; first: kill lb.us-south-1: broken"):
        processes.move(deployment, {LB: "dead", "lb.us-south-2": "dead"}, clock=Clock())
    assert deployment.processes == {"lb.us-south-2": "dead"}


def test_component_the_driver_does_not_have_is_refused(deployment: FakeDeployment) -> None:
    with pytest.raises(PlaneFailed, match=r"the driver has no component 'lb.us-west-1'"):
        processes.move(deployment, {"lb.us-west-1": "dead"}, clock=Clock())


def test_state_that_does_not_read_back_is_told(deployment: FakeDeployment, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "READ_BACK_S", 0.0)
    monkeypatch.setattr(deployment, "kill", lambda component: None)
    with pytest.raises(PlaneFailed, match=r"component 'lb.us-south-1' is running, wanted dead, 0 s after the change"):
        processes.move(deployment, {LB: "dead"}, clock=Clock())
