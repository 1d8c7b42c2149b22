from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from chaoskit.checks.recoverability import Recoverability
from chaoskit.model.verdict import Verdict

from .histories import FAILED, OK, UNKNOWN, ZONES, Story, digest, texts

CHECK = Recoverability(within=timedelta(seconds=10))


def mistake(story: Story, value: str = "", *, tag: str = "", at: float = 5, outcome: object = OK) -> int:
    """An operator deletes a manifest by its digest, or a tag by its name, in 0.1 s."""
    fields: dict[str, Any] = {
        "digest": digest(value),
        "reference": tag,
        "lane": "operator",
        "outcome": outcome,
        "observed": "write-ok",
        "status": 202,
    }
    return story.row("manifest-delete", at, at + 0.1, **fields)


def restore(story: Story, value: str = "old", at: float = 8, *, tag: str = "t") -> int:
    return story.put(tag, value, at, lane="restore")


def reads(story: Story, value: str = "old", at: float = 20, *, tag_gives: str | None = None) -> None:
    """Reads of a manifest and of the tag from every zone, all well unless told what the tag gives."""
    for zone in (1, 2, 3):
        story.get_manifest(value, at, zone=zone)
        story.get("t", value if tag_gives is None else tag_gives, at, zone=zone)


def written(*values: str) -> Story:
    """Values written to one tag one after the other, the last one at 1 s."""
    story = Story()
    for number, value in enumerate(values):
        story.put("t", value, 2 - len(values) + number)
    return story


@pytest.mark.parametrize("kind", ["by digest", "by tag", "overwritten"])
def test_what_an_operator_took_away_and_every_zone_has_again_in_time_is_held(kind: str) -> None:
    story = written("first", "old")
    match kind:
        case "by digest":
            mistake(story, "old")
        case "by tag":
            mistake(story, tag="t")
        case _:
            story.put("t", "wrong", 5, lane="operator")
    story.get("t", "" if kind != "overwritten" else "wrong", 6)
    restore(story)
    reads(story)

    result = CHECK.judge(story.evidence())

    assert result.verdict is Verdict.HELD, texts(result)
    assert result.numbers == {"mistakes": 1, "lost": 2, "not_back": 0}


def test_manifest_that_a_zone_never_finds_again_is_violated() -> None:
    story = written("old")
    wrong = mistake(story, "old")
    again = restore(story)
    reads(story)
    for row in [row for row in story.rows if row.zone == ZONES[2] and row.digest == digest("old") and row.action == "manifest-get"]:
        story.change(row.index, got="", advertised="", status=404, observed="absent")

    result = CHECK.judge(story.evidence())

    assert result.verdict is Verdict.VIOLATED
    assert result.findings[0].operations == (0, wrong, again, 7)
    assert result.findings[0].text == (
        f"Not restored: manifest-delete of r@{digest('old')[:19]}… at {ZONES[0]} at 5.000 s (operation {wrong}), an operator's mistake, "
        f"took away manifest {digest('old')[:19]}… at 5.100 s; 14.900 s later manifest-get of r@{digest('old')[:19]}… at {ZONES[2]} at "
        "20.000 s (operation 7) found nothing, and no later read there found it again."
    )
    assert result.numbers["not_back"] == 1


def test_manifest_back_under_its_digest_but_not_under_its_tag_is_violated() -> None:
    story = written("old")
    mistake(story, "old")
    restore(story, tag="elsewhere")
    reads(story, tag_gives="")

    result = CHECK.judge(story.evidence())

    assert result.numbers["not_back"] == 3
    assert f"took away tag t pointing at {digest('old')[:19]}… at 5.100 s" in texts(result)


def test_value_back_only_after_the_deadline_is_violated() -> None:
    story = written("old")
    mistake(story, "old")
    story.get("t", "", 15, zone=2)
    story.get("t", "", 15.1001, zone=2)
    restore(story, at=16)
    reads(story)

    result = CHECK.judge(story.evidence())

    assert [finding.text.split(":")[0] for finding in result.findings] == ["Late"]
    assert "and only manifest-get of r:t at" in texts(result)
    assert Recoverability(within=timedelta(seconds=14)).judge(story.evidence()).verdict is Verdict.HELD


