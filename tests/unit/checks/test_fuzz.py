import random

import pytest

from chaoskit.checks.tags import Tags
from chaoskit.model.history import columns
from chaoskit.model.verdict import SAFETY, Verdict

from .families import tags
from .families.base import ByFindings, Family, Judged, Rows, evidence_of
from .families.refusal import FAMILIES as REFUSAL
from .families.refusal import SCENES
from .fuzz import FAMILIES, HISTORIES, Counts, fuzz, smallest
from .histories import Story
from .oracles import is_linearizable, register_ops

RUNS = min(400, HISTORIES)
EXPLAINED = {name: family for name, family in FAMILIES.items() if isinstance(family.judge, ByFindings)}


@pytest.mark.parametrize("name", FAMILIES)
def test_check_agrees_with_its_oracle_on_random_tiny_histories(name: str) -> None:
    counts = fuzz(FAMILIES[name], HISTORIES, seed=1)

    assert counts.mismatches == 0, smallest(FAMILIES[name], counts.example)
    assert counts.histories == HISTORIES
    assert counts.violated > HISTORIES / 50
    assert counts.inconclusive > HISTORIES / 50
    assert counts.histories - counts.violated - counts.inconclusive > HISTORIES / 50


def test_every_safety_check_has_a_family() -> None:
    assert {check for check in SAFETY if not any(name.split(",")[0] == check for name in FAMILIES)} == set()


def _shows_itself(family: Family, ask: ByFindings, rows: Rows) -> int:
    """Every finding's operations, taken by themselves, put the blame on the same operation. How many findings there were."""
    findings = [finding for finding in ask.check.judge(ask.evidence(columns(rows))).findings if finding.operations]
    for finding in findings:
        _, blamed = ask.tell(finding)
        alone = family.oracle([row for row in rows if row.index in finding.operations])
        assert blamed in {row for _, row in alone.blame}, (finding, alone)
    return len(findings)


@pytest.mark.parametrize("name", EXPLAINED)
def test_operations_of_a_finding_show_it_by_themselves(name: str) -> None:
    family = EXPLAINED[name]
    assert isinstance(family.judge, ByFindings)
    source = random.Random(name)

    found = sum(_shows_itself(family, family.judge, family.generate(source, 0, number)) for number in range(RUNS))

    assert found > RUNS / 10


def test_operations_of_a_refusal_finding_show_it_by_themselves() -> None:
    (family,) = REFUSAL
    source = random.Random(5)
    found = 0
    for number in range(RUNS):
        scene = SCENES[number % len(SCENES)]
        rows = family.generate(source, 0, number)
        found += _shows_itself(family, ByFindings(scene.check, lambda finding: ("", finding.operations[-1]), scene.evidence), rows)

    assert found > RUNS / 10


def test_operations_of_a_clash_and_the_writes_of_their_values_have_no_order() -> None:
    source = random.Random(3)
    found = 0
    for number in range(RUNS):
        rows = tags.generate(source, 0, number)
        for finding in Tags(linearizable=True).judge(evidence_of(columns(rows))).findings:
            if finding.text.startswith((tags.FINAL, tags.ORDER)):
                found += 1
                named = [row for row in rows if row.index in finding.operations]
                values = {row.got or row.advertised for row in named}
                shown = [row for row in rows if row in named or (row.action == "manifest-put" and row.digest in values)]
                assert not is_linearizable(register_ops(row for row in shown if row.region == named[0].region)), finding
                assert len(named) <= 4

    assert found > RUNS / 10


def _blames_the_first(rows: Rows) -> Judged:
    return Judged(Verdict.VIOLATED, frozenset({("first", rows[0].index)}))


def test_a_check_that_differs_from_its_oracle_is_seen_and_the_history_made_small() -> None:
    family = FAMILIES["phantom"]
    wrong = Family("wrong", family.generate, family.judge, _blames_the_first)

    counts = fuzz(wrong, 200, seed=1)

    assert counts.mismatches == counts.histories == 200
    assert len(smallest(wrong, counts.example)) == 1


def test_counts_keep_the_first_example() -> None:
    first, second = Story(), Story()
    first.put("t", "a", 1)
    second.put("t", "b", 1)
    counts = Counts()
    counts.differs(first.rows)
    counts.differs(second.rows)

    assert (counts.mismatches, counts.example) == (2, first.rows)
