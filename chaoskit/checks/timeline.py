"""T0 to T5 of every strike, from the pinned lanes: when it began to hurt, when the other entries were well again, when all were.

Times are intervals [last contrary operation, first confirming one]: a path probed r times a second cannot time an outage better than
1/r; an upper end of None was not seen. T2 (when the load balancers noticed) is not in a history and left out. Not looked at: what
overlaps a window that the harness itself disturbed, what was throttled (429), and what the harness cut short.
"""

from dataclasses import dataclass

import numpy as np

from chaoskit.checks.absence import false_absences
from chaoskit.checks.availability import slow
from chaoskit.checks.base import in_phase, is_attempt, is_observed, is_open, is_session, ok
from chaoskit.model.evidence import Evidence
from chaoskit.model.history import Ints, Mask
from chaoskit.model.strike import Struck
from chaoskit.stats import p95

BAND = 1.5
SLOW_RUN = 3
WINDOW_NS = 1_000_000_000

Bounds = tuple[float, float | None]
Times = tuple[int, int | None]


@dataclass(frozen=True, slots=True)
class StrikeTimeline:
    """One strike in ns of run time and spans in s; None where the run does not say.

    `untouched` are the entries that no strike of that time names; `probes` their first attempts in [T0, T4]; `last_bad` and `not_back`
    are rows of the history (-1: none): the last failed probe, and the last contrary operation of an entry that was not back by the end.
    """

    number: int
    kind: str
    untouched: tuple[str, ...]
    t0_ns: int | None = None
    t1_ns: tuple[int, int] | None = None
    t3_ns: Times | None = None
    t4_ns: int | None = None
    t5_ns: Times | None = None
    failover_s: Bounds | None = None
    recovery_s: Bounds | None = None
    downtime_s: float | None = None
    probes: int = 0
    last_bad: int = -1
    is_back: bool | None = None
    not_back: int = -1


@dataclass(frozen=True, slots=True)
class _Pinned:
    """Rows of the pinned lane in order of intended start: HTTP attempts, and whole sessions; and which rows of the history are bad."""

    attempts: Ints
    sessions: Ints
    bad: Mask
    is_slow: Mask
    in_band: Mask
    has_baseline: bool


def timeline(evidence: Evidence) -> tuple[StrikeTimeline, ...]:
    """The timeline of each strike, in their order."""
    pinned = _pinned(evidence)
    return tuple(_strike(evidence, pinned, struck) for struck in evidence.strikes)


def first_cut(struck: Struck) -> int | None:
    """T0: when the first change was acknowledged, or when the strike was injected if changes were not timed."""
    return min(struck.cut_ns.values(), default=struck.injected_ns)


def _pinned(evidence: Evidence) -> _Pinned:
    history = evidence.history
    usable = (history.lane == history.code("pinned")) & ~is_observed(history, "http-429") & ~is_open(history)
    for struck in evidence.strikes:
        for window in struck.disturbed:
            usable &= (history.called_ns > window.end_ns) | (history.returned_ns < window.start_ns)

    def ordered(rows: Mask) -> Ints:
        found = np.flatnonzero(rows)
        return found[np.argsort(history.intended_ns[found], kind="stable")]

    bad = ~ok(history) | false_absences(history)
    sessions = ordered(usable & is_session(history))
    in_band = np.ones(len(history), np.bool_)
    has_baseline = False
    for action in ("push", "pull"):
        rows = sessions[history.is_action(action)[sessions]]
        took = history.returned_ns[rows] - history.intended_ns[rows]
        steady = took[(in_phase(history, "steady") & ~bad)[rows]]
        if len(steady):
            has_baseline = True
            in_band[rows] = took <= BAND * p95(steady)
    attempts = ordered(usable & is_attempt(history) & (history.attempt == 0))
    return _Pinned(attempts, sessions, bad, slow(evidence), in_band, has_baseline)


def _strike(evidence: Evidence, pinned: _Pinned, struck: Struck) -> StrikeTimeline:
    untouched = untouched_by(evidence, struck)
    t0, t4 = first_cut(struck), struck.healed_ns
    if t0 is None or t4 is None:
        return StrikeTimeline(struck.number, struck.kind, untouched, t0_ns=t0, t4_ns=t4)
    probes = _between(evidence, pinned.attempts, t0, t4)
    t1 = _first_bad(evidence, pinned, t0, t4)
    here = probes[_at(evidence, probes, untouched)]
    t3, last_bad = _last_bad(evidence, pinned, here)
    end = _observed_until(evidence, struck)
    t5, is_back, not_back = _recovery(evidence, pinned, t4, end)
    return StrikeTimeline(
        number=struck.number,
        kind=struck.kind,
        untouched=untouched,
        t0_ns=t0,
        t1_ns=t1,
        t3_ns=t3,
        t4_ns=t4,
        t5_ns=t5,
        failover_s=_failover(evidence, here, t3, (t0, t4)),
        recovery_s=_since(t4, t5),
        downtime_s=_downtime(evidence, pinned, (t0, t5[1] if t5 and t5[1] else end), untouched),
        probes=len(here),
        last_bad=last_bad,
        is_back=is_back,
        not_back=not_back,
    )


def _between(evidence: Evidence, rows: Ints, start: int, end: int) -> Ints:
    intended = evidence.history.intended_ns[rows]
    return rows[(intended >= start) & (intended <= end)]


def _at(evidence: Evidence, rows: Ints, zones: tuple[str, ...]) -> Mask:
    history = evidence.history
    return np.isin(history.zone[rows], [history.code(zone) for zone in zones])


