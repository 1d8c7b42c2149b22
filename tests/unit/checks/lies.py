"""Lies about a correct run: each changes the fewest rows that tell it, where a run has a place for it."""

import random
from collections.abc import Callable, Iterator

from chaoskit.model.history import Operation

from .histories import FAILED, OK, UNKNOWN, digest
from .region import END

Rows = list[Operation]
Lie = Callable[[random.Random, Rows], Iterator[Operation]]


def absent(row: Operation) -> Operation:
    """The same read, that found nothing."""
    return row.__replace__(got="", advertised="", status=404, observed="absent", children=())


def _returns(row: Operation, put: Operation) -> Operation:
    return row.__replace__(got=put.digest, advertised=put.digest, children=put.children)


def found(rows: Rows, **wanted: object) -> Rows:
    """Reads that returned something."""
    answered = [row for row in rows if row.action.endswith("-get") and row.outcome is OK and row.got]
    return [row for row in answered if all(getattr(row, name) == value for name, value in wanted.items())]


def _puts(rows: Rows, *outcomes: object) -> Rows:
    return [row for row in rows if row.action == "manifest-put" and row.outcome in (outcomes or (OK,))]


def ended(row: Operation) -> int:
    """When it was answered; 0 if nobody saw it."""
    return row.returned_ns or 0


def _tag(row: Operation) -> tuple[str, str]:
    return row.repository, row.reference


def _any(source: random.Random, rows: Rows) -> Rows:
    """One of the rows, or none."""
    return [source.choice(rows)] if rows else []


def lose_a_manifest(source: random.Random, rows: Rows) -> Iterator[Operation]:
    acknowledged = {row.digest for row in _puts(rows)}
    for row in _any(source, [row for row in found(rows, phase="final") if row.digest in acknowledged]):
        yield absent(row)


def lose_a_manifest_for_a_while(source: random.Random, rows: Rows) -> Iterator[Operation]:
    """A read between the acknowledgement and the final reads, which find it."""
    known = {row.digest: ended(row) for row in _puts(rows)}
    reads = [row for row in found(rows, phase="steady", action="manifest-get") if known.get(row.digest, END) < row.called_ns]
    for row in _any(source, reads):
        yield absent(row)


def leave_a_manifest_unread(source: random.Random, rows: Rows) -> Iterator[Operation]:
    acknowledged = {row.digest for row in _puts(rows)}
    for row in _any(source, [row for row in found(rows, phase="final") if row.digest in acknowledged]):
        yield row.__replace__(outcome=FAILED, got="", advertised="", status=0, observed="connect-refused", children=())


def flip_a_byte(source: random.Random, rows: Rows) -> Iterator[Operation]:
    for row in _any(source, [row for row in found(rows) if row.digest]):
        yield row.__replace__(got=digest("flipped"), advertised="", observed="digest-differs", children=())


def change_the_header(source: random.Random, rows: Rows) -> Iterator[Operation]:
    for row in _any(source, found(rows)):
        yield row.__replace__(advertised=digest("else"), observed="digest-differs")


def change_a_length(source: random.Random, rows: Rows) -> Iterator[Operation]:
    for row in _any(source, found(rows)):
        yield row.__replace__(advertised_bytes=10, size_bytes=9)


def change_a_size(source: random.Random, rows: Rows) -> Iterator[Operation]:
    """Two reads of one blob, each with the length it advertises, of different size."""
    reads = found(rows, action="blob-get")
    for row in _any(source, [row for row in reads if sum(other.digest == row.digest for other in reads) > 1]):
        for read in reads:
            size = 9 if read.index == row.index else 10
            yield read.__replace__(advertised_bytes=size, size_bytes=size)


def lose_a_child_where_it_was_seen(source: random.Random, rows: Rows) -> Iterator[Operation]:
    yield from _lose_a_child(source, rows, same=True)


def lose_a_child_elsewhere(source: random.Random, rows: Rows) -> Iterator[Operation]:
    yield from _lose_a_child(source, rows, same=False)


