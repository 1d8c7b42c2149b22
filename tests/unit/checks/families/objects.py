"""Durability and closure: histories of two manifests and two blobs, and what checks.md §4 says of them."""

import random
from datetime import timedelta

from chaoskit.checks.closure import Closure
from chaoskit.checks.durability import Durability
from chaoskit.model.history import OPEN, Operation

from ..histories import FAILED, OK
from . import base
from .base import Blame, ByFindings, Family, Judged, Rows, end, is_absent, is_clean

WITHIN_NS = 3 * base.TICK_NS
MANIFESTS, BLOBS = ("m0", "m1"), ("b0", "b1")
MANIFEST_READS, BLOB_READS = ("manifest-get", "manifest-head"), ("blob-get", "blob-head")
_WRITES = (("manifest-put", 3), ("upload-put", 3), ("manifest-delete", 1), ("blob-delete", 1))
_READS = (("manifest-get", 5), ("manifest-head", 1), ("blob-get", 5), ("blob-head", 1))
_ACTIONS = tuple(action for action, weight in (*_WRITES, *_READS) for _ in range(weight))


def _is_of_blob(action: str) -> bool:
    return action.startswith(("blob", "upload"))


def _children(source: random.Random) -> tuple[str, ...]:
    return tuple(source.sample(("b0", "b1", "m1"), source.randint(0, 2)))


def _read(source: random.Random, action: str, value: str) -> dict[str, object]:
    """A read by digest, or of the tag `t`: found, absent, without an answer, or corrupt."""
    is_tag = action == "manifest-get" and source.random() < 0.3
    asked: dict[str, object] = {"reference": "t"} if is_tag else {"digest": value}
    answer = source.choices(("found", "absent", "failed", "corrupt"), (10, 9, 2, 1))[0]
    if answer == "absent":
        return asked | base.absent_fields()
    if answer == "failed":
        return asked | base.failed_read()
    asked |= {"got": value} if action.endswith("-get") else {"advertised": value}
    if answer == "corrupt":
        asked |= {"got": base.NOBODY, "observed": "digest-differs"}
    if action == "manifest-get":
        asked["children"] = _children(source)
    return asked


def generate(source: random.Random, first: int, number: int) -> list[Operation]:
    """Up to ten operations, and in some a sweep: final reads of all that was acknowledged, from both zones of its region."""
    rows: list[Operation] = []
    for _ in range(source.randint(2, 10)):
        action = source.choice(_ACTIONS)
        value = source.choice(BLOBS if _is_of_blob(action) else MANIFESTS)
        if action in (*MANIFEST_READS, *BLOB_READS):
            fields = _read(source, action, value)
        else:
            fields = {"digest": value} | base.write_fields(source)
            if action == "manifest-put":
                fields |= {"reference": "t", "children": _children(source)} | _blob_unknown(source)
        rows.append(base.row(source, first + len(rows), number, action, **fields))
    if source.random() < 0.5:
        _sweep(source, rows, number)
    return rows


def _blob_unknown(source: random.Random) -> dict[str, object]:
    """Now and then: this push was refused for a blob it does not say, or says."""
    if source.random() > 0.15:
        return {}
    refused = {"outcome": FAILED, "status": source.choice((400, 404)), "observed": "http-4xx", "returned_ns": base.HORIZON * base.TICK_NS}
    return {**refused, "detail": "MANIFEST_BLOB_UNKNOWN"}


def _sweep(source: random.Random, rows: list[Operation], number: int) -> None:
    asked = {(row.region, row.action, row.digest) for row in rows if row.action in ("manifest-put", "upload-put") and row.outcome is OK}
    asked |= {(row.region, "upload-put", child) for row in rows if row.action == "manifest-get" and is_clean(row) for child in row.children}
    for region, action, value in sorted(asked):
        read = "manifest-get" if action == "manifest-put" or value in MANIFESTS else "blob-get"
        for zone in base.TOPOLOGY.regions[region]:
            if source.random() < 0.95:
                found: dict[str, object] = {"got": value} if source.random() < 0.95 else base.absent_fields()
                fields: dict[str, object] = {"digest": value, "phase": "final", "region": region, "zone": zone, **found}
                rows.append(base.row(source, rows[0].index + len(rows), number, read, **fields))


Object = tuple[str, bool, str]  # region, whether a blob, digest


def _objects(rows: Rows) -> set[Object]:
    return {(row.region, _is_of_blob(row.action), row.digest) for row in rows if row.digest}


def _is_about(row: Operation, thing: Object) -> bool:
    return (row.region, _is_of_blob(row.action), row.digest) == thing


def known(rows: Rows, thing: Object) -> int:
    """When an object was known: the earlier of acknowledgement and first sighting (by digest, or bytes of it under a tag)."""
    region, is_blob, digest = thing
    times = [OPEN]
    for row in rows:
        if not is_clean(row):
            continue
        writes = row.action == ("upload-put" if is_blob else "manifest-put")
        reads = row.action in (BLOB_READS if is_blob else MANIFEST_READS)
        is_tag = not is_blob and reads and not row.digest and (row.region, row.got) == (region, digest)
        if (_is_about(row, thing) and (writes or reads)) or is_tag:
            times.append(end(row))
    return min(times)


