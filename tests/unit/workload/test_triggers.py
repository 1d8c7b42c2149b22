"""Which rows fire a trigger, and who is held for it."""

import asyncio
from collections.abc import Awaitable, Callable
from itertools import count, takewhile

import msgspec

from chaoskit.model.history import Operation, Outcome
from chaoskit.model.strike import Trigger
from chaoskit.model.workload import WorkloadSpec
from chaoskit.workload.large import with_large_image
from chaoskit.workload.plan import sessions
from chaoskit.workload.triggers import LEAST_BYTES, Triggers

ACK = Trigger("after", "after ack", first="manifest-put", nth=2)
POST_PATCH = Trigger("between", "between post and patch", first="upload-post", then="upload-patch")
HALF = Trigger("at-byte", "at 50%", share=0.5)
BIG = 2 * LEAST_BYTES


class Load:
    """Rows with indexes of their own and a clock that counts."""

    def __init__(self) -> None:
        self.now = count(1000)
        self.indexes = count(1)
        self.triggers = Triggers(lambda: next(self.now))

    def row(self, action: str, session: int = 1, *, zone: str = "z-1", lane: str = "pinned", reference: str = "") -> Operation:
        return Operation(
            index=next(self.indexes),
            action=action,
            lane=lane,
            phase="strike",
            region="r",
            zone=zone,
            session=session,
            reference=reference,
            intended_ns=1,
            called_ns=1,
        )

    def end(self, action: str, session: int = 1, *, outcome: Outcome = Outcome.OK, zone: str = "z-1", reference: str = "") -> Operation:
        """A row that ended."""
        row = self.row(action, session, zone=zone, reference=reference)
        ended = msgspec.structs.replace(row, outcome=outcome, returned_ns=500)
        self.triggers.after(ended)
        return ended

    def fired(self) -> list[tuple[int, int]]:
        """(strike, row) of what fired since the last look."""
        return [(number, fired.operation) for number, fired in self.triggers.take()]


async def settled() -> None:
    """Let every task run until it waits."""
    for _ in range(10):
        await asyncio.sleep(0)


def test_the_nth_acknowledged_tag_fires_and_a_failed_or_untagged_one_does_not_count() -> None:
    load = Load()
    load.end("manifest-put")
    load.triggers.arm(0, ACK)
    load.end("manifest-put", reference="v1")
    load.end("manifest-put", outcome=Outcome.UNKNOWN, reference="v2")
    load.end("manifest-put", reference="sha256:ab")
    load.end("upload-put")
    assert load.fired() == []
    assert not load.triggers.firing.is_set()
    second = load.end("manifest-put", reference="v3")
    assert load.triggers.firing.is_set()
    ((number, fired),) = load.triggers.take()
    assert (number, fired.operation, fired.at_ns, fired.seen, fired.released_ns) == (0, second.index, 500, 2, None)
    assert not load.triggers.firing.is_set()
    load.end("manifest-put", reference="v4")
    assert load.fired() == []


def test_entry_and_lane_of_a_trigger_are_kept_to() -> None:
    load = Load()
    load.triggers.arm(0, Trigger("after", "x", first="upload-put", zone="z-2"))
    load.triggers.arm(1, Trigger("after", "x", first="upload-put", lane="regional"))
    load.end("upload-put", zone="z-1")
    assert load.fired() == []
    row = load.end("upload-put", zone="z-2")
    assert load.fired() == [(0, row.index)]


def test_one_moment_sets_off_every_strike_that_waits_for_it() -> None:
    load = Load()
    for number in range(3):
        load.triggers.arm(number, Trigger("after", "x", first="manifest-put"))
    row = load.end("manifest-put", reference="v1")
    assert load.fired() == [(0, row.index), (1, row.index), (2, row.index)]


