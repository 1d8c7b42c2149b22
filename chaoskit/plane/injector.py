"""Strikes put on and taken off.

Links and processes are always moved to the fold of the strikes now active: strikes that overlap never undo each other, and clean
means equal to the fold of nothing. All methods block and take turns on a lock. A strike is undone in full even if parts of that fail.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from threading import Lock
from typing import Protocol

from chaoskit.drivers.base import Deployment
from chaoskit.errors import BadExperiment, ChaosError, HealFailed, PlaneFailed
from chaoskit.faults.base import Fault
from chaoskit.faults.fold import Wanted, contradiction, fold
from chaoskit.faults.symptom import expected
from chaoskit.model.strike import Change, Collected, ProcessRestarted, ProxyDown, Sample, Struck, Symptom, ToxicOn, Window
from chaoskit.model.topology import Topology
from chaoskit.plane import processes
from chaoskit.plane.canary import look_all
from chaoskit.plane.consumer import PlaneWedged
from chaoskit.plane.moves import LinkState, differences
from chaoskit.plane.toxiproxy import Applied
from chaoskit.plane.witness import LookAll, Places, Witness

RESTARTED = "toxiproxy-restarted"
_UNDO_TRIES = 2


class FaultPlane(Protocol):
    """The links: `chaoskit.plane.toxiproxy.Plane`."""

    def read(self) -> Mapping[str, LinkState]:
        """Every proxy by link name."""
        ...

    def apply(self, wanted: Wanted) -> Applied:
        """Move to what is wanted and read back."""
        ...


@dataclass(frozen=True, slots=True)
class Limits:
    """How long canaries are asked: before a strike, until its effect shows, until all is healthy after it."""

    before_s: float = 2.0
    effect_s: float = 10.0
    healthy_s: float = 60.0


@dataclass(slots=True)
class _Strike:
    """A strike that is on or being taken off; its record grows."""

    changes: tuple[Change, ...]
    places: Places
    struck: Struck

    def record(self, *, samples: Iterable[Sample] = (), notes: Iterable[str] = (), disturbed: Iterable[Window] = ()) -> None:
        self.struck = replace(
            self.struck,
            samples=(*self.struck.samples, *samples),
            notes=(*self.struck.notes, *notes),
            disturbed=(*self.struck.disturbed, *disturbed),
        )


class Injector:
    """The strikes of one deployment. `clock` gives ns of run time; `look_all` and `limits` are for tests and slow hosts."""

    def __init__(
        self,
        topology: Topology,
        plane: FaultPlane,
        deployment: Deployment,
        clock: Callable[[], int],
        *,
        look_all: LookAll = look_all,
        limits: Limits = Limits(),
    ) -> None:
        self._topology = topology
        self._plane = plane
        self._deployment = deployment
        self._clock = clock
        self._limits = limits
        self._witness = Witness(topology, deployment, clock, look_all)
        self._active: dict[int, _Strike] = {}
        self._ended_ns: dict[str, int] = {}
        self._lock = Lock()

    @property
    def active(self) -> tuple[int, ...]:
        """Numbers of the strikes that are on, in the order they came."""
        return tuple(self._active)

    def inject(self, number: int, fault: Fault, wanted_ns: int) -> Struck:
        """Put a strike on and wait until its canaries have shown it (`effective_ns` None if they never did).

        BadExperiment if it contradicts an active strike. PlaneFailed if it could not be put on; what was done of it is undone by then.
        """
        with self._lock:
            strike = self._new(number, fault, wanted_ns)
            before = self._wanted()
            strike.record(samples=self._look(strike, before, "before", self._limits.before_s)[0])
            self._active[number] = strike
            try:
                self._put_on(strike)
                samples, effective_ns = self._look(strike, self._wanted(), "during", self._limits.effect_s)
            except ChaosError as error:
                self._withdraw(number, error)
                raise PlaneFailed(f"strike {number} ({fault.kind}) was not put on and is undone: {error}") from error
            strike.record(samples=samples)
            strike.struck = replace(strike.struck, effective_ns=effective_ns)
            return strike.struck

    def heal(self, number: int) -> Struck:
        """Take a strike off and wait until its places are as the other strikes leave them (`clean_ns` None and a note if they never were).

        HealFailed if links or processes do not read back as wanted, or the strike is not active.
        """
        with self._lock:
            if number not in self._active:
                raise HealFailed(f"strike {number} is not active; active are {list(self._active)}")
            self._note_drift()
            strike = self._active.pop(number)
            self._undo((strike,))
            return self._prove(strike)

    def heal_all(self) -> tuple[Struck, ...]:
        """Take every strike off at once, and move to the fold of nothing even if none is known. HealFailed as in `heal`."""
        with self._lock:
            strikes = tuple(self._active.values())
            self._active.clear()
            self._undo(strikes)
            return tuple(self._prove(strike) for strike in strikes)

    def assert_clean(self) -> None:
        """HealFailed unless every link is healthy by the plane's own word and every component runs."""
        with self._lock:
            now_ns = self._clock()
            wrong = [f"{told}{self._since(told, now_ns)}" for told in differences(self._plane.read(), Wanted())]
            wrong += [f"component {n!r} is {s.state}" for n, s in self._deployment.states().items() if s.state != "running"]
            wrong += [f"component {name!r} is {altered}" for name, altered in self._deployment.alterations().items()]
            if wrong:
                raise HealFailed(f"{'; '.join(wrong)}; run 'chaoskit down'")

    def _new(self, number: int, fault: Fault, wanted_ns: int) -> _Strike:
        changes = fault.changes(self._topology)
        if number in self._active:
            raise BadExperiment(f"strike {number} is active already")
        for other, strike in self._active.items():
            if reason := contradiction(strike.changes, changes):
                raise BadExperiment(f"strike {number} ({fault.kind}) contradicts strike {other} ({strike.struck.kind}): {reason}")
        states = self._deployment.states()
        components = tuple(change.component for change in changes if not isinstance(change, ProxyDown | ToxicOn))
        links = {c.link for c in changes if isinstance(c, ProxyDown | ToxicOn)}
        touched = tuple(link.name for link in self._topology.links if link.name in links or link.target in components)
        started = {change.component: states[change.component].started for change in changes if isinstance(change, ProcessRestarted)}
        struck = Struck(
            number=number,
            kind=fault.kind,
            fault=fault.model_dump(mode="json"),
            zones=fault.zones(self._topology),
            links=touched,
            components=components,
            wanted_ns=wanted_ns,
        )
        return _Strike(changes, Places(touched, components, started), struck)

    def _wanted(self) -> Wanted:
        return fold(strike.changes for strike in self._active.values())

    def _put_on(self, strike: _Strike) -> None:
        """Links first: a dial to a host that was just killed would hang Toxiproxy's accept loop."""
        wanted = self._wanted()
        strike.struck = replace(strike.struck, injected_ns=self._clock())
        applied = self._apply(wanted, ())
        moved = processes.move(self._deployment, wanted.processes, clock=self._clock)
        altered = processes.alter(self._deployment, wanted.altered, clock=self._clock)
        restarted = self._restart(strike)
        collected = [change.component for change in strike.changes if isinstance(change, Collected)]
        strike.record(notes=processes.collect(self._deployment, collected, clock=self._clock))
        cut = {**applied.acknowledged_ns, **moved, **altered, **restarted}
        places = {*strike.struck.links, *strike.struck.components}
        strike.struck = replace(strike.struck, cut_ns={place: at_ns for place, at_ns in cut.items() if place in places})

    def _restart(self, strike: _Strike) -> Mapping[str, int]:
        """Turn by turn: the next when the last one's components answer and have had their time to settle."""
        restarts = sorted((c for c in strike.changes if isinstance(c, ProcessRestarted)), key=lambda change: change.turn)
        done: dict[str, int] = {}
        for turn, group in groupby(restarts, key=lambda change: change.turn):
            changes = tuple(group)
            done |= processes.restart(self._deployment, [change.component for change in changes], clock=self._clock)
            if turn == restarts[-1].turn:
                break
            names = {change.component for change in changes}
            into = tuple(link.name for link in self._topology.links if link.target in names)
            _, ready_ns = self._witness.until_as_expected(Places(into, ()), self._wanted(), stage="turn", limit_s=self._limits.healthy_s)
            if ready_ns is None:
                raise PlaneFailed(f"{', '.join(sorted(names))}: no answer {self._limits.healthy_s:g} s after the restart; the others wait")
            time.sleep(max(change.settle_ms for change in changes) / 1000)
        return done

    def _withdraw(self, number: int, error: ChaosError) -> None:
        strike = self._active.pop(number)
        try:
            self._undo((strike,))
        except HealFailed as failed:
            raise HealFailed(f"strike {number} failed ({error}) and could not be undone: {failed}") from ExceptionGroup(
                "strike and undo", [error, failed]
            )

    def _undo(self, healed: tuple[_Strike, ...]) -> None:
        """Processes, then links, each even if the other fails, and all of it a second time if either did."""
        wanted = self._wanted()
        for strike in healed:
            strike.struck = replace(strike.struck, healing_ns=self._clock())
        for _ in range(_UNDO_TRIES):
            errors: list[ChaosError] = []
            moved: Mapping[str, int] = {}
            applied = Applied({})
            try:
                moved = processes.move(self._deployment, wanted.processes, clock=self._clock)
            except ChaosError as error:
                errors.append(error)
            try:
                applied = self._apply(wanted, healed)
            except ChaosError as error:
                errors.append(error)
            try:  # last: what is restored needs processes that run and links that carry
                moved = {**moved, **processes.alter(self._deployment, wanted.altered, clock=self._clock)}
            except ChaosError as error:
                errors.append(error)
            self._record_healed(healed, {**applied.acknowledged_ns, **moved}, applied.disturbed)
            if not errors:
                return
        raise HealFailed(f"{'; '.join(map(str, errors))}; run 'chaoskit down'") from ExceptionGroup("undo", errors)

    def _record_healed(self, healed: tuple[_Strike, ...], done: Mapping[str, int], disturbed: tuple[Window, ...]) -> None:
        for strike in healed:
            places = (*strike.struck.links, *strike.struck.components)
            healed_ns = max((done[place] for place in places if place in done), default=self._clock())
            strike.struck = replace(strike.struck, healed_ns=max(healed_ns, strike.struck.healed_ns or 0))
            strike.record(disturbed=disturbed)
            self._ended_ns |= dict.fromkeys(places, healed_ns)

    def _apply(self, wanted: Wanted, healed: tuple[_Strike, ...]) -> Applied:
        """Move the links; if the API is wedged, restart Toxiproxy and try once more, which every strike's record shows."""
        try:
            return self._plane.apply(wanted)
        except PlaneWedged:
            start_ns = self._clock()
            self._deployment.restart_plane()
            applied = self._plane.apply(wanted)
            window = Window(start_ns, self._clock())
            for strike in (*self._active.values(), *healed):
                strike.record(notes=(RESTARTED,), disturbed=(window,))
            return applied

    def _note_drift(self) -> None:
        """A strike that did not stay on until its end says so: Toxiproxy may have been restarted by somebody else."""
        try:
            told = differences(self._plane.read(), self._wanted())
        except PlaneFailed as error:
            told = (f"the plane could not be read: {error}",)
        for strike in self._active.values() if told else ():
            strike.record(notes=(f"before the heal: {'; '.join(told)}",))

    def _prove(self, strike: _Strike) -> Struck:
        samples, clean_ns = self._look(strike, self._wanted(), "after", self._limits.healthy_s)
        strike.record(
            samples=samples,
            notes=[
                f"{s.target} was {s.seen}, not {s.expected}, {self._limits.healthy_s:g} s after the heal"
                for s in samples
                if not s.as_expected
            ],
        )
        strike.struck = replace(strike.struck, clean_ns=clean_ns)
        return strike.struck

    def _look(self, strike: _Strike, wanted: Wanted, stage: str, limit_s: float) -> tuple[tuple[Sample, ...], int | None]:
        """During a strike only links with a symptom are looked at: a restarted process leaves its links healthy, sooner or later."""
        places = strike.places
        if stage == "during":
            should = expected(wanted, self._topology)
            places = replace(places, links=tuple(name for name in places.links if should[name].symptom is not Symptom.HEALTHY))
        return self._witness.until_as_expected(places, wanted, stage=stage, limit_s=limit_s)

    def _since(self, told: str, now_ns: int) -> str:
        ended = next((at_ns for place, at_ns in self._ended_ns.items() if repr(place) in told), None)
        return "" if ended is None else f" {(now_ns - ended) / 1e9:.0f} s after its strike ended"
