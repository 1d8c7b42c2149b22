import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaoskit.registry.outcome import Trouble
from chaoskit.registry.patience import Failure, Profile, Step
from chaoskit.registry.persistence import GiveUp, Retry, next_step, spacing_ns, wear_of
from chaoskit.registry.profiles import BASIC, CONTAINERD, CRANE, DOCKER, PROFILES, REGCLIENT, SKOPEO

MS, S = 1_000_000, 1_000_000_000
GIVE_UP = GiveUp()
STEPS: tuple[Step, ...] = (
    "ping",
    "manifest-get",
    "manifest-put",
    "blob-head",
    "blob-get",
    "upload-post",
    "upload-patch",
    "upload-put",
    "upload-commit",
)
TROUBLES: tuple[Trouble, ...] = ("", "dns", "refused", "tls", "reset", "eof", "timeout", "cut", "other")
A_LOT = 40  # no client has so many tries of one unit


def test_jitter_only_makes_a_wait_longer() -> None:
    failures = [Failure("manifest-put", 500)]
    assert next_step(CRANE, failures, roll=0.0) == Retry("manifest-put", 1000 * MS, 0)
    assert next_step(CRANE, failures, roll=0.5) == Retry("manifest-put", 1050 * MS, 0)


def test_tries_of_an_upload_are_counted_over_its_steps() -> None:
    failures = [Failure("blob-head", 500), Failure("upload-patch", trouble="eof")]
    assert next_step(CRANE, failures) == Retry("blob-head", 3 * S, 0)
    assert next_step(CRANE, [*failures, Failure("upload-commit", 500)]) == GIVE_UP
    assert next_step(DOCKER, [Failure("upload-post", 500), Failure("upload-commit", 500)]) == Retry("upload-post", 10 * S, 0)


def test_a_refused_dial_goes_to_the_next_address_inside_one_try() -> None:
    refused = [Failure("manifest-get", trouble="refused", address=address) for address in range(3)]
    assert next_step(CRANE, refused[:1], addresses=3) == Retry("manifest-get", 0, 1)
    assert next_step(CRANE, refused[:2], addresses=3) == Retry("manifest-get", 0, 2)
    assert next_step(CRANE, refused, addresses=3) == GIVE_UP
    assert next_step(SKOPEO, refused[:2], addresses=3) == Retry("manifest-get", 0, 2)


def test_a_round_of_refused_dials_is_one_try_of_docker() -> None:
    refused = [Failure("blob-get", trouble="refused", address=address) for address in range(3)]
    assert next_step(DOCKER, refused, addresses=3) == Retry("blob-get", 5 * S, 2)
    assert next_step(DOCKER, [*refused, *refused], addresses=3) == Retry("blob-get", 10 * S, 2)


def test_a_status_does_not_move_a_client_that_only_moves_on_dials() -> None:
    assert next_step(CRANE, [Failure("manifest-get", 503)], addresses=3) == Retry("manifest-get", 100 * MS, 0)
    assert next_step(SKOPEO, [Failure("manifest-get", 503)], addresses=3) == GIVE_UP


def test_containerd_asks_the_next_host_at_once_and_only_the_last_one_twice() -> None:
    first, second, third = (Failure("manifest-get", 503, address=address) for address in range(3))
    assert next_step(CONTAINERD, [first], addresses=3) == Retry("manifest-get", 0, 1)
    assert next_step(CONTAINERD, [first, second], addresses=3) == Retry("manifest-get", 0, 2)
    assert next_step(CONTAINERD, [first, second, third], addresses=3) == Retry("manifest-get", 0, 2)
    assert next_step(CONTAINERD, [first, second, third, third], addresses=3) == GIVE_UP


def test_containerd_pushes_to_the_first_host_only() -> None:
    assert next_step(CONTAINERD, [Failure("upload-post", trouble="refused")], addresses=3) == GIVE_UP
    assert next_step(CONTAINERD, [Failure("upload-post", 503)], addresses=3) == Retry("upload-post", 0, 0)


