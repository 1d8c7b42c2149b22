import pytest
from pydantic import TypeAdapter, ValidationError

from chaoskit.errors import BadExperiment
from chaoskit.faults.base import Fault
from chaoskit.faults.link import Bandwidth, Latency, LinkCut
from chaoskit.faults.process import ProcessFreeze, ProcessKill, ProcessRestart
from chaoskit.faults.zone import ZoneFreeze, ZoneKill, ZoneOutage, ZonePartition
from chaoskit.model.strike import Change, ProcessFrozen, ProcessKilled, ProcessRestarted, ProxyDown, ToxicOn
from chaoskit.model.topology import one_zone, three_zones

TOPOLOGY = three_zones()
TOUCHING_ZONE_1 = {
    "client->lb.us-south-1",
    "lb.us-south-1->registry.us-south-1",
    "lb.us-south-1->registry.us-south-2",
    "lb.us-south-1->registry.us-south-3",
    "lb.us-south-2->registry.us-south-1",
    "lb.us-south-3->registry.us-south-1",
    "registry.us-south-1->store.us-south-1",
    "store.us-south-1->store.us-south-2",
    "store.us-south-1->store.us-south-3",
    "store.us-south-2->store.us-south-1",
    "store.us-south-3->store.us-south-1",
}
CROSSING_ZONE_1 = TOUCHING_ZONE_1 - {
    "client->lb.us-south-1",
    "lb.us-south-1->registry.us-south-1",
    "registry.us-south-1->store.us-south-1",
}


def changes(fault: Fault) -> tuple[Change, ...]:
    found = fault.changes(TOPOLOGY)
    assert len(found) == len(set(found))
    return found


def toxics(fault: Fault, link: str) -> list[tuple[str, str, dict[str, int]]]:
    return [(c.type, c.stream, dict(c.attributes)) for c in changes(fault) if isinstance(c, ToxicOn) and c.link == link]


def test_refused_zone_outage_disables_the_eleven_links_that_touch_the_zone() -> None:
    assert set(changes(ZoneOutage(zone="us-south-1"))) == {ProxyDown(link) for link in TOUCHING_ZONE_1}


@pytest.mark.parametrize(
    ("shape", "toxic", "upstream", "downstream"),
    [
        ("reset", "reset_peer", {"timeout": 0}, {"timeout": 0}),
        ("black-hole", "timeout", {"timeout": 0}, {"timeout": 0}),
        ("stall", "bandwidth", {"rate": 0}, {"rate": 0}),
        ("slow", "latency", {"latency": 1000, "jitter": 0}, {"latency": 1000, "jitter": 0}),
        ("trickle", "bandwidth", {"rate": 8}, {"rate": 8}),
    ],
)
def test_zone_outage_has_its_shape_on_both_streams_of_every_link(
    shape: str, toxic: str, upstream: dict[str, int], downstream: dict[str, int]
) -> None:
    fault = ZoneOutage.model_validate({"zone": "us-south-1", "shape": shape})
    for link in TOUCHING_ZONE_1:
        assert toxics(fault, link) == [(toxic, "upstream", upstream), (toxic, "downstream", downstream)]
    assert len(changes(fault)) == 22


def test_zone_partition_leaves_entry_and_inner_links_alone() -> None:
    assert set(changes(ZonePartition(zone="us-south-1"))) == {ProxyDown(link) for link in CROSSING_ZONE_1}


def test_one_way_partition_cuts_only_the_stream_that_flows_into_the_zone() -> None:
    fault = ZonePartition.model_validate({"zone": "us-south-1", "shape": "black-hole", "direction": "to"})
    assert toxics(fault, "store.us-south-2->store.us-south-1") == [("timeout", "upstream", {"timeout": 0})]
    assert toxics(fault, "store.us-south-1->store.us-south-2") == [("timeout", "downstream", {"timeout": 0})]
    assert len(changes(fault)) == 8


def test_link_cut_takes_a_name_or_a_shell_pattern() -> None:
    assert changes(LinkCut(link="client->lb.us-south-2")) == (ProxyDown("client->lb.us-south-2"),)
    assert changes(LinkCut(link="client->*")) == tuple(ProxyDown(f"client->lb.us-south-{n}") for n in (1, 2, 3))


def test_latency_in_both_directions_is_halved_onto_the_streams() -> None:
    fault = Latency.model_validate({"link": "client->lb.us-south-1", "latency": "101ms", "jitter": "5ms"})
    assert changes(fault) == (
        ToxicOn("client->lb.us-south-1", "latency", "upstream", (("jitter", 3), ("latency", 51))),
        ToxicOn("client->lb.us-south-1", "latency", "downstream", (("jitter", 2), ("latency", 50))),
    )


def test_latency_in_one_direction_is_whole_on_one_stream() -> None:
    fault = Latency.model_validate({"link": "client->lb.us-south-1", "latency": "100ms", "direction": "from"})
    assert changes(fault) == (ToxicOn("client->lb.us-south-1", "latency", "downstream", (("jitter", 0), ("latency", 100))),)


def test_bandwidth_of_0_is_a_stall() -> None:
    fault = Bandwidth(link="client->lb.us-south-1", rate_kb_s=0)
    assert toxics(fault, "client->lb.us-south-1") == [("bandwidth", "upstream", {"rate": 0}), ("bandwidth", "downstream", {"rate": 0})]


