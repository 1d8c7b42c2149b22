"""What the fault plane leans on, with real bytes, of the real Toxiproxy and of ours: shapes as a canary sees them, and clean heals."""

import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace

import pytest

from chaoskit.drivers.base import Address
from chaoskit.errors import PlaneFailed
from chaoskit.faults.base import Direction, Severity, Shape, shape_changes
from chaoskit.faults.fold import Wanted, fold
from chaoskit.faults.symptom import Expected, expected
from chaoskit.faults.zone import ZoneOutage
from chaoskit.model.strike import Sample, Symptom, ToxicOn
from chaoskit.model.topology import three_zones
from chaoskit.plane.canary import look, look_all
from chaoskit.plane.consumer import PlaneWedged
from chaoskit.plane.moves import LinkState
from chaoskit.plane.toxiproxy import Plane
from tests.contract.planes import SIDES, Side, answer_http, dial, echo, flood, free_port, ours, real, refuse_hello, upstream, wait_until

TOPOLOGY = three_zones()
ENTRY = "client->lb.us-south-1"
PEERS = "store.us-south-1->store.us-south-2"
SEVERITY = Severity(latency_ms=600, jitter_ms=100, rate_kb_s=8)
SYMPTOMS = {
    Shape.REFUSED: Symptom.REFUSED,
    Shape.RESET: Symptom.RESET,
    Shape.BLACK_HOLE: Symptom.SILENT,
    Shape.STALL: Symptom.SILENT,
    Shape.SLOW: Symptom.SLOW,
    Shape.TRICKLE: Symptom.TRICKLE,
}


@dataclass
class Region:
    """All 21 links of three zones, each to the upstream of its kind."""

    plane: Plane
    listeners: dict[str, Address]

    def see(self, link: str, expectation: Expected) -> Sample:
        return look(TOPOLOGY.link(link), self.listeners[link], expectation, stage="during", clock=time.monotonic_ns)


@pytest.fixture(scope="module", params=SIDES)
def side(request: pytest.FixtureRequest) -> Side:
    chosen: Side = request.param
    return chosen


@pytest.fixture(scope="module")
def region(side: Side) -> Iterator[Region]:
    with side() as api, upstream(answer_http) as http, upstream(refuse_hello) as garage:
        plane, listeners = api.plane, {}
        for link in TOPOLOGY.links:
            listeners[link.name] = Address("127.0.0.1", free_port())
            target = garage if link.source.startswith("store") else http
            plane.create(link.name, listen=f"127.0.0.1:{listeners[link.name].port}", upstream=target)
        yield Region(plane, listeners)


