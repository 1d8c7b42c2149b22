"""The operations that show a violation, drawn: one line each on one time axis, and under them what the check says of them.

Pure: results and history in, text out. Refuses to draw more than a reader takes in: the first findings of each violated check, at most
four operations each, those the finding names first. A finding that names none is told only where the check has no other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import fill

import numpy as np

from chaoskit.model.history import OPEN, History, Outcome
from chaoskit.model.results import RunResults
from chaoskit.model.verdict import CheckResult, Finding, Verdict

FINDINGS = 3  # of each check
OPERATIONS = 4  # of each finding
_INDENT = "  "
_LEAST_AXIS = 24  # columns; a narrower terminal wraps
_APART = 2  # columns between different instants, at least
_HEX = 8  # digits of a digest


@dataclass(frozen=True, slots=True)
class _Bar:
    """One operation: its words, and its interval in ns (OPEN: nobody knows when it took effect at the latest)."""

    words: tuple[str, ...]
    start: int
    end: int


def render(results: RunResults, history: History, *, width: int = 80) -> str:
    """The witness of every violated check, or a line that says that there is none."""
    violated = [check for check in results.checks if check.verdict is Verdict.VIOLATED]
    if not violated:
        return "no check is violated: there is nothing to draw"
    return "\n\n".join(_check(check, history, width) for check in violated)


def _check(check: CheckResult, history: History, width: int) -> str:
    findings = [finding for finding in check.findings if finding.operations] or check.findings
    shown = findings[:FINDINGS]
    told = f"{check.check}: {len(shown)} of {len(findings)} findings" if len(shown) < len(findings) else check.check
    return "\n\n".join([f"witness of {told}", *(_finding(finding, history, width) for finding in shown)])


def _finding(finding: Finding, history: History, width: int) -> str:
    rows = np.searchsorted(history.index, finding.operations[:OPERATIONS])
    bars = sorted((_bar(history, int(row)) for row in rows), key=lambda bar: (bar.start, bar.end))
    text = fill(
        finding.text, max(width, len(_INDENT) + _LEAST_AXIS), initial_indent=_INDENT, subsequent_indent=_INDENT, break_on_hyphens=False
    )
    return "\n".join([*(_drawn(bars, width) if bars else ()), text])


def _bar(history: History, row: int) -> _Bar:
    outcome = Outcome(int(history.outcome[row]))
    is_absent = outcome is Outcome.OK and int(history.status[row]) == 404
    value = next((history.name(int(code)) for code in (history.got[row], history.digest[row], history.advertised[row]) if code), "-")
    words = (
        f"{history.name(int(history.action[row]))} {int(history.index[row])}",
        history.name(int(history.zone[row])),
        value.rpartition(":")[2][:_HEX],
        "absent" if is_absent else outcome.name.lower(),
    )
    return _Bar(words, int(history.called_ns[row]), OPEN if outcome is Outcome.UNKNOWN else int(history.returned_ns[row]))


def _drawn(bars: Sequence[_Bar], width: int) -> list[str]:
    """A line a bar, and the axis."""
    widths = [max(len(bar.words[column]) for bar in bars) for column in range(len(bars[0].words))]
    labels = [_INDENT + "  ".join(word.ljust(size) for word, size in zip(bar.words, widths, strict=True)) + "  " for bar in bars]
    instants = sorted({bar.start for bar in bars} | {bar.end for bar in bars if bar.end != OPEN})
    is_open = any(bar.end == OPEN for bar in bars)
    columns = max(width - len(labels[0]), _LEAST_AXIS) - 2 * is_open
    place = dict(zip(instants, _places(instants, columns), strict=True))
    lines = [label + _line(place[bar.start], place.get(bar.end), columns + 1) for label, bar in zip(labels, bars, strict=True)]
    return [*lines, " " * len(labels[0]) + _axis(place, columns + 2 * is_open)]


def _places(instants: Sequence[int], columns: int) -> list[int]:
    """A column for each instant: in order, different ones apart, and beyond that to scale."""
    apart = min(_APART, (columns - 1) // max(len(instants) - 1, 1))
    spare = columns - 1 - apart * (len(instants) - 1)
    span = max(instants[-1] - instants[0], 1)
    return [apart * number + spare * (instant - instants[0]) // span for number, instant in enumerate(instants)]


def _line(start: int, end: int | None, edge: int) -> str:
    if end is None:
        return " " * start + "├" + "─" * (edge - start - 1) + "…"
    return " " * start + ("│" if end == start else "├" + "─" * (end - start - 1) + "┤")


def _axis(place: dict[int, int], columns: int) -> str:
    """Times in s under their columns: the first, the last, and those between that fit."""
    instants = list(place)
    texts = {instant: f"{instant / 1e9:.3f}" for instant in instants}
    last = instants[-1]
    at = {instant: max(min(place[instant], columns - len(texts[instant]) - 2), 0) for instant in instants}
    line, limit = "", at[last] if len(instants) > 1 else columns
    for instant in instants[:-1]:
        begins = at[instant]
        if (not line or begins >= len(line) + 2) and begins + len(texts[instant]) + 2 <= limit:
            line = line.ljust(begins) + texts[instant]
    return (line.ljust(at[last]) + texts[last] + " s") if len(line) < at[last] or not line else line + " s"
