"""T0 to T5 of every strike, from the pinned lanes: when it began to hurt, when the other entries were well again, when all were.

Times are intervals [last contrary operation, first confirming one]: a path probed r times a second cannot time an outage better than
1/r; an upper end of None was not seen. T2 (when the load balancers noticed) is not in a history and left out.
"""

from dataclasses import dataclass

import numpy as np

from chaoskit.checks.traffic import Stream, Traffic, traffic_of
from chaoskit.checks.windows import Downtime, downtime, mean_downtime
from chaoskit.model.evidence import Evidence
from chaoskit.model.history import Ints, Mask
from chaoskit.model.strike import Struck

SLOW_RUN = 3
_LOOK_AHEAD = 1024

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
    t1_ns: Times | None = None
    t3_ns: Times | None = None
    t4_ns: int | None = None
    t5_ns: Times | None = None
    failover_s: Bounds | None = None
    recovery_s: Bounds | None = None
    downtime: Downtime | None = None
    probes: int = 0
    last_bad: int = -1
    is_back: bool | None = None
    not_back: int = -1

    @property
    def times_s(self) -> dict[str, Bounds | None]:
        """T0 to T5 as intervals in s of run time. T2 is always None: only a balancer's log tells it."""
        cut, healed = ((at, at) if at is not None else None for at in (self.t0_ns, self.t4_ns))
        times = (cut, self.t1_ns, None, self.t3_ns, healed, self.t5_ns)
        return {f"T{number}": None if at is None else since(0, at) for number, at in enumerate(times)}


@dataclass(frozen=True, slots=True)
class Recovery:
    """T5, whether every entry was back by the end (None: nothing to tell by), and the row that shows that one was not (-1: none)."""

    t5_ns: Times | None = None
    is_back: bool | None = None
    not_back: int = -1

    def since(self, t4_ns: int) -> Bounds | None:
        """The recovery as a span in s."""
        return None if self.t5_ns is None else since(t4_ns, self.t5_ns)


def timeline(evidence: Evidence, traffic: Traffic | None = None) -> tuple[StrikeTimeline, ...]:
    """The timeline of each strike, in their order. `traffic` is the evidence's own, for a caller that has it."""
    history = evidence.history
    pinned = (traffic or traffic_of(evidence)).of(history.lane, history.code("pinned"))
    return tuple(_strike(evidence, pinned, struck) for struck in evidence.strikes)


def first_cut(struck: Struck) -> int | None:
    """T0: when the first change was acknowledged, or when the strike was injected if changes were not timed."""
    return min(struck.cut_ns.values(), default=struck.injected_ns)


def codes_of(evidence: Evidence, zones: tuple[str, ...]) -> Ints:
    """The codes of zones (-1 for one that no row names)."""
    return np.array([evidence.history.code(zone) for zone in zones], np.int64)


def _strike(evidence: Evidence, pinned: Traffic, struck: Struck) -> StrikeTimeline:
    untouched = untouched_by(evidence, struck)
    t0, t4 = first_cut(struck), struck.healed_ns
    if t0 is None or t4 is None:
        return StrikeTimeline(struck.number, struck.kind, untouched, t0_ns=t0, t4_ns=t4)
    attempts = pinned.attempts.between(t0, t4)
    probes = attempts.at(codes_of(evidence, untouched))
    t3 = last_bad(probes, pinned.attempts)
    end = observed_until(evidence, struck)
    recovery = recovery_of(evidence, pinned, (t4, end), evidence.topology.zones)
    return StrikeTimeline(
        number=struck.number,
        kind=struck.kind,
        untouched=untouched,
        t0_ns=t0,
        t1_ns=_first_bad(attempts, t0),
        t3_ns=t3,
        t4_ns=t4,
        t5_ns=recovery.t5_ns,
        failover_s=failover_of(probes, t3, (t0, t4)),
        recovery_s=recovery.since(t4),
        downtime=downtime_of(evidence, pinned, (t0, down_until(recovery, end)), untouched or evidence.topology.zones),
        probes=len(probes),
        last_bad=-1 if t3 is None else int(probes.rows[probes.failed][-1]),
        is_back=recovery.is_back,
        not_back=recovery.not_back,
    )


def untouched_by(evidence: Evidence, struck: Struck) -> tuple[str, ...]:
    """Zones that neither this strike nor one that overlaps it names."""
    t0, t4 = first_cut(struck), struck.healed_ns
    touched = set(struck.zones)
    for other in evidence.strikes:
        begin, end = first_cut(other), other.healed_ns
        if None not in (t0, t4, begin, end) and begin <= t4 and t0 <= end:  # type: ignore[operator]
            touched |= set(other.zones)
    return tuple(zone for zone in evidence.topology.zones if zone not in touched)


