from chaoskit.checks.integrity import Integrity
from chaoskit.model.verdict import Verdict

from .histories import Story, digest, texts


def test_bytes_headers_and_lengths_that_agree_are_held() -> None:
    story = Story()
    story.put("t", "image", 1)
    story.get("t", "image", 2)
    story.get_blob("layer", 3)
    story.row("blob-head", 3, 3.1, digest=digest("layer"), advertised=digest("layer"), advertised_bytes=100)

    result = Integrity().judge(story.evidence())

    assert result.verdict is Verdict.HELD
    assert result.numbers == {"read": 3, "hashed": 2, "broken": 0}


def test_body_that_hashes_to_something_else_is_violated() -> None:
    story = Story()
    read = story.get_blob("layer", 3, got=digest("rot"), advertised="", observed="digest-differs")

    result = Integrity().judge(story.evidence())

    assert result.verdict is Verdict.VIOLATED
    assert result.findings[0].operations == (read,)
    assert "returned bytes that hash to sha256:" in result.findings[0].text


def test_header_that_names_another_digest_is_violated() -> None:
    story = Story()
    story.get("t", "image", 3, advertised=digest("other"), observed="digest-differs")

    assert "advertised sha256:" in texts(Integrity().judge(story.evidence()))


def test_acknowledgement_that_names_another_digest_is_violated() -> None:
    story = Story()
    story.get_blob("layer", 1)
    story.put("t", "image", 3, advertised=digest("other"))

    assert Integrity().judge(story.evidence()).verdict is Verdict.VIOLATED


def test_length_that_differs_from_the_bytes_sent_is_violated() -> None:
    story = Story()
    story.get_blob("layer", 3, advertised_bytes=99)

    assert "advertised 99 bytes and sent 100" in texts(Integrity().judge(story.evidence()))


def test_head_that_names_another_length_than_get_is_violated() -> None:
    story = Story()
    get = story.get_blob("layer", 3)
    head = story.row("blob-head", 4, 4.1, zone=2, digest=digest("layer"), advertised_bytes=7, size_bytes=0)

    result = Integrity().judge(story.evidence())

    assert result.verdict is Verdict.VIOLATED
    assert set(result.findings[0].operations) == {get, head}


def test_list_that_does_not_parse_is_violated() -> None:
    story = Story()
    story.get_blob("layer", 1)
    story.row("tags-list", 3, 3.1, observed="unparsable")

    assert "not the JSON or list it should be" in texts(Integrity().judge(story.evidence()))


def test_short_body_is_a_failed_read_and_no_corruption() -> None:
    story = Story()
    story.get_blob("layer", 1)
    story.failed(story.get_blob("layer", 3), "short-body")

    assert Integrity().judge(story.evidence()).verdict is Verdict.HELD


def test_nothing_read_is_inconclusive() -> None:
    story = Story()
    story.put("t", "image", 1)

    assert Integrity().judge(story.evidence()).verdict is Verdict.INCONCLUSIVE
