"""Recoverability: histories of two tags and three values with an operator's mistakes and restores; what a tag held is searched for."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache

from chaoskit.checks.recoverability import Recoverability
from chaoskit.model.history import OPEN, Operation

from ..histories import FAILED, OK, UNKNOWN
from . import base
from .base import ByFindings, Family, Judged, Rows, end, is_absent, is_clean

WITHIN_NS = 4 * base.TICK_NS
VALUES, TAGS = ("v0", "v1", "v2"), ("t", "u")
_READS = ("manifest-get", "manifest-head")


def _at(source: random.Random, start: int, length: int) -> dict[str, object]:
    called = source.randrange(start, start + length)
    returned = called + source.choice((0, 0, 1, 2))
    return {"called_ns": called * base.TICK_NS, "returned_ns": returned * base.TICK_NS}


def _write(source: random.Random, tag: str, value: str, lane: str) -> dict[str, object]:
    acknowledged = {"outcome": OK, "status": 201, "observed": "write-ok"}
    answer = acknowledged if source.random() < 0.8 else base.write_fields(source)
    return {"reference": tag, "digest": value, "lane": lane} | answer


def _mistake(source: random.Random, tag: str, old: str) -> tuple[str, dict[str, object]]:
    kind = source.randrange(3)
    if kind == 0:
        return "manifest-put", _write(source, tag, source.choice(VALUES), "operator")
    return "manifest-delete", _write(source, *((tag, "") if kind == 1 else ("", old)), "operator")


def _read(source: random.Random, tag: str, value: str, old: str) -> dict[str, object]:
    asked: dict[str, object] = {"reference": tag} if source.random() < 0.6 else {"digest": value}
    answer = source.choices(("old", "other", "absent", "failed"), (12, 2, 2, 1))[0]
    if answer in ("absent", "failed"):
        return asked | (base.absent_fields() if answer == "absent" else base.failed_read())
    found = value if "digest" in asked else old if answer == "old" else source.choice(VALUES)
    return asked | ({"got": found} if source.random() < 0.8 else {"advertised": found})


def generate(source: random.Random, first: int, number: int) -> list[Operation]:
    """Writes, some of them early deletes; mistakes; mostly a restore; and reads from both zones, most of them after it."""
    rows: list[Operation] = []
    tags = TAGS[: source.choice((1, 1, 2))]
    region = "east"

    def tell(action: str, start: int, length: int, fields: dict[str, object]) -> None:
        where = {"region": region, "zone": source.choice(base.TOPOLOGY.regions[region])}
        rows.append(base.row(source, first + len(rows), number, action, **(where | _at(source, start, length) | fields)))

    old = source.choice(VALUES)
    for _ in range(source.choice((1, 1, 1, 2, 3))):
        tell("manifest-put", 0, 3, _write(source, source.choice(tags), old if source.random() < 0.8 else source.choice(VALUES), "pinned"))
    if source.random() < 0.2:
        tell("manifest-delete", 0, 4, _write(source, *source.choice(((tags[0], ""), ("", old))), "pinned"))
    for _ in range(source.choice((0, 1, 1, 1, 2))):
        action, fields = _mistake(source, source.choice(tags), old)
        tell(action, 3, 3, fields)
    for _ in range(source.choice((0, 1, 1, 2))):
        tell("manifest-put", 4, 5, _write(source, source.choice(tags), old if source.random() < 0.8 else source.choice(VALUES), "restore"))
    if source.random() < 0.2:
        tell("manifest-put", 5, 7, _write(source, source.choice(tags), source.choice(VALUES), "pinned"))
    for _ in range(source.choice((0, 2, 4))):
        tell(source.choice(_READS), 6, 8, _read(source, source.choice(tags), source.choice((old, old, *VALUES)), old))
    if source.random() < 0.6:
        for zone in base.TOPOLOGY.regions[region]:
            answers: tuple[dict[str, object], dict[str, object]] = {"got": old}, base.absent_fields()
            for asked in ({"digest": old}, *({"reference": tag} for tag in tags)):
                tell("manifest-get", 12, 4, {"zone": zone, **asked, **source.choices(answers, (93, 7))[0]})
    return rows


@dataclass(frozen=True)
class Event:
    """A write of a value ("": a delete of whatever is there) that must have happened by `must_end` (OPEN: it need not); `only` empties
    the tag of this value alone."""

    value: str
    start: int
    must_end: int
    only: str = ""


def held(events: Sequence[Event], mistake: Operation) -> set[str]:
    """Exhaustive: what the register may hold when the mistake happens, over every order true to real time."""
    found: set[str] = set()

    @cache
    def search(done: int, now: str) -> None:
        left = [number for number in range(len(events)) if not done >> number & 1]
        if all(events[number].must_end >= mistake.called_ns for number in left):
            found.add(now)
        for number in left:
            event = events[number]
            if event.start <= end(mistake) and all(events[other].must_end >= event.start for other in left):
                search(done | 1 << number, now if event.only and event.only != now else event.value)

    search(0, "")
    return found


def _may_have(rows: Rows, action: str, mistake: Operation) -> list[Operation]:
    return [row for row in rows if row.action == action and row.outcome is not FAILED and row.index != mistake.index]


def _event(row: Operation, only: str = "") -> Event:
    value = row.digest if row.action == "manifest-put" else ""
    return Event(value, row.called_ns, OPEN if row.outcome is UNKNOWN else end(row), only)


def _of_tag(rows: Rows, mistake: Operation, tag: str) -> set[str]:
    events = [_event(row) for row in _may_have(rows, "manifest-put", mistake) if row.reference == tag]
    events += [_event(row, row.digest) for row in _may_have(rows, "manifest-delete", mistake) if row.digest or row.reference == tag]
    return held(events, mistake)


def _of_digest(rows: Rows, mistake: Operation, digest: str) -> set[str]:
    return held(
        [_event(row) for action in ("manifest-put", "manifest-delete") for row in _may_have(rows, action, mistake) if row.digest == digest],
        mistake,
    )


def _losses(rows: Rows, mistake: Operation) -> list[tuple[str, str, bool]]:
    """(tag or "", digest, whether it is certain that it was there)."""
    found = []
    if mistake.action == "manifest-delete" and mistake.digest:
        puts = [row for row in _may_have(rows, "manifest-put", mistake) if row.digest == mistake.digest and row.called_ns <= end(mistake)]
        found += [("", mistake.digest, _of_digest(rows, mistake, mistake.digest) == {mistake.digest})] if puts else []
        tags = {row.reference for row in puts}
    else:
        tags = {mistake.reference}
    for tag in sorted(tags):
        values = _of_tag(rows, mistake, tag)
        if mistake.action == "manifest-delete" and mistake.digest:
            found += [(tag, mistake.digest, len(values) == 1)] if mistake.digest in values else []
        else:
            taken = values - {"", mistake.digest}
            found += [(name, value, len(values) == 1) for value in sorted(taken) for name in (tag, "")]
    return found


def _until(rows: Rows, mistake: Operation, tag: str, digest: str) -> int:
    """When the next change was called: a delete of it, or a write to the tag by anybody but a restore."""
    later = [row for row in rows if row.outcome is not FAILED and row.called_ns > end(mistake)]
    ends = [row for row in later if row.action == "manifest-delete" and row.digest == digest]
    if tag:
        ends += [row for row in later if row.action == "manifest-delete" and not row.digest and row.reference == tag]
        ends += [row for row in later if row.action == "manifest-put" and row.reference == tag and row.lane != "restore"]
    return min([row.called_ns for row in ends], default=OPEN)


def _in_zone(rows: Rows, mistake: Operation, loss: tuple[str, str], zone: str) -> tuple[str, int] | None:
    """The label and the row blamed; ("", -1) where nobody looked in time."""
    tag, digest = loss
    asked = [row for row in rows if row.action in _READS and row.zone == zone and (is_absent(row) or is_clean(row))]
    asked = [row for row in asked if (row.reference == tag and not row.digest if tag else row.digest == digest)]
    until = _until(rows, mistake, tag, digest)
    late = [row for row in asked if row.called_ns > end(mistake) + WITHIN_NS and end(row) < until]
    late.sort(key=lambda row: (row.called_ns, row.index))
    value = {row.index: "" if is_absent(row) else row.got or row.advertised for row in late}
    for row in late:
        if value[row.index] not in ("", digest):
            return "Wrong value", row.index
    for row in late:
        if not value[row.index]:
            is_back = any(value[other.index] and other.called_ns > row.called_ns for other in late)
            return ("Late" if is_back else "Not restored"), row.index
    return None if late else ("", -1)


def recoverability(rows: Rows) -> Judged:
    """What an operator's mistake certainly took away is back, in every zone, by the deadline."""
    blame: set[tuple[str, int]] = set()
    doubts: set[tuple[str, int]] = set()
    is_any = False
    for mistake in [row for row in rows if row.lane == "operator" and row.outcome is OK]:
        is_restored = any(row.lane == "restore" and row.called_ns >= mistake.called_ns for row in rows)
        for tag, digest, is_certain in _losses(rows, mistake):
            is_any = True
            if not is_certain or not is_restored:
                doubts.add(("Uncertain" if not is_certain else "No restore", mistake.index))
                continue
            for zone in base.TOPOLOGY.regions[mistake.region]:
                found = _in_zone(rows, mistake, (tag, digest), zone)
                if found == ("", -1):
                    doubts.add(("Not read", mistake.index))
                elif found is not None:
                    blame.add(found)
    return base.judged(frozenset(blame), frozenset(doubts), is_empty=not is_any)


_LABELS = ("Not restored", "Late", "Wrong value", "Uncertain", "No restore", "Not read")
_CHECK = Recoverability(within=timedelta(microseconds=WITHIN_NS / 1000))
FAMILIES = (Family("recoverability", generate, ByFindings(_CHECK, base.by_first_words(_LABELS)), recoverability),)
