"""A small language for hand-written histories: times in seconds of run time, zones by number, values by name."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache

from chaoskit.model.evidence import Evidence, HostSample, PhaseWindow
from chaoskit.model.history import Operation, Outcome, columns
from chaoskit.model.strike import Sample, Struck
from chaoskit.model.topology import three_zones
from chaoskit.model.verdict import CheckResult

TOPOLOGY = three_zones()
ZONES = TOPOLOGY.zones
PHASES = {"steady": (0, 10), "strike": (10, 25), "recover": (25, 40), "final": (40, 60)}
OBJECTIVE_NS = {"push": 5_000_000_000, "pull": 2_000_000_000, "manifest": 1_000_000_000}

OK, FAILED, UNKNOWN = Outcome.OK, Outcome.FAILED, Outcome.UNKNOWN
TROUBLE = {OK: "write-ok", FAILED: "connect-refused", UNKNOWN: "maybe-sent-timeout"}


def ns(seconds: float) -> int:
    return round(seconds * 1e9)


def digest(value: str) -> str:
    """A digest that belongs to a value's name; "" stays ""."""
    return f"sha256:{hashlib.sha256(value.encode()).hexdigest()}" if value else ""


def phase_at(seconds: float) -> str:
    return next(name for name, (start, end) in reversed(PHASES.items()) if seconds >= start)


@dataclass
class Story:
    """Rows in the order they are told. Each method returns the operation's index."""

    rows: list[Operation] = field(default_factory=list)
    repository: str = "r"
    lane: str = "pinned"

    def row(self, action: str, at: float, until: float | None, zone: int = 1, **fields: object) -> int:
        index = len(self.rows)
        values: dict[str, object] = {
            "lane": "sweep" if phase_at(at) == "final" else self.lane,
            "phase": phase_at(at),
            "region": "us-south",
            "repository": self.repository,
            "intended_ns": ns(at),
            "outcome": OK,
            "observed": "read-ok",
            "status": 200,
        }
        returned = None if until is None else ns(until)
        values |= fields
        row = Operation(index=index, action=action, zone=ZONES[zone - 1], called_ns=ns(at), returned_ns=returned, **values)  # type: ignore[arg-type]
        self.rows.append(row)
        return index

    def change(self, index: int, **fields: object) -> None:
        self.rows[index] = self.rows[index].__replace__(**fields)

    def _write(self, outcome: Outcome) -> Mapping[str, object]:
        return {"outcome": outcome, "observed": TROUBLE[outcome], "status": 201 if outcome is OK else 0}

    def put(self, tag: str, value: str, at: float, until: float | None = None, zone: int = 1, outcome: Outcome = OK, **more: object) -> int:
        """PUT of a manifest under a tag."""
        fields = {"reference": tag, "digest": digest(value), **self._write(outcome), **more}
        return self.row("manifest-put", at, at + 0.1 if until is None else until, zone, **fields)

    def put_blob(self, value: str, at: float, until: float | None = None, zone: int = 1, outcome: Outcome = OK, **more: object) -> int:
        """The PUT that ends an upload."""
        fields = {"digest": digest(value), **self._write(outcome), **more}
        return self.row("upload-put", at, at + 0.1 if until is None else until, zone, **fields)

    def _read(self, value: str) -> dict[str, object]:
        if not value:
            return {"observed": "absent", "status": 404}
        return {"got": digest(value), "advertised": digest(value), "size_bytes": 100, "advertised_bytes": 100}

    def get(self, tag: str, value: str, at: float, until: float | None = None, zone: int = 1, **more: object) -> int:
        """GET of a tag that returned a value ("": absent)."""
        fields = {"reference": tag, **self._read(value), **more}
        return self.row("manifest-get", at, at + 0.1 if until is None else until, zone, **fields)

    def get_manifest(self, value: str, at: float, zone: int = 1, *, found: bool = True, until: float | None = None, **more: object) -> int:
        """GET of a manifest by digest."""
        fields = {"digest": digest(value), **self._read(value if found else ""), **more}
        return self.row("manifest-get", at, at + 0.1 if until is None else until, zone, **fields)

    def get_blob(self, value: str, at: float, zone: int = 1, *, found: bool = True, until: float | None = None, **more: object) -> int:
        """GET of a blob."""
        fields = {"digest": digest(value), **self._read(value if found else ""), **more}
        return self.row("blob-get", at, at + 0.1 if until is None else until, zone, **fields)

    def failed(self, index: int, observed: str = "maybe-sent-timeout") -> None:
        """Make the operation one that got no answer."""
        is_write = self.rows[index].action in ("manifest-put", "upload-put")
        outcome = UNKNOWN if is_write else FAILED
        self.change(index, outcome=outcome, observed=observed, status=0, got="", advertised="", children=())

    def session(self, action: str, at: float, until: float | None = None, zone: int = 1, **more: object) -> int:
        """A whole push or pull."""
        return self.row(action, at, at + 0.2 if until is None else until, zone, **{"reference": "t", "observed": "write-ok", **more})

    def push(self, tag: str, value: str, at: float, zone: int = 1, lane: str = "pinned") -> int:
        """A whole push and its attempts, all well, over in 0.2 s; the index of the whole."""
        self.lane = lane
        children = (digest(f"{value}-layer"),)
        whole = self.session("push", at, zone=zone, reference=tag, digest=digest(value), children=children, status=201)
        self.put_blob(f"{value}-layer", at, at + 0.1, zone, parent=whole)
        self.put(tag, value, at + 0.1, at + 0.2, zone, parent=whole, children=children)
        return whole

    def pull(self, tag: str, value: str, at: float, zone: int = 1, lane: str = "pinned") -> int:
        """A whole pull and its attempts, all well, over in 0.2 s; the index of the whole."""
        self.lane = lane
        whole = self.session("pull", at, zone=zone, reference=tag, got=digest(value))
        self.get(tag, value, at, at + 0.1, zone, parent=whole, children=(digest(f"{value}-layer"),))
        self.get_blob(f"{value}-layer", at + 0.1, zone, until=at + 0.2, parent=whole)
        return whole

    def sweep(self, tag: str, value: str, at: float = 41, *, blobs: tuple[str, ...] = ()) -> None:
        """Final reads of one image, all well, from every zone."""
        for zone in (1, 2, 3):
            self.get(tag, value, at, zone=zone)
            self.get_manifest(value, at, zone=zone, children=tuple(map(digest, blobs)))
            for blob in blobs:
                self.get_blob(blob, at + 0.5, zone=zone)

    def evidence(self, *strikes: Struck, **changes: object) -> Evidence:
        """The run as stored."""
        evidence = Evidence(
            history=columns(self.rows),
            topology=TOPOLOGY,
            strikes=strikes,
            phases=tuple(PhaseWindow(name, ns(start), ns(end)) for name, (start, end) in PHASES.items()),
            host=(HostSample(0, 0.5, 0.0, 0.1, 3.0),),
            objective_ns=OBJECTIVE_NS,
        )
        return replace(evidence, **changes)  # type: ignore[arg-type]


