from datetime import timedelta
from typing import Any

from chaoskit.checks.closure import Closure
from chaoskit.checks.deletes import Deletes
from chaoskit.checks.durability import Durability
from chaoskit.model.verdict import Verdict

from .histories import FAILED, OK, UNKNOWN, ZONES, Story, digest, texts


def delete(story: Story, value: str = "", *, tag: str = "", at: float = 5, outcome: object = OK, until: float | None = None) -> int:
    """A delete of a manifest by its digest, or of a tag by its name."""
    status = 202 if outcome is OK else 0
    fields: dict[str, Any] = {"reference": tag, "digest": digest(value), "observed": "write-ok", "status": status, "outcome": outcome}
    return story.row("manifest-delete", at, at + 0.1 if until is None else until, **fields)


def listing(story: Story, *tags: str, at: float, zone: int = 1) -> int:
    return story.row("tags-list", at, at + 0.1, zone, entries=tags)


def swept(story: Story, value: str = "image", *, at: float = 45) -> Story:
    """Final reads of a deleted manifest, from every zone, all in vain."""
    for zone in (1, 2, 3):
        story.get_manifest(value, at, zone=zone, found=False)
    return story


def pushed() -> Story:
    story = Story()
    story.put("t", "image", 1)
    return story


def test_deleted_manifest_that_no_zone_finds_again_is_held() -> None:
    story = pushed()
    delete(story, "image")
    story.get("t", "", 6)
    listing(story, "other", at=7)

    result = Deletes().judge(swept(story).evidence())

    assert result.verdict is Verdict.HELD
    assert result.numbers == {"acknowledged": 1, "unknown": 0, "not_gone": 0, "still_listed": 0, "came_back": 0, "never_read": 0}


def test_manifest_found_by_its_digest_after_an_acknowledged_delete_is_violated() -> None:
    story = pushed()
    gone = delete(story, "image")
    read = story.get_manifest("image", 41, zone=2)

    result = Deletes().judge(swept(story).evidence())

    assert result.verdict is Verdict.VIOLATED
    assert result.findings[0].operations == (gone, read)
    assert result.findings[0].text == (
        f"Not gone: manifest-get of r@{digest('image')[:19]}… at {ZONES[1]} at 41.000 s (operation {read}) found {digest('image')[:19]}…, "
        f"though manifest-delete of r@{digest('image')[:19]}… at {ZONES[0]} at 5.000 s (operation {gone}) was acknowledged at 5.100 s "
        "and no write of it may have come after. It should be absent."
    )


def test_manifest_found_under_its_tag_after_a_delete_by_digest_is_violated() -> None:
    story = pushed()
    gone = delete(story, "image")
    read = story.get("t", "image", 6, zone=3)

    assert Deletes().judge(swept(story).evidence()).findings[0].operations == (gone, read)


def test_head_that_advertises_a_deleted_digest_is_violated() -> None:
    story = pushed()
    delete(story, "image")
    story.row("manifest-head", 6, 6.1, reference="t", advertised=digest("image"))

    assert Deletes().judge(swept(story).evidence()).numbers["not_gone"] == 1


def test_read_inside_the_declared_bound_is_held_and_beyond_it_violated() -> None:
    story = pushed()
    delete(story, "image")  # acknowledged at 5.1 s
    story.get_manifest("image", 7)
    evidence = swept(story).evidence()

    assert Deletes(within=timedelta(seconds=2)).judge(evidence).verdict is Verdict.HELD
    assert Deletes(within=timedelta(seconds=1)).judge(evidence).verdict is Verdict.VIOLATED


def test_read_that_began_before_the_acknowledgement_may_find_it() -> None:
    story = pushed()
    delete(story, "image", until=6)
    story.get_manifest("image", 6)

    assert Deletes().judge(swept(story).evidence()).verdict is Verdict.HELD


def test_write_that_overlaps_the_delete_may_have_come_after_it() -> None:
    story = pushed()
    delete(story, "image", at=5, until=6)
    story.put("u", "image", 4, 5)
    story.get_manifest("image", 41)

    assert Deletes().judge(swept(story).evidence()).verdict is Verdict.HELD


def test_unknown_write_may_land_long_after_the_delete_and_a_failed_one_may_not() -> None:
    for outcome, verdict in ((UNKNOWN, Verdict.HELD), (FAILED, Verdict.VIOLATED)):
        story = pushed()
        story.put("u", "image", 2, outcome=outcome)
        delete(story, "image")
        story.get_manifest("image", 41)

        assert Deletes().judge(swept(story).evidence()).verdict is verdict


def test_value_written_again_after_the_delete_may_be_found() -> None:
    story = pushed()
    delete(story, "image")
    story.put("u", "image", 8)
    story.get_manifest("image", 9)

    assert Deletes().judge(swept(story).evidence()).verdict is Verdict.HELD


def test_second_delete_ends_the_second_life_too() -> None:
    story = pushed()
    delete(story, "image")
    story.put("u", "image", 8)
    again = delete(story, "image", at=10)
    read = story.get_manifest("image", 11)

    assert Deletes().judge(swept(story).evidence()).findings[0].operations == (again, read)


def test_delete_of_another_repository_forbids_nothing() -> None:
    story = pushed()
    delete(story, "image")
    story.repository = "q"
    story.put("t", "image", 1)
    story.get_manifest("image", 41)
    story.repository = "r"

    assert Deletes().judge(swept(story).evidence()).verdict is Verdict.HELD