def test_process_kill_also_refuses_the_links_into_the_process() -> None:
    assert set(changes(ProcessKill(component="store.us-south-2"))) == {
        ProcessKilled("store.us-south-2"),
        ProxyDown("registry.us-south-2->store.us-south-2"),
        ProxyDown("store.us-south-1->store.us-south-2"),
        ProxyDown("store.us-south-3->store.us-south-2"),
    }


def test_process_freeze_and_restart_change_one_component() -> None:
    assert changes(ProcessFreeze(component="lb.us-south-1")) == (ProcessFrozen("lb.us-south-1"),)
    assert changes(ProcessRestart(component="lb.us-south-1")) == (ProcessRestarted("lb.us-south-1"),)


def test_zone_freeze_freezes_its_three_components() -> None:
    assert set(changes(ZoneFreeze(zone="us-south-3"))) == {ProcessFrozen(f"{kind}.us-south-3") for kind in ("lb", "registry", "store")}


def test_zone_kill_kills_three_components_and_refuses_the_seven_links_into_them() -> None:
    found = changes(ZoneKill(zone="us-south-3"))
    assert {c for c in found if isinstance(c, ProcessKilled)} == {
        ProcessKilled(f"{kind}.us-south-3") for kind in ("lb", "registry", "store")
    }
    assert {c.link for c in found if isinstance(c, ProxyDown)} == {
        "client->lb.us-south-3",
        *(f"lb.us-south-{n}->registry.us-south-3" for n in (1, 2, 3)),
        "registry.us-south-3->store.us-south-3",
        *(f"store.us-south-{n}->store.us-south-3" for n in (1, 2)),
    }


@pytest.mark.parametrize(
    ("fault", "zones"),
    [
        (ZoneOutage(zone="us-south-2"), ("us-south-2",)),
        (LinkCut(link="store.us-south-3->store.us-south-1"), ("us-south-1", "us-south-3")),
        (LinkCut(link="client->lb.us-south-2"), ("us-south-2",)),
        (ProcessKill(component="store.us-south-2"), ("us-south-2",)),
    ],
)
def test_zones_are_those_that_the_fault_degrades(fault: Fault, zones: tuple[str, ...]) -> None:
    assert fault.zones(TOPOLOGY) == zones


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (
            ZoneOutage(zone="us-suoth-2"),
            "zone-outage: zone 'us-suoth-2' is not in the topology; choose one of us-south-2, us-south-3, us-south-1",
        ),
        (
            ProcessKill(component="stor.us-south-2"),
            "process-kill: component 'stor.us-south-2' is not in the topology; choose one of store.us-south-2,",
        ),
        (
            LinkCut(link="client->lb.us-south-9"),
            "link-cut: link 'client->lb.us-south-9' is not in the topology; choose one of client->lb.us-south-",
        ),
        (LinkCut(link="client->lb.us-south-9"), ", ... (21 in all)"),
    ],
)
def test_unknown_name_is_refused_with_the_nearest_choice_first(fault: Fault, message: str) -> None:
    with pytest.raises(BadExperiment) as raised:
        fault.changes(TOPOLOGY)
    assert message in str(raised.value)
    with pytest.raises(BadExperiment):
        fault.zones(TOPOLOGY)


def test_partition_of_the_only_zone_is_refused() -> None:
    with pytest.raises(BadExperiment, match="has no link to another zone in topology 'one-zone'"):
        ZonePartition(zone="us-south-1").changes(one_zone())


@pytest.mark.parametrize(
    ("fault", "given", "message"),
    [
        (Latency, {"link": "*", "latency": "0s"}, "latency 0s is outside 1ms..10m"),
        (Latency, {"link": "*", "latency": "11m"}, "latency 11m is outside 1ms..10m"),
        (Latency, {"link": "*", "latency": "-5s"}, "'-5s' is not a duration"),
        (Latency, {"link": "*", "latency": "1s", "jitter": "501ms"}, "jitter 501ms is more than half of latency 1s"),
        (Bandwidth, {"link": "*", "rate_kb_s": -1}, "rate_kb_s -1 is outside 0..1000000"),
        (Bandwidth, {"link": "*", "rate_kb_s": True}, "valid integer"),
        (Bandwidth, {"link": "*", "rate_kb_s": 1, "rate": 2}, "Extra inputs"),
        (ZoneOutage, {"zone": "z", "shape": "gone"}, "'refused', 'reset', 'black-hole', 'stall', 'slow' or 'trickle'"),
        (ZoneOutage, {"zone": "z", "shape": "trickle", "rate_kb_s": 0}, "rate_kb_s 0 is no trickle"),
        (LinkCut, {"link": "*", "shape": "slow"}, "shape 'slow' does not cut; choose one of refused, reset, black-hole, stall"),
        (LinkCut, {"link": "*", "direction": "to"}, "shape 'refused' has no direction 'to'; choose one of reset, black-hole, stall"),
    ],
)
def test_values_out_of_range_are_refused(fault: type[Fault], given: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError) as raised:
        fault.model_validate(given)
    assert message in str(raised.value)


def test_dumped_fault_loads_as_its_equal() -> None:
    fault = ZoneOutage.model_validate({"zone": "us-south-1", "shape": "slow", "latency": "1500ms", "jitter": "100ms"})
    assert TypeAdapter(ZoneOutage).validate_python(fault.model_dump(mode="json")) == fault
