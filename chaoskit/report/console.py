"""A judged run as text for a terminal of 100 columns: verdict first, then what it rests on, then what to do next."""

import math
from collections.abc import Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from textwrap import fill, shorten

from tabulate import tabulate

from chaoskit.checks.availability import CLAIMS
from chaoskit.checks.budget import TARGET
from chaoskit.model.results import Bounds, RunResults, StrikeResult
from chaoskit.model.verdict import GUARDS, CheckResult, Verdict
from chaoskit.stats import MONTH_S, budget_spent, error_budget_s, requests_needed

WIDTH = 98
_FINDINGS = 3
_STRIKES = 4
_TARGETS = ("kind", "zone", "link", "component", "shape")
_RANK = {Verdict.VIOLATED: 0, Verdict.INCONCLUSIVE: 1, Verdict.HELD: 2}


def render(results: RunResults, folder: Path) -> str:
    """The report of one run; `folder` is where the rest of it is."""
    parts = [_headline(results), _checks(results.checks), _strikes(results.strikes), _service(results.checks), _operations(results)]
    parts += [_findings(results.checks), f"{_expectation(results)}\n{_next(results, folder)}"]
    return "\n\n".join(part for part in parts if part)


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
    return f"{results.verdict.value.upper()}  {_cut(why, WIDTH - 14)}\n{_wrapped(about)}"


def _checks(checks: Sequence[CheckResult]) -> str:
    rows = [(check.verdict.value, check.check, _cut(check.summary, 68)) for check in sorted(checks, key=lambda each: _RANK[each.verdict])]
    return tabulate(rows, headers=("verdict", "check", "summary"), tablefmt="simple") if rows else ""


def _strikes(strikes: Sequence[StrikeResult]) -> str:
    rows = [(number, _cut(_fault(strike), 30), _span(strike), *_outage(strike)) for number, strike in enumerate(strikes[:_STRIKES])]
    headers = ("#", "strike (times in s)", "cut", "failover", "recovery", "downtime", "30 d")
    table = tabulate(rows, headers=headers, tablefmt="simple", disable_numparse=True) if rows else ""
    table = "\n".join([table, *(_trigger(number, strike) for number, strike in enumerate(strikes[:_STRIKES]) if strike.trigger)])
    return f"{table}\nand {len(strikes) - _STRIKES} more strikes" if len(strikes) > _STRIKES else table


def _trigger(number: int, strike: StrikeResult) -> str:
    """What set a strike off, and how long its session was held for it."""
    fired = strike.trigger
    if fired is None or fired.operation < 0:
        return f"strike {number} waited in vain: {fired.told if fired else ''}"
    byte = f" ({fired.byte:,} bytes read)" if fired.byte >= 0 else ""
    held = "" if fired.released_ns is None else f", held for {(fired.released_ns - fired.at_ns) / 1e9:.2f} s"
    return _wrapped(f"strike {number} set off by row {fired.operation}, {fired.told}{byte}{held}", "  ")


def _fault(strike: StrikeResult) -> str:
    """Kind, target and shape; the amounts only of a fault that is nothing but an amount."""
    named = [str(strike.fault[key]) for key in _TARGETS if key in strike.fault]
    amounts = (
        [] if "shape" in strike.fault else [f"{key}={value}" for key, value in strike.fault.items() if key not in (*_TARGETS, "direction")]
    )
    return " ".join((*named, *amounts))


def _span(strike: StrikeResult) -> str:
    return "never" if strike.injected_s is None else _bounds((strike.injected_s, strike.healed_s), digits=1)


def _outage(strike: StrikeResult) -> tuple[str, str, str, str]:
    """Failover, recovery, downtime, and what of the error budget of 30 days it spent."""
    lost, bounds = strike.downtime_s, strike.downtime_bounds_s
    downtime = "-" if lost is None else _number(lost) if bounds is None else f"{_number(lost)} ({_bounds(bounds)})"
    spent = "-" if lost is None else _percent(budget_spent(lost, TARGET, MONTH_S))
    return _bounds(strike.failover_s), _bounds(strike.recovery_s), downtime, spent


