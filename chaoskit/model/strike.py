"""What a fault changes, and the record of a strike: what was wanted, done, seen and undone."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

Alteration = Literal["read-only", "other-secret"]


class Symptom(StrEnum):
    """What a peer of a struck link sees."""

    HEALTHY = "healthy"
    REFUSED = "refused"
    RESET = "reset"
    SILENT = "silent"
    SLOW = "slow"
    TRICKLE = "trickle"


@dataclass(frozen=True, slots=True)
class ProxyDown:
    """The link's proxy is disabled: connections are refused, live ones closed."""

    link: str


@dataclass(frozen=True, slots=True)
class ToxicOn:
    """A toxic on one stream (`upstream` towards the target, `downstream` back) of a link."""

    link: str
    type: str
    stream: str
    attributes: tuple[tuple[str, int], ...]

    @property
    def name(self) -> str:
        """The toxic's name in Toxiproxy: the same for equal wants, so folding is idempotent."""
        return f"chaoskit-{self.type}-{self.stream}"


@dataclass(frozen=True, slots=True)
class ProcessFrozen:
    """A component is stopped in its tracks (SIGSTOP, cgroup freezer)."""

    component: str


@dataclass(frozen=True, slots=True)
class ProcessKilled:
    """A component got SIGKILL and stays away until healed. Not a power loss: the page cache survives."""

    component: str


@dataclass(frozen=True, slots=True)
class ProcessRestarted:
    """A component is stopped and started once, at injection; healing only makes sure that it runs.

    `turn`: restarts of one turn go side by side; the next turn begins when those components answer again and `settle_ms` are over.
    """

    component: str
    turn: int = 0
    settle_ms: int = 0


@dataclass(frozen=True, slots=True)
class Altered:
    """A component runs on with something else about it until healed.

    `read-only`: a store refuses all that its registries want to write, and only that (their key has lost the permission).
    `other-secret`: a registry signs and checks upload sessions with a secret of its own; it is restarted for that, and again at the heal.
    """

    component: str
    alteration: Alteration


@dataclass(frozen=True, slots=True)
class Collected:
    """A registry's collector of garbage runs once, at injection; there is nothing to heal."""

    component: str


Change = ProxyDown | ToxicOn | ProcessFrozen | ProcessKilled | ProcessRestarted | Altered | Collected


@dataclass(frozen=True, slots=True)
class Sample:
    """One look of the canary at one link or component. `stage` is before, during or after a strike."""

    target: str
    stage: str
    at_ns: int
    expected: str
    seen: str
    took_ms: float

    @property
    def as_expected(self) -> bool:
        """The look showed the declared symptom (or health)."""
        return self.expected == self.seen


@dataclass(frozen=True, slots=True)
class Window:
    """A closed interval of run time."""

    start_ns: int
    end_ns: int


Moment = Literal["after", "between", "at-byte"]


@dataclass(frozen=True, slots=True)
class Trigger:
    """A moment of the protocol that a strike waits for, the `nth` of its kind at an entry and in a lane (empty: any), within a time.

    `after`: a step of the action `first` was acknowledged. `between`: the same, and a step of the action `then` of the same session is
    about to be sent. `at-byte`: a `share` of the bytes of a large blob has been read.
    """

    kind: Moment
    told: str
    first: str = ""
    then: str = ""
    share: float = 0.0
    nth: int = 1
    zone: str = ""
    lane: str = ""
    within_ns: int = 0


@dataclass(frozen=True, slots=True)
class Fired:
    """What set a strike off: the row `operation` at `at_ns`, the last of `seen` moments of its kind; -1 both if it never came.

    `byte` is how much of a blob had been read. The session was held there until `released_ns`; None if it was not held.
    """

    kind: Moment
    told: str
    seen: int
    operation: int = -1
    at_ns: int = -1
    byte: int = -1
    released_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Struck:
    """What was really done and seen in one strike. Times are ns of run time; None where it did not come to that.

    `cut_ns` is when each change was acknowledged; `effective_ns` when every canary had shown its symptom; `healing_ns` and
    `healed_ns` when its first change began and its last one ended to be taken back; `clean_ns` when the
    plane read back as wanted and every canary was healthy. In `disturbed` windows the harness itself closed or refused connections.
    `trigger` is the moment of the protocol that set it off, None where a clock did.
    """

    number: int
    kind: str
    fault: Mapping[str, object]
    zones: tuple[str, ...]
    links: tuple[str, ...]
    components: tuple[str, ...]
    wanted_ns: int
    injected_ns: int | None = None
    effective_ns: int | None = None
    healing_ns: int | None = None
    healed_ns: int | None = None
    clean_ns: int | None = None
    cut_ns: Mapping[str, int] = field(default_factory=dict)
    samples: tuple[Sample, ...] = ()
    disturbed: tuple[Window, ...] = ()
    notes: tuple[str, ...] = ()
    trigger: Fired | None = None
