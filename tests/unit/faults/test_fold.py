import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaoskit.errors import BadExperiment
from chaoskit.faults.base import Fault
from chaoskit.faults.fold import Wanted, contradiction, fold
from chaoskit.faults.link import Bandwidth, Latency, LinkCut
from chaoskit.faults.process import ProcessFreeze, ProcessKill, ProcessRestart
from chaoskit.faults.symptom import Expected, expected
from chaoskit.faults.zone import ZoneFreeze, ZoneOutage, ZonePartition
from chaoskit.model.strike import ProxyDown, Symptom, ToxicOn
from chaoskit.model.topology import three_zones

TOPOLOGY = three_zones()
ENTRY = "client->lb.us-south-1"
SLOW = Latency.model_validate({"link": ENTRY, "latency": "1s", "jitter": "200ms"})
NARROW = Bandwidth(link=ENTRY, rate_kb_s=20)
STALLED = Bandwidth(link=ENTRY, rate_kb_s=0)
CUT = LinkCut(link=ENTRY)
FAULTS = (
    SLOW,
    NARROW,
    STALLED,
    CUT,
    ZoneOutage(zone="us-south-1"),
    ZonePartition(zone="us-south-2"),
    ProcessKill(component="lb.us-south-1"),
)


def of(*faults: Fault) -> Wanted:
    return fold(fault.changes(TOPOLOGY) for fault in faults)


def why(a: Fault, b: Fault) -> str | None:
    return contradiction(a.changes(TOPOLOGY), b.changes(TOPOLOGY))


def symptom(link: str, *faults: Fault) -> Expected:
    return expected(of(*faults), TOPOLOGY)[link]


def test_fold_of_nothing_is_clean() -> None:
    assert fold([]) == Wanted(frozenset(), {}, {})


def test_overlapping_outages_share_their_links() -> None:
    both = of(ZoneOutage(zone="us-south-1"), ZoneOutage(zone="us-south-2"))
    assert len(both.down) == 18
    assert of(ZoneOutage(zone="us-south-2")).down < both.down


def test_latency_and_bandwidth_add_up_on_one_link() -> None:
    assert why(SLOW, NARROW) is None
    assert [toxic.name for toxic in of(SLOW, NARROW).toxics[ENTRY]] == [
        "chaoskit-bandwidth-downstream",
        "chaoskit-bandwidth-upstream",
        "chaoskit-latency-downstream",
        "chaoskit-latency-upstream",
    ]


def test_equal_changes_do_not_contradict() -> None:
    assert why(CUT, ZoneOutage(zone="us-south-1")) is None
    assert why(STALLED, STALLED) is None


def test_part_of_the_other_strike_does_not_contradict_if_it_adds_up() -> None:
    one_way = Latency.model_validate({"link": ENTRY, "latency": "500ms", "jitter": "100ms", "direction": "to"})
    assert why(SLOW, one_way) is None


@pytest.mark.parametrize(
    ("a", "b", "reason"),
    [
        (
            SLOW,
            CUT,
            "link 'client->lb.us-south-1' cannot have both latency downstream (jitter 100, latency 500) + "
            "latency upstream (jitter 100, latency 500) and proxy down at once",
        ),
        (STALLED, NARROW, "bandwidth downstream (rate 0) + bandwidth upstream (rate 0) and bandwidth downstream (rate 20)"),
        (STALLED, SLOW, "link 'client->lb.us-south-1' cannot have both"),
        (ProcessFreeze(component="lb.us-south-1"), ProcessKill(component="lb.us-south-1"), "process frozen and process killed at once"),
        (ProcessFreeze(component="lb.us-south-1"), ProcessRestart(component="lb.us-south-1"), "component 'lb.us-south-1' cannot have both"),
    ],
)
def test_changes_that_cannot_be_told_apart_contradict(a: Fault, b: Fault, reason: str) -> None:
    assert reason in (why(a, b) or "")
    with pytest.raises(BadExperiment) as raised:
        of(a, b)
    assert reason in str(raised.value)


@given(st.sampled_from(FAULTS), st.sampled_from(FAULTS))
def test_contradiction_is_symmetric_and_fold_knows_no_order(a: Fault, b: Fault) -> None:
    assert (why(a, b) is None) is (why(b, a) is None)
    if why(a, b) is None:
        assert of(a, b) == of(b, a)


def test_processes_fold_to_their_state_and_a_restart_to_nothing() -> None:
    wanted = of(ZoneFreeze(zone="us-south-1"), ProcessRestart(component="lb.us-south-2"), ProcessKill(component="lb.us-south-3"))
    assert wanted.processes == {
        "lb.us-south-1": "frozen",
        "registry.us-south-1": "frozen",
        "store.us-south-1": "frozen",
        "lb.us-south-3": "dead",
    }


@pytest.mark.parametrize(
    ("shape", "symptom_of_entry"),
    [
        ("refused", Expected(Symptom.REFUSED)),
        ("reset", Expected(Symptom.RESET)),
        ("black-hole", Expected(Symptom.SILENT)),
        ("stall", Expected(Symptom.SILENT)),
        ("slow", Expected(Symptom.SLOW, up_ms=1000, down_ms=1000)),
        ("trickle", Expected(Symptom.TRICKLE, up_kb_s=8, down_kb_s=8)),
    ],
)
def test_each_shape_has_its_symptom(shape: str, symptom_of_entry: Expected) -> None:
    outage = ZoneOutage.model_validate({"zone": "us-south-1", "shape": shape})
    assert symptom(ENTRY, outage) == symptom_of_entry
    assert symptom("client->lb.us-south-2", outage) == Expected()


def test_jitter_is_taken_from_the_expected_delay() -> None:
    assert symptom(ENTRY, SLOW, NARROW) == Expected(Symptom.SLOW, up_ms=400, down_ms=400, up_kb_s=20, down_kb_s=20)


def test_frozen_target_is_silent_and_killed_target_refuses() -> None:
    assert symptom("lb.us-south-3->registry.us-south-1", ProcessFreeze(component="registry.us-south-1")).symptom is Symptom.SILENT
    assert symptom("lb.us-south-3->registry.us-south-1", ProcessKill(component="registry.us-south-1")).symptom is Symptom.REFUSED
    assert symptom("registry.us-south-1->store.us-south-1", ProcessKill(component="registry.us-south-1")) == Expected()


def test_one_silent_stream_is_enough_for_silence() -> None:
    changes = (ToxicOn(ENTRY, "timeout", "downstream", (("timeout", 0),)),)
    assert expected(fold([changes]), TOPOLOGY)[ENTRY].symptom is Symptom.SILENT
    assert expected(fold([(ProxyDown(ENTRY),)]), TOPOLOGY)[ENTRY].symptom is Symptom.REFUSED


@pytest.mark.parametrize(("direction", "arrives"), [("both", False), ("to", False), ("from", True)])
def test_bytes_arrive_where_only_what_comes_back_is_swallowed(direction: str, arrives: bool) -> None:
    cut = LinkCut.model_validate({"link": ENTRY, "shape": "black-hole", "direction": direction})
    assert symptom(ENTRY, cut) == Expected(Symptom.SILENT, arrives=arrives)
    assert symptom(ENTRY, cut, ProcessFreeze(component="lb.us-south-1")) == Expected(Symptom.SILENT)
