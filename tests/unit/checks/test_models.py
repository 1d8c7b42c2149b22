"""Weaker models of tags: session guarantees, convergence, and the strongest model of a scope."""

import random
from datetime import timedelta

import pytest

from chaoskit.checks.models import STREAM, Scope
from chaoskit.checks.tags import Tags
from chaoskit.model.history import Operation, columns
from chaoskit.model.verdict import CheckResult, Verdict
from chaoskit.model.workload import WorkloadSpec
from chaoskit.workload.plan import sessions

from .families import base
from .families import models as family
from .histories import UNKNOWN, ZONES, Story, texts
from .region import correct_run

LOOSE = timedelta(hours=1)
MINE, OTHERS = 3 * STREAM + 17, 4 * STREAM


def overwritten(session: int = MINE) -> Story:
    """Value a until 1.1 s, value b from 3 s to 3.1 s (operation 1), by one client."""
    story = Story()
    story.put("t", "a", 1, session=session)
    story.put("t", "b", 3, session=session + 1)
    return story


def judge(story: Story, **declared: bool) -> CheckResult:
    return Tags(staleness=LOOSE, **declared).judge(story.evidence())


def test_client_that_reads_what_it_overwrote_breaks_read_your_writes() -> None:
    story = overwritten()
    read = story.get("t", "a", 5, zone=2, session=MINE + 2)
    story.sweep("t", "b")

    result = judge(story, read_your_writes=True)

    assert result.verdict is Verdict.VIOLATED
    assert result.findings[0].operations == (0, 1, read)
    assert result.findings[0].text.startswith(f"Read-your-writes broken: manifest-get of r:t at {ZONES[1]} at 5.000 s (operation {read})")
    assert "(operation 1) of the same client was acknowledged at 3.100 s. It should have returned the newer" in result.findings[0].text
    assert judge(story).verdict is Verdict.HELD


@pytest.mark.parametrize("other", [{"session": OTHERS}, {"session": MINE + 2, "lane": "regional"}])
def test_what_another_client_overwrote_binds_nobody(other: dict[str, object]) -> None:
    story = overwritten()
    story.get("t", "a", 5, **other)  # type: ignore[arg-type]
    story.sweep("t", "b")

    assert judge(story, read_your_writes=True, monotonic_reads=True).verdict is Verdict.HELD


def test_own_write_that_had_not_ended_when_the_read_began_binds_nobody() -> None:
    story = overwritten()
    story.get("t", "a", 3.1, session=MINE)
    story.sweep("t", "b")

    assert judge(story, read_your_writes=True).verdict is Verdict.HELD


def test_own_write_of_unknown_outcome_binds_nobody() -> None:
    story = overwritten()
    story.change(1, outcome=UNKNOWN, status=0)
    story.get("t", "a", 5, session=MINE)
    story.sweep("t", "a")

    assert judge(story, read_your_writes=True).verdict is Verdict.HELD


def test_absent_after_an_own_write_breaks_read_your_writes() -> None:
    story = overwritten()
    story.get("t", "", 5, session=MINE)
    story.sweep("t", "b")

    assert "returned absent, but before it manifest-put" in texts(judge(story, read_your_writes=True))


def test_value_read_after_an_own_delete_breaks_read_your_writes() -> None:
    story = overwritten()
    story.row("manifest-delete", 5, 5.1, reference="t", observed="write-ok", status=202, session=MINE)
    story.get("t", "b", 6, session=MINE)
    for zone in (1, 2, 3):
        story.get("t", "", 41, zone=zone)

    assert "It should have returned its delete or what came after" in texts(judge(story, read_your_writes=True))


def test_older_value_after_the_newer_breaks_monotonic_reads() -> None:
    story = overwritten(OTHERS)
    seen = story.get("t", "b", 4, zone=1, session=MINE)
    read = story.get("t", "a", 5, zone=2, session=MINE)
    story.sweep("t", "b")

    result = judge(story, monotonic_reads=True)

    assert result.findings[0].operations == (0, 1, seen, read)
    assert result.findings[0].text.startswith(f"Monotonic reads broken: manifest-get of r:t at {ZONES[1]} at 5.000 s")
    assert (result.numbers["monotonic_reads"], result.numbers["read_your_writes"]) == (1, 0)


def test_absent_after_absent_is_monotonic() -> None:
    story = overwritten(OTHERS)
    story.get("t", "", 4, session=MINE)
    story.get("t", "", 5, session=MINE)
    story.sweep("t", "b")

    assert judge(story, monotonic_reads=True, read_your_writes=True).verdict is Verdict.HELD


def test_reads_that_overlap_are_in_no_order() -> None:
    story = overwritten(OTHERS)
    story.get("t", "b", 4, 6, session=MINE)
    story.get("t", "a", 6, 7, session=MINE)
    story.sweep("t", "b")

    assert judge(story, monotonic_reads=True).verdict is Verdict.HELD


