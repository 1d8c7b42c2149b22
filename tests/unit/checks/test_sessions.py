from typing import Any

import pytest

from chaoskit.checks.sessions import Sessions
from chaoskit.model.verdict import Verdict

from .histories import FAILED, OK, UNKNOWN, ZONES, Story, digest, struck, texts

LOST: dict[str, Any] = {"outcome": FAILED, "observed": "upload-lost", "status": 404}


def step(story: Story, action: str, at: float, zone: int = 1, *, blob: str = "layer", **more: object) -> int:
    """One step of an upload, over in 0.1 s; it went well unless told otherwise."""
    well = {"digest": digest(blob), "outcome": OK, "observed": "write-ok", "status": 202}
    return story.row(f"upload-{action}", at, at + 0.1, zone, **{**well, **more})


def upload(story: Story, start: float, end: float, zone: int = 1, *, blob: str = "layer") -> int:
    """A chunked upload that goes well from `start` to about `end`; its PUT."""
    step(story, "post", start, zone, blob=blob)
    step(story, "patch", start + 0.2, zone, blob=blob, size_bytes=9)
    return step(story, "put", end, zone, blob=blob, size_bytes=0, status=201, advertised=digest(blob))


def test_upload_that_lives_through_a_strike_and_ends_with_its_digest_is_held() -> None:
    story = Story()
    upload(story, 9, 12, zone=3)
    story.get_blob("layer", 45)

    result = Sessions().judge(story.evidence(struck(2)))

    assert result.verdict is Verdict.HELD
    assert result.numbers == {"uploads": 1, "finished": 1, "lost": 0, "tolerated": 0, "wrong_digest": 0, "bytes_missing": 0}


def test_upload_that_fails_cleanly_in_a_strike_is_held() -> None:
    for observed, status in (("maybe-sent-timeout", 0), ("http-5xx", 503)):
        story = Story()
        step(story, "post", 9)
        step(story, "patch", 12, size_bytes=9, outcome=UNKNOWN, observed=observed, status=status)

        assert Sessions().judge(story.evidence(struck(2))).verdict is Verdict.HELD


def test_session_forgotten_with_no_strike_in_force_is_violated() -> None:
    story = Story()
    post = step(story, "post", 5)
    step(story, "patch", 5.2, size_bytes=9)
    put = step(story, "put", 6, zone=2, **LOST)

    result = Sessions().judge(story.evidence())

    assert result.verdict is Verdict.VIOLATED
    assert result.findings[0].operations == (post, put)
    assert result.findings[0].text == (
        f"Forgotten: upload-put of r@{digest('layer')[:19]}… at {ZONES[1]} at 6.000 s (operation {put}) was answered 404 with no strike in "
        f"force, though upload-post of r@{digest('layer')[:19]}… at {ZONES[0]} at 5.000 s (operation {post}) had opened the upload 0.900 s "
        "before and every step since was answered. It should go on from any entry."
    )


@pytest.mark.parametrize(("status", "is_lost"), [(404, True), (409, True), (416, True), (400, False), (413, False)])
def test_only_answers_that_deny_the_session_or_its_bytes_are_a_loss(status: int, is_lost: bool) -> None:
    story = Story()
    step(story, "post", 5)
    step(story, "put", 6, outcome=FAILED, observed="http-4xx", status=status)

    assert Sessions().judge(story.evidence()).numbers["lost"] == int(is_lost)


@pytest.mark.parametrize(
    ("tolerated", "zone", "at", "is_lost"),
    [
        ("struck", 2, 12, False),
        ("struck", 3, 12, True),  # the strike touched another entry
        ("struck", 2, 24.9, False),
        ("struck", 2, 25.5, True),  # healed
        ("all", 3, 12, False),
        ("all", 3, 25.5, True),
        ("none", 2, 12, True),
    ],
)
def test_loss_is_tolerated_where_a_strike_in_force_excuses_it(tolerated: str, zone: int, at: float, is_lost: bool) -> None:
    story = Story()
    step(story, "post", 9, zone)
    step(story, "put", at, zone, **LOST)

    result = Sessions.model_validate({"tolerated": tolerated}).judge(story.evidence(struck(2)))

    assert (result.numbers["lost"], result.numbers["tolerated"]) == (int(is_lost), int(not is_lost))
    assert result.verdict is (Verdict.VIOLATED if is_lost else Verdict.HELD)


