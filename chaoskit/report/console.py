"""A judged run as text for a terminal of 120 columns: verdict first, then what it rests on, then what to do next."""

from collections.abc import Sequence
from pathlib import Path
from textwrap import shorten

from tabulate import tabulate

from chaoskit.model.results import RunResults, StrikeResult
from chaoskit.model.verdict import GUARDS, CheckResult, Verdict

WIDTH = 118
_FINDINGS = 4
_STRIKES = 6
_TARGETS = ("kind", "zone", "link", "component", "shape")
_RANK = {Verdict.VIOLATED: 0, Verdict.INCONCLUSIVE: 1, Verdict.HELD: 2}


def render(results: RunResults, folder: Path) -> str:
    """The report of one run; `folder` is where the rest of it is."""
    parts = [_headline(results), _checks(results.checks), _strikes(results.strikes), _operations(results), _findings(results.checks)]
    return "\n\n".join(part for part in (*parts, _expectation(results), _next(results, folder)) if part)


def summary(runs: Sequence[RunResults]) -> str:
    """One row a run, for several runs."""
    rows = [
        (run.experiment, run.variant, run.verdict.value, "yes" if run.as_expected else "no", run.exit_code, shorten(deciding(run), 60))
        for run in runs
    ]
    return tabulate(rows, headers=("experiment", "variant", "verdict", "expected?", "exit", "decided by"), tablefmt="simple")


def deciding(results: RunResults) -> str:
    """The check the verdict hangs on, and its summary; safety and service before the guards."""
    if not results.checks:
        return "no check ran"
    decided = [check for check in results.checks if _counted(check) is results.verdict] or results.checks
    check = min(decided, key=lambda each: each.check in GUARDS)
    return f"{check.check}: {check.summary}"


def _counted(check: CheckResult) -> Verdict:
    """What a check adds to the verdict: a guard can only make it inconclusive."""
    return Verdict.INCONCLUSIVE if check.check in GUARDS and check.verdict is Verdict.VIOLATED else check.verdict


def _headline(results: RunResults) -> str:
    claims = ", ".join(results.claims) or "no promise"
    where = f"{results.experiment} [{results.variant}] on {results.driver}/{results.topology}, seed {results.seed}"
    count = len(results.checks)
    why = f"all {count} checks held" if results.verdict is Verdict.HELD and count else deciding(results)
    about = f"{where}: {claims} ({results.duty}), {results.duration_s:.0f} s from {results.started_utc}"
    return f"{results.verdict.value.upper()}  {_cut(why, WIDTH - 14)}\n{_cut(about)}"


def _checks(checks: Sequence[CheckResult]) -> str:
    rows = [(check.verdict.value, check.check, _cut(check.summary, 90)) for check in sorted(checks, key=lambda each: _RANK[each.verdict])]
    return tabulate(rows, headers=("verdict", "check", "summary"), tablefmt="simple") if rows else ""


def _strikes(strikes: Sequence[StrikeResult]) -> str:
    rows = [
        (number, _cut(_fault(strike), 38), _links(strike), _span(strike), _seconds(strike.effective_s), *_outage(strike))
        for number, strike in enumerate(strikes[:_STRIKES])
    ]
    headers = ("#", "strike (times in s)", "links", "cut", "effective", "failover", "recovery", "downtime")
    table = tabulate(rows, headers=headers, tablefmt="simple", disable_numparse=True) if rows else ""
    return f"{table}\nand {len(strikes) - _STRIKES} more strikes" if len(strikes) > _STRIKES else table


def _fault(strike: StrikeResult) -> str:
    """Kind, target and shape; the amounts only of a fault that is nothing but an amount."""
    named = [str(strike.fault[key]) for key in _TARGETS if key in strike.fault]
    amounts = (
        [] if "shape" in strike.fault else [f"{key}={value}" for key, value in strike.fault.items() if key not in (*_TARGETS, "direction")]
    )
    return " ".join((*named, *amounts))


def _links(strike: StrikeResult) -> str:
    components = f" +{len(strike.components)} proc" if strike.components else ""
    return f"{len(strike.links)}{components}"


def _span(strike: StrikeResult) -> str:
    return "never" if strike.injected_s is None else f"{strike.injected_s:.1f}..{_seconds(strike.healed_s)}"


def _outage(strike: StrikeResult) -> tuple[str, str, str]:
    return _bounds(strike.failover_s), _bounds(strike.recovery_s), _seconds(strike.downtime_s)


def _bounds(bounds: tuple[float, float | None] | None) -> str:
    if bounds is None:
        return "-"
    low, high = bounds
    return f"> {low:.2f}" if high is None else f"{low:.2f}..{high:.2f}"


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"


def _operations(results: RunResults) -> str:
    rows = [(action, counts.ok, counts.failed, counts.unknown) for action, counts in results.operations.items()]
    return tabulate(rows, headers=("operations", "ok", "failed", "unknown"), tablefmt="simple") if rows else ""


def _findings(checks: Sequence[CheckResult]) -> str:
    found = [(check, finding) for check in sorted(checks, key=lambda each: _RANK[each.verdict]) for finding in check.findings]
    lines = [_cut(f"- {check.check}: {finding.text}{_rows(finding.operations)}") for check, finding in found[:_FINDINGS]]
    if len(found) > _FINDINGS:
        lines.append(f"- and {len(found) - _FINDINGS} more in the results")
    return "\n".join(("findings", *lines)) if lines else ""


def _rows(operations: Sequence[int]) -> str:
    if not operations:
        return ""
    more = ", ..." if len(operations) > 3 else ""
    return f" [rows {', '.join(str(index) for index in operations[:3])}{more}]"


def _expectation(results: RunResults) -> str:
    expect = results.expect
    wanted = f"violated: {', '.join(expect.violated)}, because {expect.because}" if expect.violated else "no check violated"
    may = f" (may be: {', '.join(expect.may)})" if expect.may else ""
    met = {0: "as expected", 1: "NOT as expected", 3: "inconclusive"}[results.exit_code]
    return _cut(f"{met} (exit code {results.exit_code}); expected: {wanted}{may}")


def _next(results: RunResults, folder: Path) -> str:
    match results.exit_code:
        case 0:
            hint = "judge it again"
        case 1:
            hint = "read the rows of the findings and the logs, then judge it again"
        case _:
            hint = "make the doubted check able to say (host load, a longer phase, more traffic) and run again; judge this run again"
    return f"next: {hint}:\n      chaoskit check {folder}"


def _cut(text: str, width: int = WIDTH) -> str:
    """One line of at most `width` columns."""
    return shorten(text, width, placeholder=" ...")
