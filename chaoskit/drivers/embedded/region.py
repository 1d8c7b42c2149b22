"""An embedded region that is up: its addresses, and handles to freeze, kill, restart and read each of its processes."""

import signal
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from chaoskit.drivers.base import Address, ComponentState, State
from chaoskit.drivers.embedded.config import COLLECTED, READ_ONLY, ProcessConfig
from chaoskit.drivers.embedded.layout import PROXY, Layout
from chaoskit.drivers.embedded.nurse import Nurse
from chaoskit.drivers.embedded.nursery import log_of
from chaoskit.errors import DeployFailed, PlaneFailed
from chaoskit.model.strike import Alteration
from chaoskit.model.topology import Topology

READY_S = 10.0
_PLANE_S = 5.0
_GRACE_S = 1.0
_STATE_S = 1.0
_ASK_S = 2.0
_POLL_S = 0.005
_COLLECT_S = 30.0
_ORDER = (PROXY, "store", "registry", "lb")
_GOOD_IN_A_ROW = 6
_STATES: Mapping[str, State] = {"T": "frozen", "t": "frozen", "Z": "dead", "X": "dead"}


@dataclass(frozen=True, slots=True)
class Life:
    """One start of a component. `born` is in the kernel's ticks, and with the pid names one process for ever."""

    pid: int
    born: str
    incarnation: int

    def state(self) -> State:
        """As the kernel has it now."""
        letter, born = _stat(self.pid)
        return _STATES.get(letter, "running") if born == self.born else "dead"


