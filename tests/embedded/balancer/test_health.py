"""Health checks with thresholds, and the balancer's seeded bugs."""

import asyncio

import pytest

from chaoskit.drivers.base import Address
from chaoskit.drivers.embedded.balancer.limits import Limits
from chaoskit.drivers.embedded.balancer.servers import Server
from chaoskit.drivers.embedded.bugs import Bug
from tests.embedded.balancer.bench import Scripted, Writer, bench, ok, on_loop, say_nothing, says, until
from tests.embedded.balancer.test_exchange import status

BAD = says(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")


@pytest.mark.parametrize(
    ("results", "up"),
    [
        ("", True),
        ("0", False),
        ("01", False),
        ("011", True),
        ("110", True),
        ("1100", False),
        ("0110", True),
        ("01100", False),
        ("10", True),
    ],
)
def test_server_goes_and_comes_as_haproxy_counts(results: str, up: bool) -> None:
    server = Server("lb.a->registry.b", Address("", 0), lambda: 0.0, Limits())
    for one in results:
        server.checked(one == "1", "")
    assert server.up is up


async def served_by(servers: tuple[Scripted, ...], bugs: tuple[Bug, ...] = ()) -> list[int]:
    """How many of ten requests each served after its checks had time to tell."""
    async with bench(*servers, bugs=bugs) as at:
        await asyncio.sleep(0.5)
        before = at.got
        for _ in range(10):
            await at.get()
        return [now - then for now, then in zip(at.got, before, strict=True)]


@pytest.mark.parametrize("checks", [BAD, say_nothing])
@on_loop
async def test_server_that_fails_its_checks_gets_nothing(checks: object) -> None:
    assert await served_by((Scripted("1", checks=checks), Scripted("2"))) == [0, 10]  # type: ignore[arg-type]


@on_loop
async def test_seeded_frozen_server_looks_healthy() -> None:
    assert await served_by((Scripted("1", checks=say_nothing), Scripted("2")), (Bug.FROZEN_LOOKS_HEALTHY,)) == [5, 5]


@pytest.mark.parametrize(("bugs", "rejoins"), [((), True), ((Bug.NEVER_REJOINS,), False)])
@on_loop
async def test_server_rejoins_when_its_checks_pass_again(bugs: tuple[Bug, ...], rejoins: bool) -> None:
    flaky = Scripted("1")
    async with bench(flaky, Scripted("2"), bugs=bugs) as at:
        flaky.checks = BAD
        await asyncio.sleep(0.3)
        flaky.checks = ok
        seen = flaky.checked
        await until(lambda: flaky.checked > seen + 3, "checks")
        for _ in range(4):
            await at.get()
    assert at.got == ([2, 2] if rejoins else [0, 4])


@pytest.mark.parametrize(("bugs", "most"), [((), 0), ((Bug.SPORADIC_503,), 30)])
@on_loop
async def test_sporadic_503s_are_few_and_seeded(bugs: tuple[Bug, ...], most: int) -> None:
    async with bench(Scripted("1"), bugs=bugs) as at:
        bad = [number for number in range(200) if status(await at.get()) == 503]
    assert len(bad) <= most
    assert bool(bad) == bool(most)


@on_loop
async def test_seeded_resend_makes_an_old_write_land_late() -> None:
    release = asyncio.Event()

    async def late(server: Scripted, writer: Writer, request: bytes) -> None:
        await release.wait()
        await ok(server, writer, request)
        landed.append(server.name)

    landed: list[str] = []
    async with bench(Scripted("slow", behave=late), Scripted("2"), bugs=(Bug.BALANCER_RESENDS,), limits=Limits(check_every_s=0.1)) as at:
        answer = await at.get("/v2/x/manifests/t", "PUT", b"{}")
        assert answer.endswith(b"2")
        assert at.got == [1, 1]
        assert at.servers[0].bodies == at.servers[1].bodies == [b"{}"]
        release.set()
        await until(lambda: landed == ["slow"], "the first write")
