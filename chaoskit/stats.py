"""Bounds, quantiles and budgets. Refuses to state a rate without the number of requests behind it.

The bound is the one-sided Clopper-Pearson one: Wilson accepts five nines 10 % too early. `scipy.special` is enough and loads ten
times faster than `scipy.stats`; `betaincinv(a, b, p)` is `scipy.stats.beta.ppf(p, a, b)`.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.special import betaincinv  # type: ignore[import-untyped, unused-ignore]

CONFIDENCE = 0.95
YEAR_S = 365.25 * 86_400

Numbers = Sequence[float] | npt.NDArray[np.float64] | npt.NDArray[np.int64]


def rate_lower_bound(good: int, total: int, *, confidence: float = CONFIDENCE) -> float:
    """The rate of good requests that `good` of `total` show at least, at one-sided `confidence`. 0 if there were none.

    ValueError unless 0 <= good <= total.
    """
    if not 0 <= good <= total:
        raise ValueError(f"{good} good requests of {total}: wanted 0 <= good <= total")
    return float(betaincinv(good, total - good + 1, 1 - confidence)) if good else 0.0


def requests_needed(rate: float, *, failures: int = 0, confidence: float = CONFIDENCE) -> int:
    """How many requests, `failures` of them bad, it takes to claim `rate`. ValueError unless 0 < rate < 1."""
    if not 0 < rate < 1:
        raise ValueError(f"a rate of {rate}: wanted a number between 0 and 1")

    def is_enough(total: int) -> bool:
        return rate_lower_bound(total - failures, total, confidence=confidence) >= rate

    high = failures + 1
    while not is_enough(high):
        high *= 2
    low = max(failures, high // 2)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if is_enough(middle) else (middle, high)
    return high


def quantile(values: Numbers, q: float) -> float | None:
    """The q-quantile as a value that occurred, or None where there are too few values to bound it (as many as a rate of q needs)."""
    return float(np.quantile(values, q, method="higher")) if len(values) >= requests_needed(q) else None


def p95(values: Numbers) -> float:
    """The 95th percentile as a value that occurred, of however few values: a yardstick, not a claim. ValueError for none."""
    if len(values) == 0:
        raise ValueError("the 95th percentile of no values: wanted at least one")
    return float(np.quantile(values, 0.95, method="higher"))


def error_budget_s(target: float, period_s: float) -> float:
    """Seconds of downtime that an availability target leaves in a period: 25.9 s of 30 days at 99.999 %."""
    return (1 - target) * period_s
