"""What every check is, and the few ways to ask a history that they share. Refuses I/O, clocks and asyncio: a check is a function."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from functools import wraps
from typing import TypeVar, cast

import numpy as np
from pydantic import BaseModel, ConfigDict

from chaoskit.model.evidence import Evidence
from chaoskit.model.history import OPEN, Codes, History, Ints, Mask, Outcome
from chaoskit.model.verdict import CheckResult, Finding, Verdict

NEVER = int(np.iinfo(np.int64).min)
MOST_FINDINGS = 20

SESSIONS = ("push", "pull", "delete", "list", "login")
MANIFEST_READS = ("manifest-get", "manifest-head")
BLOB_READS = ("blob-get", "blob-head")
TRAFFIC = ("steady", "strike", "recover")

T = TypeVar("T")


class Check(BaseModel, ABC):
    """A question to a stored run. `check` is its name in YAML and results; the other fields are its parameters."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    check: str

    @abstractmethod
    def judge(self, evidence: Evidence) -> CheckResult:
        """The answer, from the evidence alone."""


def judge_all(checks: Iterable[Check], evidence: Evidence) -> tuple[CheckResult, ...]:
    """One result a check, in the order given. A check that crashes proves nothing: it is inconclusive, and the others have their word."""
    return tuple(_judged(check, evidence) for check in checks)


def _judged(check: Check, evidence: Evidence) -> CheckResult:
    try:
        return check.judge(evidence)
    except Exception as error:  # noqa: BLE001 - one of the two places where anything may come (style.md)
        text = f"the check itself crashed: {type(error).__name__}: {error}"
        return CheckResult(check.check, Verdict.INCONCLUSIVE, text, findings=(Finding(text),))


def conclude(
    check: str,
    summary: str,
    *,
    violations: Sequence[Finding] = (),
    doubts: Sequence[Finding] = (),
    numbers: Mapping[str, float] | None = None,
) -> CheckResult:
    """Violated if anything is, else inconclusive if anything is in doubt, else held. Doubts are kept as findings beside violations."""
    verdict = Verdict.VIOLATED if violations else Verdict.INCONCLUSIVE if doubts else Verdict.HELD
    return CheckResult(check, verdict, summary, numbers or {}, (*violations, *doubts))


def capped(rows: Ints, describe: Callable[[int], Finding], *, what: str) -> list[Finding]:
    """A finding for each of the first rows, and one that says how many more there are."""
    findings = [describe(int(row)) for row in rows[:MOST_FINDINGS]]
    if len(rows) > MOST_FINDINGS:
        findings.append(Finding(f"and {len(rows) - MOST_FINDINGS} more {what}"))
    return findings


def derived(view: Callable[[History], T]) -> Callable[[History], T]:
    """A view of a history that several checks need: worked out once, kept in the history, read-only so that nobody changes another's."""

    @wraps(view)
    def once(history: History) -> T:
        if view not in history.views:
            made = view(history)
            _close(made)
            history.views[view] = made
        return cast(T, history.views[view])

    return once


def _close(made: object) -> None:
    """Make the arrays of a view read-only, those inside dataclasses too."""
    if isinstance(made, np.ndarray):
        made.flags.writeable = False
    elif is_dataclass(made) and not isinstance(made, History):
        for part in fields(made):
            _close(getattr(made, part.name))


def distinct(values: Ints) -> Ints:
    """Sorted, each once. `np.unique` hashes instead where nothing else is asked, which takes ten times as long for many values."""
    ordered = np.sort(values)
    return ordered[_is_first(ordered)]


def _is_first(ordered: Ints) -> Mask:
    """Which of sorted values differ from the one before."""
    first = np.ones(len(ordered), np.bool_)
    first[1:] = ordered[1:] != ordered[:-1]
    return first


def place_of(ordered: Ints, wanted: Ints) -> Ints:
    """Where each wanted number stands among sorted unique ones, -1 if it does not."""
    if not len(ordered):
        return np.full(len(wanted), -1)
    place = np.searchsorted(ordered, wanted)
    place[place == len(ordered)] = 0
    return np.where(ordered[place] == wanted, place, -1)