def _first_bad(probes: Stream, t0: int) -> Times | None:
    """T1 at any entry: [last good start before it, the first bad one], None if none was bad."""
    if not probes.failed.any():
        return None
    first = int(probes.failed.argmax())
    return (int(probes.due[first - 1]) if first else t0, int(probes.due[first]))


def last_bad(probes: Stream, later: Stream) -> Times | None:
    """T3 as [the start of the last bad probe, the next good one at that entry, among `later` ones too]; None if none was bad."""
    failed = probes.where(probes.failed)
    if not len(failed):
        return None
    began, entry = int(failed.due[-1]), failed.zone[-1]
    at = int(np.searchsorted(later.due, began, side="right"))
    while at < len(later):  # by pieces: it is mostly near, and the rest may be millions
        piece = slice(at, at + _LOOK_AHEAD)
        good = np.flatnonzero((later.zone[piece] == entry) & ~later.failed[piece])
        if len(good):
            return began, int(later.due[at + good[0]])
        at += _LOOK_AHEAD
    return began, None


def failover_of(probes: Stream, t3: Times | None, strike: tuple[int, int]) -> Bounds | None:
    """T3 − T0 from the probes in [T0, T4]; without a bad one between 0 and the widest gap between two, None without a probe."""
    t0, t4 = strike
    if not len(probes):
        return None
    if t3 is None:
        return 0.0, int(np.diff(np.concatenate([[t0], probes.due, [t4]])).max()) / 1e9
    return since(t0, t3)


def since(zero: int, times: Times) -> Bounds:
    """An interval of times as spans in s from `zero`."""
    low, high = times
    return (low - zero) / 1e9, None if high is None else (high - zero) / 1e9


def observed_until(evidence: Evidence, struck: Struck) -> int:
    """Until when the recovery from a strike can be seen: the next strike, or the end of the recover phase (or of the history)."""
    later = [cut for other in evidence.strikes if (cut := first_cut(other)) is not None and cut > (struck.healed_ns or 0)]
    recover = evidence.phase("recover")
    last = recover.end_ns if recover else int(evidence.history.intended_ns.max(initial=0))
    return min([*later, last])


def recovery_of(evidence: Evidence, traffic: Traffic, span: tuple[int, int], zones: tuple[str, ...]) -> Recovery:
    """When every one of these entries was back, of a strike healed at the start of the span and seen until its end.

    Contrary is a session that failed, or one of `SLOW_RUN` in a row at one entry that were out of the band: a single slow one is the
    tail that a 95th percentile leaves out.
    """
    if not traffic.has_baseline:
        return Recovery()
    t4, end = span
    sessions = traffic.sessions.between(t4, end)
    low, high, unseen = t4, t4, False
    for zone in codes_of(evidence, zones):
        mine = sessions.where(sessions.zone == zone)
        contrary = np.flatnonzero(mine.failed | _in_run(~mine.in_band, SLOW_RUN))
        last = int(contrary[-1]) if len(contrary) else -1
        if last + 1 < len(mine):
            low = max(low, int(mine.due[last]) if last >= 0 else t4)
            high = max(high, int(evidence.history.returned_ns[mine.rows[last + 1]]))
        elif last >= 0:
            return Recovery((int(mine.due[last]), None), False, int(mine.rows[last]))
        else:
            unseen = True
    return Recovery() if unseen else Recovery((low, high), True)


def _in_run(flags: Mask, length: int) -> Mask:
    """Which flags stand in a run of at least `length`."""
    if not len(flags):
        return flags
    starts = np.concatenate([[0], np.flatnonzero(np.diff(flags)) + 1])
    lengths = np.diff(np.append(starts, len(flags)))
    return flags & np.repeat(lengths >= length, lengths)


def down_until(recovery: Recovery, end: int) -> int:
    """Until when a strike can have cost anything: T5, or the end of what was seen."""
    return recovery.t5_ns[1] if recovery.t5_ns and recovery.t5_ns[1] else end


def downtime_of(evidence: Evidence, traffic: Traffic, span: tuple[int, int], zones: tuple[str, ...]) -> Downtime | None:
    """Effective downtime in the span, a mean over these entries: what missed its objective, less the share that did when steady."""
    sessions, usual = traffic.sessions.between(*span), traffic.usual
    each = (sessions.where(sessions.zone == zone) for zone in codes_of(evidence, zones))
    return mean_downtime(downtime(entry.due, entry.missed, span, baseline=usual) for entry in each)
