"""Laws: what a correct region leaves is never violated; the same with one lie in it gets the right label."""

import random
from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from chaoskit.checks.base import Check
from chaoskit.checks.closure import Closure
from chaoskit.checks.durability import Durability
from chaoskit.checks.integrity import Integrity
from chaoskit.checks.phantom import Phantom
from chaoskit.checks.tags import Tags
from chaoskit.model.history import Operation
from chaoskit.model.verdict import Verdict

from .fuzz import FUZZES, HISTORIES, fuzz
from .histories import OK, Story, digest, texts
from .region import REPOSITORIES, correct_run

SAFETY: tuple[Check, ...] = (Durability(), Integrity(), Closure(), Phantom(), Tags(linearizable=True))
RUNS = settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None)
SEEDS = st.integers(0, 10**6)

Lie = Callable[[random.Random, list[Operation]], Operation | None]


@pytest.mark.parametrize("name", FUZZES)
def test_check_agrees_with_its_oracle_on_random_tiny_histories(name: str) -> None:
    counts = fuzz(name, HISTORIES, seed=1)

    assert counts.mismatches == 0
    assert counts.violated > HISTORIES / 20


@RUNS
@given(seed=SEEDS, deletes=st.booleans())
def test_correct_region_is_never_violated(seed: int, deletes: bool) -> None:
    evidence = Story(rows=correct_run(seed, deletes=deletes)).evidence()

    for check in SAFETY:
        result = check.judge(evidence)
        assert result.verdict is not Verdict.VIOLATED, texts(result)


def _reads(rows: list[Operation], **wanted: object) -> list[Operation]:
    found = [row for row in rows if row.action.endswith("-get") and row.outcome is OK and row.got]
    return [row for row in found if all(getattr(row, name) == value for name, value in wanted.items())]


def _pick(source: random.Random, rows: list[Operation]) -> Operation | None:
    return source.choice(rows) if rows else None


def _absent(row: Operation | None) -> Operation | None:
    return row and row.__replace__(got="", advertised="", status=404, observed="absent", children=())


def drop_acknowledged(source: random.Random, rows: list[Operation]) -> Operation | None:
    acknowledged = {row.digest for row in rows if row.action in ("manifest-put", "upload-put") and row.outcome is OK}
    return _absent(_pick(source, [row for row in _reads(rows, phase="final") if row.digest in acknowledged]))


def deny_a_tag(source: random.Random, rows: list[Operation]) -> Operation | None:
    tags = {(row.repository, row.reference) for row in rows if row.action == "manifest-put" and row.outcome is OK}
    return _absent(_pick(source, [row for row in _reads(rows, phase="final", digest="") if (row.repository, row.reference) in tags]))


def give_an_older_value(source: random.Random, rows: list[Operation]) -> Operation | None:
    puts = [row for row in rows if row.action == "manifest-put" and row.outcome is OK]
    for read in source.sample(rows, len(rows)):
        if read.action == "manifest-get" and read.got and not read.digest and read.phase == "final":
            same = [put for put in puts if (put.repository, put.reference) == (read.repository, read.reference)]
            older = [a for a in same for b in same if (a.returned_ns or 0) < b.called_ns]
            if older:
                put = source.choice(older)
                return read.__replace__(got=put.digest, advertised=put.digest, children=put.children)
    return None


def flip_a_byte(source: random.Random, rows: list[Operation]) -> Operation | None:
    read = _pick(source, _reads(rows))
    return read and read.__replace__(got=digest("flipped"), advertised="", observed="digest-differs")


def retarget(source: random.Random, rows: list[Operation]) -> Operation | None:
    """A tag returns what was only ever sent to another repository."""
    read = _pick(source, _reads(rows, digest=""))
    other = [row for row in rows if row.action == "manifest-put" and read and row.repository != read.repository]
    put = _pick(source, other)
    return read.__replace__(got=put.digest, advertised=put.digest) if read and put else None


def give_a_failed_value(source: random.Random, rows: list[Operation]) -> Operation | None:
    failed = [row for row in rows if row.action == "manifest-put" and row.outcome.name == "FAILED"]
    put = _pick(source, failed)
    read = put and _pick(source, _reads(rows, phase="final", digest="", repository=put.repository, reference=put.reference))
    return read.__replace__(got=put.digest, advertised=put.digest) if read and put else None


def lose_a_child(source: random.Random, rows: list[Operation]) -> Operation | None:
    sighted = [row for row in _reads(rows, action="manifest-get") if row.phase != "final"]
    children = {(row.repository, child) for row in sighted for child in row.children}
    blobs = _reads(rows, action="blob-get", phase="final")
    return _absent(_pick(source, [row for row in blobs if (row.repository, row.digest) in children]))


LIES: dict[str, tuple[Lie, Check, str]] = {
    "acknowledged value dropped": (drop_acknowledged, Durability(), "Lost in"),
    "absent inside a zone": (deny_a_tag, Tags(), "Impossible absence"),
    "older value": (give_an_older_value, Tags(), "The final reads disagree"),
    "byte flipped": (flip_a_byte, Integrity(), "hash to"),
    "key retargeted": (retarget, Phantom(), "belongs elsewhere"),
    "failed value": (give_a_failed_value, Phantom(), "the only write of it failed"),
    "child lost": (lose_a_child, Closure(), "Hole"),
}


@pytest.mark.parametrize("lie", LIES)
def test_one_lie_in_a_correct_history_gets_its_label(lie: str) -> None:
    tell, check, label = LIES[lie]

    @RUNS
    @given(seed=SEEDS)
    def law(seed: int) -> None:
        rows = correct_run(seed)
        changed = tell(random.Random(seed), rows)
        assume(changed is not None)
        assert changed is not None
        rows[changed.index] = changed
        result = check.judge(Story(rows=rows).evidence())
        assert result.verdict is Verdict.VIOLATED, (changed, result.summary)
        assert label in texts(result)

    law()


def test_the_model_region_uses_several_repositories_so_that_leaks_would_show() -> None:
    assert {row.repository for row in correct_run(3)} == set(REPOSITORIES)
