"""crane, skopeo and regctl run for real against a script, and our profile of each played against the same: the same requests and waits.

A wait is never too short: since a unit's first request at least the profile's waits minus 5 % and EARLY_S have gone by (the first may come
late). It may be too long because the machine is busy, and only then is a client run again, up to RUNS times, until each wait is within its
jitter and SLACK_S: load makes a sleep longer, never shorter.
A unit's requests are compared in order; how a client interleaves two units is not. Left out are what no profile models: TLS and /v1/
probes, and the DELETE of an upload session after it was given up.
"""

import dataclasses
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from chaoskit.registry.patience import Patience, Profile
from chaoskit.registry.profiles import CRANE, PROFILES, REGCLIENT, SKOPEO
from tests.contract.clients.cases import CASES, CLIENTS, KNOWN, Case
from tests.contract.clients.image import an_image, write_layout
from tests.contract.clients.real import Seen, run, why_not
from tests.contract.clients.script import Asked, Script
from tests.contract.clients.simulated import UNIT_OF, Simulation, Wanted

AT_ONCE = 32  # they mostly wait
LIMIT_S = 70.0
EARLY_S = 0.1
SLACK_S = 0.5
RUNS = 4
JITTER = {"crane": 0.1}


@dataclass(frozen=True, slots=True)
class Difference:
    """What the client did and what the profile would have done; `is_late` is what a busy machine does too."""

    what: str
    real: object
    profile: object
    is_late: bool = False


def script_of(case: Case) -> Script:
    return Script(an_image(), case.command == "pull", (case.fault,), keeps_alive=case.keeps_alive, names_error=case.names_error)


def by_unit(asked: tuple[Asked, ...]) -> dict[str, list[Asked]]:
    units: dict[str, list[Asked]] = {}
    for one in asked:
        if one.kind in UNIT_OF:
            units.setdefault(UNIT_OF[one.kind], []).append(one)
    return units


def differences(case: Case, seen: Seen, profile: Profile | None = None) -> Iterator[Difference]:
    """Every way in which a client and its profile, or another one, part."""
    wanted = Simulation(profile or PROFILES[CLIENTS[case.client]], script_of(case), case.addresses).run(case.command)
    if wanted.is_ok != seen.is_ok:
        yield Difference("how it ended", (seen.is_ok, seen.printed[-300:]), wanted.is_ok)
    if case.act == "refused" and case.addresses == 1:
        took_s = (seen.ended_ns - seen.started_ns) / 1e9
        if not wanted.now_ns / 1e9 <= took_s <= wanted.now_ns / 1e9 + SLACK_S:
            yield Difference("how long it dialled, s", took_s, wanted.now_ns / 1e9, is_late=took_s > wanted.now_ns / 1e9)
        return
    real = by_unit(seen.asked)
    for unit in {*real, *wanted.units} - ({"config"} if not (seen.is_ok and wanted.is_ok) else set()):
        asked = real.get(unit, [])
        is_struck = unit == UNIT_OF[case.kind]  # where the units after it begin is a race in regctl
        played = [one for one in wanted.units.get(unit, []) if not (case.act == "refused" and one.address == 0)]
        told = [(one.kind, one.address if is_struck else 0, one.range.removeprefix("bytes=").partition("-")[0] or "0") for one in asked]
        meant = [(one.kind, one.address if is_struck else 0, str(one.resume_from)) for one in played]
        if told != meant:
            yield Difference(f"requests of {unit}", told, meant)
        elif asked:
            yield from waits(case, unit, asked, played)


