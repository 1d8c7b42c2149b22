"""Everything a check may look at: one run, as stored."""

from collections.abc import Mapping
from dataclasses import dataclass

from chaoskit.model.history import History
from chaoskit.model.strike import Struck
from chaoskit.model.topology import Topology


@dataclass(frozen=True, slots=True)
class PhaseWindow:
    """One phase (steady, strike, recover, final) in ns of run time."""

    name: str
    start_ns: int
    end_ns: int


@dataclass(frozen=True, slots=True)
class HostSample:
    """The machine at one moment: shares are 0..1, lag is how late the event loop woke."""

    at_ns: int
    cpu_busy: float
    cpu_steal: float
    pressure: float
    loop_lag_ms: float


@dataclass(frozen=True, slots=True)
class Evidence:
    """One stored run. `objective_ns` maps push, pull and manifest to what still counts as good; `complete` is False for a prefix."""

    history: History
    topology: Topology
    strikes: tuple[Struck, ...]
    phases: tuple[PhaseWindow, ...]
    host: tuple[HostSample, ...]
    objective_ns: Mapping[str, int]
    complete: bool = True

    def phase(self, name: str) -> PhaseWindow | None:
        """The window of a phase, or None if the run did not get there."""
        return next((window for window in self.phases if window.name == name), None)

    @property
    def struck_zones(self) -> frozenset[str]:
        """Zones that a strike touched: those its fault names."""
        return frozenset(zone for struck in self.strikes for zone in struck.zones)
