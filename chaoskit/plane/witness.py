"""What the canaries of one strike saw, against what they should see: once, or again and again up to a limit."""

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from chaoskit.drivers.base import Address, ComponentState, Deployment
from chaoskit.faults.fold import Wanted
from chaoskit.faults.symptom import Expected, expected
from chaoskit.model.strike import Alteration, Sample
from chaoskit.model.topology import Link, Topology

PAUSE_S = 0.05


class LookAll(Protocol):
    """The canary: `chaoskit.plane.canary.look_all`."""

    def __call__(
        self,
        links: Iterable[Link],
        listeners: Mapping[str, Address],
        expected: Mapping[str, Expected],
        *,
        stage: str,
        clock: Callable[[], int],
    ) -> tuple[Sample, ...]:
        """One look at each link."""
        ...


@dataclass(frozen=True, slots=True)
class Places:
    """What a strike touches. `started` are the start times, before it, of components that it restarts."""

    links: tuple[str, ...]
    components: tuple[str, ...]
    started: Mapping[str, str] = field(default_factory=dict)


class Witness:
    """Looks at places of one deployment; raises PlaneFailed only if it cannot look at all."""

    def __init__(self, topology: Topology, deployment: Deployment, clock: Callable[[], int], look_all: LookAll) -> None:
        self._topology = topology
        self._deployment = deployment
        self._clock = clock
        self._look_all = look_all

    def until_as_expected(self, places: Places, wanted: Wanted, *, stage: str, limit_s: float) -> tuple[tuple[Sample, ...], int | None]:
        """Look at least once, then at what was not as expected again, until all was or the limit is over.

        The last look at each place, and when (ns) the last of them was as expected; None if some never was.
        """
        end_ns = self._clock() + round(limit_s * 1e9)
        samples: dict[str, Sample] = {}
        pending = places
        while True:
            samples |= {sample.target: sample for sample in self._see(pending, wanted, stage)}
            unseen = [name for name, sample in samples.items() if not sample.as_expected]
            now_ns = self._clock()
            if not unseen or now_ns >= end_ns:
                return tuple(samples.values()), None if unseen else now_ns
            pending = Places(_of(places.links, unseen), _of(places.components, unseen), places.started)
            time.sleep(PAUSE_S)

    def _see(self, places: Places, wanted: Wanted, stage: str) -> tuple[Sample, ...]:
        links = [link for link in self._topology.links if link.name in places.links]
        of_links = self._look_all(links, self._deployment.listeners, expected(wanted, self._topology), stage=stage, clock=self._clock)
        return of_links + self._of_components(places, wanted, stage)

    def _of_components(self, places: Places, wanted: Wanted, stage: str) -> tuple[Sample, ...]:
        if not places.components:
            return ()
        at_ns = self._clock()
        states, altered = self._deployment.states(), self._deployment.alterations()
        took_ms = (self._clock() - at_ns) / 1e6
        samples = []
        for name in places.components:
            restarted = stage == "during" and name in places.started
            want = wanted.processes.get(name) or wanted.altered.get(name) or ("restarted" if restarted else "running")
            seen = _state(states[name], altered.get(name), places.started[name] if restarted else None)
            samples.append(Sample(name, stage, at_ns, want, seen, took_ms))
        return tuple(samples)


def _of(names: tuple[str, ...], chosen: Iterable[str]) -> tuple[str, ...]:
    kept = frozenset(chosen)
    return tuple(name for name in names if name in kept)


def _state(state: ComponentState, altered: Alteration | None, started_before: str | None) -> str:
    if state.state == "running" and altered is not None:
        return altered
    if state.state == "running" and started_before is not None and state.started != started_before:
        return "restarted"
    return state.state
