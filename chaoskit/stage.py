"""The phases of one run on a region that is up: steady, strikes, recover, final reads. `run` brings the region and takes it away.

The load goes on through all phases but the last. Nothing is struck unless every zone answered in the steady phase.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import ParamSpec, TypeVar

from chaoskit.drivers.base import Deployment
from chaoskit.errors import Interrupted, NotReady, TimedOut
from chaoskit.experiment import Experiment
from chaoskit.host import watch
from chaoskit.model.evidence import PhaseWindow
from chaoskit.model.history import OPEN, Operation, Outcome
from chaoskit.model.strike import Fired, Struck
from chaoskit.model.topology import Topology
from chaoskit.model.units import nanoseconds
from chaoskit.plane.injector import Injector
from chaoskit.registry.client import open_clients
from chaoskit.rundir import RunFolder
from chaoskit.timetable import Timetable, Turn
from chaoskit.workload.course import Setting, lane_profiles
from chaoskit.workload.large import with_large_image
from chaoskit.workload.plan import digest, sessions
from chaoskit.workload.recorder import Recorder
from chaoskit.workload.runner import MAX_IN_FLIGHT, Runner
from chaoskit.workload.sweep import final_reads, sent_values
from chaoskit.workload.triggers import Triggers

_REPORT_S = 5.0
_PLANNED_NS = 86_400_000_000_000  # plans are lazy: only longer than any run

P = ParamSpec("P")
T = TypeVar("T")


async def blocking(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run a blocking call on a thread. If cancelled, wait for its end first: what it does to a region must not go on unseen."""
    work = asyncio.ensure_future(asyncio.to_thread(call, *args, **kwargs))
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        await asyncio.wait([work])
        raise


@dataclass(slots=True)
class Stop:
    """Why a run ends early: the user, or its own time limit. `event` is set from outside."""

    event: asyncio.Event
    timeout_s: float | None = None
    timed_out: bool = False

    def expire(self) -> None:
        """The run has had its time."""
        self.timed_out = True
        self.event.set()

    def check(self) -> None:
        """Raise TimedOut or Interrupted if the run is to end."""
        if self.timed_out:
            raise TimedOut(f"the run took longer than the {self.timeout_s:g} s of --timeout; it was healed and its history is kept")
        if self.event.is_set():
            raise Interrupted("stopped by the user; the region was healed and the history is kept")