@dataclass(frozen=True, slots=True)
class Earliest:
    """The earliest time of each key; keys sorted and unique."""

    keys: Ints
    times: Ints

    def of(self, keys: Ints) -> Ints:
        """The time of each key, OPEN for one that never was."""
        times: Ints = np.append(self.times, OPEN)[place_of(self.keys, keys)]
        return times


def earliest(keys: Ints, times: Ints) -> Earliest:
    """The earliest of several times of each key."""
    order = np.argsort(keys)
    ordered = keys[order]
    first = np.flatnonzero(_is_first(ordered))
    return Earliest(ordered[first], np.minimum.reduceat(times[order], first) if len(first) else times)


def scoped(history: History, codes: Codes) -> Ints:
    """One key for (region, repository, `codes`): content and tags belong to a repository of a region."""
    size = len(history.names)
    rank = np.zeros(size, np.int64)
    rank[history.region] = 1
    rank = np.cumsum(rank) - 1  # regions are few, so that a key fits 64 bits
    return (rank[history.region] * size + history.repository) * size + codes


def ok(history: History) -> Mask:
    """Rows that were answered; a 404 on a read is an answer."""
    rows: Mask = history.outcome == Outcome.OK
    return rows


def is_observed(history: History, *rows: str) -> Mask:
    """Rows that one of these rows of the outcome table matched."""
    return np.isin(history.observed, [history.code(row) for row in rows])


def absent(history: History) -> Mask:
    """Rows that answered: not here."""
    rows: Mask = ok(history) & (history.status == 404)
    return rows


def clean(history: History) -> Mask:
    """Rows that answered with something that is what it says (neither absent nor corrupt); writes that were acknowledged."""
    rows: Mask = ok(history) & (history.status != 404) & ~is_observed(history, "digest-differs", "unparsable")
    return rows


def by_digest(history: History) -> Mask:
    """Reads that asked for a digest, of a manifest or a blob."""
    rows: Mask = history.is_action(*MANIFEST_READS, *BLOB_READS) & (history.digest != 0)
    return rows


def by_tag(history: History) -> Mask:
    """Reads of a manifest that asked for a tag."""
    rows: Mask = history.is_action(*MANIFEST_READS) & (history.digest == 0) & (history.reference != 0)
    return rows


def is_session(history: History) -> Mask:
    """Whole sessions that the harness did send."""
    rows: Mask = history.is_action(*SESSIONS) & (history.parent == -1) & ~is_observed(history, "not-sent")
    return rows


def is_attempt(history: History) -> Mask:
    """HTTP attempts that the harness did send."""
    rows: Mask = ~history.is_action(*SESSIONS) & ~is_observed(history, "not-sent")
    return rows


def is_open(history: History) -> Mask:
    """Rows nobody saw end: the harness stopped first."""
    rows: Mask = history.returned_ns == OPEN
    return rows


def in_phase(history: History, *phases: str) -> Mask:
    """Rows of any of these phases."""
    return np.isin(history.phase, [history.code(phase) for phase in phases])


def zones_seen(evidence: Evidence) -> dict[int, Ints]:
    """Codes of the zones that must answer, by code of the region: those of the topology (-1 for one that no row names)."""
    code = evidence.history.code
    return {code(region): np.array([code(zone) for zone in zones]) for region, zones in evidence.topology.regions.items()}


def unanswered(evidence: Evidence, wanted: Ints, region: Codes, answers: tuple[Ints, Codes]) -> Mask:
    """Which wanted keys lack an answer from some zone of their region. `answers` are keys and the zones that answered."""
    keys, zones = answers
    unique, place = np.unique(wanted, return_inverse=True)
    answered = place_of(unique, keys)
    missing = np.zeros(len(wanted), np.bool_)
    for code, needed in zones_seen(evidence).items():
        here = region == code
        for zone in needed:
            heard = np.zeros(len(unique) + 1, np.bool_)
            heard[answered[zones == zone]] = True  # the last one stands for keys that nobody wants
            missing |= here & ~heard[place]
    return missing