def waits(case: Case, unit: str, asked: list[Asked], played: list[Wanted]) -> Iterator[Difference]:
    """Where the same requests come too soon or too late."""
    least_s, before = 0.0, asked[0]
    for one, plan in zip(asked[1:], played[1:], strict=True):
        wait_s, waited_s = plan.gap_ns / 1e9, (one.at_ns - before.at_ns) / 1e9
        least_s += wait_s
        after_s = (one.at_ns - asked[0].at_ns) / 1e9
        if after_s < least_s * 0.95 - EARLY_S:
            yield Difference(f"{plan.kind} of {unit}, s after its first request", after_s, least_s)
        if wait_s and waited_s > wait_s * (1 + JITTER.get(case.client, 0.0)) + SLACK_S:
            yield Difference(f"wait before {plan.kind} of {unit}, s", waited_s, wait_s, is_late=True)
        before = one


def measure(case: Case, layout: Path, home: Path) -> Seen:
    return run(case.client, case.command, script_of(case), layout=layout, home=home, limit_s=LIMIT_S, addresses=case.addresses)


def chosen(session: pytest.Session) -> list[Case]:
    """The cases of the tests that will run, those first that take long."""
    params = [item.callspec.params.get("case") for item in session.items if isinstance(item, pytest.Function) and hasattr(item, "callspec")]
    return sorted({case for case in params if isinstance(case, Case)}, key=lambda case: (-case.times, str(case)))


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("layout")
    write_layout(an_image(), folder)
    return folder


@pytest.fixture(scope="module")
def measured(request: pytest.FixtureRequest, layout: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[Case, Future[Seen]]]:
    """Every case that was chosen, run side by side."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        runnable = [case for case in chosen(request.session) if why_not(case.client) is None]
        try:
            yield {case: pool.submit(measure, case, layout, tmp_path_factory.mktemp("home")) for case in runnable}
        finally:
            pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("case", [pytest.param(case, id=str(case), marks=[pytest.mark.nightly] if case.is_long else []) for case in CASES])
def test_a_client_asks_for_what_its_profile_says(case: Case, measured: dict[Case, Future[Seen]], layout: Path, tmp_path: Path) -> None:
    if (reason := why_not(case.client)) is not None:
        pytest.skip(reason)
    seen = measured[case].result()
    assert not seen.is_killed, f"still running after {LIMIT_S} s: {seen.asked}"
    apart = list(differences(case, seen))
    for number in range(1, RUNS):
        if not apart or not all(one.is_late for one in apart):
            break
        apart = list(differences(case, measure(case, layout, tmp_path / str(number))))
    if str(case) in KNOWN:
        assert apart, f"{case} is listed as known to differ ({KNOWN[str(case)]}) and does not: strike it from the list"
    else:
        assert not apart, "\n".join(f"{one.what}: client {one.real}, profile {one.profile}" for one in apart)


def told(old: Patience, **new: object) -> Profile:
    """crane with another patience for manifests."""
    changed = dataclasses.replace(old, **new)  # type: ignore[arg-type]
    return dataclasses.replace(CRANE, patience={**CRANE.patience, "manifest-get": changed})


READING = CRANE.patience["manifest-get"]


@pytest.mark.parametrize(
    "wrong",
    [
        told(READING, delays_ns=(1_000_000_000, 3_000_000_000)),
        told(READING, delays_ns=(100_000_000,)),
        told(READING, delays_ns=(100_000_000, 300_000_000, 900_000_000)),
        told(READING, statuses=frozenset()),
        SKOPEO,
        REGCLIENT,
    ],
    ids=["too-slow", "a-try-less", "a-try-more", "not-500", "skopeo", "regclient"],
)
def test_a_wrong_profile_is_told_from_the_client(wrong: Profile, layout: Path, tmp_path: Path) -> None:
    if (reason := why_not("crane")) is not None:
        pytest.skip(reason)
    case = Case("crane", "pull", "manifest-get", "500")
    seen = measure(case, layout, tmp_path / "home")
    assert any(not one.is_late for one in differences(case, seen, wrong))


def test_every_known_difference_is_of_a_case_there_is() -> None:
    assert set(KNOWN) <= {str(case) for case in CASES}


def test_no_two_cases_have_one_name() -> None:
    assert len({str(case) for case in CASES}) == len(CASES)
