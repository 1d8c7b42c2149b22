"""The mix `registry` against the published figures of IBM's registry traces (FAST'18)."""

import itertools
import re
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chaoskit.model.workload import TRACED, Session
from chaoskit.workload.sizes import EDGES, QUANTILES, edges, quantile, spread
from chaoskit.workload.trace import Zipf, when
from tests.unit.workload.planned import METHODS, ZONES, S, Sent, plan, sent

REQUESTS = 100_000
MIB = 1024 * 1024


@pytest.fixture(scope="module")
def trace() -> Sent:
    """A hundred thousand requests at the full sizes of the trace."""
    return sent(plan(seconds=86_400, scale=1.0), requests=REQUESTS)


def slope(counts: "Counter[tuple[str, str]] | Counter[int]") -> float:
    """Of frequency over rank, both in logarithms, through points evenly spread over the logarithm of the rank."""
    asked = np.array(sorted(counts.values(), reverse=True))
    ranks = np.unique(np.geomspace(1, len(asked), 60).astype(int))
    return float(np.polyfit(np.log(ranks), np.log(asked[ranks - 1]), 1)[0])


def variation(times_s: list[float]) -> float:
    gaps = np.diff(np.sort(times_s))
    return float(gaps.std() / gaps.mean())


def test_methods_have_the_published_shares(trace: Sent) -> None:
    methods: Counter[str] = Counter()
    for action, number in trace.actions.items():
        methods[METHODS[action]] += number
    published = {"GET": 78.96, "HEAD": 11.04, "PUT": 5.24, "POST": 2.87, "PATCH": 1.89}
    assert {method: 100 * number / methods.total() for method, number in methods.items()} == pytest.approx(published, abs=2)
    assert methods.total() >= REQUESTS


def test_gets_are_pings_blobs_and_manifests_as_published(trace: Sent) -> None:
    gets = {action: trace.actions[action] for action in ("ping", "blob-get", "manifest-get")}
    shares = {action: 100 * number / sum(gets.values()) for action, number in gets.items()}
    assert shares == pytest.approx({"ping": 46, "blob-get": 36, "manifest-get": 18}, abs=2)


def test_three_of_four_layers_are_there_and_two_thirds_of_the_uploads_are_patched(trace: Sent) -> None:
    assert 100 * trace.found / trace.actions["blob-head"] == pytest.approx(75, abs=2)
    assert 100 * trace.actions["upload-patch"] / trace.actions["upload-post"] == pytest.approx(66, abs=2)


def test_one_tenant_has_31_percent_of_the_traffic_and_half_of_the_pulls_ask_for_latest(trace: Sent) -> None:
    assert 100 * trace.by_tenant["t0"] / trace.by_tenant.total() == pytest.approx(31, abs=2)
    latest = sum(number for (_, tag), number in trace.pulls.items() if tag.startswith("latest"))
    assert 100 * latest / trace.pulls.total() == pytest.approx(50, abs=2)


def test_popularity_is_zipf_1_over_blobs_and_1_25_over_manifests(trace: Sent) -> None:
    assert slope(trace.fetches) == pytest.approx(-1.0, abs=0.15)
    assert slope(trace.pulls) == pytest.approx(-1.25, abs=0.15)


def test_sizes_of_blobs_have_the_published_quantiles(trace: Sent) -> None:
    sizes = [size for size in trace.sizes.values() if size not in EDGES]
    found = {share: float(np.quantile(sizes, share)) for share, _ in QUANTILES[:-1]}
    assert found == pytest.approx(dict(QUANTILES[:-1]), rel=0.05)
    assert 100 * sum(size > 10_000_000 for size in sizes) / len(sizes) == pytest.approx(19.5, abs=2)


@pytest.mark.parametrize(("rate", "step_s"), [(1.2, 0.05), (20.0, 0.0), (20.0, 0.005)])
def test_requests_come_in_bursts_as_published(rate: float, step_s: float) -> None:
    """2.26 in the trace; 1.2 sessions a second are its 3.3 requests."""
    made = sent(plan(rate=rate, seconds=86_400), requests=30_000, step_s=step_s)
    assert 2.0 <= variation(made.times_s) <= 2.5


seeds = st.integers(0, 2**32)
some = settings(max_examples=8, deadline=None)


@some
@given(seed=seeds, mix=st.sampled_from((*TRACED, "pull-storm", "basic", "tag-race")), count=st.integers(1, 3))
def test_a_zone_more_shifts_nothing_of_the_other_streams(seed: int, mix: str, count: int) -> None:
    """But for what a pull asks for, and how much of it: that is chosen among the pushes of all."""

    def kept(zones: tuple[str, ...]) -> list[Session]:
        return [
            replace(session, entry="", repository="", tag="", fetches=-1) if session.action == "pull" else replace(session, entry="")
            for session in plan(mix, zones=zones, seed=seed, seconds=20)
            if session.lane == "regional"
        ]

    zones = tuple(f"z-{number}" for number in range(count))
    assert kept(zones) == kept((*zones, "z-9"))


@some
@given(seed=seeds, mix=st.sampled_from((*TRACED, "pull-storm")))
def test_same_seed_same_plan_in_order_with_unique_numbers_in_both_lanes(seed: int, mix: str) -> None:
    made = list(plan(mix, seed=seed, seconds=20))
    assert repr(made) == repr(list(plan(mix, seed=seed, seconds=20)))
    assert [session.due_ns for session in made] == sorted(session.due_ns for session in made)
    assert len({session.number for session in made}) == len(made)
    assert {session.lane for session in made} == {"pinned", "regional"}
    assert {session.entry for session in made if session.lane == "pinned"} == set(ZONES)


