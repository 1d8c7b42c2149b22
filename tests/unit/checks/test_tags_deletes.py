"""Tags that are deleted: by tag, by digest, once and several times."""

import random

import pytest

from chaoskit.checks.tags import Tags
from chaoskit.model.history import Operation, columns
from chaoskit.model.verdict import CheckResult, Verdict

from .families import models as family
from .families.base import TICK_NS, absent_fields, evidence_of, row
from .histories import FAILED, OK, UNKNOWN, ZONES, Story, digest, texts

ORDERED = Tags(linearizable=True)


def deleted(*, by_digest: bool = False, **changes: object) -> Story:
    """Value a from 1.1 s; a delete of it (operation 1) from 5 s to 5.1 s."""
    story = Story()
    story.put("t", "a", 1)
    delete(story, 5, "a" if by_digest else "", **changes)
    return story


def delete(story: Story, at: float, value: str = "", **changes: object) -> int:
    fields: dict[str, object] = {"digest": digest(value)} if value else {"reference": "t"}
    fields |= {"observed": "write-ok", "status": 202, **changes}
    return story.row("manifest-delete", at, at + 0.1, 1, **fields)


def sweep_absent(story: Story) -> None:
    for zone in (1, 2, 3):
        story.get("t", "", 41, zone=zone)


def judge(story: Story) -> CheckResult:
    return ORDERED.judge(story.evidence())


@pytest.mark.parametrize("by_digest", [False, True])
def test_tag_that_is_absent_from_its_delete_on_is_linearizable(by_digest: bool) -> None:
    story = deleted(by_digest=by_digest)
    story.get("t", "", 0)
    story.get("t", "a", 4)
    sweep_absent(story)

    result = judge(story)

    assert result.verdict is Verdict.HELD
    assert (result.numbers["linearizable.all"], result.numbers["deleted_tags"], result.numbers["undecided_absences"]) == (1, 1, 0)


@pytest.mark.parametrize("by_digest", [False, True])
def test_absent_before_the_delete_began_is_impossible(by_digest: bool) -> None:
    story = deleted(by_digest=by_digest)
    early = story.get("t", "", 3, zone=2)
    sweep_absent(story)

    result = judge(story)

    assert result.verdict is Verdict.VIOLATED
    assert result.findings[0].text.startswith(f"Impossible absence: manifest-get of r:t at {ZONES[1]} at 3.000 s (operation {early})")
    assert result.findings[0].operations == (0, early)


@pytest.mark.parametrize("by_digest", [False, True])
def test_value_read_after_the_acknowledgement_of_its_delete_is_resurrected(by_digest: bool) -> None:
    story = deleted(by_digest=by_digest)
    late = story.get("t", "a", 7, zone=3)
    sweep_absent(story)

    result = judge(story)

    assert result.verdict is Verdict.VIOLATED
    assert result.findings[0].text.startswith(
        f"Resurrected value: manifest-get of r:t at {ZONES[2]} at 7.000 s (operation {late}) returned"
    )
    assert "but its delete had been acknowledged at 5.100 s, 1.900 s before" in result.findings[0].text
    assert result.findings[0].operations == (0, 1, late)


def test_absent_after_a_write_that_followed_the_delete_is_impossible() -> None:
    story = deleted()
    story.put("t", "b", 6)
    late = story.get("t", "", 8)
    story.sweep("t", "b")

    result = judge(story)

    assert result.findings[0].text.startswith("Impossible absence")
    assert result.findings[0].operations == (1, 2, late)
    assert result.numbers["staleness_s.steady"] == pytest.approx(1.9)


def test_delete_by_digest_of_an_overwritten_value_leaves_the_tag() -> None:
    story = deleted()
    story.rows.clear()
    story.put("t", "a", 1)
    story.put("t", "b", 2)
    delete(story, 5, "a")
    story.sweep("t", "b")

    assert judge(story).verdict is Verdict.HELD


def test_tag_emptied_by_the_delete_of_a_digest_it_no_longer_had_is_violated() -> None:
    story = Story()
    story.put("t", "a", 1)
    story.put("t", "b", 2)
    delete(story, 5, "a")
    sweep_absent(story)

    assert "Impossible absence" in texts(judge(story))


def test_delete_of_unknown_outcome_may_land_late_or_never() -> None:
    for final in ("", "a"):
        story = deleted(outcome=UNKNOWN, observed="maybe-sent-timeout", status=0)
        for zone in (1, 2, 3):
            story.get("t", final, 41, zone=zone)
        assert judge(story).verdict is Verdict.HELD


def test_value_read_after_absent_was_is_violated_though_the_delete_is_of_unknown_outcome() -> None:
    story = deleted(outcome=UNKNOWN, observed="maybe-sent-timeout", status=0)
    story.get("t", "", 7)
    story.get("t", "a", 8)
    sweep_absent(story)

    assert "No order in real time fits on r:t (resurrected value)" in texts(judge(story))


