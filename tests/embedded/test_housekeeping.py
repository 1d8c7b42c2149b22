"""Deletes, lists and pushes of what was purged, against a hand-written registry on loopback."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from chaoskit.model.history import Outcome
from chaoskit.model.workload import Session
from chaoskit.workload.runner import Runner
from tests.embedded.scripted_registry import Asked, Registry
from tests.embedded.test_runner import Bench, bench, pull, push, run

UNKNOWN, OK, FAILED = Outcome.UNKNOWN, Outcome.OK, Outcome.FAILED
REPOSITORY, TAG = "chaos/r1/r0", "v00000001"
AGAIN = replace(push(number=4), tag="v00000004", after=3, again=push().blobs)


def delete(*, number: int = 3, lane: str = "pinned", tag: str = TAG, purges: bool = False) -> Session:
    return Session(number, 0, lane, "z-1", "delete", REPOSITORY, tag, purges=purges)


def after_a_push(*plan: Session, mischief: Callable[[Asked], str] = lambda asked: "") -> tuple[Registry, Bench]:
    """What sessions that follow each other left at a registry that was pushed to in peace."""
    registry = Registry()
    run([push()], registry)
    registry.asked.clear()
    registry.mischief = mischief
    return registry, run(plan, registry)


def one_by_one(registry: Registry, *plan: Session) -> Bench:
    """Sessions of one run, each begun when the one before it has ended."""

    async def go() -> Bench:
        async with bench(registry) as made:
            for session in plan:
                await Runner([session], made.setting).run()
            return made

    return asyncio.run(go())


def deletes(registry: Registry) -> list[str]:
    """Kinds of content for which a DELETE arrived, in order."""
    return [asked.path.split("/")[-2] for asked in registry.asked if asked.method == "DELETE"]


def on_delete(kind: str, then: str) -> Callable[[Asked], str]:
    return lambda asked: then if asked.method == "DELETE" and f"/{kind}/" in asked.path else ""


def test_a_delete_resolves_the_tag_and_deletes_the_manifest_by_digest() -> None:
    registry, made = after_a_push(delete())
    whole, resolved, deleted = made.ended()
    assert [row.action for row in made.ended()] == ["delete", "manifest-get", "manifest-delete"]
    assert (resolved.reference, resolved.digest) == (TAG, "")
    assert (deleted.reference, deleted.digest, deleted.outcome, deleted.status) == ("", resolved.got, OK, 202)
    assert (whole.parent, whole.reference, whole.digest, whole.outcome) == (-1, TAG, resolved.got, OK)
    assert (registry.manifests, len(registry.blobs)) == ({}, 2)


def test_a_purge_deletes_the_blobs_after_the_manifest() -> None:
    registry, made = after_a_push(delete(purges=True))
    assert deletes(registry) == ["manifests", "blobs", "blobs"]
    assert registry.blobs == {}
    resolved = made.ended("manifest-get")[0]
    assert tuple(row.digest for row in made.ended("blob-delete")) == resolved.children
    assert {row.outcome for row in made.ended("blob-delete", "delete")} == {OK}


def test_every_delete_is_recorded_open_before_it_is_sent() -> None:
    _, made = after_a_push(delete(purges=True))
    for action in ("delete", "manifest-delete", "blob-delete"):
        first = next(row for row in made.rows if row.action == action)
        assert (first.outcome, first.observed, first.returned_ns) == (UNKNOWN, "open", None)


@pytest.mark.parametrize("lane", ["pinned", "regional"])
@pytest.mark.parametrize(("then", "outcome"), [("drop", UNKNOWN), ("503", UNKNOWN), ("429", FAILED), ("404", FAILED)])
def test_a_delete_is_never_sent_twice_and_no_blob_goes_before_the_manifest(lane: str, then: str, outcome: Outcome) -> None:
    registry, made = after_a_push(delete(lane=lane, purges=True), mischief=on_delete("manifests", then))
    assert deletes(registry) == ["manifests"]
    assert [row.outcome for row in made.ended("manifest-delete", "delete")] == [outcome, outcome]
    assert len(registry.blobs) == 2


def test_a_purge_ends_with_its_first_blob_that_is_not_acknowledged() -> None:
    registry, made = after_a_push(delete(purges=True), mischief=on_delete("blobs", "503"))
    assert deletes(registry) == ["manifests", "blobs"]
    assert [row.outcome for row in made.ended("delete")] == [UNKNOWN]


def test_the_tag_is_asked_for_as_often_as_the_profile_does() -> None:
    registry, made = after_a_push(delete(lane="regional"), mischief=lambda asked: "503" if asked.zone == "z-1" else "")
    assert [(row.zone, row.outcome) for row in made.ended("manifest-get")] == [("z-1", FAILED), ("z-2", OK)]
    assert [(row.zone, row.attempt) for row in made.ended("manifest-delete")] == [("z-2", 0)]
    assert registry.manifests == {}


def test_a_delete_of_a_tag_that_is_not_there_sends_nothing() -> None:
    registry, made = after_a_push(delete(tag="v00000009"))
    assert [(row.action, row.outcome, row.observed) for row in made.ended()] == [
        ("delete", OK, "absent"),
        ("manifest-get", OK, "absent"),
    ]
    assert deletes(registry) == []


def test_what_was_purged_is_pushed_again_with_the_same_blobs() -> None:
    registry = Registry()
    made = one_by_one(registry, push(), delete(purges=True), AGAIN)
    first, again = made.ended("push")
    assert (again.reference, again.outcome, again.children) == ("v00000004", OK, first.children)
    assert again.digest != first.digest
    assert set(registry.blobs) == set(again.children)
    assert [row.observed for row in made.ended("blob-head")] == ["absent"] * 4


@pytest.mark.parametrize("then", ["drop", "503", "404"])
def test_blobs_of_a_purge_that_was_not_acknowledged_to_its_end_are_not_pushed_again(then: str) -> None:
    made = one_by_one(Registry(on_delete("blobs", then)), push(), delete(purges=True), AGAIN)
    first, again = made.ended("push")
    assert again.outcome is OK
    assert not set(first.children) & set(again.children)


def test_a_pull_of_an_image_that_is_deleted_under_it_is_answered_absent() -> None:
    gone: list[Registry] = []

    def mischief(asked: Asked) -> str:
        if asked.method == "GET" and "/blobs/" in asked.path:
            gone[0].manifests.clear()
            return "404"
        return ""

    registry = Registry(mischief)
    gone.append(registry)
    run([push()], registry)
    made = run([pull()], registry)
    assert [(row.action, row.outcome, row.observed) for row in made.ended()] == [
        ("pull", OK, "absent"),
        ("manifest-get", OK, "read-ok"),
        ("blob-get", OK, "absent"),
        ("manifest-get", OK, "absent"),
    ]


@pytest.mark.parametrize(("page_size", "pages"), [(0, 1), (2, 3), (5, 1)])
def test_a_list_walks_all_pages_and_leaves_one_row_with_all_tags(page_size: int, pages: int) -> None:
    registry = Registry()
    run([push(number=number) for number in range(1, 6)], registry)
    registry.asked.clear()
    made = run([Session(9, 0, "regional", "z-1", "list", REPOSITORY, "", page_size=page_size)], registry)
    assert len(registry.asked) == pages
    whole, walk = made.ended()
    assert (whole.action, whole.parent, whole.outcome, whole.repository) == ("list", -1, OK, REPOSITORY)
    assert (walk.action, walk.outcome, walk.entries) == ("tags-list", OK, tuple(f"v{number:08d}" for number in range(1, 6)))


def test_a_list_whose_second_page_fails_begins_again_at_the_next_entry() -> None:
    registry = Registry(lambda asked: "503" if asked.zone == "z-1" and "last" in asked.query else "")
    run([push(number=number) for number in (1, 2, 3)], registry)
    made = run([Session(9, 0, "regional", "z-1", "list", REPOSITORY, "", page_size=2)], registry)
    assert [(row.zone, row.outcome, len(row.entries)) for row in made.ended("tags-list")] == [("z-1", FAILED, 0), ("z-2", OK, 3)]
    assert [row.outcome for row in made.ended("list")] == [OK]
