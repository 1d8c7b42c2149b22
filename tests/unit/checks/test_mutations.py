"""A correct run with one lie in it: the right check is violated with the right label, and no check that has nothing to do with it."""

import random
from dataclasses import dataclass
from functools import cache

import pytest

from chaoskit.checks.base import Check
from chaoskit.checks.closure import Closure
from chaoskit.checks.durability import Durability
from chaoskit.checks.integrity import Integrity
from chaoskit.checks.phantom import Phantom
from chaoskit.checks.refusal import Refusal
from chaoskit.checks.tags import Tags
from chaoskit.model.history import Operation
from chaoskit.model.verdict import CheckResult, Verdict

from . import lies
from .histories import OK, UNKNOWN, ZONES, Story, struck, texts
from .lies import Rows, absent, ended, found
from .region import END, correct_run

SEEDS = range(600)  # many have no place for a lie
TOLD = 20

SAFETY: dict[str, Check] = {
    "durability": Durability(),
    "integrity": Integrity(),
    "closure": Closure(),
    "phantom": Phantom(),
    "tags": Tags(linearizable=True),
}


@cache
def _run(seed: int) -> tuple[Operation, ...]:
    return tuple(correct_run(seed))


@dataclass(frozen=True)
class Expected:
    """The check that must be violated (or inconclusive), a part of its text, and checks that the lie may touch besides."""

    lie: lies.Lie
    check: str
    label: str
    may: tuple[str, ...] = ()
    verdict: Verdict = Verdict.VIOLATED


EXPECTED = (
    Expected(lies.lose_a_manifest, "durability", "Lost in"),
    Expected(lies.lose_a_manifest_for_a_while, "durability", "Late: "),
    Expected(lies.leave_a_manifest_unread, "durability", "Never read", verdict=Verdict.INCONCLUSIVE),
    Expected(lies.flip_a_byte, "integrity", "bytes that hash to"),
    Expected(lies.change_the_header, "integrity", "but the content is"),
    Expected(lies.change_a_length, "integrity", "advertised 10 bytes and sent 9"),
    Expected(lies.change_a_size, "integrity", "of the same content"),
    Expected(lies.lose_a_child_where_it_was_seen, "closure", "Hole, same zone", ("durability",)),
    Expected(lies.lose_a_child_elsewhere, "closure", "Hole, other zone", ("durability",)),
    Expected(lies.refuse_a_push, "closure", "was refused with MANIFEST_BLOB_UNKNOWN"),
    Expected(lies.retarget, "phantom", "which belongs elsewhere"),
    Expected(lies.give_a_failed_value, "phantom", "though the only write of it failed", ("durability", "closure")),
    Expected(lies.give_a_value_too_early, "phantom", "before manifest-put of", ("durability", "closure")),
    Expected(lies.forget_a_push, "phantom", "which nobody ever sent"),
    Expected(lies.deny_a_tag, "tags", "mpossible absence"),
    Expected(lies.give_an_older_value, "tags", "had been acknowledged"),
    Expected(lies.give_an_older_value_in_the_end, "tags", "The final reads disagree"),
    Expected(lies.swap_two_reads, "tags", "No order in real time fits"),
)


@pytest.mark.parametrize("expected", EXPECTED, ids=lambda expected: expected.lie.__name__)
def test_one_lie_gets_its_label_from_its_check_and_from_no_other(expected: Expected) -> None:
    told = 0
    for seed in SEEDS:
        rows = list(_run(seed))
        changed = list(expected.lie(random.Random(seed), rows))
        if not changed:
            continue
        told += 1
        for row in changed:
            rows[row.index] = row
        evidence = Story(rows=rows).evidence()
        results = {name: check.judge(evidence) for name, check in SAFETY.items()}
        assert results[expected.check].verdict is expected.verdict, (seed, changed, results[expected.check].summary)
        assert expected.label in texts(results[expected.check]), (seed, texts(results[expected.check]))
        violated = {name for name, result in results.items() if result.verdict is Verdict.VIOLATED}
        assert violated <= {expected.check, *expected.may}, (seed, changed)
        if told == TOLD:
            break
    assert told == TOLD


def _refusing(seed: int) -> Rows:
    """A correct run in which no write was acknowledged between 30 and 300 ns: what had been, nobody can say."""
    in_doubt = {"outcome": UNKNOWN, "status": 0, "observed": "maybe-sent-timeout"}
    return [row.__replace__(**in_doubt) if _is_late_write(row) else row for row in _run(seed)]


def _is_late_write(row: Operation) -> bool:
    return row.action in ("upload-put", "manifest-put") and row.outcome is OK and 30 <= row.called_ns <= 300


def _judge_refusal(rows: Rows, *changed: Operation) -> CheckResult:
    told = list(rows)
    for row in changed:
        told[row.index] = row
    return Refusal().judge(Story(rows=told).evidence(struck(1, effective_ns=30, healing_ns=300)))


REFUSING = [seed for seed in range(TOLD) if any(_is_late_write(row) and ended(row) <= 300 for row in _run(seed))]


@pytest.mark.parametrize("seed", REFUSING)
def test_write_acknowledged_while_all_must_be_refused_is_violated(seed: int) -> None:
    rows = _refusing(seed)
    write = next(row for row in rows if _is_late_write(_run(seed)[row.index]) and ended(row) <= 300)

    assert _judge_refusal(rows).verdict is Verdict.HELD
    assert texts(_judge_refusal(rows, write.__replace__(outcome=OK, status=201))).startswith("Accepted")


def test_read_denied_while_all_must_be_refused_is_violated() -> None:
    told = 0
    for seed in REFUSING:
        rows = _refusing(seed)
        known = {(row.repository, row.digest): ended(row) for row in rows if row.action.endswith("-put") and row.outcome is OK}
        reads = [row for row in found(rows) if known.get((row.repository, row.digest), END) < row.called_ns and 30 <= row.called_ns < 290]
        for read in reads[:1]:
            told += 1
            assert texts(_judge_refusal(rows, absent(read))).startswith("False 404")
    assert told > TOLD / 3


def test_the_runs_that_are_lied_about_are_of_three_zones() -> None:
    assert {row.zone for row in _run(0)} == set(ZONES)
