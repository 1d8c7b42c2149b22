import pytest

from chaoskit.faults.symptom import Expected
from chaoskit.model.strike import Symptom
from chaoskit.model.topology import three_zones
from chaoskit.plane.canary import probe_of

TOPOLOGY = three_zones()


def test_balancer_and_registry_are_asked_for_v2() -> None:
    for name in ("client->lb.us-south-1", "lb.us-south-1->registry.us-south-2"):
        probe = probe_of(TOPOLOGY.link(name), Expected())
        assert probe.first.startswith(b"GET /v2/ HTTP/1.1\r\n") and probe.first.endswith(b"\r\n\r\n") and probe.last == b""


def test_store_is_asked_for_its_root_by_its_registry() -> None:
    assert probe_of(TOPOLOGY.link("registry.us-south-1->store.us-south-1"), Expected()).first.startswith(b"GET / HTTP/1.1\r\n")


def test_peer_of_a_store_sends_a_hello_of_64_bytes_and_holds_the_last_back() -> None:
    probe = probe_of(TOPOLOGY.link("store.us-south-1->store.us-south-2"), Expected())
    assert (len(probe.first), len(probe.last)) == (63, 1)
    assert (probe.first + probe.last).endswith(b"\r\n\r\n")


def test_trickle_is_probed_with_half_a_second_of_its_rate() -> None:
    link = TOPOLOGY.link("client->lb.us-south-1")
    plain = len(probe_of(link, Expected()).first)
    for rate, pad in ((8, 4_000), (1_000_000, 12_000)):
        probe = probe_of(link, Expected(Symptom.TRICKLE, up_kb_s=rate, down_kb_s=rate))
        assert pad <= len(probe.first) - plain <= pad + 100


@pytest.mark.parametrize("name", ["client->lb.us-south-1", "registry.us-south-1->store.us-south-1", "store.us-south-1->store.us-south-2"])
def test_target_that_is_reached_is_given_no_reason_to_hang_up(name: str) -> None:
    probe = probe_of(TOPOLOGY.link(name), Expected(Symptom.SILENT, arrives=True))
    assert b"Connection: close" not in probe.first and probe.last == b""
    assert len(probe.first) == 63 or probe.first.endswith(b"\r\n\r\n")