def untouched_by(evidence: Evidence, struck: Struck) -> tuple[str, ...]:
    """Zones that neither this strike nor one that overlaps it names."""
    t0, t4 = first_cut(struck), struck.healed_ns
    touched = set(struck.zones)
    for other in evidence.strikes:
        begin, end = first_cut(other), other.healed_ns
        if None not in (t0, t4, begin, end) and begin <= t4 and t0 <= end:  # type: ignore[operator]
            touched |= set(other.zones)
    return tuple(zone for zone in evidence.topology.zones if zone not in touched)


def _first_bad(evidence: Evidence, pinned: _Pinned, t0: int, t4: int) -> tuple[int, int] | None:
    """T1 at any entry: [last good start before it, the first bad one], None if none was bad."""
    probes = _between(evidence, pinned.attempts, t0, t4)
    bad = np.flatnonzero(pinned.bad[probes])
    if not len(bad):
        return None
    intended = evidence.history.intended_ns[probes]
    first = int(bad[0])
    return (int(intended[first - 1]) if first else t0, int(intended[first]))


def _last_bad(evidence: Evidence, pinned: _Pinned, probes: Ints) -> tuple[Times | None, int]:
    """T3 as [the last bad start, the next good one at that entry], and the bad row; None if none was bad."""
    history = evidence.history
    bad = probes[pinned.bad[probes]]
    if not len(bad):
        return None, -1
    last = int(bad[-1])
    began = int(history.intended_ns[last])
    same = pinned.attempts[(history.zone[pinned.attempts] == history.zone[last]) & ~pinned.bad[pinned.attempts]]
    after = history.intended_ns[same][history.intended_ns[same] > began]
    return (began, int(after[0]) if len(after) else None), last


def _failover(evidence: Evidence, probes: Ints, t3: Times | None, strike: tuple[int, int]) -> Bounds | None:
    """T3 − T0; without a bad probe between 0 and the widest gap between two probes, None without a probe."""
    t0, t4 = strike
    if not len(probes):
        return None
    if t3 is None:
        starts = np.concatenate([[t0], evidence.history.intended_ns[probes], [t4]])
        return 0.0, int(np.diff(starts).max()) / 1e9
    return _since(t0, t3)


def _since(zero: int, times: Times | None) -> Bounds | None:
    if times is None:
        return None
    low, high = times
    return (low - zero) / 1e9, None if high is None else (high - zero) / 1e9


def _observed_until(evidence: Evidence, struck: Struck) -> int:
    """Until when the recovery from a strike can be seen: the next strike, or the end of the recover phase (or of the history)."""
    later = [cut for other in evidence.strikes if (cut := first_cut(other)) is not None and cut > (struck.healed_ns or 0)]
    recover = evidence.phase("recover")
    last = recover.end_ns if recover else int(evidence.history.intended_ns.max(initial=0))
    return min([*later, last])


def _recovery(evidence: Evidence, pinned: _Pinned, t4: int, end: int) -> tuple[Times | None, bool | None, int]:
    """T5, whether every entry was back by `end` (None: nothing to tell by), and the row that shows that one was not.

    Contrary is a session that failed, or one of `SLOW_RUN` in a row at one entry that were out of the band: a single slow one is the
    tail that a 95th percentile leaves out.
    """
    history = evidence.history
    if not pinned.has_baseline:
        return None, None, -1
    rows = _between(evidence, pinned.sessions, t4, end)
    low, high, unseen = t4, t4, False
    for zone in evidence.topology.zones:
        mine = rows[history.zone[rows] == history.code(zone)]
        contrary = pinned.bad[mine] | _in_run(~pinned.in_band[mine], SLOW_RUN)
        last = int(np.flatnonzero(contrary)[-1]) if contrary.any() else -1
        if last + 1 < len(mine):
            low = max(low, int(history.intended_ns[mine[last]]) if last >= 0 else t4)
            high = max(high, int(history.returned_ns[mine[last + 1]]))
        elif last >= 0:
            return (int(history.intended_ns[mine[last]]), None), False, int(mine[last])
        else:
            unseen = True
    return (None, None, -1) if unseen else ((low, high), True, -1)


def _in_run(flags: Mask, length: int) -> Mask:
    """Which flags stand in a run of at least `length`."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    runs = np.zeros(len(flags), np.bool_)
    for start, stop in zip(edges[::2], edges[1::2], strict=True):
        runs[start:stop] = stop - start >= length
    return runs


def _downtime(evidence: Evidence, pinned: _Pinned, span: tuple[int, int], untouched: tuple[str, ...]) -> float | None:
    """Integral of the share of bad sessions (failed or slower than the objective) over windows of 1 s, less the steady share, in s.

    Over the untouched entries, or all where every zone is struck.
    """
    history = evidence.history
    rows = pinned.sessions[_at(evidence, pinned.sessions, untouched or evidence.topology.zones)]
    bad = pinned.bad | pinned.is_slow
    steady = rows[in_phase(history, "steady")[rows]]
    inside = _between(evidence, rows, *span)
    if not len(inside):
        return None
    baseline = float(bad[steady].mean()) if len(steady) else 0.0
    window = (history.intended_ns[inside] - span[0]) // WINDOW_NS
    asked = np.bincount(window)
    failed = np.bincount(window, weights=bad[inside])
    share = failed[asked > 0] / asked[asked > 0]
    return float(np.maximum(share - baseline, 0).sum() * WINDOW_NS / 1e9)
