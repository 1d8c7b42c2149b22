from chaoskit.checks.phantom import Phantom
from chaoskit.model.verdict import Verdict

from .histories import FAILED, UNKNOWN, Story, digest, texts


def test_values_read_where_they_were_written_are_held() -> None:
    story = Story()
    story.put_blob("layer", 0.5)
    story.put("t", "image", 1)
    story.put("t", "doubtful", 2, outcome=UNKNOWN)
    story.get("t", "image", 3)
    story.get("t", "doubtful", 4)
    story.get_manifest("image", 5)
    story.get_blob("layer", 5)

    assert Phantom().judge(story.evidence()).verdict is Verdict.HELD


def test_value_nobody_sent_is_violated() -> None:
    story = Story()
    read = story.get("t", "invented", 3)

    result = Phantom().judge(story.evidence())

    assert result.verdict is Verdict.VIOLATED
    assert result.findings[0].operations == (read,)
    assert "which nobody ever sent" in result.findings[0].text


def test_value_whose_only_write_failed_is_violated() -> None:
    story = Story()
    put = story.put("t", "image", 1, outcome=FAILED)
    read = story.get("t", "image", 3)

    result = Phantom().judge(story.evidence())

    assert result.findings[0].operations == (put, read)
    assert "though the only write of it failed" in result.findings[0].text


def test_failed_blob_that_is_there_is_violated() -> None:
    story = Story()
    story.put_blob("layer", 1, outcome=FAILED)
    story.get_blob("layer", 3)

    assert "though the only write of it failed" in texts(Phantom().judge(story.evidence()))


def test_blob_that_failed_once_and_was_sent_again_is_held() -> None:
    story = Story()
    story.put_blob("layer", 1, outcome=FAILED)
    story.put_blob("layer", 2)
    story.get_blob("layer", 3)

    assert Phantom().judge(story.evidence()).verdict is Verdict.HELD


def test_value_of_another_tag_is_violated() -> None:
    story = Story()
    story.put("u", "image", 1)
    story.get("t", "image", 3)

    assert "belongs elsewhere: it was sent by manifest-put of r:u" in texts(Phantom().judge(story.evidence()))


def test_response_of_another_request_is_violated() -> None:
    story = Story()
    story.put("t", "mine", 1)
    story.put("t", "yours", 1)
    story.get_manifest("mine", 3, got=digest("yours"), observed="digest-differs")

    assert "belongs elsewhere" in texts(Phantom().judge(story.evidence()))


def test_value_read_before_it_was_sent_is_violated() -> None:
    story = Story()
    story.get("t", "image", 1)
    story.put("t", "image", 3)

    assert "before manifest-put of r:t" in texts(Phantom().judge(story.evidence()))


def test_rotten_bytes_are_integrity_s_business() -> None:
    story = Story()
    story.put("t", "image", 1)
    story.get("t", "image", 2)
    story.get_manifest("image", 3, got=digest("rot"), observed="digest-differs")

    assert Phantom().judge(story.evidence()).verdict is Verdict.HELD


def test_list_with_a_tag_nobody_wrote_is_violated() -> None:
    story = Story()
    story.put("t", "image", 1)
    story.get("t", "image", 2)
    story.row("tags-list", 3, 3.1, entries=("t",))
    listed = story.row("tags-list", 4, 4.1, entries=("t", "ghost"))

    assert Phantom().judge(story.evidence()).findings[0].operations == (listed,)


def test_nothing_read_is_inconclusive() -> None:
    assert Phantom().judge(Story().evidence()).verdict is Verdict.INCONCLUSIVE