def test_containerd_resumes_from_the_first_host_and_progress_costs_nothing() -> None:
    cuts = [Failure("blob-get", 200, "cut", offset_bytes=offset, address=1) for offset in (10, 20, 30, 40, 50, 60)]
    assert next_step(CONTAINERD, cuts, addresses=2) == Retry("blob-get", 0, 0, 60)
    stuck = [*cuts, *[cuts[-1]] * 3]
    assert next_step(CONTAINERD, stuck, addresses=2) == Retry("blob-get", 0, 0, 60)
    assert next_step(CONTAINERD, [*stuck, cuts[-1]], addresses=2) == GIVE_UP


def test_a_broken_body_is_resumed_by_those_that_resume_and_restarted_by_basic() -> None:
    cut = Failure("blob-get", 200, "cut", offset_bytes=100)
    reset = Failure("blob-get", 200, "reset", offset_bytes=100)
    assert next_step(REGCLIENT, [cut]) == Retry("blob-get", 200 * MS, 0, 100)
    assert next_step(REGCLIENT, [reset]) == GIVE_UP
    assert next_step(DOCKER, [reset]) == Retry("blob-get", 5 * S, 0, 100)
    assert next_step(BASIC, [cut], addresses=3) == Retry("blob-get", 1 * S, 1, 0)
    assert next_step(SKOPEO, [cut]) == GIVE_UP


def test_a_broken_manifest_is_asked_for_again_by_basic_only() -> None:
    cut = Failure("manifest-get", 200, "cut", offset_bytes=100)
    again = {name for name, profile in PROFILES.items() if isinstance(next_step(profile, [cut]), Retry)}
    assert again == {"basic"}


def test_regclient_goes_on_where_a_head_or_a_whole_put_is_given_up() -> None:
    assert next_step(REGCLIENT, [Failure("blob-head", 404)]) == Retry("upload-post", 0, 0)
    assert next_step(REGCLIENT, [Failure("blob-head", 503)]) == Retry("upload-post", 200 * MS, 0)
    assert next_step(REGCLIENT, [Failure("upload-put", 503)]) == Retry("upload-patch", 200 * MS, 0)
    assert next_step(REGCLIENT, [Failure("upload-commit", 503)]) == GIVE_UP


def test_regclient_asks_mirrors_in_turn_and_leaves_out_the_one_that_says_503() -> None:
    first = Failure("manifest-get", 500, address=0, ended_ns=0)
    second = Failure("manifest-get", 503, address=1, ended_ns=50 * MS)
    assert next_step(REGCLIENT, [first], addresses=3) == Retry("manifest-get", 0, 1)
    assert next_step(REGCLIENT, [first, second], addresses=3) == Retry("manifest-get", 0, 2)
    third = Failure("manifest-get", 500, address=2, ended_ns=60 * MS)
    assert next_step(REGCLIENT, [first, second, third], addresses=3) == Retry("manifest-get", 140 * MS, 0)
    fourth = Failure("manifest-get", 404, address=0, ended_ns=200 * MS)
    assert next_step(REGCLIENT, [first, second, third, fourth], addresses=3) == Retry("manifest-get", 60 * MS, 2)


def test_a_body_that_is_reset_is_the_end_to_regclient_whatever_mirrors_it_has() -> None:
    assert next_step(REGCLIENT, [Failure("blob-get", 200, "cut", offset_bytes=100)], addresses=3) == Retry("blob-get", 0, 1, 100)
    assert next_step(REGCLIENT, [Failure("blob-get", 200, "reset", offset_bytes=100)], addresses=3) == GIVE_UP


def test_regclient_pushes_to_one_host() -> None:
    assert next_step(REGCLIENT, [Failure("manifest-put", 500)], addresses=3) == Retry("manifest-put", 200 * MS, 0)


def test_failures_of_earlier_units_shorten_the_patience_of_regclient() -> None:
    failure = Failure("manifest-put", 500)
    assert next_step(REGCLIENT, [failure], worn=[3]) == Retry("manifest-put", 1600 * MS, 0)
    assert next_step(REGCLIENT, [failure], worn=[4]) == GIVE_UP