def deleted(rows: Rows, thing: Object) -> int:
    """When the first delete of an object that may have happened was called, OPEN if there was none."""
    action = "blob-delete" if thing[1] else "manifest-delete"
    return min([row.called_ns for row in rows if row.action == action and _is_about(row, thing) and row.outcome is not FAILED] or [OPEN])


def reads_of(rows: Rows, thing: Object) -> list[Operation]:
    """Answered reads of an object by its digest."""
    return [
        row for row in rows if row.action in (BLOB_READS if thing[1] else MANIFEST_READS) and row.outcome is OK and _is_about(row, thing)
    ]


def _is_unread(rows: Rows, thing: Object) -> bool:
    """Some zone of the region did not answer for the object in the final reads."""
    answered = {row.zone for row in reads_of(rows, thing) if row.phase == "final"}
    return not answered.issuperset(base.TOPOLOGY.regions[thing[0]])


def missing(rows: Rows, within_ns: int) -> Blame:
    """Of each object, the first read that lacks it and never finds it again in that zone, and the first that finds it again later."""
    blame: set[tuple[str, int]] = set()
    for thing in _objects(rows):
        since, until = known(rows, thing), deleted(rows, thing)
        reads = sorted(reads_of(rows, thing), key=lambda row: (row.called_ns, row.index))
        gone = [row for row in reads if is_absent(row) and row.called_ns > since and row.called_ns - since > within_ns and end(row) < until]
        back = {row.index: any(is_clean(x) and x.zone == row.zone and x.called_ns > row.called_ns for x in reads) for row in gone}
        blame |= {("Lost", row.index) for row in [row for row in gone if not back[row.index]][:1]}
        blame |= {("Late", row.index) for row in [row for row in gone if back[row.index]][:1]}
    return frozenset(blame)


def durability(rows: Rows) -> Judged:
    """Every acknowledged digest is in every read that starts after it was known, until the call of a delete."""
    unread = set()
    acknowledged = [row for row in rows if row.action in ("manifest-put", "upload-put") and is_clean(row)]
    for thing in {(row.region, _is_of_blob(row.action), row.digest) for row in acknowledged}:
        if deleted(rows, thing) == OPEN and _is_unread(rows, thing):
            unread.add(("Never read", min(row.index for row in acknowledged if _is_about(row, thing))))
    return base.judged(missing(rows, WITHIN_NS), frozenset(unread), is_empty=not acknowledged)


def _sightings(rows: Rows, region: str, child: str) -> list[Operation]:
    return [row for row in rows if row.action == "manifest-get" and is_clean(row) and row.region == region and child in row.children]


def _holes(rows: Rows) -> Blame:
    blame = set()
    for thing in _objects(rows):
        for read in reads_of(rows, thing):
            if not is_absent(read) or end(read) >= deleted(rows, thing):
                continue
            before = [row for row in _sightings(rows, thing[0], thing[2]) if end(row) < read.called_ns]
            if any(row.zone == read.zone for row in before):
                blame.add(("same zone", read.index))
            elif before:
                blame.add(("other zone", read.index))
    return frozenset(blame)


def _refused(rows: Rows) -> Blame:
    """Pushes refused for a blob that was there for all of their time: each child that they can mean was known, and not deleted."""

    def was_there(put: Operation, child: str) -> bool:
        kinds = [(put.region, True, child), (put.region, False, child)]
        return min(known(rows, kind) for kind in kinds) < put.called_ns and end(put) < min(deleted(rows, kind) for kind in kinds)

    puts = [row for row in rows if row.detail and row.status in (400, 404) and row.children]
    return frozenset(("was refused", put.index) for put in puts if all(was_there(put, child) for child in put.children))


def closure(rows: Rows) -> Judged:
    """Children of a visible manifest are found by every read that starts later; no push is refused for blobs that are there."""
    visible = [row for row in rows if row.action == "manifest-get" and is_clean(row) and row.children]
    unread: dict[tuple[str, str], int] = {}
    for row in visible:
        if any(_is_child_unread(rows, row.region, child) for child in row.children):
            unread.setdefault((row.region, row.got), row.index)
    doubts = frozenset(("not every zone", index) for index in unread.values())
    return base.judged(_holes(rows) | _refused(rows), doubts, is_empty=not visible)


def _is_child_unread(rows: Rows, region: str, child: str) -> bool:
    """Some zone did not answer for an undeleted child in the final reads, as a blob or as a manifest."""
    kinds = [(region, is_blob, child) for is_blob in (True, False)]
    if min(deleted(rows, kind) for kind in kinds) != OPEN:
        return False
    answered = {row.zone for kind in kinds for row in reads_of(rows, kind) if row.phase == "final"}
    return not answered.issuperset(base.TOPOLOGY.regions[region])


_DURABILITY = Durability(visible_within=timedelta(microseconds=WITHIN_NS / 1000))
_SAID = ("same zone", "other zone", "was refused", "not every zone")
FAMILIES = (
    Family("durability", generate, ByFindings(_DURABILITY, base.by_first_words(("Lost", "Late", "Never read"))), durability),
    Family("closure", generate, ByFindings(Closure(), base.by_words(_SAID)), closure),
)
