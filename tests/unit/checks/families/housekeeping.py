"""Deletes and lists: histories of two manifests under two tags and a blob, and, as the oracle, every order their intervals admit."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache, partial

from chaoskit.checks.deletes import Deletes
from chaoskit.checks.lists import Lists
from chaoskit.model.history import OPEN, Operation

from ..histories import FAILED, OK, UNKNOWN
from . import base
from .base import Blame, ByFindings, Family, Judged, Rows, end, is_absent, is_clean

WITHIN_NS = base.TICK_NS
MANIFESTS, TAGS = ("m0", "m1"), ("a", "a-1", "B", "b2")
_KINDS = {"manifest-put": 4, "manifest-get": 4, "manifest-head": 1, "tags-list": 2, "manifest-delete": 3}
_KINDS |= {"upload-put": 1, "blob-get": 2, "blob-head": 1, "blob-delete": 1}
_LISTED = {"manifest-put": 5, "manifest-delete": 1, "tags-list": 3}


def _write(source: random.Random, action: str, tags: Sequence[str]) -> dict[str, object]:
    if action.startswith(("upload", "blob")):
        return {"digest": "b0"} | base.write_fields(source)
    if action == "manifest-delete" and source.random() < 0.4:
        return {"reference": source.choice(tags)} | base.write_fields(source)
    digest = source.choice(MANIFESTS)
    tagged = {"reference": source.choice((*tags, *tags, digest))} if action == "manifest-put" else {}
    return {"digest": digest} | tagged | base.write_fields(source)


def _read(source: random.Random, action: str, tags: Sequence[str]) -> dict[str, object]:
    answer = source.choices(("found", "absent", "failed", "corrupt"), (10, 6, 2, 1))[0]
    value = "b0" if action.startswith("blob") else source.choice(MANIFESTS)
    is_tag = action.startswith("manifest") and source.random() < 0.4
    fields: dict[str, object] = {"reference": source.choice(tags)} if is_tag else {} if action == "tags-list" else {"digest": value}
    if answer == "absent":
        return fields | base.absent_fields()
    if answer == "failed":
        return fields | base.failed_read()
    if action == "tags-list":
        entries = [tag for tag in sorted(tags) if source.random() < 0.7] + source.choice(([], [], [], ["z"], [source.choice(tags)]))
        if source.random() < 0.2:
            source.shuffle(entries)
        return fields | {"entries": tuple(entries), "observed": "unparsable" if answer == "corrupt" else "read-ok"}
    if answer == "corrupt":
        return fields | {"got": base.NOBODY, "observed": "digest-differs"}
    return fields | ({"advertised": value} if action.endswith("head") else {"got": value})


def generate(kinds: Mapping[str, int], source: random.Random, first: int, number: int) -> list[Operation]:
    """Up to eleven operations of these kinds (by weight) on up to four tags; in some, final reads of all that was deleted."""
    rows: list[Operation] = []
    tags = TAGS[: source.choice((1, 1, 2, 4))]
    for _ in range(source.randint(2, 11)):
        action = source.choices(tuple(kinds), tuple(kinds.values()))[0]
        fields = (_read if action.endswith(("get", "head", "list")) else _write)(source, action, tags)
        rows.append(base.row(source, first + len(rows), number, action, **fields))
    if source.random() < 0.5:
        rows = [_whole(source, rows, row) if row.action == "tags-list" and is_clean(row) else row for row in rows]
    if source.random() < 0.5:
        _sweep(source, rows, number)
    return rows


def _whole(source: random.Random, rows: Rows, listing: Operation) -> Operation:
    """The list, later, with the tags that may be there when it ends, mostly without those that a delete by name may have emptied."""
    later = source.randrange(8) * base.TICK_NS
    listing = listing.__replace__(called_ns=listing.called_ns + later, returned_ns=end(listing) + later)
    gone = {row.reference for row in _may_have(rows, "manifest-delete") if row.called_ns <= end(listing) and source.random() < 0.7}
    puts = [row for row in _puts(rows, listing.region) if row.called_ns <= end(listing) and row.reference in TAGS]
    return listing.__replace__(entries=tuple(sorted({row.reference for row in puts} - gone)))


def _sweep(source: random.Random, rows: list[Operation], number: int) -> None:
    deletes = [row for row in rows if row.action.endswith("delete")]
    for region, action, digest, tag in sorted({(row.region, row.action, row.digest, row.reference) for row in deletes}):
        read = "blob-get" if action == "blob-delete" else "manifest-get"
        for zone in base.TOPOLOGY.regions[region]:
            start = base.TICK_NS * source.randint(6, 16)
            asked: dict[str, object] = {"digest": digest} if digest else {"reference": tag}
            where = {"phase": "final", "region": region, "zone": zone, "called_ns": start, "returned_ns": start + base.TICK_NS}
            answer = base.absent_fields() if source.random() < 0.9 else {"got": digest or source.choice(MANIFESTS)}
            if source.random() < 0.95:
                rows.append(base.row(source, rows[0].index + len(rows), number, read, **asked, **where, **answer))


@dataclass(frozen=True)
class Event:
    """An operation on a register, `sets` to this value; `must_end` is when it must have had its effect (OPEN: it need not have one)."""

    sets: bool
    start: int
    must_end: int


def may_be(events: Sequence[Event], value: bool, read: Operation, *, at_first: bool) -> bool:
    """Exhaustive: is there an order, true to real time, of the events and a read, in which the read sees this value?"""

    @cache
    def search(done: int, now: bool) -> bool:
        left = [number for number in range(len(events)) if not done >> number & 1]
        if now is value and all(events[number].must_end >= read.called_ns for number in left):
            return True
        ready = [number for number in left if all(events[other].must_end >= events[number].start for other in left)]
        return any(search(done | 1 << number, events[number].sets) for number in ready if events[number].start <= end(read))

    return search(0, at_first)


def _may_have(rows: Rows, *actions: str) -> list[Operation]:
    return [row for row in rows if row.action in actions and row.outcome is not FAILED]


def _events(writes: Sequence[Operation], deletes: Sequence[Operation], within_ns: int) -> list[Event]:
    """Writes that may have happened, and deletes that were acknowledged: gone from reads that start `within_ns` later."""
    made = [Event(True, row.called_ns, OPEN if row.outcome is UNKNOWN else end(row)) for row in writes]
    return made + [Event(False, row.called_ns, end(row) + within_ns) for row in deletes if row.outcome is OK]


def _must_be_gone(writes: Sequence[Operation], deletes: Sequence[Operation], read: Operation) -> bool:
    """Whether what these wrote and deleted cannot be there; of what nobody wrote by then it is not known whether it was there before."""
    is_unwritten = all(row.called_ns > end(read) for row in writes)
    return not may_be(_events(writes, deletes, WITHIN_NS), True, read, at_first=is_unwritten)


def _puts(rows: Rows, region: str, **wanted: str) -> list[Operation]:
    puts = [row for row in _may_have(rows, "manifest-put") if row.region == region]
    return [row for row in puts if all(getattr(row, name) == value for name, value in wanted.items())]


def _deletes(rows: Rows, region: str, *, digest: str = "", tag: str = "", action: str = "manifest-delete") -> list[Operation]:
    return [row for row in _may_have(rows, action) if (row.region, row.digest, row.reference) == (region, digest, tag)]


def _writes_and_deletes(rows: Rows, read: Operation, digest: str) -> tuple[list[Operation], list[Operation]]:
    """Those of the object that a read found."""
    if read.action.startswith("blob"):
        writes = [row for row in _may_have(rows, "upload-put") if (row.region, row.digest) == (read.region, digest)]
        return writes, _deletes(rows, read.region, digest=digest, action="blob-delete")
    return _puts(rows, read.region, digest=digest), _deletes(rows, read.region, digest=digest)


def _not_gone(rows: Rows, read: Operation) -> bool:
    value = read.digest or read.got or read.advertised
    if _must_be_gone(*_writes_and_deletes(rows, read, value), read):
        return True
    if read.digest:
        return False
    return _must_be_gone(
        _puts(rows, read.region, reference=read.reference, digest=value), _deletes(rows, read.region, tag=read.reference), read
    )


def _still_listed(rows: Rows, read: Operation, tag: str) -> bool:
    by_name = _deletes(rows, read.region, tag=tag)
    if all(row.called_ns > end(read) for row in _puts(rows, read.region, reference=tag)):
        return _must_be_gone([], by_name, read)
    return all(
        _must_be_gone(
            _puts(rows, read.region, reference=tag, digest=value) or [read.__replace__(called_ns=OPEN)],
            by_name + _deletes(rows, read.region, digest=value),
            read,
        )
        for value in {row.digest for row in _puts(rows, read.region, reference=tag) if row.called_ns <= end(read)}
    )


def _came_back(rows: Rows, read: Operation) -> bool:
    writes, deletes = _writes_and_deletes(rows, read, read.digest)
    same = [row for row in rows if row.region == read.region and row.digest == read.digest and row.action[:4] == read.action[:4]]
    same = [row for row in same if row.action.endswith(("get", "head"))]
    called = min([row.called_ns for row in deletes], default=OPEN)
    if any(row.outcome is UNKNOWN or end(row) >= called for row in writes):
        return False
    for vain in same:
        had = [row for row in same if is_clean(row) and row.zone == vain.zone and end(row) < vain.called_ns]
        if is_absent(vain) and had and end(vain) >= called and end(vain) + WITHIN_NS < read.called_ns:
            return True
    return False


def _unread(rows: Rows) -> Blame:
    """The first acknowledged delete of each object or tag that some zone did not answer for late enough."""
    blame: dict[tuple[str, ...], int] = {}
    deletes = [row for row in rows if row.action.endswith("delete") and row.outcome is OK]
    for delete in deletes:
        thing = (delete.region, delete.action, delete.digest, delete.reference)
        over = min(end(row) for row in deletes if (row.region, row.action, row.digest, row.reference) == thing)
        asked = [row for row in rows if row.action in (f"{delete.action[:-7]}-get", f"{delete.action[:-7]}-head")]
        asked = [row for row in asked if (row.region, row.digest, row.reference) == (delete.region, delete.digest, delete.reference)]
        answered = {r.zone for r in asked if r.outcome is OK and r.phase == "final" and r.called_ns > over + WITHIN_NS}
        if not answered.issuperset(base.TOPOLOGY.regions[delete.region]):
            blame.setdefault(thing, delete.index)
    return frozenset(("Never read", index) for index in blame.values())


def deletes(rows: Rows) -> Judged:
    """No read finds what no order of writes and acknowledged deletes leaves there, and nothing comes back."""
    blame: set[tuple[str, int]] = set()
    for read in rows:
        if not is_clean(read) or not read.action.endswith(("get", "head", "list")):
            continue
        if read.action == "tags-list":
            blame |= {("Still listed", read.index) for tag in read.entries if _still_listed(rows, read, tag)}
        elif _not_gone(rows, read):
            blame.add(("Not gone", read.index))
        elif read.digest and _came_back(rows, read):
            blame.add(("Came back", read.index))
    acknowledged = any(row.action.endswith("delete") and row.outcome is OK for row in rows)
    return base.judged(frozenset(blame), _unread(rows), is_empty=not acknowledged)


def _is_due(rows: Rows, listing: Operation, tag: str) -> bool:
    puts = _puts(rows, listing.region, reference=tag)
    covering = _deletes(rows, listing.region, tag=tag)
    covering += [row for digest in {put.digest for put in puts} for row in _deletes(rows, listing.region, digest=digest)]
    events = [Event(True, row.called_ns, end(row) + WITHIN_NS) for row in puts if row.outcome is OK]
    events += [Event(False, row.called_ns, OPEN if row.outcome is UNKNOWN else end(row)) for row in covering]
    return not may_be(events, False, listing, at_first=False)


def _is_ordered(names: Sequence[str], key: Callable[[str], str]) -> bool:
    for one, other in zip(map(key, names), map(key, names[1:]), strict=False):
        shared = next((n for n in range(len(one)) if one[: n + 1] != other[: n + 1]), len(one))
        left, right = one[shared : shared + 1], other[shared : shared + 1]
        if left > right and left.isalnum() and (right.isalnum() or not right):
            return False
    return True


def lists(rows: Rows) -> Judged:
    """Every list names what is due, nothing that nobody wrote, each tag once, in an order that the spec allows."""
    blame: set[tuple[str, int]] = set()
    is_any_due = False
    for listing in [row for row in rows if row.action == "tags-list" and (is_clean(row) or is_absent(row))]:
        due = {tag for tag in TAGS if _is_due(rows, listing, tag)}
        is_any_due |= bool(due)
        if due - set(listing.entries):
            blame.add(("Skipped", listing.index))
        if any(not [put for put in _puts(rows, listing.region, reference=tag) if put.called_ns <= end(listing)] for tag in listing.entries):
            blame.add(("Invented", listing.index))
        if any(listing.entries.count(tag) > 1 for tag in listing.entries):
            blame.add(("Twice", listing.index))
        if not _is_ordered(listing.entries, str) and not _is_ordered(listing.entries, str.lower):
            blame.add(("Out of order", listing.index))
    return base.judged(frozenset(blame), is_empty=not is_any_due)


_WITHIN = timedelta(microseconds=WITHIN_NS / 1000)
_DELETES = base.by_first_words(("Not gone", "Still listed", "Came back", "Never read"))
_LISTS = base.by_first_words(("Skipped", "Invented", "Twice", "Out of order"))
FAMILIES = (
    Family("deletes", partial(generate, _KINDS), ByFindings(Deletes(within=_WITHIN), _DELETES), deletes),
    Family("lists", partial(generate, _LISTED), ByFindings(Lists(within=_WITHIN), _LISTS), lists),
)
