from chaoskit.checks.refusal import Refusal
from chaoskit.model.verdict import Verdict

from .histories import FAILED, Story, struck, texts

BOTH = (struck(1, number=0), struck(2, number=1, start=12))  # all in force from 12.5 s, healing may begin at 24 s


def refusing() -> Story:
    story = Story()
    story.put("t", "image", 1)
    story.put("t", "next", 15, zone=3, outcome=FAILED)
    return story


def test_writes_that_all_failed_are_held() -> None:
    result = Refusal().judge(refusing().evidence(*BOTH))

    assert result.verdict is Verdict.HELD
    assert result.numbers == {"window_s": 12.5, "tried": 1, "acknowledged": 0, "false_404": 0}


def test_write_acknowledged_where_it_must_be_refused_is_violated() -> None:
    story = refusing()
    put = story.put("t", "accepted", 16, zone=3)

    result = Refusal().judge(story.evidence(*BOTH))

    assert result.verdict is Verdict.VIOLATED
    assert result.findings[0].operations == (put,)


def test_write_acknowledged_before_the_last_effect_or_once_healing_may_have_begun_is_held() -> None:
    story = refusing()
    story.put("t", "before", 12.4, 13)
    story.put("t", "during the heal", 20, 25.1)

    assert Refusal().judge(story.evidence(*BOTH)).verdict is Verdict.HELD


def test_404_for_an_acknowledged_tag_is_violated() -> None:
    story = refusing()
    read = story.get("t", "", 16, zone=3)

    result = Refusal().judge(story.evidence(*BOTH))

    assert result.findings[0].operations == (0, read)
    assert texts(result).startswith("False 404")


def test_error_for_an_acknowledged_tag_is_held() -> None:
    story = refusing()
    story.failed(story.get("t", "image", 16, zone=3), "http-5xx")

    assert Refusal().judge(story.evidence(*BOTH)).verdict is Verdict.HELD


def test_only_struck_entries_must_refuse_where_so_declared() -> None:
    story = refusing()
    story.put("t", "minority", 15, zone=2, outcome=FAILED)
    story.put("t", "majority", 16, zone=3)

    assert Refusal(entries="struck").judge(story.evidence(struck(2))).verdict is Verdict.HELD
    assert Refusal().judge(story.evidence(struck(2))).verdict is Verdict.VIOLATED


def test_nothing_tried_or_never_effective_is_inconclusive() -> None:
    quiet = Story()
    quiet.put("t", "image", 1)

    assert Refusal().judge(quiet.evidence(*BOTH)).verdict is Verdict.INCONCLUSIVE
    assert Refusal().judge(refusing().evidence(struck(1, effective_ns=None))).verdict is Verdict.INCONCLUSIVE
    assert Refusal().judge(refusing().evidence()).verdict is Verdict.INCONCLUSIVE