def test_blob_that_a_head_still_sees_after_its_delete_is_violated() -> None:
    story = Story()
    story.put_blob("layer", 1)
    gone = story.row("blob-delete", 5, 5.1, digest=digest("layer"), observed="write-ok", status=202)
    read = story.row("blob-head", 6, 6.1, zone=2, digest=digest("layer"))
    for zone in (1, 2, 3):
        story.get_blob("layer", 45, zone=zone, found=False)

    result = Deletes().judge(story.evidence())

    assert result.verdict is Verdict.VIOLATED
    assert [finding.operations for finding in result.findings] == [(gone, read)]


def test_deleted_blob_is_neither_lost_nor_a_hole() -> None:
    story = Story()
    story.put_blob("layer", 1)
    story.put("t", "image", 2, children=(digest("layer"),))
    story.get("t", "image", 3, children=(digest("layer"),))
    story.row("blob-delete", 5, 5.1, digest=digest("layer"), observed="write-ok", status=202)
    for zone in (1, 2, 3):
        story.get_blob("layer", 45, zone=zone, found=False)
        story.get_manifest("image", 45, zone=zone)

    assert Durability().judge(story.evidence()).verdict is Verdict.HELD
    assert Closure().judge(story.evidence()).verdict is Verdict.HELD


def test_tag_deleted_by_its_name_and_read_again_is_violated_while_its_manifest_may_stay() -> None:
    story = pushed()
    gone = delete(story, tag="t")
    story.get_manifest("image", 6)
    read = story.get("t", "image", 41, zone=2)
    for zone in (1, 2, 3):
        story.get("t", "", 45, zone=zone)

    result = Deletes().judge(story.evidence())

    assert [finding.operations for finding in result.findings] == [(gone, read)]


def test_deleted_tag_that_got_another_value_since_may_give_that_one_only() -> None:
    for value, verdict in (("next", Verdict.HELD), ("image", Verdict.VIOLATED)):
        story = pushed()
        delete(story, tag="t")
        story.put("t", "next", 7)
        story.get("t", value, 41)
        for zone in (1, 2, 3):
            story.get("t", "next", 45, zone=zone)

        assert Deletes().judge(story.evidence()).verdict is verdict


def test_tag_that_a_list_names_after_its_delete_is_violated() -> None:
    for by_name in (True, False):
        story = pushed()
        put = 0
        gone = delete(story, tag="t") if by_name else delete(story, "image")
        named = listing(story, "a", "t", at=6)
        for zone in (1, 2, 3):
            story.get("t", "", 45, zone=zone)

        finding = Deletes().judge(swept(story).evidence()).findings[0]

        assert finding.operations == ((gone, named) if by_name else (put, gone, named))
        assert finding.text.startswith(f"Still listed: tags-list of r@ at {ZONES[0]} at 6.000 s (operation {named}) names tag t, though")


def test_tag_with_another_value_that_was_not_deleted_may_stay_in_lists() -> None:
    story = pushed()
    story.put("t", "next", 2)
    delete(story, "next")
    listing(story, "t", at=6)

    assert Deletes().judge(swept(story, "next").evidence()).verdict is Verdict.HELD


def test_unknown_and_failed_deletes_forbid_nothing() -> None:
    story = pushed()
    story.put("u", "other", 1)
    delete(story, "other")
    delete(story, "image", outcome=UNKNOWN)
    delete(story, "image", at=6, outcome=FAILED)
    story.get("t", "image", 7)
    listing(story, "t", at=8)
    story.get_manifest("image", 41)

    result = Deletes().judge(swept(story, "other").evidence())

    assert result.verdict is Verdict.HELD
    assert result.numbers["unknown"] == 1


def test_value_that_was_gone_after_an_unknown_delete_and_came_back_is_violated() -> None:
    story = pushed()
    had = story.get_manifest("image", 3, zone=2)
    doubtful = delete(story, "image", outcome=UNKNOWN)
    vain = story.get_manifest("image", 7, zone=2, found=False)
    back = story.get_manifest("image", 41, zone=3)

    result = Deletes().judge(story.evidence())

    assert result.findings[0].operations == (had, doubtful, vain, back)
    assert result.findings[0].text.startswith("Came back: manifest-get")


def test_zone_that_never_had_the_value_proves_no_coming_back() -> None:
    story = pushed()
    story.get_manifest("image", 3, zone=1)
    delete(story, "image", outcome=UNKNOWN)
    story.get_manifest("image", 7, zone=2, found=False)
    story.get_manifest("image", 41, zone=2)

    assert Deletes().judge(story.evidence()).numbers["came_back"] == 0


def test_value_written_again_did_not_come_back_by_itself() -> None:
    for outcome in (OK, UNKNOWN):
        story = pushed()
        story.get_manifest("image", 3, zone=2)
        delete(story, "image", outcome=UNKNOWN)
        story.get_manifest("image", 7, zone=2, found=False)
        story.put("t", "image", 8, outcome=outcome)
        story.get_manifest("image", 41, zone=2)

        assert Deletes().judge(story.evidence()).numbers["came_back"] == 0


def test_final_reads_that_a_zone_did_not_answer_leave_it_inconclusive() -> None:
    story = pushed()
    delete(story, "image")
    for zone in (1, 2):
        story.get_manifest("image", 45, zone=zone, found=False)
    story.failed(story.get_manifest("image", 45, zone=3, found=False))

    result = Deletes().judge(story.evidence())

    assert result.verdict is Verdict.INCONCLUSIVE
    assert texts(result).startswith("Never read: manifest-delete of r@sha256:")


def test_nothing_deleted_is_inconclusive() -> None:
    assert Deletes().judge(swept(pushed()).evidence()).verdict is Verdict.INCONCLUSIVE
    story = pushed()
    delete(story, "image", outcome=UNKNOWN)
    assert Deletes().judge(swept(story).evidence()).verdict is Verdict.INCONCLUSIVE