def test_in_the_final_reads_each_zone_is_asked_by_a_client_of_its_own() -> None:
    story = overwritten()
    story.get("t", "b", 41, zone=1)
    story.get("t", "a", 42, zone=2)

    assert judge(story, monotonic_reads=True, convergence=False).verdict is Verdict.HELD
    story.get("t", "a", 43, zone=1)
    assert judge(story, monotonic_reads=True, convergence=False).verdict is Verdict.VIOLATED


def test_zones_that_end_apart_are_violated_where_convergence_is_declared() -> None:
    story = overwritten()
    for zone, value in ((1, "a"), (2, "b"), (3, "b")):
        story.get("t", value, 41, zone=zone)

    assert "The final reads disagree on r:t" in texts(judge(story))
    assert judge(story, convergence=False).verdict is Verdict.HELD


def test_without_convergence_no_final_value_is_missed() -> None:
    story = overwritten()
    story.get("t", "b", 5)

    assert judge(story).verdict is Verdict.INCONCLUSIVE
    assert judge(story, convergence=False).verdict is Verdict.HELD


@pytest.mark.parametrize(
    ("scope", "model"),
    [
        (Scope(True, True, True, 0), "linearizable"),
        (Scope(False, True, True, 0), "read-after-write and monotonic reads"),
        (Scope(False, True, False, 0), "read-after-write"),
        (Scope(False, True, True, 10**9), "monotonic reads and read-your-writes, staleness 1.000 s"),
        (Scope(False, False, True, 10**9), "monotonic reads, staleness 1.000 s"),
        (Scope(False, True, False, 10**9), "read-your-writes, staleness 1.000 s"),
        (Scope(False, False, False, 10**9), "staleness 1.000 s"),
    ],
)
def test_the_strongest_model_is_named(scope: Scope, model: str) -> None:
    assert scope.model == model


def test_each_scope_is_reported_by_itself() -> None:
    story = overwritten(OTHERS)
    story.get("t", "b", 4, zone=1, session=MINE)
    story.get("t", "a", 5, zone=2, session=MINE)
    story.sweep("t", "b")

    result = judge(story)

    assert "strongest model met: read-your-writes, staleness 1.900 s over all reads" in result.summary
    assert f"{ZONES[0]} linearizable, {ZONES[1]} monotonic reads and read-your-writes, staleness 1.900 s" in result.summary
    assert (result.numbers["monotonic_reads.us-south"], result.numbers[f"monotonic_reads.{ZONES[1]}"]) == (0, 1)


def test_a_write_in_flight_that_was_seen_makes_an_older_read_not_monotonic_though_not_stale() -> None:
    story = Story()
    story.put("t", "a", 1)
    story.put("t", "b", 3, 9)
    story.get("t", "b", 4, session=MINE)
    story.get("t", "a", 5, session=MINE)
    story.sweep("t", "b")

    result = Tags().judge(story.evidence())

    assert result.verdict is Verdict.HELD
    assert "strongest model met: read-after-write over all reads" in result.summary


def test_a_stream_of_the_plan_is_one_client() -> None:
    spec = WorkloadSpec(mix="basic", rate=20, timeout_ns=10**9, objective_ns={})
    planned = list(sessions(spec, ZONES, run_id="x", seed=1, duration_ns=20 * 10**9))

    streams = {(session.lane, session.number // STREAM, session.entry if session.lane == "pinned" else "") for session in planned}

    assert streams == {("regional", 0, ""), ("pinned", 1, ZONES[0]), ("pinned", 2, ZONES[1]), ("pinned", 3, ZONES[2])}


@pytest.mark.parametrize("deletes", [False, True])
def test_no_declared_model_is_violated_by_a_correct_region(deletes: bool) -> None:
    check = Tags(linearizable=True, read_your_writes=True, monotonic_reads=True)
    for seed in range(30):
        rows = [row.__replace__(session=row.index % 2 * STREAM) for row in correct_run(seed, deletes=deletes)]
        result = check.judge(Story(rows=rows).evidence())
        assert result.verdict is not Verdict.VIOLATED, texts(result)


def agree(rows: list[Operation]) -> None:
    """Every scope's numbers are what an exhaustive search of its reads and all writes says."""
    numbers = Tags().judge(base.evidence_of(columns(rows))).numbers
    registers = [family.ops_of(rows, region) for region in base.TOPOLOGY.regions]
    names = {name.partition(".")[2] for name in numbers if name.startswith("linearizable.")}
    for name in names:
        scoped = [
            [op for op in ops if op.kind != "read" or name in ("all", op.row.zone, op.row.lane, op.row.phase, op.row.region)]
            for ops in registers
        ]
        assert numbers[f"linearizable.{name}"] == all(family.is_linearizable(ops) for ops in scoped), (name, rows)


def test_scopes_agree_with_an_exhaustive_search() -> None:
    source = random.Random(13)
    for number in range(150):
        agree(family.generate(source, 0, number))
