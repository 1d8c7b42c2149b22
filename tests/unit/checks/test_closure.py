import pytest

from chaoskit.checks.closure import Closure
from chaoskit.model.verdict import Verdict

from .histories import FAILED, Story, digest, texts

CHILDREN = (digest("config"), digest("layer"))


def seen() -> Story:
    """An image that was read in zone 1 until 3.1 s."""
    story = Story()
    for blob in ("config", "layer"):
        story.put_blob(blob, 1)
    story.put("t", "image", 2, children=CHILDREN)
    story.get("t", "image", 3, zone=1, children=CHILDREN)
    return story


def test_visible_manifest_whose_children_are_there_is_held() -> None:
    story = seen()
    story.sweep("t", "image", blobs=("config", "layer"))

    assert Closure().judge(story.evidence()).verdict is Verdict.HELD


@pytest.mark.parametrize(("zone", "scope"), [(1, "same_zone"), (2, "other_zone")])
def test_child_missing_after_its_manifest_was_read_is_violated(zone: int, scope: str) -> None:
    story = seen()
    read = story.get_blob("layer", 4, zone=zone, found=False)
    story.sweep("t", "image", blobs=("config", "layer"))

    result = Closure().judge(story.evidence())

    assert result.verdict is Verdict.VIOLATED
    assert result.numbers[scope] == 1
    assert result.findings[0].operations == (3, read)
    assert "0.900 s later" in result.findings[0].text


def test_child_read_that_began_before_the_manifest_was_seen_may_find_nothing() -> None:
    story = seen()
    story.get_blob("layer", 3.1, zone=1, found=False)
    story.sweep("t", "image", blobs=("config", "layer"))

    assert Closure().judge(story.evidence()).verdict is Verdict.HELD


def test_child_manifest_of_an_index_is_a_child_too() -> None:
    story = Story()
    story.get("t", "index", 3, children=(digest("image"),))
    story.get_manifest("image", 4, found=False)

    assert "its manifest should be there" in texts(Closure().judge(story.evidence()))


def test_same_digest_in_another_repository_is_nobody_s_child() -> None:
    story = seen()
    story.get_blob("layer", 4, found=False, repository="elsewhere")
    story.sweep("t", "image", blobs=("config", "layer"))

    assert Closure().judge(story.evidence()).verdict is Verdict.HELD


def refused(story: Story, detail: str) -> None:
    story.put("u", "next", 5, outcome=FAILED, status=400, observed="http-4xx", detail=detail, children=CHILDREN)


def test_push_refused_for_acknowledged_blobs_is_violated() -> None:
    story = seen()
    refused(story, f'{{"errors":[{{"code":"MANIFEST_BLOB_UNKNOWN","detail":"{CHILDREN[1]}"}}]}}')
    story.sweep("t", "image", blobs=("config", "layer"))

    assert Closure().judge(story.evidence()).numbers["refused"] == 1


def test_push_refused_for_a_blob_that_was_never_acknowledged_is_held() -> None:
    story = seen()
    story.put("u", "n", 5, outcome=FAILED, status=400, detail="MANIFEST_BLOB_UNKNOWN", children=(digest("new"), CHILDREN[0]))
    story.sweep("t", "image", blobs=("config", "layer"))

    assert Closure().judge(story.evidence()).numbers["refused"] == 0


def test_child_without_an_answer_from_every_zone_in_the_end_is_inconclusive() -> None:
    story = seen()
    story.sweep("t", "image", blobs=("config",))

    result = Closure().judge(story.evidence())

    assert result.verdict is Verdict.INCONCLUSIVE
    assert result.numbers["unread"] == 1


def test_no_manifest_read_is_inconclusive() -> None:
    assert Closure().judge(Story().evidence()).verdict is Verdict.INCONCLUSIVE