@some
@given(seed=seeds, mix=st.sampled_from((*TRACED, "pull-storm")), rate=st.floats(1, 60), tenants=st.integers(1, 9))
def test_pulls_ask_for_what_is_ripe_under_valid_names(seed: int, mix: str, rate: float, tenants: int) -> None:
    first: dict[tuple[str, str], int] = {}
    for session in plan(mix, seed=seed, rate=rate, seconds=20, tenants=1 if mix == "pull-storm" else tenants):
        key = (session.repository, session.tag)
        if session.action == "push":
            first.setdefault(key, session.due_ns)
        elif session.action == "pull":
            assert first[key] <= session.due_ns - min(3, 10 / rate) * S + 1 or session.repository.endswith("storm")
        assert re.fullmatch(r"(chaos/r1/(t[0-8]/r[0-5]|r[0-3]|storm))?", session.repository)
        assert re.fullmatch(r"(v\d{8}|latest-\d{4})?", session.tag)


def test_two_runs_differ_in_names_and_blobs_only() -> None:
    first, second = (list(plan(run_id=name, seconds=60)) for name in ("r1", "r2"))
    assert [(one.due_ns, one.number, one.entry, one.tag) for one in first] == [
        (one.due_ns, one.number, one.entry, one.tag) for one in second
    ]
    seeds_of = [{part.seed for one in made for part in one.blobs} for made in (first, second)]
    assert not seeds_of[0] & seeds_of[1]


@pytest.mark.parametrize(("scale", "reached"), [(1.0, 7), (0.05, 7), (0.01, 4), (0.001, 1)])
def test_each_edge_size_appears_once_a_run_when_scale_allows(scale: float, reached: int) -> None:
    assert len(edges(scale)) == reached
    sizes = [part.size_bytes for one in plan(scale=scale, seconds=120) for part in one.blobs]
    assert [sizes.count(size) for size in EDGES[:reached]] == [1] * reached
    assert not set(sizes) & set(EDGES[reached:])


def test_a_scale_multiplies_all_other_sizes() -> None:
    assert [quantile(share, 0.5) for share, _ in QUANTILES] == [round(size / 2) for _, size in QUANTILES]
    assert quantile(0.0, 1.0) == 32
    assert 11_500 < quantile(0.6, 1.0) < 645_000


def test_what_reads_only_pushes_its_seeds_and_nothing_later() -> None:
    made = list(plan("read-only", seconds=60))
    last = max(one.due_ns for one in made if one.action == "push")
    assert last < 10 * S
    assert Counter(one.action for one in made)["push"] == 32
    assert {one.action for one in made if one.due_ns > last} == {"pull", "login"}


def test_push_heavy_pushes_most_and_large_layers_are_the_largest_fifth() -> None:
    heavy = Counter(one.action for one in plan("push-heavy", seconds=120))
    assert 100 * heavy["push"] / heavy.total() == pytest.approx(60, abs=2)
    sizes = [part.size_bytes for one in plan("large-layers", seconds=120, scale=1.0) for part in one.blobs]
    assert min(size for size in sizes if size not in EDGES) >= 9_400_000


def test_a_storm_is_200_pulls_of_one_new_image_at_one_instant_from_every_entry() -> None:
    planned = list(plan("pull-storm", seconds=15))
    made = [one for one in planned if one.number >= 99_000_000]
    assert not {one.repository for one in planned if one.number < 99_000_000} & {one.repository for one in made}
    storms = [list(group) for _, group in itertools.groupby(made, lambda one: one.tag)]
    assert [[one.action for one in storm] for storm in storms] == [["push", *["pull"] * 200]] * 2
    for push, *pulls in storms:
        assert {one.due_ns - push.due_ns for one in pulls} == {3 * S}
        assert Counter(one.entry for one in pulls) == pytest.approx(dict.fromkeys(ZONES, 67), abs=1)
        assert {(one.repository, one.tag, one.fetches, one.at_once, one.lane) for one in pulls} == {
            (push.repository, push.tag, -1, 3, "regional")
        }
        assert len(push.blobs) == 5
    assert not {part.seed for part in storms[0][0].blobs} & {part.seed for part in storms[1][0].blobs}


def test_ranks_are_asked_for_in_proportion() -> None:
    zipf = Zipf(1.0)
    assert [zipf.rank(share, 3) for share in (0.0, 0.54, 0.55, 0.81, 0.82, 0.999)] == [1, 1, 2, 2, 3, 3]
    assert zipf.rank(0.999, 1) == 1
    assert zipf.rank(0.999, 50) == 50


@some
@given(seed=seeds, rate=st.floats(0.5, 200))
def test_in_each_rhythm_a_quarter_of_the_time_has_half_of_the_sessions(seed: int, rate: float) -> None:
    times = [when(number / 10, rate=rate, seed=seed) * rate / S for number in range(401)]
    assert times[0] == 0
    assert times[-1] == pytest.approx(40, abs=1e-5)
    gaps = [after - before for before, after in itertools.pairwise(times)]
    assert min(gaps) == pytest.approx(0.05, abs=1e-5)
    assert sum(gap < 0.051 for gap in gaps) == pytest.approx(200, abs=2)


def test_shares_spread_evenly_however_few() -> None:
    for number in (10, 100, 1000):
        shares = sorted(itertools.islice(spread(0.3), number))
        assert max(abs(share - place / number) for place, share in enumerate(shares)) < 3 / number
