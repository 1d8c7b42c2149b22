from datetime import timedelta

from chaoskit.checks.durability import Durability
from chaoskit.model.verdict import Verdict

from .histories import FAILED, UNKNOWN, ZONES, Story, digest, texts


def pushed(outcome: str = "ok") -> Story:
    """One image, acknowledged at 2.1 s."""
    story = Story()
    story.put_blob("layer", 1)
    story.put("t", "image", 2, children=(digest("layer"),))
    story.session("push", 0.5, 2.2, digest=digest("image"), children=(digest("layer"),))
    return story


def test_acknowledged_image_that_every_zone_still_has_is_held() -> None:
    story = pushed()
    story.sweep("t", "image", blobs=("layer",))

    result = Durability().judge(story.evidence())

    assert result.verdict is Verdict.HELD
    assert result.numbers == {"acknowledged_images": 1, "acknowledged": 2, "lost_images": 0, "lost": 0, "late": 0, "never_read": 0}


def test_acknowledged_push_missing_after_heal_is_violated() -> None:
    story = pushed()
    story.sweep("t", "image", blobs=("layer",))
    gone = story.get_manifest("image", 45, zone=2, found=False)

    result = Durability().judge(story.evidence())

    assert result.verdict is Verdict.VIOLATED
    assert (result.numbers["lost"], result.numbers["lost_images"]) == (1, 1)
    assert result.findings[0].operations == (1, gone)
    assert result.findings[0].text.startswith(f"Lost in {ZONES[1]}: {digest('image')[:19]}…: manifest-put of r:t at {ZONES[0]} at 2.000 s")


def test_lost_blob_makes_its_image_lost() -> None:
    story = pushed()
    story.sweep("t", "image", blobs=("layer",))
    story.get_blob("layer", 45, zone=3, found=False)

    assert Durability().judge(story.evidence()).numbers["lost_images"] == 1


def test_value_absent_and_back_later_is_late_beyond_the_bound_only() -> None:
    story = pushed()
    story.get_manifest("image", 5.1, zone=2, found=False)
    story.sweep("t", "image", blobs=("layer",))
    evidence = story.evidence()

    result = Durability().judge(evidence)

    assert result.verdict is Verdict.VIOLATED
    assert (result.numbers["lost"], result.numbers["late"]) == (0, 1)
    assert "3.000 s after it was known; it came back later" in texts(result)
    assert Durability(visible_within=timedelta(seconds=3)).judge(evidence).verdict is Verdict.HELD


def test_read_that_began_before_the_acknowledgement_may_find_nothing() -> None:
    story = pushed()
    story.get_manifest("image", 2.1, zone=2, found=False)
    story.sweep("t", "image", blobs=("layer",))

    assert Durability().judge(story.evidence()).verdict is Verdict.HELD


def test_unknown_push_that_was_seen_once_must_stay() -> None:
    story = Story()
    story.put("t", "image", 2, outcome=UNKNOWN)
    story.put_blob("other", 2)
    story.get_manifest("image", 3)
    story.get_manifest("image", 45, zone=2, found=False)

    assert Durability().judge(story.evidence()).numbers["lost"] == 1


def test_unknown_push_nobody_ever_saw_may_be_absent() -> None:
    story = pushed()
    story.put("t", "doubtful", 3, outcome=UNKNOWN)
    for zone in (1, 2, 3):
        story.get_manifest("doubtful", 45, zone=zone, found=False)
    story.sweep("t", "image", blobs=("layer",))

    assert Durability().judge(story.evidence()).verdict is Verdict.HELD


def test_final_read_that_failed_says_nothing_and_leaves_the_value_unread() -> None:
    story = pushed()
    story.sweep("t", "image", blobs=("layer",))
    for row in story.rows:
        if row.phase == "final" and row.zone == ZONES[1] and row.digest == digest("image"):
            story.change(row.index, outcome=FAILED, observed="connect-refused", status=0, got="")

    result = Durability().judge(story.evidence())

    assert result.verdict is Verdict.INCONCLUSIVE
    assert result.numbers["never_read"] == 1


def test_value_deleted_by_its_digest_may_be_absent_from_the_call_on() -> None:
    story = pushed()
    story.row("manifest-delete", 30, 30.2, digest=digest("image"), observed="write-ok", status=202)
    for zone in (1, 2, 3):
        story.get_manifest("image", 45, zone=zone, found=False)
        story.get_blob("layer", 45, zone=zone)

    assert Durability().judge(story.evidence()).verdict is Verdict.HELD


def test_nothing_acknowledged_is_inconclusive() -> None:
    assert Durability().judge(Story().evidence()).verdict is Verdict.INCONCLUSIVE


def test_at_most_twenty_findings_are_told_and_the_rest_counted() -> None:
    story = Story()
    for number in range(25):
        story.put_blob(f"b{number}", 1)
        for zone in (1, 2, 3):
            story.get_blob(f"b{number}", 45, zone=zone, found=False)

    result = Durability().judge(story.evidence())

    assert len(result.findings) == 21
    assert result.findings[-1].text == "and 5 more lost"
