"""How a run ends when things go wrong: every clean-up is done, and every error is told."""

import asyncio

import pytest

from chaoskit.errors import HealFailed, Interrupted, NotReady, PlaneFailed, TimedOut
from chaoskit.run import _then, _without_noise
from chaoskit.stage import Stop


async def fails(error: Exception) -> None:
    raise error


def test_clean_ups_are_done_after_a_failure_and_all_errors_are_told() -> None:
    done: list[str] = []

    def heal() -> None:
        done.append("heal")
        raise HealFailed("proxy is still down")

    with pytest.raises(ExceptionGroup) as caught:
        asyncio.run(_then(fails(NotReady("zone 2")), heal, lambda: done.append("logs")))
    assert done == ["heal", "logs"]
    assert [str(error) for error in caught.value.exceptions] == ["zone 2", "proxy is still down"]


def test_a_single_error_comes_through_as_it_is() -> None:
    with pytest.raises(PlaneFailed, match="no answer"):
        asyncio.run(_then(fails(PlaneFailed("no answer")), lambda: None))


def test_cancelled_run_is_still_cleaned_up() -> None:
    done: list[str] = []

    async def cancelled_run() -> None:
        task = asyncio.ensure_future(_then(asyncio.sleep(60), lambda: done.append("heal")))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled_run())
    assert done == ["heal"]


def test_interrupted_is_not_claimed_where_the_healing_failed() -> None:
    group = BaseExceptionGroup("run", [Interrupted("stopped"), BaseExceptionGroup("clean-up", [HealFailed("still down")])])
    assert isinstance(_without_noise(group), HealFailed)
    assert isinstance(_without_noise(BaseExceptionGroup("run", [Interrupted("stopped")])), Interrupted)


def test_stop_says_whether_it_was_the_user_or_the_clock() -> None:
    async def stops() -> None:
        stop = Stop(asyncio.Event(), timeout_s=20)
        stop.check()
        stop.event.set()
        with pytest.raises(Interrupted):
            stop.check()
        stop.expire()
        with pytest.raises(TimedOut, match="20 s of --timeout"):
            stop.check()

    asyncio.run(stops())