def test_strike_that_names_no_zone_excuses_all_entries() -> None:
    story = Story()
    step(story, "post", 9, 3)
    step(story, "put", 12, 3, **LOST)

    assert Sessions().judge(story.evidence(struck(None))).verdict is Verdict.HELD


def test_strike_that_never_healed_is_in_force_to_the_end_and_one_never_injected_excuses_nothing() -> None:
    story = Story()
    step(story, "post", 9, 2)
    step(story, "put", 38, 2, **LOST)

    assert Sessions().judge(story.evidence(struck(2, healed_ns=None))).verdict is Verdict.HELD
    assert Sessions().judge(story.evidence(struck(2, injected_ns=None))).numbers["lost"] == 1


def test_answer_after_an_unknown_step_or_to_a_post_is_no_loss() -> None:
    story = Story()
    step(story, "post", 5)
    step(story, "patch", 5.2, outcome=UNKNOWN, observed="maybe-sent-eof", status=0, size_bytes=9)
    step(story, "put", 6, **LOST)
    step(story, "post", 7, blob="other", **LOST)

    assert Sessions().judge(story.evidence()).numbers["lost"] == 0


def test_uploads_of_two_tries_are_not_mixed_up() -> None:
    story = Story()
    step(story, "post", 5)
    step(story, "patch", 5.2, outcome=UNKNOWN, observed="maybe-sent-eof", status=0, size_bytes=9)
    step(story, "post", 6, attempt=1)
    step(story, "put", 7, attempt=1, **LOST)

    assert Sessions().judge(story.evidence()).numbers["lost"] == 1


def test_acknowledged_put_that_advertises_another_digest_is_violated() -> None:
    story = Story()
    put = upload(story, 5, 6)
    story.change(put, advertised=digest("other"))

    result = Sessions().judge(story.evidence())

    assert result.findings[0].operations == (put,)
    assert texts(result).endswith(f"was acknowledged at 6.100 s, but advertised {digest('other')[:19]}….")


def test_acknowledged_put_whose_bytes_are_read_as_others_is_violated() -> None:
    story = Story()
    put = upload(story, 5, 6)
    read = story.get_blob("layer", 8, zone=2, got=digest("other"), observed="digest-differs")

    result = Sessions().judge(story.evidence())

    assert result.numbers["wrong_digest"] == 1
    assert result.findings[0].operations == (read, put)


def test_bytes_read_before_the_put_ended_say_nothing_about_it() -> None:
    story = Story()
    upload(story, 5, 6)
    story.get_blob("layer", 6, got=digest("other"), observed="digest-differs")

    assert Sessions().judge(story.evidence()).verdict is Verdict.HELD


def test_put_acknowledged_without_the_bytes_of_a_failed_patch_is_violated() -> None:
    story = Story()
    post = step(story, "post", 5)
    patch = step(story, "patch", 5.2, size_bytes=9, outcome=FAILED, observed="http-4xx", status=400)
    put = step(story, "put", 6, size_bytes=0, status=201)

    result = Sessions().judge(story.evidence())

    assert result.findings[0].operations == (post, patch, put)
    assert texts(result).startswith("Bytes missing: upload-put")


def test_failed_patch_made_good_or_without_bytes_or_sent_with_the_put_misses_nothing() -> None:
    for again, patched, put in ((True, 9, 0), (False, 0, 0), (False, 9, 9)):
        story = Story()
        step(story, "post", 5)
        step(story, "patch", 5.2, size_bytes=patched, outcome=FAILED, observed="http-4xx", status=400)
        if again:
            step(story, "patch", 5.4, size_bytes=patched)
        step(story, "put", 6, size_bytes=put, status=201)

        assert Sessions().judge(story.evidence()).numbers["bytes_missing"] == 0


def test_no_upload_or_none_under_way_during_a_strike_is_inconclusive() -> None:
    story = Story()
    assert Sessions().judge(story.evidence()).verdict is Verdict.INCONCLUSIVE
    upload(story, 5, 6)
    assert Sessions().judge(story.evidence()).verdict is Verdict.HELD
    upload(story, 24.95, 30, blob="next")  # opened too late
    assert Sessions().judge(story.evidence(struck(2))).verdict is Verdict.INCONCLUSIVE
    upload(story, 24.8, 30, blob="third")

    assert Sessions().judge(story.evidence(struck(2))).verdict is Verdict.HELD
    assert Sessions().judge(story.evidence(struck(2), struck(1, number=1, start=31, end=33))).verdict is Verdict.INCONCLUSIVE