def healthy(*, step: float = 1.0) -> Story:
    """A run in which all went well: a push and a pull of it at every entry, in both lanes, every `step` s until the final reads."""
    return Story(rows=list(_healthy(step)))


@cache
def _healthy(step: float) -> tuple[Operation, ...]:
    story = Story()
    number, at = 0, 0.0
    while at < 39:
        for zone in (1, 2, 3):
            for lane in ("pinned", "regional"):
                name = f"{lane[0]}{number}-{zone}"
                story.push(name, name, at + 0.01 * zone, zone, lane)
                story.pull(name, name, at + 0.01 * zone + 0.3, zone, lane)
        number += 1
        at += step
    for value in [row for row in story.rows if row.action == "push"]:
        name = value.reference
        story.sweep(name, name, blobs=(f"{name}-layer",))
    return tuple(story.rows)


def sessions(story: Story, start: float, end: float, *, lane: str = "pinned", zone: int | None = None) -> list[Operation]:
    """Whole pushes and pulls due in [start, end), by due time."""
    rows = [row for row in story.rows if row.action in ("push", "pull") and row.lane == lane and ns(start) <= row.intended_ns < ns(end)]
    return sorted((row for row in rows if zone is None or row.zone == ZONES[zone - 1]), key=lambda row: row.intended_ns)


def fail(story: Story, whole: Operation, observed: str = "maybe-sent-timeout") -> None:
    """Make a session, and all attempts of it, fail."""
    for row in story.rows:
        if row.index == whole.index or row.parent == whole.index:
            story.change(row.index, outcome=FAILED, observed=observed, status=0, got="", advertised="", children=())


def struck(zone: int | None = 2, *, start: float = 10, end: float = 25, number: int = 0, **changes: object) -> Struck:
    """A strike as it should be: applied, seen, healed, gone."""
    link = f"client->lb.{ZONES[(zone or 1) - 1]}"
    made = Struck(
        number=number,
        kind="zone-outage",
        fault={"kind": "zone-outage"},
        zones=() if zone is None else (ZONES[zone - 1],),
        links=(link,),
        components=(),
        wanted_ns=ns(start),
        injected_ns=ns(start),
        effective_ns=ns(start + 0.5),
        healing_ns=ns(end),
        healed_ns=ns(end),
        clean_ns=ns(end + 0.5),
        cut_ns={link: ns(start)},
        samples=(
            Sample(link, "before", ns(start - 1), "healthy", "healthy", 1.0),
            Sample(link, "during", ns(start + 0.1), "refused", "healthy", 1.0),
            Sample(link, "during", ns(start + 0.4), "refused", "refused", 1.0),
            Sample(link, "after", ns(end + 0.4), "healthy", "healthy", 1.0),
        ),
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def texts(result: CheckResult) -> str:
    """All findings of a result, a line each."""
    return "\n".join(finding.text for finding in result.findings)