@pytest.fixture(autouse=True)
def clean(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "region" in request.fixturenames:
        request.getfixturevalue("region").plane.apply(Wanted())


def shaped(shape: Shape, *links: str) -> Wanted:
    return fold([tuple(change for link in links for change in shape_changes(shape, link, SEVERITY))])


@pytest.mark.parametrize("link", [ENTRY, "registry.us-south-1->store.us-south-1", PEERS])
@pytest.mark.parametrize("shape", list(Shape))
def test_canary_sees_the_symptom_of_each_shape_and_health_after_its_heal(region: Region, shape: Shape, link: str) -> None:
    assert region.see(link, Expected()).seen == Symptom.HEALTHY
    wanted = shaped(shape, link)
    applied = region.plane.apply(wanted)
    assert set(applied.acknowledged_ns) == {link}
    expectation = expected(wanted, TOPOLOGY)[link]
    sample = region.see(link, expectation)
    assert (sample.seen, sample.expected) == (SYMPTOMS[shape], SYMPTOMS[shape])
    healed = region.plane.apply(Wanted())
    assert set(healed.acknowledged_ns) == {link}
    assert bool(healed.disturbed) is (shape is Shape.BLACK_HOLE)
    assert region.plane.read()[link] == LinkState()
    assert region.see(link, Expected()).seen == Symptom.HEALTHY


@pytest.mark.parametrize("shape", list(Shape))
def test_struck_link_is_not_taken_for_a_healthy_one(region: Region, shape: Shape) -> None:
    region.plane.apply(shaped(shape, ENTRY))
    seen = region.see(ENTRY, Expected()).seen
    assert (seen == Symptom.HEALTHY) is (shape in (Shape.SLOW, Shape.TRICKLE))


def test_healthy_link_is_not_taken_for_a_struck_one(region: Region) -> None:
    for shape in Shape:
        expectation = expected(shaped(shape, ENTRY), TOPOLOGY)[ENTRY]
        assert region.see(ENTRY, expectation).seen == Symptom.HEALTHY


def _keep_open(peer: socket.socket) -> None:
    """A server that keeps its connections: it hangs up only if asked to."""
    head = b""
    while more := peer.recv(65536):
        head += more
        if b"Connection: close" in head:
            return


@pytest.mark.parametrize("direction", [Direction.TO, Direction.FROM])
@pytest.mark.parametrize("shape", [Shape.BLACK_HOLE, Shape.STALL])
def test_canary_sees_silence_of_one_direction(region: Region, shape: Shape, direction: Direction) -> None:
    with upstream(_keep_open) as http, upstream(refuse_hello) as garage:
        for link, target in ((ENTRY, http), (PEERS, garage)):
            changes = shape_changes(shape, link, SEVERITY, direction)
            expectation = expected(fold([changes]), TOPOLOGY)[link]
            port = free_port()
            name = f"{shape} {direction} {link.replace('->', ' ')}"
            region.plane.create(name, listen=f"127.0.0.1:{port}", upstream=target)
            region.plane.apply(Wanted(toxics={name: tuple(replace(c, link=name) for c in changes if isinstance(c, ToxicOn))}))
            sample = look(TOPOLOGY.link(link), Address("127.0.0.1", port), expectation, stage="during", clock=time.monotonic_ns)
            assert sample.seen == Symptom.SILENT
            region.plane.apply(Wanted())


def test_twenty_one_silent_links_are_seen_together(region: Region) -> None:
    wanted = shaped(Shape.BLACK_HOLE, *(link.name for link in TOPOLOGY.links))
    region.plane.apply(wanted)
    start = time.monotonic()
    samples = look_all(TOPOLOGY.links, region.listeners, expected(wanted, TOPOLOGY), stage="during", clock=time.monotonic_ns)
    assert {sample.seen for sample in samples} == {Symptom.SILENT}
    assert time.monotonic() - start < 1.5


@pytest.mark.parametrize("shape", list(Shape))
def test_zone_is_cut_within_50_ms_of_its_first_link(region: Region, shape: Shape) -> None:
    """The best of five: a busy host only adds to it."""
    outage = fold([ZoneOutage.model_validate({"zone": "us-south-1", "shape": shape.value, "latency": "50ms"}).changes(TOPOLOGY)])
    spans_ms = []
    for _ in range(5):
        done = region.plane.apply(outage).acknowledged_ns
        assert len(done) == 11
        spans_ms.append((max(done.values()) - min(done.values())) / 1e6)
        region.plane.apply(Wanted())
    assert min(spans_ms) < 50, spans_ms


def test_apply_is_idempotent(region: Region) -> None:
    wanted = shaped(Shape.SLOW, ENTRY)
    region.plane.apply(wanted)
    assert region.plane.apply(wanted).acknowledged_ns == {}


def test_stalled_bytes_arrive_after_the_heal(region: Region) -> None:
    port = free_port()
    with upstream(echo) as target:
        region.plane.create(f"echo->{port}", listen=f"127.0.0.1:{port}", upstream=target)
        with closing(socket.create_connection(("127.0.0.1", port), timeout=5)) as peer:
            region.plane.apply(shaped(Shape.STALL, f"echo->{port}"))
            sent = bytes(range(256)) * 1000
            peer.sendall(sent)
            peer.settimeout(0.3)
            with pytest.raises(TimeoutError):
                peer.recv(1)
            peer.settimeout(5)
            region.plane.apply(Wanted())
            received = b""
            while len(received) < len(sent):
                received += peer.recv(65536)
            assert received == sent


def test_latency_is_healed_under_clients_that_gave_up(region: Region) -> None:
    wanted = shaped(Shape.SLOW, ENTRY)
    region.plane.apply(wanted)
    with ExitStack() as peers:
        for _ in range(20):
            peer = peers.enter_context(socket.create_connection(("127.0.0.1", region.listeners[ENTRY].port), timeout=5))
            peer.sendall(b"GET / HTTP/1.1\r\n\r\n")
    region.plane.apply(Wanted())
    assert region.see(ENTRY, Expected()).seen == Symptom.HEALTHY


def test_strikes_that_add_up_are_both_on_and_leave_one_by_one(region: Region) -> None:
    slow, trickle = (shape_changes(shape, ENTRY, SEVERITY) for shape in (Shape.SLOW, Shape.TRICKLE))
    region.plane.apply(fold([slow]))
    region.plane.apply(fold([slow, trickle]))
    assert [toxic.type for toxic in region.plane.read()[ENTRY].toxics] == ["bandwidth", "bandwidth", "latency", "latency"]
    region.plane.apply(fold([trickle]))
    assert [toxic.type for toxic in region.plane.read()[ENTRY].toxics] == ["bandwidth", "bandwidth"]


def test_proxy_that_is_there_cannot_be_created_and_a_taken_port_is_told(region: Region) -> None:
    with pytest.raises(PlaneFailed, match=r"'client->lb.us-south-1' exists already"):
        region.plane.create(ENTRY, listen="127.0.0.1:0", upstream="127.0.0.1:1")
    taken = region.listeners[ENTRY].port
    with pytest.raises(PlaneFailed, match=r"POST /proxies: Toxiproxy answered 500: .*address already in use"):
        region.plane.create("other", listen=f"127.0.0.1:{taken}", upstream="127.0.0.1:1")


def test_attribute_that_toxiproxy_would_ignore_is_refused(region: Region) -> None:
    wrong = ToxicOn(ENTRY, "latency", "upstream", (("delay", 100),))
    with pytest.raises(PlaneFailed, match=r"toxic latency\(delay\) is not one of"):
        region.plane.apply(Wanted(toxics={ENTRY: (wrong,)}))


def test_toxic_changed_behind_our_back_is_put_right(region: Region) -> None:
    stronger = (ToxicOn(ENTRY, "bandwidth", "upstream", (("rate", 9),)),)
    weaker = (ToxicOn(ENTRY, "bandwidth", "upstream", (("rate", 8),)),)
    region.plane.apply(Wanted(toxics={ENTRY: stronger}))
    assert set(region.plane.apply(Wanted(toxics={ENTRY: weaker})).acknowledged_ns) == {ENTRY}
    assert region.plane.read()[ENTRY].toxics[0].attributes == (("rate", 8),)


def test_two_planes_in_one_process_never_meet(region: Region, side: Side) -> None:
    with side() as api:
        other = api.plane
        other.create("client->other", listen="127.0.0.1:0", upstream="127.0.0.1:1")
        with ThreadPoolExecutor(8) as pool:
            reads = [pool.submit(plane.read) for _ in range(50) for plane in (region.plane, other)]
            sizes = [len(read.result()) for read in reads]
        assert set(sizes[1::2]) == {1}
        assert min(sizes[0::2]) >= 21


def test_api_that_never_answers_is_wedged_within_its_limit() -> None:
    with upstream(lambda peer: time.sleep(10)) as target:
        host, _, port = target.partition(":")
        start = time.monotonic()
        with pytest.raises(PlaneWedged, match="GET /proxies: no answer from Toxiproxy"):
            Plane(Address(host, int(port)), time.monotonic_ns).read()
        assert time.monotonic() - start < 3.5


def test_api_that_is_gone_is_wedged_too() -> None:
    with pytest.raises(PlaneWedged, match="no connection to Toxiproxy"):
        Plane(Address("127.0.0.1", free_port()), time.monotonic_ns).read()


@pytest.mark.docker
def test_real_one_wedged_by_a_client_that_does_not_read_is_told_within_the_limit() -> None:
    with real() as api, upstream(flood) as target:
        port = api.proxy("flood", target)
        with closing(dial(port)) as peer:
            wait_until(lambda: len(peer.recv(1 << 20, socket.MSG_PEEK)) > 100_000, "a full receive buffer")
            with pytest.raises(PlaneWedged, match="1 of 1 links could not be moved; first: POST /proxies/flood/toxics: no answer"):
                api.plane.apply(shaped(Shape.BLACK_HOLE, "flood"))


def test_ours_is_struck_and_healed_under_a_client_that_does_not_read() -> None:
    with ours() as api, upstream(flood) as target:
        port = api.proxy("flood", target)
        for shape in Shape:
            with closing(dial(port)) as peer:
                wait_until(lambda peer=peer: len(peer.recv(1 << 20, socket.MSG_PEEK)) > 100_000, "a full receive buffer")  # type: ignore[misc]
                api.plane.apply(shaped(shape, "flood"))
                api.plane.apply(Wanted())


def test_environment_proxies_are_ignored(region: Region, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert ENTRY in region.plane.read()
