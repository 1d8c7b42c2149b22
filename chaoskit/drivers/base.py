"""What a driver promises: the only thing `run`, the fault plane and the CLI know of one.

All calls block; callers on an event loop put them on threads. All of them raise ChaosError subclasses.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from chaoskit.model.strike import Alteration
from chaoskit.model.topology import Topology

State = Literal["running", "frozen", "dead"]


@dataclass(frozen=True, slots=True)
class Address:
    """A TCP address on this host."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class ComponentState:
    """What a component is doing now; `started` changes with every start of its process."""

    state: State
    started: str


class Deployment(Protocol):
    """A region that is up. Components and links are named as in the topology."""

    @property
    def topology(self) -> Topology:
        """What was deployed."""
        ...

    @property
    def entries(self) -> Mapping[str, str]:
        """Base URL of each zone's entry, by zone, without a trailing slash."""
        ...

    @property
    def control(self) -> Address:
        """Where the Toxiproxy HTTP API answers."""
        ...

    @property
    def listeners(self) -> Mapping[str, Address]:
        """Where each link can be dialled from this host, by link name: for canaries."""
        ...

    @property
    def facts(self) -> Mapping[str, str]:
        """Versions, image digests and names, for the record."""
        ...

    def states(self) -> Mapping[str, ComponentState]:
        """State of every component, by component name."""
        ...

    def freeze(self, component: str) -> None:
        """Stop a component in its tracks. Idempotent."""
        ...

    def thaw(self, component: str) -> None:
        """Let a frozen component go on. Idempotent."""
        ...

    def kill(self, component: str) -> None:
        """SIGKILL; the component stays away until started. Idempotent."""
        ...

    def start(self, component: str) -> None:
        """Start a dead component with its data. Idempotent; does not wait until it serves."""
        ...

    def restart(self, component: str) -> None:
        """Stop gracefully, then start."""
        ...

    def alterations(self) -> Mapping[str, Alteration]:
        """What was altered and not restored, by component name; read from the region, so another process may have done it."""
        ...

    def alter(self, component: str, alteration: Alteration) -> None:
        """Alter a component; returns when it is in force. Idempotent. PlaneFailed if the component cannot have that alteration."""
        ...

    def restore(self, component: str, alteration: Alteration) -> None:
        """Take an alteration back; returns when it is. Idempotent, also after an `alter` that failed half way."""
        ...

    def collect(self, component: str) -> str:
        """Run a registry's collector of garbage to its end; the last thing it said. PlaneFailed if it failed."""
        ...

    def restart_plane(self) -> None:
        """Restart Toxiproxy on the same addresses with every link clean: the way out when its API is wedged."""
        ...

    def save_logs(self, folder: Path) -> None:
        """Write each component's log to `folder/NAME.log`, secrets masked."""
        ...


class Driver(Protocol):
    """Deploys topologies."""

    @property
    def name(self) -> str:
        """The name in `--driver`."""
        ...

    def preflight(self, topology: Topology) -> None:
        """Raise EnvironmentMissing if this machine lacks something; starts nothing."""
        ...

    def deploy(self, topology: Topology, *, name: str) -> AbstractContextManager[Deployment]:
        """Bring a region up, ready to answer at every entry; the exit takes everything away, also after a failed enter."""
        ...
