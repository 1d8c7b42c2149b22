"""Weaker models of tags than linearizability, and the strongest one that the reads of a scope meet.

A client is what asks in one go: a stream of the plan (its lane and the millions of its session numbers), wherever it enters; in the final
reads each zone is asked by a client of its own. The number of a session alone is one push or pull, too short to promise anything about.
Sessions of a client overlap (open loop), so only operations that had *ended before a read began* bind it.

"u is older than v" means: u was known (written or read) before the write of v began. A read of *absent* binds nothing after it, since it
may be of the time before all writes. A delete by tag is a write; a delete by digest binds nobody here (linearizability and staleness do).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np

from chaoskit.checks.base import in_phase
from chaoskit.checks.linearizability import clashes
from chaoskit.checks.registers import Registers
from chaoskit.checks.words import seconds
from chaoskit.model.history import OPEN, History, Ints, Mask

STREAM = 1_000_000  # session numbers of one stream (workload.plan)
_PORTION = 64  # tags looked at first for what a scope meets

Guarantee = Literal["read-your-writes", "monotonic reads"]


@dataclass(frozen=True, slots=True)
class Broken:
    """Reads that break a guarantee: the read (its place among the reads), the client's row that ended before it, the newer cluster."""

    read: Ints
    before: Ints
    newer: Ints


@dataclass(frozen=True, slots=True)
class Events:
    """What binds later reads of the same client and tag: when it ended, which row it was, the cluster it showed."""

    client: Ints
    end: Ints
    row: Ints
    cluster: Ints


@dataclass(frozen=True, slots=True)
class Scope:
    """What the reads of one scope show. Read-after-write (staleness 0) includes read-your-writes; linearizable includes all."""

    is_linearizable: bool
    reads_own_writes: bool
    is_monotonic: bool
    staleness_ns: int

    @property
    def model(self) -> str:
        """The strongest model met."""
        if self.is_linearizable:
            return "linearizable"
        monotonic = ("monotonic reads",) if self.is_monotonic else ()
        if not self.staleness_ns:
            return " and ".join(("read-after-write", *monotonic))
        own = ("read-your-writes",) if self.reads_own_writes else ()
        guarantees = " and ".join((*monotonic, *own))
        return f"{guarantees}, staleness {seconds(self.staleness_ns)}" if guarantees else f"staleness {seconds(self.staleness_ns)}"


def clients(history: History, rows: Ints) -> Ints:
    """Per row of the history the number of its client; only of these rows, as it costs a sort of each column."""
    number = np.zeros(len(rows), np.int64)
    zone = np.where(in_phase(history, "final"), history.zone, 0)
    for column in (history.region, history.lane, zone, history.session // STREAM):
        codes, dense = np.unique(column[rows], return_inverse=True)
        number = number * len(codes) + dense
    client = np.full(len(history), -1)
    client[rows] = number
    return client


def own_writes(registers: Registers, client: Ints) -> Events:
    """Acknowledged writes and deletes by tag."""
    writes = np.flatnonzero((registers.write_row >= 0) & (registers.write_end != OPEN) & (registers.after < 0))
    rows = registers.write_row[writes]
    return Events(client[rows], registers.write_end[writes], rows, writes)


def own_reads(registers: Registers, client: Ints, reads: Mask) -> Events:
    """Reads of values."""
    seen = np.flatnonzero(reads & ~registers.is_absence[registers.cluster])
    rows = registers.read_row[seen]
    return Events(client[rows], registers.read_end[seen], rows, registers.cluster[seen])


def broken(registers: Registers, client: Ints, reads: Mask, events: Events) -> Broken:
    """Those of the reads that return something older than what an event of the same client and tag, ended before, showed."""
    asked = np.flatnonzero(reads)
    owner = np.concatenate([events.client, client[registers.read_row[asked]]])
    key = np.concatenate([registers.key[events.cluster], registers.key[registers.cluster[asked]]])
    _, group = np.unique(owner * len(registers.tag_row) + key, return_inverse=True)
    times = np.sort(np.concatenate([events.end, registers.read_start[asked]]))
    mine, theirs = np.split(group * len(times), [len(events.end)])
    at = mine + np.searchsorted(times, events.end)
    order = np.argsort(at, kind="stable")
    count = len(order)
    newest_first = np.argsort(registers.write_start[events.cluster], kind="stable")
    rank = np.empty(count, np.int64)
    rank[newest_first] = np.arange(count)
    newest = np.maximum.accumulate((group[: len(order)] * count + rank)[order])
    place = np.searchsorted(at[order], theirs + np.searchsorted(times, registers.read_start[asked]), side="left") - 1
    if not count:
        return Broken(asked[:0], asked[:0], asked[:0])
    found = newest[np.maximum(place, 0)]
    exists = (place >= 0) & (found // count == group[count:])
    event = newest_first[found % count]
    known = registers.known[registers.kindest[asked]]
    is_broken = exists & (known < registers.write_start[events.cluster[event]])
    return Broken(asked[is_broken], events.row[event[is_broken]], events.cluster[event[is_broken]])


def guarantees(registers: Registers, client: Ints, reads: Mask) -> dict[Guarantee, Broken]:
    """What breaks each guarantee among these reads."""
    return {
        "read-your-writes": broken(registers, client, reads, own_writes(registers, client)),
        "monotonic reads": broken(registers, client, reads, own_reads(registers, client, reads)),
    }


def scopes_of(history: History, registers: Registers) -> Iterator[tuple[str, Mask]]:
    """The scopes by name, and which reads are of each: `all`, then zones, lanes, phases and regions."""
    yield "all", np.ones(len(registers.read_row), np.bool_)
    for column in (history.zone, history.lane, history.phase, history.region):
        codes = column[registers.read_row]
        for code in np.unique(codes):
            yield history.name(int(code)), codes == code


def scopes(history: History, registers: Registers, suspects: Registers, client: Ints, lag: Ints) -> dict[str, Scope]:
    """What each scope shows, each guarantee judged among its reads and all writes alone.

    `suspects` are the tags on which some order fails among all reads: no other can fail in any scope. They are looked at in portions that
    grow, and a scope is let alone once it meets nothing. `lag` is the staleness (ns) of each read of the suspects.
    """
    met = {name: _Met() for name, _ in scopes_of(history, registers)}
    keys = np.flatnonzero(np.bincount(suspects.key))
    start, size = 0, _PORTION
    while start < len(keys) and any(each.is_open for each in met.values()):
        portion = suspects.of_keys(keys[start : start + size])
        for name, reads in scopes_of(history, portion):
            met[name].look(portion, client, reads)
        start, size = start + size, size * 4
    worst = {name: int(lag[reads].max(initial=0)) for name, reads in scopes_of(history, suspects)}
    return {name: Scope(each.is_linearizable, each.reads_own_writes, each.is_monotonic, worst.get(name, 0)) for name, each in met.items()}


@dataclass(slots=True)
class _Met:
    """What a scope meets so far."""

    is_linearizable: bool = True
    reads_own_writes: bool = True
    is_monotonic: bool = True

    @property
    def is_open(self) -> bool:
        return self.is_linearizable or self.reads_own_writes or self.is_monotonic

    def look(self, registers: Registers, client: Ints, reads: Mask) -> None:
        """Take these tags into account. What is linearizable keeps every guarantee."""
        if not self.is_open or not len(clashes(registers, reads)):
            return
        self.is_linearizable = False
        found = guarantees(registers, client, reads)
        self.reads_own_writes &= not len(found["read-your-writes"].read)
        self.is_monotonic &= not len(found["monotonic reads"].read)
