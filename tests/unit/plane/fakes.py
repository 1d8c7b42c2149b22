"""A region made of dicts: links and processes do what they are told, or fail on demand."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from chaoskit.drivers.base import Address, ComponentState, State
from chaoskit.errors import PlaneFailed
from chaoskit.faults.fold import Wanted
from chaoskit.faults.symptom import Expected
from chaoskit.model.strike import Alteration, Sample
from chaoskit.model.topology import Link, Topology
from chaoskit.plane.moves import LinkState, ToxicState, moves
from chaoskit.plane.toxiproxy import Applied

NOWHERE = Address("127.0.0.1", 1)
SECOND = 1_000_000_000


class Clock:
    """Every look at it is a second later."""

    def __init__(self) -> None:
        self.now_ns = 0

    def __call__(self) -> int:
        self.now_ns += SECOND
        return self.now_ns


class FakePlane:
    """`failures` are raised by the next applies, one each (None: none), after half of the links were moved."""

    def __init__(self, topology: Topology, clock: Clock) -> None:
        self.links = {link.name: LinkState() for link in topology.links}
        self.clock = clock
        self.failures: list[PlaneFailed | None] = []

    def read(self) -> Mapping[str, LinkState]:
        return dict(self.links)

    def apply(self, wanted: Wanted) -> Applied:
        planned = moves(self.links, wanted)
        failure = self.failures.pop(0) if self.failures else None
        names = list(planned)[: len(planned) // 2] if failure else list(planned)
        for name in names:
            toxics = tuple(ToxicState(t.name, t.type, t.stream, t.attributes) for t in wanted.toxics.get(name, ()))
            self.links[name] = LinkState(name not in wanted.down, toxics)
        if failure:
            raise failure
        return Applied({name: self.clock() for name in names})

    @property
    def down(self) -> set[str]:
        return {name for name, state in self.links.items() if not state.enabled}

    @property
    def clean(self) -> bool:
        return all(state == LinkState() for state in self.links.values())


@dataclass
class FakeDeployment:
    """`broken` components do not obey; `log` is what was asked of the others."""

    topology: Topology
    plane: FakePlane
    processes: dict[str, State] = field(default_factory=dict)
    starts: dict[str, int] = field(default_factory=dict)
    altered: dict[str, Alteration] = field(default_factory=dict)
    broken: set[str] = field(default_factory=set)
    log: list[str] = field(default_factory=list)
    entries: Mapping[str, str] = field(default_factory=dict)
    control: Address = NOWHERE
    facts: Mapping[str, str] = field(default_factory=dict)

    @property
    def listeners(self) -> Mapping[str, Address]:
        return {link.name: Address("127.0.0.1", 1) for link in self.topology.links}

    def states(self) -> Mapping[str, ComponentState]:
        names = (component.name for component in self.topology.components)
        return {name: ComponentState(self.processes.get(name, "running"), str(self.starts.get(name, 0))) for name in names}

    def _obey(self, what: str, component: str) -> None:
        self.log.append(what)
        if component in self.broken:
            raise PlaneFailed(f"{what}: broken")

    def _set(self, verb: str, component: str, state: State) -> None:
        self._obey(f"{verb} {component}", component)
        self.processes[component] = state

    def freeze(self, component: str) -> None:
        self._set("freeze", component, "frozen")

    def thaw(self, component: str) -> None:
        self._set("thaw", component, "running")

    def kill(self, component: str) -> None:
        self._set("kill", component, "dead")

    def start(self, component: str) -> None:
        self._set("start", component, "running")

    def restart(self, component: str) -> None:
        self._set("restart", component, "running")
        self.starts[component] = self.starts.get(component, 0) + 1

    def alterations(self) -> Mapping[str, Alteration]:
        return dict(self.altered)

    def alter(self, component: str, alteration: Alteration) -> None:
        self._obey(f"alter {component} {alteration}", component)
        self.altered[component] = alteration

    def restore(self, component: str, alteration: Alteration) -> None:
        self._obey(f"restore {component} {alteration}", component)
        self.altered.pop(component, None)

    def collect(self, component: str) -> str:
        self._obey(f"collect {component}", component)
        return "3 blobs deleted"

    def restart_plane(self) -> None:
        self.log.append("restart_plane")
        self.plane.links = dict.fromkeys(self.plane.links, LinkState())

    def save_logs(self, folder: Path) -> None:
        raise NotImplementedError


@dataclass
class FakeCanary:
    """Sees what is expected, but for targets in `sees`: those show that, as often as they have entries there."""

    sees: dict[str, list[str]] = field(default_factory=dict)
    looked: list[tuple[str, str]] = field(default_factory=list)

    def __call__(
        self,
        links: Iterable[Link],
        listeners: Mapping[str, Address],
        expected: Mapping[str, Expected],
        *,
        stage: str,
        clock: Callable[[], int],
    ) -> tuple[Sample, ...]:
        chosen = tuple(links)
        self.looked += [(stage, link.name) for link in chosen]
        return tuple(self._sample(link.name, expected[link.name], stage, clock()) for link in chosen)

    def _sample(self, name: str, expected: Expected, stage: str, at_ns: int) -> Sample:
        shown = self.sees.get(f"{stage} {name}")
        seen = shown.pop(0) if shown else expected.symptom.value
        return Sample(name, stage, at_ns, expected.symptom.value, seen, 1.0)
