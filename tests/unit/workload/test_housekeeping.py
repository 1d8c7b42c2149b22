from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chaoskit.errors import BadExperiment
from chaoskit.model.workload import Session, WorkloadSpec
from chaoskit.workload.mixes import housekeeping
from chaoskit.workload.plan import MOVING_TAGS, RIPE_NS, RIPE_SESSIONS, sessions

S = 1_000_000_000
ZONES = ("us-south-1", "us-south-2", "us-south-3")
FIRST_COMPANION = 20_000_000  # numbers of sessions below it are those of the streams of basic


def plan(
    rate: float = 20.0, *, mix: str = "housekeeping", zones: tuple[str, ...] = ZONES, seed: int = 1, seconds: float = 15
) -> list[Session]:
    spec = WorkloadSpec(mix=mix, rate=rate, timeout_ns=10 * S, objective_ns={})
    return list(sessions(spec, zones, run_id="r1", seed=seed, duration_ns=round(seconds * S)))


def ripe_ns(rate: float) -> float:
    return min(RIPE_NS, RIPE_SESSIONS / rate * S)


rates = st.floats(2, 60)
seeds = st.integers(0, 2**32)
some = settings(max_examples=10, deadline=None)


def test_the_sessions_of_basic_are_all_there_at_their_times_with_their_pushes() -> None:
    def kept(made: list[Session]) -> list[tuple[object, ...]]:
        return [
            (session.number, session.due_ns, session.lane, session.entry, session.action, session.blobs and session)
            for session in made
            if session.number < FIRST_COMPANION
        ]

    assert kept(plan()) == kept(plan(mix="basic"))
    assert len(plan(mix="basic")) == 300


@some
@given(rate=rates, seed=seeds)
def test_each_tag_is_deleted_at_most_once_when_it_is_ripe_and_never_pushed_again(rate: float, seed: int) -> None:
    pushed: dict[tuple[str, str], int] = {}
    deleted: set[tuple[str, str]] = set()
    for session in plan(rate, seed=seed):
        key = (session.repository, session.tag)
        if session.action == "push":
            assert key not in deleted
            pushed.setdefault(key, session.due_ns)
        elif session.action == "delete":
            assert key not in deleted
            assert session.tag.startswith("v")
            assert pushed[key] <= session.due_ns - ripe_ns(rate)
            deleted.add(key)


@some
@given(rate=rates, seed=seeds)
def test_only_what_was_purged_long_enough_before_is_pushed_again_once_and_never_deleted(rate: float, seed: int) -> None:
    made = plan(rate, seed=seed)
    pushes = {(session.repository, session.tag): session for session in made if session.action == "push"}
    purges = {session.number: session for session in made if session.purges}
    again = [session for session in made if session.after >= 0]
    assert len({session.after for session in again}) == len(again)
    for session in again:
        purge = purges[session.after]
        assert purge.due_ns <= session.due_ns - ripe_ns(rate)
        assert session.repository == purge.repository
        assert session.again == pushes[purge.repository, purge.tag].blobs
    seeds_sent = [part.seed for session in pushes.values() for part in session.blobs]
    assert len(set(seeds_sent)) == len(seeds_sent)
    deleted = {(session.repository, session.tag) for session in made if session.action == "delete"}
    assert not deleted & {(session.repository, session.tag) for session in again}


@some
@given(rate=rates, seed=seeds)
def test_a_list_asks_for_a_repository_that_was_pushed_to_in_few_pages(rate: float, seed: int) -> None:
    tags: dict[str, set[str]] = {}
    for session in plan(rate, seed=seed):
        if session.action == "push":
            tags.setdefault(session.repository, set()).add(session.tag)
        elif session.action == "list":
            assert session.tag == ""
            assert session.repository in tags
            if session.page_size:
                assert len(tags[session.repository]) + MOVING_TAGS <= session.page_size * 64


def test_most_lists_take_several_pages_and_some_are_left_to_the_registry() -> None:
    lists = [session for session in plan(seconds=60) if session.action == "list"]
    left = sum(not session.page_size for session in lists) / len(lists)
    assert 0.15 < left < 0.35


def test_a_third_more_sessions_of_which_deletes_are_pinned_and_half_of_them_purge() -> None:
    made = plan(40, seconds=60)
    count = Counter((session.action if session.after < 0 else "again", session.lane) for session in made)
    assert {key: count[key] / 60 for key in count if key[0] not in ("push", "pull")} == {
        ("list", "regional"): pytest.approx(4, rel=0.05),
        ("list", "pinned"): pytest.approx(4, rel=0.05),
        ("delete", "pinned"): pytest.approx(4, rel=0.05),
        ("again", "pinned"): pytest.approx(2, rel=0.15),
    }
    purges = sum(session.purges for session in made) / count["delete", "pinned"]
    assert 0.4 < purges < 0.6


def test_every_zone_sees_a_delete_and_a_list_in_every_two_seconds_at_forty_a_second() -> None:
    seen = {
        (session.entry, session.due_ns // (2 * S), session.action)
        for session in plan(40, seconds=20)
        if session.lane == "pinned" and session.action in ("delete", "list")
    }
    assert seen == {(zone, window, action) for zone in ZONES for window in range(10) for action in ("delete", "list")}


def test_streams_have_numbers_of_their_own_and_are_out_of_step() -> None:
    streams = housekeeping(2.0, ZONES)
    assert [stream.number for stream in streams] == [0, 1, 2, 3, 40, 41, 42, 43, 21, 22, 23, 61, 62, 63]
    assert len({(stream.offset_ns % S) for stream in streams if stream.lane == "regional"}) == 2
    assert len({stream.number for stream in housekeeping(2.0, tuple(map(str, range(19))))}) == 20 + 20 + 19 + 19


def test_same_seed_same_plan() -> None:
    assert plan(seed=7) == plan(seed=7)
    assert plan(seed=7) != plan(seed=8)


def test_more_zones_than_numbers_are_refused() -> None:
    with pytest.raises(BadExperiment, match="20 zones; a housekeeping plan is for 1 to 19"):
        plan(zones=tuple(f"z-{number}" for number in range(20)))
