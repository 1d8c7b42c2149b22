"""Sessions held at a moment of the protocol, over real sockets."""

import asyncio

from chaoskit.model.history import Outcome
from chaoskit.model.strike import Trigger
from chaoskit.workload.runner import Runner
from tests.embedded.scripted_registry import Registry
from tests.embedded.test_runner import MS, Bench, bench, pull, push, until

POST_PATCH = Trigger("between", "between post and patch", "upload-post", "upload-patch", zone="z-1")


def test_a_session_is_held_between_post_and_patch_and_no_other_one_is() -> None:
    async def go() -> tuple[Bench, Registry, int]:
        registry = Registry()
        async with bench(registry) as made:
            triggers = made.setting.recorder.triggers
            triggers.arm(0, POST_PATCH)
            plan = [
                push(chunked=True),
                *(pull(number, due_ns=20 * MS) for number in range(2, 12)),
                push(number=20, due_ns=30 * MS, chunked=True),
            ]
            runner = Runner(plan, made.setting)
            async with asyncio.TaskGroup() as group:
                group.create_task(runner.run())
                await until(lambda: runner.progress.done == 11, lambda: f"{runner.progress}")
                ((number, fired),) = triggers.take()
                held = [asked.method for asked in registry.asked if "patch" in asked.method.lower()]
                assert len(held) == 2, "those of the second push"
                released_ns = triggers.release(number)
                assert released_ns is not None
            patch = next(row for row in made.ended("upload-patch") if row.index == fired.operation)
            assert (patch.session, patch.outcome) == (1, Outcome.OK)
            assert patch.intended_ns >= released_ns, "what we hold is not the region's latency"
            return made, registry, released_ns

    made, registry, released_ns = asyncio.run(go())
    assert [row.outcome for row in made.ended("push")] == [Outcome.OK, Outcome.OK]
    opened = next(row for row in made.rows if row.action == "upload-patch" and row.session == 1)
    assert (opened.observed, opened.called_ns >= released_ns) == ("open", True)
    assert len([asked for asked in registry.asked if asked.method == "PATCH"]) == 4


def test_a_held_session_that_is_cancelled_leaves_no_open_write_behind() -> None:
    async def go() -> Bench:
        async with bench(Registry()) as made:
            triggers = made.setting.recorder.triggers
            triggers.arm(0, POST_PATCH)
            runner = Runner([push(chunked=True), push(number=2, due_ns=10**12)], made.setting)
            async with asyncio.TaskGroup() as group:
                group.create_task(runner.run())
                await until(triggers.firing.is_set, lambda: f"{made.rows[-1:]}")
                runner.stop(grace_s=0)
            return made

    made = asyncio.run(go())
    assert made.ended("upload-patch") == []
    assert [row.observed for row in made.ended("push")] == ["open"]
