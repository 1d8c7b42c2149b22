"""Bad operations over time: the worst window of each length, and how much downtime they add up to.

Works on due times (sorted, ns) and flags. Refuses to call a window bad without saying how many operations were due in it.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from chaoskit.model.history import Ints, Mask

SECOND_NS = 1_000_000_000
LENGTHS_NS = tuple(round(seconds * SECOND_NS) for seconds in (0.1, 1, 10, 60, 600, 3600))


@dataclass(frozen=True, slots=True)
class WorstWindow:
    """The half-open window [start, start + length) of its length with the highest share of bad operations."""

    length_ns: int
    start_ns: int
    bad: int
    total: int

    @property
    def share(self) -> float:
        """Bad of all; 0 where nothing was due."""
        return self.bad / self.total if self.total else 0.0


@dataclass(frozen=True, slots=True)
class Downtime:
    """Seconds of full outage that the bad operations add up to, and the least and the most that their spacing allows."""

    seconds: float
    low: float
    high: float


def worst_windows(due: Ints, bad: Mask, span: tuple[int, int]) -> tuple[WorstWindow, ...]:
    """The worst window of 100 ms, 1 s, 10 s, ... as far as they fit into `span`, and of the whole span.

    Exact over the windows that begin at an operation or end with the span. Of equal shares the one with more operations, then the first.
    """
    start, end = span
    first, last = (int(place) for place in np.searchsorted(due, [start, end]))
    due, failed = due[first:last], np.concatenate([[0], np.cumsum(bad[first:last])])
    lengths = [length for length in LENGTHS_NS if length < end - start]
    return tuple(_worst(due, failed, length, end) for length in (*lengths, end - start) if length > 0)


def _worst(due: Ints, failed: Ints, length_ns: int, end: int) -> WorstWindow:
    starts = np.append(due[: np.searchsorted(due, end - length_ns, side="right")], end - length_ns)
    begin, stop = np.searchsorted(due, starts), np.searchsorted(due, starts + length_ns)
    total, bad = stop - begin, failed[stop] - failed[begin]
    share = bad / np.maximum(total, 1)
    highest = np.flatnonzero(share == share.max())  # equal ratios of counts are equal floats
    place = highest[np.argmax(total[highest])]
    return WorstWindow(length_ns, int(starts[place]), int(bad[place]), int(total[place]))


def downtime(due: Ints, bad: Mask, span: tuple[int, int], *, baseline: float = 0.0) -> Downtime | None:
    """Integral of the bad share over the span, less `baseline`, as one entry shows it; None if nothing was due there.

    An operation stands for the time half-way to its neighbours, and outside of the span all is well. The least counts only the time between
    two bad operations in a row, the most all time but that between two good ones; and as much as the widest gap, for an outage that fits
    into it is not seen. For an entry that is either up or down these are bounds; of one that fails now and then the most is too much.
    """
    start, end = span
    first, last = int(np.searchsorted(due, start)), int(np.searchsorted(due, end, side="right"))
    if first == last or end <= start:
        return None
    gaps = np.diff(np.concatenate([[start], due[first:last], [end]]))
    down = np.concatenate([[False], bad[first:last], [False]])
    before, after = down[:-1], down[1:]
    least, most = int(gaps[before & after].sum()), int(gaps[before | after].sum())
    usual = (end - start) * baseline
    middle, least_ns, most_ns = (max(value - usual, 0.0) for value in ((least + most) / 2, least, max(most, int(gaps.max()))))
    return Downtime(middle / SECOND_NS, least_ns / SECOND_NS, most_ns / SECOND_NS)


def mean_downtime(found: Iterable[Downtime | None]) -> Downtime | None:
    """Of several entries that are asked alike: the mean of what each shows; None if none shows anything."""
    seen = [each for each in found if each is not None]
    if not seen:
        return None
    return Downtime(*(float(np.mean([getattr(each, name) for each in seen])) for name in ("seconds", "low", "high")))
