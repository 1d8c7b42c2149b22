from datetime import timedelta
from typing import Any

import pytest

from chaoskit.checks.lists import Lists
from chaoskit.model.verdict import Verdict

from .histories import FAILED, OK, UNKNOWN, ZONES, Story, digest, texts


def listing(story: Story, *tags: str, at: float = 5, until: float | None = None, zone: int = 1, **more: object) -> int:
    return story.row("tags-list", at, at + 0.1 if until is None else until, zone, entries=tags, **more)


def tagged(*tags: str) -> Story:
    """Tags written one after the other from 1 s on, 0.2 s each."""
    story = Story()
    for number, tag in enumerate(tags):
        story.put(tag, f"value-{number}", 1 + 0.2 * number)
    return story


def test_lists_that_name_every_tag_once_and_in_order_are_held() -> None:
    story = tagged("a", "b")
    for zone in (1, 2, 3):
        listing(story, "a", "b", zone=zone)

    result = Lists().judge(story.evidence())

    assert result.verdict is Verdict.HELD
    assert result.numbers == {
        "lists": 3,
        "required": 6,
        "skips": 0,
        "skipped_tags": 0,
        "inventions": 0,
        "duplicates": 0,
        "out_of_order": 0,
    }


def test_acknowledged_tag_left_out_is_violated_and_its_place_named() -> None:
    story = tagged("a", "b", "c", "d", "e")
    left_out = listing(story, "a", "e", at=5, zone=2, detail="3 pages")

    result = Lists().judge(story.evidence())

    assert result.verdict is Verdict.VIOLATED
    assert result.findings[0].operations == (1, left_out)
    assert result.findings[0].text == (
        f"Skipped: tags-list of r@ at {ZONES[1]} at 5.000 s (operation {left_out}) names 2 tags, but not b, due after a and before e, "
        f"though manifest-put of r:b at {ZONES[0]} at 1.200 s (operation 1) was acknowledged at 1.300 s and nothing deleted it. "
        "2 more are left out: c, d. (3 pages)"
    )
    assert result.numbers["skipped_tags"] == 3


def test_repository_that_a_list_does_not_know_names_nothing() -> None:
    story = tagged("a")
    listing(story, status=404, observed="absent")

    assert "names 0 tags, but not a though" in texts(Lists().judge(story.evidence()))


@pytest.mark.parametrize("outcome", [UNKNOWN, FAILED])
def test_tag_that_was_not_acknowledged_need_not_be_named(outcome: object) -> None:
    story = tagged("a")
    story.put("b", "value", 2, outcome=outcome)  # type: ignore[arg-type]
    listing(story, "a")

    assert Lists().judge(story.evidence()).verdict is Verdict.HELD


def test_tag_acknowledged_while_the_list_was_under_way_need_not_be_named() -> None:
    story = tagged("a")
    story.put("b", "value", 4, 5)
    listing(story, "a", at=5)

    assert Lists().judge(story.evidence()).verdict is Verdict.HELD


def test_tag_may_be_missing_for_as_long_as_declared() -> None:
    story = tagged("a")
    story.put("b", "value", 2, 3)
    listing(story, "a", at=5)

    assert Lists(within=timedelta(seconds=2)).judge(story.evidence()).verdict is Verdict.HELD
    assert Lists(within=timedelta(seconds=1)).judge(story.evidence()).verdict is Verdict.VIOLATED


@pytest.mark.parametrize("outcome", [OK, UNKNOWN])
@pytest.mark.parametrize("by_name", [True, False])
def test_tag_that_a_delete_may_have_emptied_need_not_be_named(by_name: bool, outcome: object) -> None:
    story = tagged("a", "b")
    what: dict[str, Any] = {"reference": "b"} if by_name else {"digest": digest("value-1")}
    story.row("manifest-delete", 5.1, 6, outcome=outcome, observed="write-ok", **what)
    listing(story, "a", at=5, until=5.1)

    assert Lists().judge(story.evidence()).verdict is Verdict.HELD