def test_wear_counts_what_slows_a_client_down_from_then_on() -> None:
    unit = [
        Failure("blob-head", 404),
        Failure("upload-post", 500),  # the mount, which is not counted
        Failure("upload-post", 500),
        Failure("upload-put", 429, retry_after_ns=1 * S),
        Failure("upload-put", 503),
    ]
    assert wear_of(REGCLIENT, unit, 0) == 2
    assert wear_of(REGCLIENT, unit, 1) == 0
    assert wear_of(CRANE, unit, 0) == 0
    assert [spacing_ns(REGCLIENT, worn) for worn in (0, 1, 2, 8, 50)] == [0, 200 * MS, 400 * MS, 25_600 * MS, 30 * S]
    assert spacing_ns(CRANE, 5) == 0


def test_a_get_on_a_kept_connection_that_broke_is_sent_again_at_once_and_not_counted() -> None:
    kept = Failure("manifest-get", trouble="reset", is_kept=True)
    fresh = Failure("manifest-get", trouble="reset")
    assert next_step(CRANE, [kept]) == Retry("manifest-get", 0, 0)
    assert next_step(CRANE, [kept, fresh]) == Retry("manifest-get", 100 * MS, 0)
    assert next_step(CRANE, [kept, fresh, fresh]) == Retry("manifest-get", 300 * MS, 0)
    assert next_step(CRANE, [Failure("manifest-put", trouble="reset", is_kept=True)]) == Retry("manifest-put", 1 * S, 0)
    assert next_step(SKOPEO, [kept]) == GIVE_UP


@pytest.mark.parametrize("profile", PROFILES.values(), ids=list(PROFILES))
@pytest.mark.parametrize("failure", [Failure("delete", 500), Failure("delete", trouble="reset"), Failure("delete", 429, retry_after_ns=S)])
def test_no_profile_deletes_twice(profile: Profile, failure: Failure) -> None:
    assert next_step(profile, [failure], addresses=3) == GIVE_UP


@st.composite
def units(draw: st.DrawFn) -> tuple[list[Failure], int]:
    """Failures of one unit, and how many addresses there are."""
    addresses = draw(st.integers(1, 3))
    failure = st.builds(
        Failure,
        st.sampled_from(STEPS),
        st.sampled_from([0, 200, 400, 404, 408, 416, 429, 500, 502, 503, 504]),
        st.sampled_from(TROUBLES),
        retry_after_ns=st.sampled_from([0, S]),
        address=st.integers(0, addresses - 1),
        is_kept=st.booleans(),
    )
    return draw(st.lists(failure, min_size=1, max_size=8)), addresses


@given(units(), st.sampled_from(list(PROFILES)), st.floats(0, 1, exclude_max=True))
def test_every_decision_is_one_that_can_be_carried_out(unit: tuple[list[Failure], int], name: str, roll: float) -> None:
    failures, addresses = unit
    decided = next_step(PROFILES[name], failures, addresses=addresses, roll=roll)
    if isinstance(decided, Retry):
        assert 0 <= decided.delay_ns <= 66 * S
        assert 0 <= decided.address < addresses
        assert decided.step in STEPS


@given(
    st.sampled_from(list(PROFILES)),
    st.integers(1, 3),
    st.data(),
)
def test_a_unit_that_only_fails_ends(name: str, addresses: int, data: st.DataObject) -> None:
    failures: list[Failure] = []
    step: Step = data.draw(st.sampled_from(STEPS))
    address = 0
    for _ in range(A_LOT):
        trouble = data.draw(st.sampled_from(TROUBLES))
        failures.append(Failure(step, 0 if trouble else data.draw(st.sampled_from([404, 429, 500, 503])), trouble, address=address))
        decided = next_step(PROFILES[name], failures, addresses=addresses)
        if isinstance(decided, GiveUp):
            return
        step, address = decided.step, decided.address
    raise AssertionError(f"{name} still tries: {failures}")
