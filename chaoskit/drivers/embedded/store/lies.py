"""What seeded bugs of the store need beside one `if`: their figures, and a clock that is wrong."""

import time
from collections.abc import Callable

FLUSHED_AFTER_S = 5.0
REPLICATED_AFTER_S = 2.0
TAG_LAG_S = 0.3
ABSENT_FOR_S = 0.03
LAZY_CATCH_UP_S = 5.0
ROTTEN_ONE_IN = 5
_SKEW_NS = 500_000_000


def skewed_clock(zone: str) -> Callable[[], int]:
    """A clock in ns that is ahead by half a second for each number in the zone's name: 0.5 s in `us-south-1`, 1.5 s in `us-south-3`."""
    ahead_ns = int(zone.rpartition("-")[2]) * _SKEW_NS if zone[-1:].isdigit() else 0
    return lambda: time.time_ns() + ahead_ns


def is_rotten(zone: str) -> bool:
    """The zone whose disk flips bits: the second."""
    return zone.endswith("-2")


def rotten(body: bytes) -> bytes:
    """The same with one bit flipped."""
    return bytes((body[0] ^ 1,)) + body[1:] if body else body
