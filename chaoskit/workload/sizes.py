"""How large blobs are: the quantiles of IBM's published registry traces (FAST'18, 40,872,024 requests), and sizes that change code paths.

Between two published quantiles a size is interpolated in log space. A `scale` shrinks them all for a small machine; the edges it leaves.
"""

import math
from bisect import bisect_right
from collections.abc import Iterator
from itertools import pairwise

GOLDEN = (math.sqrt(5) - 1) / 2
QUANTILES = (
    (0.01, 32),
    (0.10, 181),
    (0.25, 1_100),
    (0.50, 11_500),
    (0.65, 645_000),
    (0.75, 3_300_000),
    (0.80, 9_400_000),
    (0.90, 35_000_000),
    (0.95, 54_000_000),
    (0.99, 118_000_000),
    (1.00, 690_000_000),
)
"""Share of blobs of at most so many bytes. Below the first: that size."""

_MIB = 1024 * 1024
EDGES = (0, *(limit * _MIB + more for limit in (5, 32) for more in (-1, 0, 1)))
"""Bytes around which S3 clients and stores change their ways: nothing, the least part of a multipart upload, the limit of one copy."""


def quantile(share: float, scale: float) -> int:
    """The size in bytes that a share (0 to 1) of blobs do not exceed, times the scale, at least 1."""
    return max(1, round(scale * _interpolated(share)))


def edges(scale: float) -> tuple[int, ...]:
    """Edge sizes that a run of this scale may send: those that its largest blob would reach."""
    return tuple(size for size in EDGES if size <= scale * QUANTILES[-1][1])


def spread(start: float) -> Iterator[float]:
    """Shares from 0 to 1, evenly spread however many are taken: quantiles of few blobs come out as those of many would."""
    share = start % 1
    while True:
        yield share
        share = (share + GOLDEN) % 1


def _interpolated(share: float) -> float:
    if share <= QUANTILES[0][0]:
        return QUANTILES[0][1]
    place = min(bisect_right(QUANTILES, share, key=lambda known: known[0]), len(QUANTILES) - 1)
    (below, low), (above, high) = list(pairwise(QUANTILES))[place - 1]
    return low * math.exp((share - below) / (above - below) * math.log(high / low))
