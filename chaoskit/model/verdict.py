"""Verdicts: held < inconclusive < violated, and what a check says of a run."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

SAFETY = frozenset({"durability", "integrity", "closure", "tags", "phantom", "lists", "deletes", "sessions", "refusal", "recoverability"})
GUARDS = frozenset({"effect", "coverage", "host"})


class Verdict(StrEnum):
    """What the evidence shows."""

    HELD = "held"
    INCONCLUSIVE = "inconclusive"
    VIOLATED = "violated"


_RANK = {Verdict.HELD: 0, Verdict.INCONCLUSIVE: 1, Verdict.VIOLATED: 2}


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The worst of several; of none, inconclusive (nothing looked at proves nothing)."""
    return max(verdicts, key=_RANK.__getitem__, default=Verdict.INCONCLUSIVE)


@dataclass(frozen=True, slots=True)
class Finding:
    """One or two sentences on what happened, and the rows of the history that show it."""

    text: str
    operations: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One check's word; the same object feeds console, JUnit and report."""

    check: str
    verdict: Verdict
    summary: str
    numbers: Mapping[str, float] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    series: Mapping[str, tuple[float, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Expectation:
    """Checks that must be violated (all of them, no other), checks that may be, and the cause the logs showed."""

    violated: tuple[str, ...] = ()
    may: tuple[str, ...] = ()
    because: str = ""


def overall(results: Iterable[CheckResult]) -> Verdict:
    """The run's verdict. A guard (effect, coverage, host) can only demote held to inconclusive."""
    return worst(Verdict.INCONCLUSIVE if r.check in GUARDS and r.verdict is Verdict.VIOLATED else r.verdict for r in results)


def as_expected(results: Iterable[CheckResult], expect: Expectation) -> Verdict:
    """HELD: all as expected (exit 0). VIOLATED: something else than expected is violated, or an expected violation did not come
    (exit 1). INCONCLUSIVE: no surprise, but some check could not say (exit 3)."""
    found = tuple(results)
    violated = {r.check for r in found if r.verdict is Verdict.VIOLATED and r.check not in GUARDS}
    if violated - set(expect.violated) - set(expect.may):
        return Verdict.VIOLATED
    undecided = {
        r.check
        for r in found
        if r.check not in expect.may and (r.verdict is Verdict.INCONCLUSIVE or (r.check in GUARDS and r.verdict is Verdict.VIOLATED))
    }
    missing = set(expect.violated) - violated
    if missing - undecided and not undecided & GUARDS:
        return Verdict.VIOLATED
    return Verdict.INCONCLUSIVE if undecided or missing or not found else Verdict.HELD
