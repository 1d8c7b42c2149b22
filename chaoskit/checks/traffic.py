"""What was asked and how it went, in the order it was due: the columns that times are read from.

Left out: what was throttled (429), what nobody saw end, and what overlaps a window that the harness itself disturbed.
"""

from dataclasses import dataclass, fields
from typing import Self

import numpy as np

from chaoskit.checks.absence import false_absences
from chaoskit.checks.availability import slow
from chaoskit.checks.base import SESSIONS, in_phase, is_attempt, is_observed, is_open, is_session, ok
from chaoskit.model.evidence import Evidence
from chaoskit.model.history import Codes, Ints, Mask
from chaoskit.stats import p95

BAND = 1.5


@dataclass(frozen=True, slots=True)
class Stream:
    """Rows of a history by intended start, and of each: its entry, whether it failed, missed (failed or slower than its objective), and
    was in the band: within 1.5 x the p95 of the good sessions of its kind and lane in the steady phase."""

    rows: Ints
    due: Ints
    zone: Codes
    failed: Mask
    missed: Mask
    in_band: Mask

    def __len__(self) -> int:
        return len(self.rows)

    def where(self, chosen: Mask | slice) -> Self:
        """Only these."""
        rows = chosen if isinstance(chosen, slice) else np.flatnonzero(chosen)  # one search instead of one a column
        return type(self)(*(getattr(self, field.name)[rows] for field in fields(self)))

    def between(self, start: int, end: int) -> Self:
        """Those due in [start, end]."""
        return self.where(slice(int(np.searchsorted(self.due, start)), int(np.searchsorted(self.due, end, side="right"))))

    def at(self, codes: Ints) -> Self:
        """Those at these entries."""
        return self.where(np.isin(self.zone, codes))


@dataclass(frozen=True, slots=True)
class Traffic:
    """First HTTP attempts, whole sessions, and the sessions of the steady phase: what is usual."""

    attempts: Stream
    sessions: Stream
    steady: Stream

    @property
    def has_baseline(self) -> bool:
        """Some session of the steady phase went well."""
        return not bool(self.steady.failed.all())

    @property
    def usual(self) -> float:
        """The share of sessions that missed their objective in the steady phase; 0 if there were none."""
        return float(self.steady.missed.mean()) if len(self.steady) else 0.0

    def of(self, column: Codes, code: int) -> Self:
        """What has this code in that column of the history."""
        return type(self)(*(stream.where(column[stream.rows] == code) for stream in (self.attempts, self.sessions, self.steady)))


def traffic_of(evidence: Evidence) -> Traffic:
    """All lanes of a run."""
    history = evidence.history
    usable = ~is_observed(history, "http-429") & ~is_open(history)
    for struck in evidence.strikes:
        for window in struck.disturbed:
            usable &= (history.called_ns > window.end_ns) | (history.returned_ns < window.start_ns)
    failed = ~ok(history) | false_absences(history)
    missed = failed | slow(evidence)

    def stream(chosen: Mask) -> Stream:
        rows = np.flatnonzero(chosen)
        rows = rows[np.argsort(history.intended_ns[rows], kind="stable")]
        return Stream(rows, history.intended_ns[rows], history.zone[rows], failed[rows], missed[rows], np.ones(len(rows), np.bool_))

    sessions = stream(usable & is_session(history))
    steady = in_phase(history, "steady")[sessions.rows]
    took = history.returned_ns[sessions.rows] - history.intended_ns[sessions.rows]
    for lane in np.unique(history.lane[sessions.rows]):
        for action in SESSIONS:
            kind = (history.lane[sessions.rows] == lane) & (history.action[sessions.rows] == history.code(action))
            good = took[kind & steady & ~sessions.failed]
            if len(good):
                sessions.in_band[kind] = took[kind] <= BAND * p95(good)
    return Traffic(stream(usable & is_attempt(history) & (history.attempt == 0)), sessions, sessions.where(steady))
