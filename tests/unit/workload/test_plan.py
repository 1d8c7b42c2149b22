import re
from collections import Counter, defaultdict
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chaoskit.errors import BadExperiment
from chaoskit.model.workload import Session, WorkloadSpec
from chaoskit.workload.mixes import MIXES, basic
from chaoskit.workload.plan import RIPE_NS, RIPE_SESSIONS, digest, sessions

S = 1_000_000_000
ZONES = ("us-south-1", "us-south-2", "us-south-3")


def plan(rate: float = 2.0, zones: tuple[str, ...] = ZONES, *, seed: int = 1, seconds: float = 60, run_id: str = "r1") -> list[Session]:
    spec = WorkloadSpec(mix="basic", rate=rate, timeout_ns=10 * S, objective_ns={})
    return list(sessions(spec, zones, run_id=run_id, seed=seed, duration_ns=round(seconds * S)))


rates = st.floats(0.5, 60)
zone_counts = st.integers(1, 4)
seeds = st.integers(0, 2**32)


@settings(max_examples=25, deadline=None)
@given(rate=rates, count=zone_counts, seed=seeds)
def test_same_seed_same_plan_in_order_with_unique_numbers(rate: float, count: int, seed: int) -> None:
    zones = tuple(f"z-{number}" for number in range(count))
    made = plan(rate, zones, seed=seed, seconds=30)
    assert made == plan(rate, zones, seed=seed, seconds=30)
    assert [session.due_ns for session in made] == sorted(session.due_ns for session in made)
    assert len({session.number for session in made}) == len(made)


@settings(max_examples=25, deadline=None)
@given(rate=rates, count=zone_counts, seed=seeds)
def test_each_lane_gets_its_rate(rate: float, count: int, seed: int) -> None:
    zones = tuple(f"z-{number}" for number in range(count))
    seconds = 60
    sent = Counter(
        (session.lane, session.entry if session.lane == "pinned" else "") for session in plan(rate, zones, seed=seed, seconds=seconds)
    )
    assert abs(sent[("regional", "")] - rate / 2 * seconds) <= 1
    for zone in zones:
        assert abs(sent[("pinned", zone)] - rate / 2 / count * seconds) <= 1


@settings(max_examples=25, deadline=None)
@given(rate=rates, seed=seeds)
def test_every_pull_asks_for_a_tag_pushed_long_enough_before(rate: float, seed: int) -> None:
    first_push: dict[tuple[str, str], int] = {}
    for session in plan(rate, seed=seed, seconds=30):
        key = (session.repository, session.tag)
        if session.action == "push":
            first_push.setdefault(key, session.due_ns)
        else:
            assert first_push[key] <= session.due_ns - min(RIPE_NS, RIPE_SESSIONS / rate * 1e9)


@settings(max_examples=25, deadline=None)
@given(seed=seeds)
def test_names_are_valid_and_tags_of_fixed_width(seed: int) -> None:
    for session in plan(20, seed=seed, seconds=20, run_id="Zone_Outage.2026T11:04Z"):
        assert re.fullmatch(r"chaos/[a-z0-9]+(-[a-z0-9]+)*/r[0-3]", session.repository)
        assert re.fullmatch(r"v\d{8}|latest-\d{4}", session.tag)
        assert len(session.blobs) in ((1, 2, 3) if session.action == "push" else (0,))
        assert all(200 <= part.size_bytes <= 64_000 for part in session.blobs)


def test_each_zone_sees_push_and_pull_in_every_ten_seconds_at_two_a_second() -> None:
    seen = defaultdict(set)
    for session in plan(2.0, seconds=120):
        if session.lane == "pinned":
            seen[session.entry, session.due_ns // (10 * S)].add(session.action)
    assert seen == {(zone, window): {"push", "pull"} for zone in ZONES for window in range(12)}


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_the_regional_lane_pushes_and_pulls_at_every_entry(count: int) -> None:
    zones = tuple(f"z-{number}" for number in range(count))
    seen = {(session.entry, session.action) for session in plan(4.0, zones) if session.lane == "regional"}
    assert seen == {(zone, action) for zone in zones for action in ("push", "pull")}


def test_one_zone_more_changes_neither_times_nor_pushes_of_the_regional_lane() -> None:
    def pushes(zones: tuple[str, ...]) -> list[tuple[object, ...]]:
        return [
            (session.number, session.due_ns, session.action, *((session.repository, session.tag, session.blobs) if session.blobs else ()))
            for session in plan(6.0, zones)
            if session.lane == "regional"
        ]

    assert pushes(ZONES[:2]) == pushes(ZONES)


def test_about_a_third_of_the_pushes_overwrite_a_few_tags_and_two_thirds_of_the_blobs_are_patched() -> None:
    pushes = [session for session in plan(40, seconds=120) if session.action == "push"]
    moving = Counter((push.repository, push.tag) for push in pushes if push.tag.startswith("latest-"))
    fixed = [push.tag for push in pushes if push.tag.startswith("v")]
    chunked = [part.chunked for push in pushes for part in push.blobs]
    assert 0.29 < moving.total() / len(pushes) < 0.38
    assert len(moving) == 8
    assert len(set(fixed)) == len(fixed)
    assert 0.63 < sum(chunked) / len(chunked) < 0.69


def test_all_blobs_of_two_runs_differ_while_their_times_are_the_same() -> None:
    first, second = plan(run_id="r1"), plan(run_id="r2")
    seeds = [part.seed for session in (*first, *second) for part in session.blobs]
    assert len(set(seeds)) == len(seeds)
    assert [session.due_ns for session in first] == [session.due_ns for session in second]


def test_streams_are_out_of_step() -> None:
    streams = basic(2.0, ZONES)
    assert [(stream.lane, stream.interval_ns, stream.offset_ns) for stream in streams] == [
        ("regional", 1 * S, S // 5),
        ("pinned", 3 * S, S // 2),
        ("pinned", 3 * S, 3 * S // 2),
        ("pinned", 3 * S, 5 * S // 2),
    ]


def test_an_unknown_mix_is_refused_with_the_choices() -> None:
    spec = WorkloadSpec(mix="storm", rate=1.0, timeout_ns=S, objective_ns={})
    with pytest.raises(BadExperiment, match="'storm' is not known; choose one of basic"):
        sessions(spec, ZONES, run_id="r", seed=1, duration_ns=S)


def test_in_a_tag_race_every_push_overwrites_one_of_few_tags() -> None:
    spec = WorkloadSpec("tag-race", 20.0, 10 * S, {})
    planned = list(sessions(spec, ("z-1", "z-2", "z-3"), run_id="r", seed=1, duration_ns=20 * S))
    tags = {(session.repository, session.tag) for session in planned if session.action == "push"}
    assert len(tags) == 8
    assert {tag for _, tag in tags} == {"latest-0001", "latest-0002"}


@pytest.mark.parametrize("mix", sorted(MIXES))
def test_a_plan_is_known_by_a_digest_that_no_run_name_changes(mix: str) -> None:
    spec = WorkloadSpec(mix, 20.0, 10 * S, {})
    first = digest(spec, ZONES, seed=1, duration_ns=600 * S)
    assert first == digest(spec, ZONES, seed=1, duration_ns=900 * S)
    assert first != digest(spec, ZONES, seed=2, duration_ns=600 * S)
    assert first != digest(replace(spec, rate=21.0), ZONES, seed=1, duration_ns=600 * S)
    assert re.fullmatch("[0-9a-f]{64}", first)