@dataclass(slots=True)
class EmbeddedRegion:
    """The Deployment of the embedded driver. `configs` has what each process is told, the fault proxy's among them.

    There is a lock for each process: two may be moved side by side, one not by two callers at once.
    """

    topology: Topology
    layout: Layout
    configs: Mapping[str, ProcessConfig]
    facts: Mapping[str, str]
    nurse: Nurse
    lives: dict[str, Life] = field(default_factory=dict)
    altered: dict[str, Alteration] = field(default_factory=dict)
    _locks: Mapping[str, threading.Lock] = field(init=False)

    def __post_init__(self) -> None:
        """Make the locks."""
        self._locks = {name: threading.Lock() for name in self.configs}

    @property
    def control(self) -> Address:
        """Where the fault proxy's API answers."""
        return self.layout.control

    @property
    def listeners(self) -> Mapping[str, Address]:
        """Every link's listener at the fault proxy."""
        return self.layout.listeners

    @property
    def entries(self) -> Mapping[str, str]:
        """Base URL of each zone's entry."""
        return self.layout.entries

    def come_up(self) -> None:
        """Start everything and wait until every entry answers through every balancer's every registry. DeployFailed after READY_S.

        Who is dialled comes before who dials. Above all a balancer that meets a registry before it serves takes it for down, and
        needs two good checks to believe in it.
        """
        deadline = time.monotonic() + READY_S
        kinds = {name: name.partition(".")[0] for name in self.configs}
        for kind in _ORDER:
            for name in self.configs:
                if kinds[name] == kind:
                    self._spawn(name)
            if kind == "registry":
                for name in self.configs:
                    if kinds[name] == kind:
                        self._wait_answers(name, self.layout.serving[name], deadline, good=1)
        for link, at in self.layout.listeners.items():
            if link.startswith("client->"):
                self._wait_answers(link, at, deadline, good=_GOOD_IN_A_ROW)
        self._refuse_dead()

    def states(self) -> Mapping[str, ComponentState]:
        """State of every component, read from the kernel now."""
        lives = {component.name: self.lives[component.name] for component in self.topology.components}
        return {name: ComponentState(life.state(), f"{life.incarnation:06d} {life.born}") for name, life in lives.items()}

    def freeze(self, component: str) -> None:
        """SIGSTOP. PlaneFailed for a dead component."""
        with self._lock(component):
            life = self.lives[component]
            if life.state() == "dead":
                raise PlaneFailed(f"freeze {component}: it is dead; start it first")
            self.nurse.signal(life.pid, signal.SIGSTOP)
            _until(lambda: life.state() != "running", f"{component} still runs {_STATE_S:g} s after SIGSTOP", _STATE_S)

    def thaw(self, component: str) -> None:
        """SIGCONT."""
        with self._lock(component):
            life = self.lives[component]
            self.nurse.signal(life.pid, signal.SIGCONT)
            _until(lambda: life.state() != "frozen", f"{component} is still stopped {_STATE_S:g} s after SIGCONT", _STATE_S)

    def kill(self, component: str) -> None:
        """SIGKILL, which a stopped process takes too; returns when the process is gone."""
        with self._lock(component):
            self.nurse.end(self.lives[component].pid)

    def start(self, component: str) -> None:
        """A new process on the same ports with the same folder, if the component is dead."""
        with self._lock(component):
            self._start(component)

    def restart(self, component: str) -> None:
        """SIGTERM, SIGKILL after 1 s, then start."""
        with self._lock(component):
            life = self.lives[component]
            for number in (signal.SIGTERM, signal.SIGCONT):
                self.nurse.signal(life.pid, number)
            end = time.monotonic() + _GRACE_S
            while life.state() != "dead" and time.monotonic() < end:
                time.sleep(_POLL_S)
            self.nurse.end(life.pid)
            self._start(component)

    def alterations(self) -> Mapping[str, Alteration]:
        """What was altered: regions of this driver are of one process, which remembers."""
        return dict(self.altered)

    def alter(self, component: str, alteration: Alteration) -> None:
        """A store sees the mark in its folder before its next write; a registry is started again with a secret of its own."""
        self._alter(component, alteration, is_on=True)

    def restore(self, component: str, alteration: Alteration) -> None:
        """The mark goes; the registry is started again with the region's secret."""
        self._alter(component, alteration, is_on=False)

    def _alter(self, component: str, alteration: Alteration, *, is_on: bool) -> None:
        kind, _ = component.partition(".")[0], self._lock(component)
        if (kind, alteration) not in (("store", "read-only"), ("registry", "other-secret")):
            raise PlaneFailed(f"{component} cannot be {alteration}: only stores are read-only, only registries have a secret")
        if is_on is (self.altered.get(component) == alteration):
            return
        if is_on:
            self.altered[component] = alteration
        else:
            del self.altered[component]
        if alteration == "other-secret":
            self.restart(component)
        elif is_on:
            (self.configs[component].path / READ_ONLY).touch()
        else:
            (self.configs[component].path / READ_ONLY).unlink(missing_ok=True)

    def collect(self, component: str) -> str:
        """The collector of the zone's store: it holds what there is, and is as rash as distribution's."""
        store = f"store.{component.partition('.')[2]}"
        with self._lock(store):
            told = self.configs[store].path / COLLECTED
            before = told.read_text() if told.exists() else ""
            self.nurse.signal(self.lives[store].pid, signal.SIGUSR2)
            _until(lambda: told.exists() and told.read_text() != before, f"{store} did not collect within {_COLLECT_S:g} s", _COLLECT_S)
            return told.read_text()

    def restart_plane(self) -> None:
        """Kill the fault proxy and start it on the same addresses, every link clean; returns when its API answers."""
        with self._lock(PROXY):
            self.nurse.end(self.lives[PROXY].pid)
            self._start(PROXY)
        seen = [""]

        def answers() -> bool:
            status, seen[0] = _ask(self.control, "/version")
            return status != 0

        _until(answers, f"the fault proxy does not answer {_PLANE_S:g} s after its restart", _PLANE_S, seen)

    def save_logs(self, folder: Path) -> None:
        """Every process's log as `NAME.log`, with the region's secret masked."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, config in self.configs.items():
            (folder / f"{name}.log").write_bytes(self._log(config))

    def _log(self, config: ProcessConfig) -> bytes:
        try:
            log = log_of(config).read_bytes()
        except FileNotFoundError:
            return b"(it never started)\n"
        secrets = {one.secret.encode() for one in self.configs.values() if one.secret}
        for secret in secrets:
            log = log.replace(secret, b"***")
        return log

    def _lock(self, component: str) -> threading.Lock:
        try:
            return self._locks[component]
        except KeyError as error:
            raise PlaneFailed(f"this region has no component '{component}'; it has {', '.join(self.configs)}") from error

    def _start(self, component: str) -> None:
        life = self.lives[component]
        if life.state() == "dead":
            self.nurse.end(life.pid)  # a component that died by itself is reaped here
            self._spawn(component, incarnation=life.incarnation + 1)

    def _spawn(self, component: str, *, incarnation: int = 1) -> None:
        config = replace(self.configs[component], incarnation=incarnation)
        if self.altered.get(component) == "other-secret":
            config = replace(config, secret=f"other-{config.secret}")
        pid = self.nurse.spawn(config)
        self.lives[component] = Life(pid, _stat(pid)[1], incarnation)

    def _wait_answers(self, component: str, address: Address, deadline: float, *, good: int) -> None:
        """Until GET /v2/ at an address is answered 200 `good` times in a row."""
        row, seen = 0, ""
        while row < good:
            status, seen = _ask(address, "/v2/")
            row = row + 1 if status == 200 else 0
            if row:
                continue
            self._refuse_dead()
            if time.monotonic() > deadline:
                raise DeployFailed(f"{component} did not answer /v2/ with 200 within {READY_S:g} s of the region's start; last: {seen}")
            time.sleep(_POLL_S)

    def _refuse_dead(self) -> None:
        dead = [name for name, life in self.lives.items() if life.state() == "dead"]
        if dead:
            raise DeployFailed(f"{dead[0]} ended while it started; its log ends: {_last_line(self._log(self.configs[dead[0]]))}")


def _stat(pid: int) -> tuple[str, str]:
    """State letter and start time of a process; X and nothing if there is none."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return "X", ""
    fields = text[text.rindex(")") + 2 :].split()
    return fields[0], fields[19]


def _ask(address: Address, path: str) -> tuple[int, str]:
    """The status of one GET and the words for it; 0 for no answer."""
    connection = HTTPConnection(address.host, address.port, timeout=_ASK_S)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, f"status {answer.status} {answer.read(200).decode(errors='replace').strip()}"
    except (OSError, HTTPException) as error:
        return 0, str(error) or type(error).__name__
    finally:
        connection.close()


def _until(happened: Callable[[], bool], otherwise: str, limit_s: float, seen: list[str] | None = None) -> None:
    end = time.monotonic() + limit_s
    while not happened():
        if time.monotonic() > end:
            raise PlaneFailed(otherwise + (f"; last: {seen[0]}" if seen else ""))
        time.sleep(_POLL_S)


def _last_line(log: bytes) -> str:
    lines = log.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "nothing"