def _lose_a_child(source: random.Random, rows: Rows, *, same: bool) -> Iterator[Operation]:
    seen = [(row, child) for row in found(rows, action="manifest-get") for child in row.children]

    def zones(read: Operation) -> set[str]:
        return {
            row.zone for row, child in seen if (row.repository, child) == (read.repository, read.digest) and ended(row) < read.called_ns
        }

    reads = [(row, zones(row)) for row in found(rows, action="blob-get", phase="final")]
    for row in _any(source, [row for row, where in reads if where and (row.zone in where) is same]):
        yield absent(row)


def refuse_a_push(source: random.Random, rows: Rows) -> Iterator[Operation]:
    """A failed push of what had been uploaded before."""
    uploaded = {(row.repository, row.digest): ended(row) for row in rows if row.action == "upload-put" and row.outcome is OK}

    def was_there(put: Operation) -> bool:
        return all(uploaded.get((put.repository, child), END) < put.called_ns for child in put.children)

    for row in _any(source, [put for put in _puts(rows, FAILED) if was_there(put)]):
        yield row.__replace__(status=400, observed="http-4xx", detail="MANIFEST_BLOB_UNKNOWN", returned_ns=END)


def retarget(source: random.Random, rows: Rows) -> Iterator[Operation]:
    """A tag returns what was only ever sent to another repository."""
    for row in _any(source, found(rows, digest="")):
        for put in _any(source, [put for put in _puts(rows) if put.repository != row.repository]):
            yield _returns(row, put)


def give_a_failed_value(source: random.Random, rows: Rows) -> Iterator[Operation]:
    for put in _any(source, _puts(rows, FAILED)):
        for row in _any(source, [row for row in found(rows, digest="") if _tag(row) == _tag(put) and ended(row) > put.called_ns]):
            yield _returns(row, put)


def give_a_value_too_early(source: random.Random, rows: Rows) -> Iterator[Operation]:
    pairs = [(row, put) for row in found(rows, digest="") for put in _puts(rows) if _tag(row) == _tag(put) and ended(row) < put.called_ns]
    if pairs:
        yield _returns(*source.choice(pairs))


def forget_a_push(source: random.Random, rows: Rows) -> Iterator[Operation]:
    """A push that was read is not in the history."""
    read = {row.got for row in found(rows, digest="")}
    for row in _any(source, [put for put in _puts(rows, OK, UNKNOWN) if put.digest in read]):
        yield row.__replace__(action="tags-list", reference="", digest="", children=(), outcome=FAILED, status=0)


def deny_a_tag(source: random.Random, rows: Rows) -> Iterator[Operation]:
    tags = {_tag(row) for row in _puts(rows)}
    for row in _any(source, [row for row in found(rows, phase="final", digest="") if _tag(row) in tags]):
        yield absent(row)


def give_an_older_value(source: random.Random, rows: Rows) -> Iterator[Operation]:
    yield from _give_an_older_value(source, rows, "steady")


def give_an_older_value_in_the_end(source: random.Random, rows: Rows) -> Iterator[Operation]:
    yield from _give_an_older_value(source, rows, "final")


def _give_an_older_value(source: random.Random, rows: Rows, phase: str) -> Iterator[Operation]:
    """A read that began after a newer value was acknowledged."""
    puts = _puts(rows)
    for row in source.sample(rows, len(rows)):
        if row in found([row], digest="", phase=phase):
            newer = [put for put in puts if _tag(put) == _tag(row) and ended(put) < row.called_ns]
            older = [old for old in puts for new in newer if _tag(old) == _tag(new) and ended(old) < new.called_ns]
            if older:
                yield _returns(row, source.choice(older))
                return


def swap_two_reads(source: random.Random, rows: Rows) -> Iterator[Operation]:
    """Of two reads, one after the other, the first gets the newer value and the second the older."""
    puts = {row.digest: row for row in _puts(rows)}
    reads = [row for row in found(rows, digest="") if row.got in puts]

    def fits(first: Operation, second: Operation) -> bool:
        old, new = puts[first.got], puts[second.got]
        in_order = ended(first) < second.called_ns and ended(old) < new.called_ns
        return in_order and _tag(first) == _tag(second) and ended(first) >= new.called_ns

    pairs = [(first, second) for first in reads for second in reads if fits(first, second)]
    if pairs:
        first, second = source.choice(pairs)
        yield _returns(first, puts[second.got])
        yield _returns(second, puts[first.got])