def test_only_the_session_between_its_steps_is_held_and_is_due_anew_when_let_go() -> None:
    async def go() -> None:
        load = Load()
        load.triggers.arm(7, POST_PATCH)
        load.end("upload-post", 1)
        put = load.row("upload-put", 1)
        assert await load.triggers.before(put) is put, "a PUT after the POST is another moment"
        load.end("upload-post", 2)
        held_row = load.row("upload-patch", 2)
        held = asyncio.ensure_future(load.triggers.before(held_row))
        await settled()
        ((number, fired),) = load.triggers.take()
        assert (number, fired.operation) == (7, held_row.index)
        load.end("upload-post", 3)
        other = load.row("upload-patch", 3)
        assert await load.triggers.before(other) is other
        assert not held.done()
        released_ns = load.triggers.release(7)
        went_on = await held
        assert released_ns is not None
        assert went_on.called_ns == went_on.intended_ns > released_ns
        assert load.triggers.release(7) == released_ns

    asyncio.run(go())


def test_a_patch_after_a_failed_post_is_not_between_them() -> None:
    async def go() -> None:
        load = Load()
        load.triggers.arm(0, POST_PATCH)
        load.end("upload-post", 1)
        load.end("upload-post", 1, outcome=Outcome.FAILED)
        row = load.row("upload-patch", 1)
        assert await load.triggers.before(row) is row
        assert load.triggers.disarm(0).seen == 0

    asyncio.run(go())


def test_a_session_held_for_two_strikes_goes_on_after_both() -> None:
    async def go() -> None:
        load = Load()
        load.triggers.arm(0, POST_PATCH)
        load.triggers.arm(1, POST_PATCH)
        load.end("upload-post", 1)
        held = asyncio.ensure_future(load.triggers.before(load.row("upload-patch", 1)))
        await settled()
        assert [number for number, _ in load.triggers.take()] == [0, 1]
        load.triggers.release(0)
        await settled()
        assert not held.done()
        load.triggers.release(1)
        await held

    asyncio.run(go())


def reading_of(load: Load, row: Operation) -> Callable[[int, int], Awaitable[None]]:
    reading = load.triggers.reading(row)
    assert reading is not None
    return reading


def test_a_pull_is_held_inside_a_large_blob_and_never_at_its_end_or_in_a_small_one() -> None:
    async def go() -> None:
        load = Load()
        assert load.triggers.reading(load.row("blob-get")) is None, "nothing is told while nothing is armed"
        load.triggers.arm(0, HALF)
        small, whole, large = (reading_of(load, load.row("blob-get")) for _ in range(3))
        await small(LEAST_BYTES // 2, LEAST_BYTES - 1)
        await whole(BIG // 2 - 1, BIG)
        await whole(BIG, BIG)
        assert load.fired() == []
        held = asyncio.ensure_future(large(BIG // 2, BIG))
        await settled()
        ((_, fired),) = load.triggers.take()
        assert (fired.byte, held.done()) == (BIG // 2, False)
        load.triggers.release(0)
        await held

    asyncio.run(go())


def test_a_trigger_that_is_disarmed_says_how_often_it_was_met() -> None:
    load = Load()
    load.triggers.arm(0, ACK)
    load.end("manifest-put", reference="v1")
    fired = load.triggers.disarm(0)
    assert (fired.seen, fired.operation, fired.at_ns) == (1, -1, -1)


def test_a_large_image_is_pushed_once_and_pulled_by_every_entry_and_moves_no_other_session() -> None:
    spec, zones = WorkloadSpec("basic", 4.0, 10**10, {}), ("z-1", "z-2", "z-3")
    alone = list(sessions(spec, zones, run_id="r1", seed=1, duration_ns=20 * 10**9))
    endless = with_large_image(iter(alone), zones, run_id="r1", rate=4.0, layer_bytes=BIG)
    both = list(takewhile(lambda session: session.due_ns < 20 * 10**9, endless))
    large = [session for session in both if session.repository == "chaos/r1/large"]
    assert [session for session in both if session not in large] == alone
    assert both == sorted(both, key=lambda session: session.due_ns)
    assert [(session.action, session.lane) for session in large] == [("push", "pinned"), *[("pull", "regional")] * (len(large) - 1)]
    assert {session.entry for session in large[1:]} == set(zones)
    assert [blob.size_bytes for blob in large[0].blobs] == [1000, BIG]
    assert len({session.tag for session in large}) == 1
