"""Whole sessions against a hand-written registry on loopback."""

import asyncio
import itertools
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

import pytest

from chaoskit.model.history import Operation, Outcome
from chaoskit.model.workload import PlannedBlob, Session, WorkloadSpec
from chaoskit.registry.client import Client, open_clients
from chaoskit.registry.profiles import BASIC, NONE, Profile
from chaoskit.workload.course import Setting
from chaoskit.workload.plan import sessions
from chaoskit.workload.recorder import Recorder
from chaoskit.workload.runner import Runner
from chaoskit.workload.sweep import final_reads, sent_values
from tests.embedded.scripted_registry import ZONES, Asked, Registry, listening

UNKNOWN, OK, FAILED = Outcome.UNKNOWN, Outcome.OK, Outcome.FAILED
MS = 1_000_000


def hurried(profile: Profile, delays_ns: tuple[int, ...]) -> Profile:
    """The same client with other waits between its tries."""
    patience = {step: replace(each, delays_ns=delays_ns) for step, each in profile.patience.items()}
    return replace(profile, patience=patience, body=profile.body and replace(profile.body, delays_ns=delays_ns))


QUICK = {"pinned": NONE, "regional": hurried(BASIC, (20 * MS, 40 * MS))}


@dataclass(slots=True)
class Bench:
    """A setting and the rows it left."""

    setting: Setting
    rows: list[Operation]

    @property
    def clients(self) -> dict[str, Client]:
        return dict(self.setting.clients)

    def ended(self, *actions: str) -> list[Operation]:
        """The last row of each index, by index."""
        return [row for _, row in sorted({row.index: row for row in self.rows}.items()) if row.action in actions or not actions]


@asynccontextmanager
async def bench(registry: Registry, *, timeout_s: float = 10) -> AsyncIterator[Bench]:
    start_ns = time.monotonic_ns()
    rows: list[Operation] = []

    def clock() -> int:
        return time.monotonic_ns() - start_ns

    recorder = Recorder(rows.append, clock, lambda: "steady", dict.fromkeys(ZONES, "us-south"))
    async with listening(registry) as entries, open_clients(entries, timeout_ns=round(timeout_s * 1e9), clock=clock) as clients:
        yield Bench(Setting(clients, recorder, "r1", QUICK), rows)


def run(plan: Iterable[Session], registry: Registry, *, timeout_s: float = 10) -> Bench:
    async def go() -> Bench:
        async with bench(registry, timeout_s=timeout_s) as made:
            await Runner(plan, made.setting).run()
            return made

    return asyncio.run(go())


def push(lane: str = "pinned", *, number: int = 1, due_ns: int = 0, chunked: bool = False) -> Session:
    blobs = (PlannedBlob(number * 10, 300, chunked), PlannedBlob(number * 10 + 1, 5_000, chunked))
    return Session(number, due_ns, lane, "z-1", "push", "chaos/r1/r0", f"v{number:08d}", blobs)


def pull(number: int = 2, *, tag: str = "v00000001", due_ns: int = 0) -> Session:
    return Session(number, due_ns, "pinned", "z-2", "pull", "chaos/r1/r0", tag)


def manifest_puts_at(*zones: str, then: str) -> Callable[[Asked], str]:
    return lambda asked: then if asked.is_manifest_put and asked.zone in zones else ""


