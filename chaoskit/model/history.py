"""The history of a run: one row an operation, and the same as NumPy columns for the checks.

A row is one HTTP attempt, or one whole push or pull (`parent` -1) whose attempts point at it. Intervals are closed, in ns of run time.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum

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


class Operation(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
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
_NUMBERS = ("index", "parent", "session", "attempt", "intended_ns", "called_ns", "advertised_bytes", "size_bytes", "status")


@dataclass(frozen=True, slots=True)
class History:
    """Rows as columns, sorted by index. Strings are codes into one pool shared by all columns (code 0 is the empty string),
    so a digest has the same code wherever it stands. `children_of` and `entries_of` are CSR: row r owns
    `children[children_at[r]:children_at[r + 1]]`. `returned_ns` is OPEN where nobody saw the end."""

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


def columns(operations: Iterable[Operation]) -> History:
    """Rows to columns. Of several rows with one index (an invoke row and its completion) the last one counts."""
    latest: dict[int, Operation] = {}
    for operation in operations:
        latest[operation.index] = operation
    rows = [latest[index] for index in sorted(latest)]
    pool: dict[str, int] = {"": 0}

    def code(text: str) -> int:
        return pool.setdefault(text, len(pool))

    coded = {name: np.fromiter((code(getattr(row, name)) for row in rows), np.int64, len(rows)) for name in _CODED}
    numbers = {name: np.fromiter((getattr(row, name) for row in rows), np.int64, len(rows)) for name in _NUMBERS}
    lists = {}
    for name in ("children", "entries"):
        lists[f"{name}_at"] = np.concatenate([[0], np.cumsum([len(getattr(row, name)) for row in rows], dtype=np.int64)]).astype(np.int64)
        lists[name] = np.fromiter((code(text) for row in rows for text in getattr(row, name)), np.int64)
    return History(
        names=tuple(pool),
        code_of=pool,
        returned_ns=np.fromiter((OPEN if row.returned_ns is None else row.returned_ns for row in rows), np.int64, len(rows)),
        outcome=np.fromiter((int(row.outcome) for row in rows), np.int64, len(rows)),
        details=tuple(row.detail for row in rows),
        **coded,
        **numbers,
        **lists,
    )