def test_delete_that_failed_deletes_nothing() -> None:
    story = deleted(outcome=FAILED, observed="connect-refused", status=0)
    sweep_absent(story)

    assert "Impossible absence" in texts(judge(story))


def test_absences_of_a_tag_deleted_twice_are_left_out_and_counted() -> None:
    story = deleted()
    story.put("t", "b", 6)
    delete(story, 8)
    story.get("t", "", 7)
    story.get("t", "b", 8, 8.1)
    sweep_absent(story)

    result = judge(story)

    assert result.verdict is Verdict.HELD
    assert (result.numbers["deleted_tags"], result.numbers["undecided_absences"]) == (0, 4)
    assert "4 reads of absent left out, of tags deleted more than once" in result.summary


def test_value_read_after_its_delete_is_violated_also_on_a_tag_deleted_twice() -> None:
    story = deleted()
    delete(story, 8)
    story.get("t", "a", 9)
    sweep_absent(story)

    assert "Resurrected value" in texts(judge(story))


def test_delete_by_digest_of_a_value_written_twice_explains_any_later_absence() -> None:
    story = Story()
    story.put("t", "a", 1)
    story.put("t", "a", 2)
    story.put("t", "b", 3)
    delete(story, 5, "a")
    sweep_absent(story)

    assert judge(story).verdict is Verdict.INCONCLUSIVE


def test_digest_under_two_tags_is_deleted_from_both() -> None:
    story = Story()
    story.put("t", "a", 1)
    story.put("u", "a", 2)
    delete(story, 5, "a")
    for tag in ("t", "u"):
        for zone in (1, 2, 3):
            story.get(tag, "", 41, zone=zone)

    result = judge(story)

    assert result.verdict is Verdict.HELD
    assert result.numbers["deleted_tags"] == 2


def valid(source: random.Random, number: int) -> list[Operation]:
    """What a correct register with one delete leaves: every operation happens at a point inside its interval, an unknown one perhaps later
    or never."""
    rows: list[Operation] = []
    points = sorted((source.randrange(30), number) for number in range(source.randint(4, 20)))
    deleting = source.randrange(len(points))
    value, landing = "", list[tuple[int, str, str]]()

    def land(until: int, value: str) -> str:
        for item in sorted(item for item in landing if item[0] <= until):
            landing.remove(item)
            value = item[2] if not item[1] else "" if item[1] in (value, "*") else value
        return value

    for at, name in points:
        value = land(at, value)
        kind = "delete" if name == deleting else source.choice(("put", "get", "get"))
        times = {"called_ns": (at - source.randrange(3)) * TICK_NS, "returned_ns": (at + source.randrange(3)) * TICK_NS}
        outcome = source.choices((OK, UNKNOWN, FAILED), (7, 2, 1))[0] if kind != "get" else OK
        fields: dict[str, object] = {"outcome": outcome, "status": 201 if outcome is OK else 0, "observed": "write-ok"}
        if kind == "get":
            fields = {"reference": "t", **({"got": value} if value else absent_fields())}
        elif kind == "put":
            effect, fields = ("", f"v{name}"), {**fields, "reference": "t", "digest": f"v{name}"}
        else:
            target = source.choice(("*", value or "*", f"v{source.randrange(len(points))}"))
            effect, fields = (target, ""), {**fields, **({"reference": "t"} if target == "*" else {"digest": target})}
        if kind != "get" and outcome is not FAILED:
            late = at if outcome is OK else source.choice((at, at + 5, 10**6))
            landing.append((late, *effect))
            value = land(at, value)
        action = {"get": "manifest-get", "put": "manifest-put", "delete": "manifest-delete"}[kind]
        rows.append(row(source, number * 100 + len(rows), number, action, **{"region": "east", "zone": "east-1", **times, **fields}))
    return rows


def test_correct_register_with_one_delete_is_never_violated() -> None:
    source = random.Random(11)
    check = Tags(linearizable=True, read_your_writes=True, monotonic_reads=True)
    histories = [valid(source, number) for number in range(1_000)]

    result = check.judge(evidence_of(columns(row for rows in histories for row in rows)))

    assert result.verdict is not Verdict.VIOLATED, result.findings[0]
    assert result.numbers["linearizable.all"] == 1
    assert result.numbers["deleted_tags"] > 500


def test_what_is_found_on_tags_deleted_several_times_is_there() -> None:
    source = random.Random(12)
    found = 0
    for number in range(400):
        rows = family.generate(source, 0, number, deletes=3)
        result = Tags(linearizable=True, convergence=False).judge(evidence_of(columns(rows)))
        if result.verdict is Verdict.VIOLATED:
            found += 1
            registers = [family.ops_of(rows, region) for region in ("east", "west")]
            assert not all(family.is_linearizable(ops) for ops in registers), rows
    assert found > 100
