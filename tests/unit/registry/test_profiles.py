from pathlib import Path

import pytest

from chaoskit.model.history import Outcome
from chaoskit.registry.patience import Failure, Profile, Step
from chaoskit.registry.persistence import GiveUp, Retry, next_step
from chaoskit.registry.profiles import BASIC, CONTAINERD, CRANE, DOCKER, NONE, PROFILES, REGCLIENT, SKOPEO, as_markdown, is_retried

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
    assert BASIC.delays_ns == (1 * S, 3 * S)
    assert NONE.delays_ns == ()
    assert waits(BASIC, Failure("manifest-get", 500)) == [1 * S, 3 * S]
    assert waits(NONE, Failure("manifest-get", 500)) == []


@pytest.mark.parametrize(
    ("outcome", "status", "is_upload_step", "expected"),
    [
        (Outcome.OK, 201, False, False),
        (Outcome.OK, 404, False, False),
        (Outcome.UNKNOWN, 0, False, True),
        (Outcome.FAILED, 0, False, True),
        (Outcome.UNKNOWN, 500, False, True),
        (Outcome.UNKNOWN, 408, False, True),
        (Outcome.FAILED, 429, False, True),
        (Outcome.FAILED, 400, False, False),
        (Outcome.FAILED, 404, False, False),
        (Outcome.FAILED, 404, True, True),
        (Outcome.FAILED, 416, True, True),
        (Outcome.FAILED, 403, True, False),
    ],
)
def test_all_but_an_ok_and_a_definitive_4xx_is_tried_again(outcome: Outcome, status: int, is_upload_step: bool, expected: bool) -> None:
    assert is_retried(outcome, status, is_upload_step=is_upload_step) is expected


@pytest.mark.parametrize("step", ["manifest-get", "blob-get", "upload-post", "upload-patch", "upload-put", "upload-commit", "manifest-put"])
@pytest.mark.parametrize("status", [0, 308, 400, 403, 404, 408, 409, 416, 429, 500, 502, 503, 504, 599])
def test_basic_decides_as_before(step: Step, status: int) -> None:
    failure = Failure(step, status, "" if status else "reset")
    was = is_retried(Outcome.UNKNOWN, status, is_upload_step=step.startswith("upload"))
    assert isinstance(walk(BASIC, failure, addresses=3), Retry) is was


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