@pytest.mark.parametrize(
    ("value", "whose"),
    [("first", "what it had pointed at before, by manifest-put of r:t"), ("wrong", "what the mistake had put there"), ("third", "")],
)
def test_another_value_under_the_tag_is_violated_and_named(value: str, whose: str) -> None:
    story = written("first", "old")
    story.put("t", "wrong", 5, lane="operator")
    restore(story, value)
    reads(story, tag_gives=value)

    result = CHECK.judge(story.evidence())

    assert result.numbers["not_back"] == 3
    assert f"Wrong value: manifest-put of r:t at {ZONES[0]} at 5.000 s" in texts(result)
    assert f"returned {digest(value)[:19]}…, {whose}" in texts(result) if whose else f"returned {digest(value)[:19]}…." in texts(result)


def test_tag_that_somebody_moved_on_since_need_not_come_back() -> None:
    story = written("old")
    mistake(story, tag="t")
    restore(story)
    story.get("t", "old", 16)
    story.get("t", "old", 16, zone=2)
    story.get("t", "old", 16, zone=3)
    story.put("t", "next", 18)
    reads(story, tag_gives="next")

    assert CHECK.judge(story.evidence()).verdict is Verdict.HELD


def test_digest_that_was_deleted_again_need_not_come_back_from_the_first_mistake() -> None:
    story = written("old")
    mistake(story, "old")
    restore(story)
    reads(story, at=16)
    mistake(story, "old", at=18)
    story.get_manifest("old", 20, found=False)

    result = CHECK.judge(story.evidence())

    assert result.verdict is Verdict.INCONCLUSIVE
    assert texts(result).startswith("No restore: ")


def test_mistake_that_nobody_tried_to_restore_is_inconclusive() -> None:
    story = written("old")
    wrong = mistake(story, "old")
    story.get_manifest("old", 45, found=False)
    story.put("t", "elsewhere", 8, lane="restore", repository="q")

    result = CHECK.judge(story.evidence())

    assert result.verdict is Verdict.INCONCLUSIVE
    assert result.findings[0].operations == (0, wrong)


def test_zone_that_was_not_read_after_the_deadline_is_inconclusive() -> None:
    story = written("old")
    mistake(story, "old")
    restore(story)
    reads(story)
    for row in [row for row in story.rows if row.zone == ZONES[1] and row.called_ns >= 20_000_000_000]:
        story.failed(row.index)

    result = CHECK.judge(story.evidence())

    assert result.verdict is Verdict.INCONCLUSIVE
    assert f"no read at {ZONES[1]} showed whether it was back in time" in texts(result)


@pytest.mark.parametrize("trouble", ["concurrent write", "unknown write", "earlier delete"])
def test_mistake_on_a_tag_whose_value_was_not_certain_is_inconclusive(trouble: str) -> None:
    story = written("old")
    match trouble:
        case "concurrent write":
            story.put("t", "other", 5.1, 6)
        case "unknown write":
            story.put("t", "other", 2, outcome=UNKNOWN)
        case _:
            mistake(story, "old", at=4, outcome=UNKNOWN)
    mistake(story, tag="t")
    restore(story)
    reads(story, tag_gives="other")

    result = CHECK.judge(story.evidence())

    assert result.verdict is Verdict.INCONCLUSIVE
    assert texts(result).startswith("Uncertain: ")


def test_operator_who_changed_nothing_made_no_mistake() -> None:
    story = written("old")
    story.put("t", "old", 5, lane="operator")
    story.put("fresh", "new", 5, lane="operator")
    mistake(story, tag="never")
    mistake(story, "unheard-of")
    mistake(story, "old", outcome=FAILED)
    restore(story)
    reads(story)

    result = CHECK.judge(story.evidence())

    assert result.verdict is Verdict.INCONCLUSIVE
    assert texts(result) == "no operator deleted or overwrote what was there, so nothing had to be restored"


def test_same_rows_in_an_ordinary_lane_are_no_mistake() -> None:
    story = written("old")
    wrong = mistake(story, "old")
    story.change(wrong, lane="pinned")

    assert CHECK.judge(story.evidence()).numbers["mistakes"] == 0


def test_deadline_must_be_declared() -> None:
    with pytest.raises(ValidationError, match="within"):
        Recoverability.model_validate({"check": "recoverability"})