@dataclass(slots=True)
class Stage:
    """What the phases share. `clock` is ns of run time, `progress` takes one line for a person; `final_s`, `skips` and
    `max_in_flight` see run.conduct.
    """

    experiment: Experiment
    topology: Topology
    folder: RunFolder
    seed: int
    clock: Callable[[], int]
    progress: Callable[[str], None]
    stop: Stop
    final_s: float
    skips: str = ""
    max_in_flight: int = MAX_IN_FLIGHT
    phase: PhaseWindow = field(default_factory=lambda: PhaseWindow("", 0, 0))
    writes: list[Operation] = field(default_factory=list)
    answered: set[str] = field(default_factory=set)
    last_bad: dict[str, str] = field(default_factory=dict)
    fired: dict[int, Fired] = field(default_factory=dict)

    async def play(self, deployment: Deployment, injector: Injector) -> None:
        """All phases. Raises Interrupted, TimedOut, NotReady, and what injector and run folder raise; it heals nothing then."""
        regions = {zone: self.topology.region_of(zone) for zone in deployment.entries}
        timeout_ns = nanoseconds(self.experiment.workload.timeout)
        recorder = Recorder(self._record, self.clock, lambda: self.phase.name, regions)
        run_id, spec, zones = self.folder.path.name, self.experiment.workload.spec(), self.topology.zones
        self.folder.write_meta({"plan_sha256": await blocking(digest, spec, zones, seed=self.seed, duration_ns=_PLANNED_NS)})
        plan = sessions(spec, zones, run_id=run_id, seed=self.seed, duration_ns=_PLANNED_NS)
        workload = self.experiment.workload
        if workload.large_layer_mib:
            plan = with_large_image(plan, zones, run_id=run_id, rate=workload.rate, layer_bytes=workload.large_layer_mib * 2**20)
        async with (
            open_clients(deployment.entries, timeout_ns=timeout_ns, clock=self.clock) as clients,
            asyncio.TaskGroup() as group,
        ):
            kept = (session for session in plan if session.lane != "pinned" or session.entry != self.skips)
            profiles = lane_profiles(self.experiment.workload.profile)
            runner = Runner(kept, Setting(clients, recorder, run_id, profiles), max_in_flight=self.max_in_flight)
            self._enter("steady")
            load = group.create_task(runner.run())
            watching = group.create_task(watch(self.folder.events.host, self.clock))
            reporting = group.create_task(self._report(runner))
            await self._phases(injector, frozenset(deployment.entries), recorder.triggers)
            runner.stop()
            await load
            reporting.cancel()
            self._enter("final")
            reads = final_reads(sent_values(self.writes), clients, recorder=recorder, limit_ns=round(self.final_s * 1e9))
            unanswered = await self._unless_stopped(group.create_task(reads))
            self.progress(f"final reads done, {unanswered} of them never answered")
            watching.cancel()
        self._leave()

    async def _phases(self, injector: Injector, zones: frozenset[str], triggers: Triggers) -> None:
        experiment = self.experiment
        await self._until(self.clock() + nanoseconds(experiment.steady))
        self._check_ready(zones)
        if experiment.strikes:
            self._enter("strike")
            await self._strikes(injector, triggers)
        self._enter("recover")
        await self._until(self.clock() + nanoseconds(experiment.recover))

    def _check_ready(self, zones: frozenset[str]) -> None:
        silent = sorted(zones - self.answered)
        if silent:
            last = "; ".join(f"{zone}: {self.last_bad.get(zone, 'nothing was tried')}" for zone in silent)
            raise NotReady(
                f"nothing was struck: no operation succeeded in the steady phase at {', '.join(silent)}; last seen there: {last}"
            )

    def stamped(self, struck: Struck) -> Struck:
        """The record of a strike with what set it off."""
        return replace(struck, trigger=self.fired.get(struck.number))

    async def _strikes(self, injector: Injector, triggers: Triggers) -> None:
        """Inject and heal by the experiment's clock and triggers. A heal due together with an inject comes first."""
        table = Timetable(self.experiment.strikes, self.clock())
        for number, strike in enumerate(self.experiment.strikes):
            if strike.trigger is not None:
                triggers.arm(number, strike.trigger)
        while (due_ns := table.due_ns) is not None:
            await self._until(due_ns, triggers.firing)
            for number, fired in triggers.take():
                self.fired[number] = fired
                table.fire(number, fired.at_ns)
                self.progress(f"strike {number}: {fired.told}, met by row {fired.operation}")
            if table.due_ns is not None and table.due_ns <= self.clock():
                due_ns, turn, number = table.take()
                match turn:
                    case Turn.INJECT:
                        await self._inject(injector, triggers, number, due_ns)
                    case Turn.HEAL:
                        await self._heal(injector, number)
                    case Turn.EXPIRE:
                        self._give_up(number, table.give_up(), triggers)

    async def _inject(self, injector: Injector, triggers: Triggers, number: int, due_ns: int) -> None:
        """A session held for the strike goes on when its effect was seen, or was not in time."""
        struck = await blocking(injector.inject, number, self.experiment.strikes[number].fault, due_ns)
        if number in self.fired:
            self.fired[number] = replace(self.fired[number], released_ns=triggers.release(number))
        self._tell(struck, "in effect" if struck.effective_ns is not None else "on, but its effect was not seen")

    async def _heal(self, injector: Injector, number: int) -> None:
        struck = await blocking(injector.heal, number)
        self._tell(struck, "healed" if struck.clean_ns is not None else "healed, but its places do not answer yet")

    def _tell(self, struck: Struck, word: str) -> None:
        self.folder.events.struck(self.stamped(struck))
        self.progress(f"strike {struck.number} ({struck.kind} {', '.join(struck.zones)}): {word}")

    def _give_up(self, waiting: int, numbers: Sequence[int], triggers: Triggers) -> None:
        """A trigger did not fire in time: nothing more is put on, and each strike that never was says why."""
        for number in numbers:
            strike = self.experiment.strikes[number]
            if strike.trigger is not None and number not in self.fired:
                self.fired[number] = triggers.disarm(number)
            triggers.release(number)
            zones = strike.fault.zones(self.topology)
            reason = (
                self._unfired(number)
                if number == waiting
                else f"not put on: the strike phase ended when the trigger of strike {waiting} did not fire"
            )
            fault = strike.fault.model_dump(mode="json")
            struck = Struck(number, strike.fault.kind, fault, zones, (), (), wanted_ns=self.clock(), notes=(reason,))
            self._tell(struck, reason)

    def _unfired(self, number: int) -> str:
        fired, strike = self.fired[number], self.experiment.strikes[number]
        within = strike.trigger.within_ns / 1e9 if strike.trigger else 0
        return f"not put on: its trigger ({fired.told}) did not fire within {within:g} s; it was met {fired.seen} times"

    async def _until(self, at_ns: int, earlier: asyncio.Event | None = None) -> None:
        """Wait for a moment of run time, or for an event if that comes earlier; raises if the run is to end before."""
        waits = [asyncio.ensure_future(event.wait()) for event in (self.stop.event, earlier) if event is not None]
        try:
            await asyncio.wait(waits, timeout=max((at_ns - self.clock()) / 1e9, 0), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()
        self.stop.check()

    async def _unless_stopped(self, task: asyncio.Task[T]) -> T:
        stopped = asyncio.ensure_future(self.stop.event.wait())
        try:
            await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopped.cancel()
        if not task.done():
            self.stop.check()
        return task.result()

    async def _report(self, runner: Runner) -> None:
        while True:
            await asyncio.sleep(_REPORT_S)
            count = runner.progress
            self.progress(
                f"{self.phase.name}: {count.offered} sessions due, {count.done} ok, {count.failed} not, {count.in_flight} under way"
            )

    def _record(self, operation: Operation) -> None:
        self.folder.history.append(operation)
        if operation.action in ("manifest-put", "upload-patch", "upload-put"):
            self.writes.append(operation)
        if self.phase.name == "steady" and operation.returned_ns is not None:
            if operation.outcome is Outcome.OK:
                self.answered.add(operation.zone)
            else:
                self.last_bad[operation.zone] = f"{operation.action} {operation.observed} {operation.status or ''}".strip()

    def _enter(self, name: str) -> None:
        self._leave()
        self.phase = PhaseWindow(name, self.clock(), OPEN)
        self.folder.events.phase(self.phase)
        self.progress(f"{name} from {self.phase.start_ns / 1e9:.1f} s")

    def _leave(self) -> None:
        if self.phase.name:
            self.folder.events.phase(PhaseWindow(self.phase.name, self.phase.start_ns, self.clock()))