def test_a_quiet_region_answers_the_whole_plan_and_the_final_reads() -> None:
    async def go() -> tuple[Bench, int, Runner]:
        async with bench(Registry()) as made:
            spec = WorkloadSpec("basic", 60.0, 10**10, {})
            slow = sessions(spec, ZONES, run_id="r1", seed=1, duration_ns=4 * 10**9)
            plan = [replace(session, due_ns=session.due_ns // 4) for session in slow]  # a pull asks for a tag three seconds old
            runner = Runner(plan, made.setting)
            await runner.run()
            sent = sent_values(made.rows)
            left = await final_reads(sent, made.clients, recorder=made.setting.recorder, limit_ns=30 * 10**9)
            return made, left, runner

    made, left, runner = asyncio.run(go())
    assert left == 0
    assert runner.progress.offered == runner.progress.done == 240
    assert (runner.progress.failed, runner.progress.in_flight) == (0, 0)
    assert {row.outcome for row in made.ended()} == {OK}
    sweep = [row for row in made.ended() if row.lane == "sweep"]
    assert {row.phase for row in sweep} == {"final"}
    sent = sent_values(made.rows)
    per_zone = len(sent.tags) + len(sent.manifests) + len(sent.blobs) + len({repository for repository, _ in sent.tags})
    assert Counter(row.zone for row in sweep) == dict.fromkeys(ZONES, per_zone)
    assert {row.observed for row in sweep} == {"read-ok"}


@pytest.mark.parametrize("chunked", [False, True])
def test_a_push_is_head_post_put_of_each_blob_then_the_manifest(chunked: bool) -> None:
    registry = Registry()
    made = run([push(chunked=chunked)], registry)
    upload = ["blob-head", "upload-post", *(["upload-patch"] if chunked else []), "upload-put"]
    assert [row.action for row in made.ended()] == ["push", *upload, *upload, "manifest-put"]
    whole, *steps = made.ended()
    assert {row.parent for row in steps} == {whole.index}
    assert (whole.parent, whole.outcome, whole.digest) == (-1, OK, steps[-1].digest)
    assert whole.children == steps[-1].children == tuple(registry.blobs)
    assert all(before.returned_ns is not None and before.returned_ns <= after.intended_ns for before, after in itertools.pairwise(steps))


def test_every_write_is_recorded_open_before_it_is_sent_and_reads_are_recorded_once() -> None:
    made = run([push()], Registry())
    writes = {"upload-post", "upload-put", "manifest-put", "push"}
    for index, rows in itertools.groupby(sorted(made.rows, key=lambda row: row.index), lambda row: row.index):
        states = [(row.outcome, row.observed, row.returned_ns is None) for row in rows]
        expected = 2 if made.ended()[index].action in writes else 1
        assert len(states) == expected, f"index {index}: {states}"
        if expected == 2:
            assert states[0] == (UNKNOWN, "open", True)
    assert made.rows[0].action == "push"


def test_a_reset_manifest_put_is_sent_once_and_the_push_is_unknown() -> None:
    registry = Registry(manifest_puts_at("z-1", then="drop"))
    made = run([push("pinned")], registry)
    assert [asked.zone for asked in registry.asked if asked.is_manifest_put] == ["z-1"]
    invoked, completed = [row for row in made.rows if row.action == "manifest-put"]
    assert (invoked.outcome, invoked.observed, invoked.returned_ns) == (UNKNOWN, "open", None)
    assert (completed.outcome, completed.observed) == (UNKNOWN, "maybe-sent-eof")
    assert completed.returned_ns is not None
    (whole,) = made.ended("push")
    assert (whole.outcome, whole.observed, whole.digest) == (UNKNOWN, "maybe-sent-eof", invoked.digest)


def test_a_regional_push_recovers_at_the_next_entry_with_another_manifest() -> None:
    registry = Registry(manifest_puts_at("z-1", then="drop"))
    made = run([push("regional")], registry)
    first, second = made.ended("manifest-put")
    assert [(row.zone, row.attempt, row.outcome) for row in (first, second)] == [("z-1", 0, UNKNOWN), ("z-2", 1, OK)]
    assert first.digest != second.digest
    assert first.returned_ns is not None
    assert second.intended_ns - first.returned_ns >= 20 * MS
    (whole,) = made.ended("push")
    assert (whole.outcome, whole.zone, whole.digest, whole.profile) == (OK, "z-1", second.digest, "basic")
    assert [asked.body for asked in registry.asked if asked.is_manifest_put][1] == registry.manifests[second.digest]


def test_an_upload_lost_half_way_begins_again_with_its_head_at_the_next_entry() -> None:
    registry = Registry(lambda asked: "404" if asked.zone == "z-1" and asked.method == "PATCH" else "")
    made = run([push("regional", chunked=True)], registry)
    tries = [(row.action, row.zone, row.attempt, row.observed) for row in made.ended()[1:8]]
    assert tries == [
        ("blob-head", "z-1", 0, "absent"),
        ("upload-post", "z-1", 0, "write-ok"),
        ("upload-patch", "z-1", 0, "upload-lost"),
        ("blob-head", "z-2", 1, "absent"),
        ("upload-post", "z-2", 1, "write-ok"),
        ("upload-patch", "z-2", 1, "write-ok"),
        ("upload-put", "z-2", 1, "write-ok"),
    ]
    assert [(row.zone, row.attempt) for row in made.ended("manifest-put")] == [("z-2", 0)]


def test_a_push_is_failed_after_three_tries_and_a_definitive_answer_is_not_tried_again() -> None:
    registry = Registry(manifest_puts_at(*ZONES, then="503"))
    made = run([push("regional")], registry)
    assert [row.zone for row in made.ended("manifest-put")] == ["z-1", "z-2", "z-3"]
    assert [row.outcome for row in made.ended("push")] == [UNKNOWN]
    registry = Registry(manifest_puts_at(*ZONES, then="400"))
    made = run([push("regional")], registry)
    assert [(row.zone, row.outcome) for row in made.ended("manifest-put", "push")] == [("z-1", FAILED), ("z-1", FAILED)]


def test_a_push_without_its_blobs_is_failed_and_sends_no_manifest() -> None:
    registry = Registry(lambda asked: "hang" if asked.method == "POST" else "")
    made = run([push("pinned")], registry, timeout_s=0.2)
    assert [(row.action, row.outcome, row.observed) for row in made.ended()] == [
        ("push", FAILED, "maybe-sent-timeout"),
        ("blob-head", OK, "absent"),
        ("upload-post", UNKNOWN, "maybe-sent-timeout"),
    ]


def test_a_push_goes_on_where_the_head_was_answered_with_an_error() -> None:
    made = run([push("pinned")], Registry(lambda asked: "503" if asked.method == "HEAD" else ""))
    assert [row.outcome for row in made.ended("push")] == [OK]
    assert {row.observed for row in made.ended("blob-head")} == {"http-5xx"}


def test_a_push_ends_where_the_head_got_no_answer() -> None:
    made = run([push("pinned")], Registry(lambda asked: "drop" if asked.method == "HEAD" else ""))
    assert [row.action for row in made.ended()] == ["push", "blob-head"]


def test_a_pull_reads_the_manifest_and_all_its_children() -> None:
    registry = Registry()
    run([push()], registry)
    made = run([pull()], registry)
    whole, manifest, *blobs = made.ended()
    assert (whole.action, whole.outcome, whole.observed, whole.zone) == ("pull", OK, "read-ok", "z-2")
    assert whole.got == manifest.got
    assert whole.children == tuple(row.digest for row in blobs) == tuple(row.got for row in blobs)
    assert whole.size_bytes == sum(row.size_bytes for row in (manifest, *blobs))


def test_a_pull_of_an_absent_tag_is_answered_and_of_an_absent_blob_failed() -> None:
    registry = Registry()
    run([push()], registry)
    made = run([pull(tag="v00000009")], registry)
    assert [(row.action, row.outcome, row.observed, row.status) for row in made.ended()] == [
        ("pull", OK, "absent", 404),
        ("manifest-get", OK, "absent", 404),
    ]
    registry.blobs.clear()
    made = run([pull()], registry)
    assert [(row.action, row.outcome, row.observed) for row in made.ended()] == [
        ("pull", FAILED, "absent"),
        ("manifest-get", OK, "read-ok"),
        ("blob-get", OK, "absent"),
        ("manifest-get", OK, "read-ok"),
    ]


def test_a_hung_session_delays_no_other() -> None:
    async def go() -> Bench:
        async with bench(Registry(lambda asked: "hang" if asked.zone == "z-1" else ""), timeout_s=60) as made:
            plan = [push(), *(pull(number, due_ns=number * MS) for number in range(2, 12))]
            runner = Runner(plan, made.setting)
            async with asyncio.TaskGroup() as group:
                group.create_task(runner.run())
                await until(lambda: runner.progress.done == 10, lambda: f"{runner.progress}")
                assert runner.progress.in_flight == 1
                runner.stop(grace_s=0)
            return made

    made = asyncio.run(go())
    assert [row.observed for row in made.ended("pull")] == ["absent"] * 10
    assert [row.observed for row in made.ended("push")] == ["open"]


def test_a_write_cancelled_by_stop_stays_open_and_nothing_more_is_started() -> None:
    async def go() -> tuple[Bench, Runner]:
        registry = Registry(manifest_puts_at("z-1", then="hang"))
        async with bench(registry, timeout_s=60) as made:
            runner = Runner([push(), push(number=3, due_ns=10**12)], made.setting)
            async with asyncio.TaskGroup() as group:
                group.create_task(runner.run())
                await until(lambda: any(asked.is_manifest_put for asked in registry.asked), lambda: f"{registry.asked[-1:]}")
                runner.stop(grace_s=0.05)
            return made, runner

    made, runner = asyncio.run(go())
    assert [(row.action, row.outcome, row.observed, row.returned_ns) for row in made.ended("push", "manifest-put")] == [
        ("push", UNKNOWN, "open", None),
        ("manifest-put", UNKNOWN, "open", None),
    ]
    assert (runner.progress.offered, runner.progress.in_flight) == (1, 0)


def test_a_session_over_the_limit_in_flight_is_recorded_as_not_sent() -> None:
    async def go() -> Bench:
        async with bench(Registry(lambda asked: "hang" if asked.zone == "z-1" else ""), timeout_s=0.3) as made:
            await Runner([push(number=1), push(number=3)], made.setting, max_in_flight=1).run()
            return made

    made = asyncio.run(go())
    (shed,) = [row for row in made.ended("push") if row.observed == "not-sent"]
    assert (shed.session, shed.outcome, shed.returned_ns) == (3, FAILED, shed.called_ns)


def test_final_reads_go_on_until_each_is_answered() -> None:
    failing = Counter[str]()

    def mischief(asked: Asked) -> str:
        failing[asked.path] += asked.zone == "z-3"
        return "503" if asked.zone == "z-3" and asked.method == "GET" and failing[asked.path] == 1 else ""

    async def go() -> tuple[Bench, int]:
        async with bench(Registry(mischief)) as made:
            await Runner([push()], made.setting).run()
            return made, await final_reads(sent_values(made.rows), made.clients, recorder=made.setting.recorder, limit_ns=30 * 10**9)

    made, left = asyncio.run(go())
    assert left == 0
    again = [(row.action, row.zone, row.outcome) for row in made.ended() if row.lane == "sweep" and row.attempt == 1]
    assert Counter(again) == {("tags-list", "z-3", OK): 1, ("manifest-get", "z-3", OK): 2, ("blob-get", "z-3", OK): 2}


def test_final_reads_end_at_their_limit_and_say_how_many_are_missing() -> None:
    async def go() -> int:
        registry = Registry()
        async with bench(registry) as made:
            await Runner([push()], made.setting).run()
            registry.mischief = lambda asked: "503"
            return await final_reads(sent_values(made.rows), made.clients, recorder=made.setting.recorder, limit_ns=50 * MS)

    assert asyncio.run(go()) == 15


async def until(condition: Callable[[], bool], state: Callable[[], str], *, limit_s: float = 10) -> None:
    """Wait for a condition; the message shows the last state seen."""
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end, f"not within {limit_s} s: {state()}"
        await asyncio.sleep(0.005)
