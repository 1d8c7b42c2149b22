from pathlib import Path

import pytest

from chaoskit.registry.patience import Failure, Profile, Step
from chaoskit.registry.persistence import GiveUp, Retry, next_step
from chaoskit.registry.profiles import BASIC, CONTAINERD, CRANE, DOCKER, NONE, PROFILES, REGCLIENT, SKOPEO, as_markdown

MS, S = 1_000_000, 1_000_000_000
GIVE_UP = GiveUp()
A_LOT = 40  # no client has so many tries of one unit


def waits(profile: Profile, failure: Failure, *, addresses: int = 1) -> list[int]:
    """The waits before every further try where a unit fails the same way each time, at the address it is told to go to."""
    failures: list[Failure] = []
    waited: list[int] = []
    address = 0
    while len(waited) < A_LOT:
        ended_ns = sum(waited)
        failures.append(
            Failure(failure.step, failure.status, failure.trouble, failure.code, failure.retry_after_ns, address=address, ended_ns=ended_ns)
        )
        decided = next_step(profile, failures, addresses=addresses)
        if isinstance(decided, GiveUp) or (decided.step != failure.step and profile.patience[failure.step].begins_at is None):
            return waited
        waited.append(decided.delay_ns)
        address = decided.address
    raise AssertionError(f"{profile.name} still tries {failure} after {A_LOT} failures")


def walk(profile: Profile, *failures: Failure, addresses: int = 1) -> Retry | GiveUp:
    return next_step(profile, failures, addresses=addresses)


def test_all_profiles_are_found_by_their_names() -> None:
    assert {name: profile.name for name, profile in PROFILES.items()} == {name: name for name in PROFILES}
    assert set(PROFILES) == {"none", "basic", "crane", "containerd", "skopeo", "regclient", "docker"}


def test_basic_tries_after_one_and_three_seconds_and_none_never() -> None:
    assert waits(BASIC, Failure("manifest-get", 500)) == [1 * S, 3 * S]
    assert waits(NONE, Failure("manifest-get", 500)) == []


@pytest.mark.parametrize("step", ["manifest-get", "blob-get", "upload-post", "upload-patch", "upload-put", "upload-commit", "manifest-put"])
@pytest.mark.parametrize("status", [0, 308, 400, 403, 404, 408, 409, 416, 429, 500, 502, 503, 504, 599])
def test_basic_tries_all_again_but_a_definitive_4xx(step: Step, status: int) -> None:
    """408 and 429 ask for it; 404 and 416 on an upload step mean a lost session, and the unit begins with a new one."""
    failure = Failure(step, status, "" if status else "reset")
    asks_again = {408, 429, 404, 416} if step.startswith("upload") else {408, 429}
    assert isinstance(walk(BASIC, failure, addresses=3), Retry) is (not 400 <= status <= 499 or status in asks_again)


def test_basic_moves_on_with_every_try_and_an_upload_begins_with_its_head() -> None:
    first = Failure("upload-commit", 500, address=0)
    second = Failure("blob-head", trouble="reset", address=1)
    third = Failure("upload-post", 404, address=2)
    assert walk(BASIC, first, addresses=3) == Retry("blob-head", 1 * S, 1)
    assert walk(BASIC, first, second, addresses=3) == Retry("blob-head", 3 * S, 2)
    assert walk(BASIC, first, second, third, addresses=3) == GIVE_UP


@pytest.mark.parametrize(
    ("profile", "failure", "expected"),
    [
        (CRANE, Failure("ping", 500), [100 * MS, 300 * MS]),
        (CRANE, Failure("blob-get", trouble="reset"), [100 * MS, 300 * MS]),
        (CRANE, Failure("manifest-put", 503), [1 * S, 3 * S]),
        (CRANE, Failure("blob-get", 429), []),
        (CRANE, Failure("blob-get", 200, "cut"), []),
        (CRANE, Failure("manifest-get", trouble="refused"), []),
        (CRANE, Failure("upload-patch", 404, code="BLOB_UPLOAD_INVALID"), [1 * S, 3 * S]),
        (CRANE, Failure("upload-patch", 404, code="BLOB_UPLOAD_UNKNOWN"), []),
        (CRANE, Failure("upload-patch", 500, code="DENIED"), []),
        (CRANE, Failure("manifest-get", 500, code="DENIED"), [100 * MS, 300 * MS]),
        (SKOPEO, Failure("ping", 429), [2 * S, 4 * S, 8 * S, 16 * S]),
        (SKOPEO, Failure("upload-post", 429, retry_after_ns=1 * S), [1 * S] * 4),
        (SKOPEO, Failure("upload-post", 429, retry_after_ns=3600 * S), [60 * S] * 4),
        (SKOPEO, Failure("upload-patch", 429), []),
        (SKOPEO, Failure("manifest-put", 429), []),
        (SKOPEO, Failure("manifest-get", 503), []),
        (SKOPEO, Failure("manifest-get", trouble="reset"), []),
        (REGCLIENT, Failure("manifest-get", 500), [200 * MS, 400 * MS, 800 * MS, 1600 * MS]),
        (REGCLIENT, Failure("manifest-get", trouble="refused"), [200 * MS, 400 * MS, 800 * MS, 1600 * MS]),
        (REGCLIENT, Failure("manifest-get", 503), []),
        (REGCLIENT, Failure("manifest-get", 429, retry_after_ns=1 * S), [1 * S] * 5),
        (REGCLIENT, Failure("upload-post", 500), [0, 200 * MS, 400 * MS, 800 * MS, 1600 * MS]),
        (CONTAINERD, Failure("manifest-get", 500), [0]),
        (CONTAINERD, Failure("manifest-get", 502), []),
        (CONTAINERD, Failure("manifest-get", 429), [0] * 5),
        (CONTAINERD, Failure("blob-get", trouble="eof"), []),
        (DOCKER, Failure("blob-get", 503), [5 * S, 10 * S, 15 * S, 20 * S]),
        (DOCKER, Failure("upload-commit", 404), [5 * S, 10 * S, 15 * S, 20 * S]),
        (DOCKER, Failure("blob-get", 429), []),
        (DOCKER, Failure("manifest-get", 500), []),
        (DOCKER, Failure("manifest-put", trouble="eof"), []),
    ],
)
def test_a_client_waits_as_its_source_says(profile: Profile, failure: Failure, expected: list[int]) -> None:
    assert waits(profile, failure) == expected


def test_the_page_of_the_docs_shows_the_profiles_there_are() -> None:
    page = (Path(__file__).parents[3] / "docs/clients.md").read_text()
    assert as_markdown() in page, "docs/clients.md shows other profiles; print them with chaoskit.registry.profiles.as_markdown"
