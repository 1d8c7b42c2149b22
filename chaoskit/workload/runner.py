"""Open loop: every session starts when it is due, whatever is still outstanding, so nothing a region does makes us ask less of it.

What the harness itself cannot send is recorded as `not-sent`. It never drops a session silently and never waits for one to start another.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass

import msgspec

from chaoskit.model.history import Operation, Outcome
from chaoskit.model.workload import Session
from chaoskit.workload.course import Course, Setting
from chaoskit.workload.delete import delete
from chaoskit.workload.listing import list_tags
from chaoskit.workload.login import login
from chaoskit.workload.pull import pull
from chaoskit.workload.push import push

MAX_IN_FLIGHT = 2_000
GRACE_S = 2.0

_BY_ACTION: Mapping[str, Callable[[Course], Awaitable[Operation]]] = {
    "push": push,
    "pull": pull,
    "delete": delete,
    "list": list_tags,
    "login": login,
}


@dataclass(slots=True)
class Progress:
    """Sessions so far: `offered` were due, `done` were answered, `failed` are over without an OK, `in_flight` are under way."""

    offered: int = 0
    done: int = 0
    failed: int = 0
    in_flight: int = 0


class Runner:
    """Runs a plan once, from the moment `run` is called until the plan is over or `stop` is called."""

    def __init__(self, plan: Iterable[Session], setting: Setting, *, max_in_flight: int = MAX_IN_FLIGHT) -> None:
        self.progress = Progress()
        self._plan = plan
        self._setting = setting
        self._max_in_flight = max_in_flight
        self._stopped = asyncio.Event()
        self._changed = asyncio.Event()
        self._grace_s = GRACE_S
        self._reached_ns = -1

    def stop(self, *, grace_s: float = GRACE_S) -> None:
        """Start nothing more; what is under way may take `grace_s`, then it is cancelled and its writes stay open. Idempotent."""
        self._grace_s = grace_s
        self._stopped.set()
        self._changed.set()

    async def run(self) -> None:
        """Until all sessions have ended or the grace after `stop` is over. A bug in a session ends the run with an ExceptionGroup."""
        recorder = self._setting.recorder
        start_ns = recorder.clock()
        under_way: set[asyncio.Task[None]] = set()
        async with asyncio.TaskGroup() as group:
            for session in self._plan:
                due_ns = start_ns + session.due_ns
                if not await self._reach(due_ns):
                    break
                self.progress.offered += 1
                if len(under_way) >= self._max_in_flight:
                    self._shed(session, due_ns)
                    continue
                task = group.create_task(self._run_one(session, due_ns), name=f"session {session.number}")
                under_way.add(task)
                task.add_done_callback(under_way.discard)
                task.add_done_callback(self._note_change)
            await self._drain(under_way)

    async def _reach(self, due_ns: int) -> bool:
        """Wait until an instant; False if stopped before it. What is due at one instant starts in one turn of the loop."""
        if due_ns == self._reached_ns:
            return not self._stopped.is_set()
        self._reached_ns = due_ns
        wait_s = (due_ns - self._setting.recorder.clock()) / 1e9
        try:
            async with asyncio.timeout(max(wait_s, 0)):
                await self._stopped.wait()
        except TimeoutError:
            return True
        return False

    def _note_change(self, task: asyncio.Task[None]) -> None:
        self._changed.set()

    def _shed(self, session: Session, due_ns: int) -> None:
        recorder = self._setting.recorder
        row = Course(session, self._setting, due_ns=due_ns).whole
        recorder.record(msgspec.structs.replace(row, returned_ns=row.called_ns, outcome=Outcome.FAILED, observed="not-sent"))
        self.progress.failed += 1

    async def _run_one(self, session: Session, due_ns: int) -> None:
        course = Course(session, self._setting, due_ns=due_ns)
        record = self._setting.recorder.record
        record(course.whole)
        self.progress.in_flight += 1
        try:
            ended = await _BY_ACTION[session.action](course)
        finally:
            self.progress.in_flight -= 1
        record(ended)
        if ended.outcome is Outcome.OK:
            self.progress.done += 1
        else:
            self.progress.failed += 1

    async def _drain(self, under_way: set[asyncio.Task[None]]) -> None:
        """Let sessions end; once stopped, only for the grace."""
        while under_way and not self._stopped.is_set():
            self._changed.clear()
            await self._changed.wait()
        if under_way:
            await asyncio.wait(under_way, timeout=self._grace_s)
        for task in under_way:
            task.cancel()