def test_tag_whose_delete_failed_or_came_later_must_be_named() -> None:
    story = tagged("a", "b")
    story.row("manifest-delete", 3, 4, reference="b", outcome=FAILED, observed="connect-refused", status=0)
    story.row("manifest-delete", 6, 7, reference="b", observed="write-ok", status=202)
    listing(story, "a")

    assert Lists().judge(story.evidence()).numbers["skips"] == 1


def test_tag_written_again_after_its_delete_must_be_named() -> None:
    story = tagged("a", "b")
    story.row("manifest-delete", 2, 3, reference="b", observed="write-ok", status=202)
    again = story.put("b", "next", 3.5)
    left_out = listing(story, "a")

    assert Lists().judge(story.evidence()).findings[0].operations == (again, left_out)


def test_tag_written_while_it_was_deleted_need_not_be_named() -> None:
    story = tagged("a", "b")
    story.row("manifest-delete", 2, 3.5, reference="b", observed="write-ok", status=202)
    story.put("b", "next", 3.5)
    listing(story, "a")

    assert Lists().judge(story.evidence()).verdict is Verdict.HELD


def test_walk_with_a_page_that_failed_says_nothing() -> None:
    story = tagged("a")
    listing(story, "a")
    listing(story, outcome=FAILED, observed="http-5xx", status=503)

    assert Lists().judge(story.evidence()).numbers["lists"] == 1


def test_tag_nobody_wrote_or_nobody_yet_wrote_is_violated() -> None:
    for at, outcome in ((6, OK), (1, FAILED)):
        story = tagged("a")
        put = story.put("b", "value", at, outcome=outcome)
        named = listing(story, "a", "b")

        result = Lists().judge(story.evidence())

        assert (result.numbers["inventions"], result.findings[0].operations) == (1, (put, named))
    story = tagged("a")
    listing(story, "a", "b")
    assert "names tag b, which nobody ever wrote" in texts(Lists().judge(story.evidence()))


def test_tag_of_another_repository_is_an_invention() -> None:
    story = tagged("a")
    story.put("b", "value", 2, repository="q")
    listing(story, "a", "b")

    assert Lists().judge(story.evidence()).numbers["inventions"] == 1


def test_tag_named_twice_is_violated() -> None:
    story = tagged("a", "b")
    listing(story, "a", "a", "b")

    result = Lists().judge(story.evidence())

    assert (result.numbers["duplicates"], result.numbers["out_of_order"]) == (1, 0)
    assert "names tag a in places 1, 2 of 3" in texts(result)


@pytest.mark.parametrize(
    ("order", "is_allowed"),
    [
        (("a", "b", "c"), True),
        (("a", "c", "b"), False),
        (("t1", "t10", "t2"), True),
        (("t1", "t2", "t10"), False),
        (("B", "a"), True),  # by bytes, as distribution and the embedded region sort
        (("a", "B"), True),  # without regard to case, as the spec says
        (("B", "a", "C"), False),  # neither
        (("v1", "v1-rc"), True),
        (("v1-rc", "v1"), True),  # the keys of S3: `v1-rc/` stands before `v1/`
        (("v1.2", "v1-2", "v1_2"), True),
        (("v10", "v1"), False),
    ],
)
def test_order_is_the_one_the_spec_asks_for_or_that_of_bytes(order: tuple[str, ...], is_allowed: bool) -> None:
    story = tagged(*order)
    listing(story, *order)

    assert Lists().judge(story.evidence()).verdict is (Verdict.HELD if is_allowed else Verdict.VIOLATED)


def test_finding_on_order_names_the_first_two_out_of_it() -> None:
    story = tagged("a", "b", "c")
    listing(story, "a", "c", "b")

    assert "names b right after c; tags should be in lexical order" in texts(Lists().judge(story.evidence()))


def test_no_list_or_nothing_due_in_it_is_inconclusive() -> None:
    assert Lists().judge(tagged("a").evidence()).verdict is Verdict.INCONCLUSIVE
    story = Story()
    listing(story)
    story.put("a", "value", 6)
    assert Lists().judge(story.evidence()).verdict is Verdict.INCONCLUSIVE
