"""What each strike cost each part of the traffic: a zone, a region, a lane, an action. Measured like the strike itself, not judged.

Zones, regions and actions are those of the pinned lanes: a regional session goes on at another entry, so it belongs to none. Unlike the
failover of a strike, which is that of the entries it did not touch, a scope is all of its traffic, the struck zone's own included.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from chaoskit.checks.timeline import Bounds, down_until, downtime_of, failover_of, first_cut, last_bad, observed_until, recovery_of
from chaoskit.checks.traffic import Traffic
from chaoskit.checks.windows import Downtime
from chaoskit.model.evidence import Evidence


@dataclass(frozen=True, slots=True)
class Scope:
    """One part of the traffic in one strike: first attempts between T0 and T4, and the spans; None where nothing tells."""

    probes: int
    failover_s: Bounds | None
    recovery_s: Bounds | None
    downtime: Downtime | None


def scopes(evidence: Evidence, traffic: Traffic) -> tuple[dict[str, Scope], ...]:
    """Of each strike its scopes by name, such as `zone us-south-1` or `action push`; none for one that was not injected and healed."""
    parts = list(_parts(evidence, traffic))
    found: list[dict[str, Scope]] = []
    for struck in evidence.strikes:
        t0, t4 = first_cut(struck), struck.healed_ns
        times = None if t0 is None or t4 is None else (t0, t4, observed_until(evidence, struck))
        found.append({} if times is None else {name: _scope(evidence, part, zones, times) for name, part, zones in parts})
    return tuple(found)


def _parts(evidence: Evidence, traffic: Traffic) -> Iterator[tuple[str, Traffic, tuple[str, ...]]]:
    """Name, traffic, and the entries that have to be back."""
    history, topology = evidence.history, evidence.topology
    for lane in np.unique(history.lane[traffic.sessions.rows]):
        name = history.name(int(lane))
        yield f"lane {name}", traffic.of(history.lane, int(lane)), topology.zones
    pinned = traffic.of(history.lane, history.code("pinned"))
    for region, zones in topology.regions.items():
        yield f"region {region}", pinned.of(history.region, history.code(region)), zones
    for zone in topology.zones:
        yield f"zone {zone}", pinned.of(history.zone, history.code(zone)), (zone,)
    for kind in (pinned.sessions, pinned.attempts):
        for action in np.unique(history.action[kind.rows]):
            rows = kind.where(history.action[kind.rows] == action)
            steady = rows.where(history.phase[rows.rows] == history.code("steady"))
            yield f"action {history.name(int(action))}", Traffic(rows, rows, steady), topology.zones


def _scope(evidence: Evidence, part: Traffic, zones: tuple[str, ...], times: tuple[int, int, int]) -> Scope:
    t0, t4, end = times
    probes = part.attempts.between(t0, t4)
    recovery = recovery_of(evidence, part, (t4, end), zones)
    return Scope(
        probes=len(probes),
        failover_s=failover_of(probes, last_bad(probes, part.attempts), (t0, t4)),
        recovery_s=recovery.since(t4),
        downtime=downtime_of(evidence, part, (t0, down_until(recovery, end)), zones),
    )