def _bounds(bounds: Bounds | None, *, digits: int = 2) -> str:
    if bounds is None:
        return "-"
    low, high = bounds
    return f"> {_number(low, digits)}" if high is None else f"{_number(low, digits)}..{_number(high, digits)}"


def _number(value: float, digits: int = 2) -> str:
    """So many decimals below 10, fewer above."""
    return f"{value:.{digits if value < 10 else 1 if value < 100 else 0}f}"


def _percent(share: float) -> str:
    return f"{100 * share:,.{1 if share < 1 else 0}f} %"


def _service(checks: Sequence[CheckResult]) -> str:
    """Of each lane what it shows, and how many sessions with as many misses it would take to show more."""
    numbers = next((check.numbers for check in checks if check.check == "availability"), {})
    lanes = [key.removesuffix(".missed") for key in numbers if key.endswith(".missed")]
    rows = [_lane(lane, {key.removeprefix(f"{lane}."): value for key, value in numbers.items()}) for lane in lanes]
    if not rows:
        return ""
    nines = " / ".join(str(round(-math.log10(1 - rate))) for rate in CLAIMS)
    headers = ("lane", "n", "missed", "shows", "downtime", "30 d", "burn", f"n for {nines} nines")
    table = tabulate(rows, headers=headers, tablefmt="simple", disable_numparse=True)
    budget = f"30 d: of the {error_budget_s(TARGET, MONTH_S):.1f} s that {100 * TARGET:g} % leave in 30 days"
    return f"{table}\n{budget}; shows: at least (95 % confidence)"


def _lane(name: str, numbers: Mapping[str, float]) -> tuple[str, ...]:
    missed = int(numbers["missed"])
    shown = math.floor(numbers["objective_lower_bound"] * 1e5) / 1e3  # rounding up would claim what was not shown
    needed = " / ".join(f"{requests_needed(rate, failures=missed):,}" for rate in CLAIMS)
    if "downtime_s" not in numbers:
        return name, f"{numbers['sessions']:.0f}", str(missed), f"{shown:.3f} %", "-", "-", "-", needed
    lost = f"{_number(numbers['downtime_s'])} ({_bounds((numbers['downtime_s.lo'], numbers['downtime_s.hi']))})"
    spent, burn = _percent(numbers["budget_30_days"]), f"{numbers['burn_rate']:,.0f}x"
    return name, f"{numbers['sessions']:.0f}", str(missed), f"{shown:.3f} %", lost, spent, burn, needed


def _operations(results: RunResults) -> str:
    rows = [(action, counts.ok, counts.failed, counts.unknown) for action, counts in results.operations.items()]
    half = (len(rows) + 1) // 2
    beside = [(*left, *right) for left, right in zip_longest(rows[:half], rows[half:], fillvalue=("",) * 4)]
    return tabulate(beside, headers=("operations", "ok", "failed", "unknown") * min(2, len(rows)), tablefmt="simple") if rows else ""


def _findings(checks: Sequence[CheckResult]) -> str:
    found = [(check, finding) for check in sorted(checks, key=lambda each: _RANK[each.verdict]) for finding in check.findings]
    lines = [_wrapped(f"- {check.check}: {finding.text}{_rows(finding.operations)}", "  ") for check, finding in found[:_FINDINGS]]
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
    return _wrapped(f"{met} (exit code {results.exit_code}); expected: {wanted}{may}")


def _next(results: RunResults, folder: Path) -> str:
    match results.exit_code:
        case 0:
            hint = "judge it again"
        case 1:
            hint = "read the rows of the findings and the logs, then judge it again"
        case _:
            hint = "make the doubted check able to say (host load, a longer phase, more traffic) and run again; judge this run again"
    return f"next: {hint}:\n      chaoskit check {folder}"


def _wrapped(text: str, indent: str = "") -> str:
    """At most two lines."""
    return fill(text, WIDTH, subsequent_indent=indent, max_lines=2, placeholder=" ...", break_on_hyphens=False)


def _cut(text: str, width: int = WIDTH) -> str:
    """One line of at most `width` columns."""
    return shorten(text, width, placeholder=" ...")
