"""The history of a run: one row an operation, and the same as NumPy columns for the checks.

A row is one HTTP attempt, or one whole push or pull (`parent` -1) whose attempts point at it. Intervals are closed, in ns of run time.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import chain, count
from operator import attrgetter

import msgspec
import numpy as np
import numpy.typing as npt

SCHEMA_VERSION = 1
OPEN = int(np.iinfo(np.int64).max)

Ints = npt.NDArray[np.int64]
Codes = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


class Outcome(IntEnum):
    """UNKNOWN may have happened, FAILED did not, OK was answered (a 404 on a read is an answer)."""

    UNKNOWN = 0
    OK = 1
    FAILED = 2


class Operation(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True, gc=False):
    """One row. `digest` is what was sent or asked for, `got` the SHA-256 of the bytes received, `advertised` the header's.

    `returned_ns` None is an operation nobody saw end. `observed` is the row of the outcome table (registry.outcome) that matched.
    """

    index: int
    action: str
    lane: str
    phase: str
    region: str
    zone: str
    intended_ns: int
    called_ns: int
    parent: int = -1
    session: int = 0
    profile: str = "none"
    attempt: int = 0
    repository: str = ""
    reference: str = ""
    digest: str = ""
    got: str = ""
    advertised: str = ""
    advertised_bytes: int = -1
    size_bytes: int = -1
    children: tuple[str, ...] = ()
    entries: tuple[str, ...] = ()
    returned_ns: int | None = None
    outcome: Outcome = Outcome.UNKNOWN
    status: int = 0
    observed: str = "open"
    detail: str = ""


_CODED = ("action", "lane", "phase", "region", "zone", "profile", "repository", "reference", "digest", "got", "advertised", "observed")
_NUMBERS = ("index", "parent", "session", "attempt", "intended_ns", "called_ns", "advertised_bytes", "size_bytes", "status", "outcome")
_LISTS = ("children", "entries")


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """Rows as columns, sorted by index. Strings are codes into one pool shared by all columns (code 0 is the empty string),
    so a digest has the same code wherever it stands. `children_of` and `entries_of` are CSR: row r owns
    `children[children_at[r]:children_at[r + 1]]`. `returned_ns` is OPEN where nobody saw the end. `views` is where `checks.base.derived`
    keeps what it worked out from the columns."""

    names: tuple[str, ...]
    code_of: Mapping[str, int]
    index: Ints
    parent: Ints
    session: Ints
    attempt: Ints
    intended_ns: Ints
    called_ns: Ints
    returned_ns: Ints
    advertised_bytes: Ints
    size_bytes: Ints
    status: Ints
    outcome: Ints
    action: Codes
    lane: Codes
    phase: Codes
    region: Codes
    zone: Codes
    profile: Codes
    repository: Codes
    reference: Codes
    digest: Codes
    got: Codes
    advertised: Codes
    observed: Codes
    children_at: Ints
    children: Codes
    entries_at: Ints
    entries: Codes
    details: tuple[str, ...]
    views: dict[object, object] = field(default_factory=dict, init=False, repr=False)

    def __len__(self) -> int:
        return len(self.index)

    def code(self, name: str) -> int:
        """The code of a string, -1 if it occurs nowhere (so that no row matches)."""
        return self.code_of.get(name, -1)

    def is_action(self, *names: str) -> Mask:
        """Rows of any of these actions."""
        return np.isin(self.action, [self.code(name) for name in names])

    def name(self, code: int) -> str:
        """The string of a code."""
        return self.names[code]


class Columns:
    """Turns rows into columns, a block at a time, so that no more than a block of rows is ever held. Of one index the last row counts."""

    def __init__(self) -> None:
        self._pool: defaultdict[str, int] = defaultdict(count().__next__)
        self._pool[""]
        self._blocks: list[_Block] = []

    def add(self, rows: Iterable[Operation]) -> None:
        """The next rows, in the order in which they were written."""
        latest = list({row.index: row for row in rows}.values())
        if latest:
            self._blocks.append(_Block(latest, self._pool))

    def history(self) -> History:
        """What was added, as one history. Nothing can be added any more."""
        blocks, self._blocks = self._blocks, []
        pool = dict(self._pool)
        index = _joined([block.numbers[0] for block in blocks])
        order = np.argsort(index, kind="stable")
        order = order[np.append(index[order][1:] != index[order][:-1], True)[: len(order)]]
        numbers = _columns([block.numbers for block in blocks], order, _NUMBERS)
        coded = _columns([block.codes for block in blocks], order, _CODED)
        lists: dict[str, Ints] = {}
        for name in _LISTS:
            lists[f"{name}_at"], lists[name] = _gathered([block.lists[name] for block in blocks], order)
        return History(
            names=tuple(pool),
            code_of=pool,
            returned_ns=_joined([block.returned_ns for block in blocks])[order],
            details=_details(blocks, order),
            **numbers,
            **coded,
            **lists,
        )


class _Block:
    """Some rows as columns, no two of one index: `numbers` and `codes` have a column an operation, `lists` its counts and all elements.

    `details` are those that say something, by place.
    """

    def __init__(self, rows: list[Operation], pool: defaultdict[str, int]) -> None:
        size, code = len(rows), pool.__getitem__
        numbers = chain.from_iterable(map(attrgetter(*_NUMBERS), rows))
        codes = map(code, chain.from_iterable(map(attrgetter(*_CODED), rows)))
        self.numbers = np.fromiter(numbers, np.int64, size * len(_NUMBERS)).reshape(size, -1).T
        self.codes = np.fromiter(codes, np.int64, size * len(_CODED)).astype(np.int32).reshape(size, -1).T
        self.returned_ns = np.fromiter((OPEN if row.returned_ns is None else row.returned_ns for row in rows), np.int64, size)
        self.details = {place: row.detail for place, row in enumerate(rows) if row.detail}
        self.lists: dict[str, tuple[Ints, Ints]] = {}
        for name in _LISTS:
            owned = list(map(attrgetter(name), rows))
            counts = np.fromiter(map(len, owned), np.int64, size)
            self.lists[name] = counts, np.fromiter(map(code, chain.from_iterable(owned)), np.int64, int(counts.sum()))


def _joined(parts: list[Ints]) -> Ints:
    return np.concatenate([np.empty(0, np.int64), *parts])


def _columns(parts: list[npt.NDArray[np.int32]] | list[Ints], order: Ints, names: tuple[str, ...]) -> dict[str, Ints]:
    """Of tables with a row a name and a column an operation: each row with its operations in this order."""
    table = np.concatenate([np.empty((len(names), 0), np.int32), *parts], axis=1)
    return {name: row[order].astype(np.int64) for name, row in zip(names, table, strict=True)}


def _details(blocks: list[_Block], order: Ints) -> tuple[str, ...]:
    """The details in this order of operations; nearly all are empty."""
    sizes = [len(block.returned_ns) for block in blocks]
    row = np.full(sum(sizes), -1)
    row[order] = np.arange(len(order))
    details = [""] * (len(order) + 1)  # the last one takes those of superseded operations
    first = 0
    for block, size in zip(blocks, sizes, strict=True):
        for place, detail in block.details.items():
            details[row[first + place]] = detail
        first += size
    return tuple(details[:-1])


def _gathered(parts: list[tuple[Ints, Ints]], order: Ints) -> tuple[Ints, Ints]:
    """The lists of the rows in `order`, as CSR, from counts and elements in the order of the blocks."""
    counts, elements = _joined([counts for counts, _ in parts]), _joined([elements for _, elements in parts])
    starts = (np.cumsum(counts) - counts)[order]
    kept = counts[order]
    ends = np.cumsum(kept)
    at = np.arange(int(kept.sum())) + np.repeat(starts - ends + kept, kept)
    return np.append(0, ends), elements[at]


def columns(operations: Iterable[Operation]) -> History:
    """Rows to columns. Of several rows with one index (an invoke row and its completion) the last one counts."""
    made = Columns()
    made.add(operations)
    return made.history()
