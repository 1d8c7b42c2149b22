from dataclasses import replace
from pathlib import Path

from chaoskit.model.verdict import CheckResult, Finding, Verdict
from chaoskit.report.console import render, summary
from chaoskit.stats import requests_needed
from tests.unit.report.samples import HELD, LOST, SERVED, lost, lost_as_expected, run_results, undecided

FOLDER = Path("runs/zone-outage/20260102T030405Z-refused-7")

HELD_REPORT = """\
HELD  all 3 checks held
zone-outage [refused] on compose/three-zones, seed 7: S1, S3 (provider), 61 s from
2026-01-02T03:04:05Z

verdict    check       summary
---------  ----------  ----------------------------------------------------------
held       durability  214 acknowledged digests, none lost
held       failover    last failed first attempt 0.41 s after the cut (target 3s)
held       host        busy 31 %, lag at most 4 ms

#    strike (times in s)             cut         failover    recovery    downtime           30 d
---  ------------------------------  ----------  ----------  ----------  -----------------  ------
0    zone-outage us-south-2 refused  10.0..25.0  0.31..0.41  > 1.00      0.50 (0.25..1.25)  1.9 %

operations      ok    failed    unknown  operations      ok    failed    unknown
------------  ----  --------  ---------  ------------  ----  --------  ---------
push            40         2          1  blob-get       120         0          0

as expected (exit code 0); expected: no check violated
next: judge it again:
      chaoskit check runs/zone-outage/20260102T030405Z-refused-7"""


LANES = """\
lane      n    missed    shows     downtime           30 d    burn     n for 3 / 4 / 5 nines
--------  ---  --------  --------  -----------------  ------  -------  ------------------------
regional  120  0         97.534 %  0.00 (0.00..0.50)  0.0 %   0x       2,995 / 29,956 / 299,572
pinned    118  2         94.768 %  12.3 (10.2..15.0)  47.6 %  20,567x  6,294 / 62,956 / 629,578
30 d: of the 25.9 s that 99.999 % leave in 30 days; shows: at least (95 % confidence)
"""


def test_a_held_run_reads_as_printed_here() -> None:
    assert [line.rstrip() for line in render(run_results(), FOLDER).splitlines()] == HELD_REPORT.splitlines()


def test_a_violated_run_begins_with_the_check_that_decided_it() -> None:
    report = render(lost(), FOLDER)
    assert report.startswith("VIOLATED  durability: 1 of 214 acknowledged digests lost\n")
    assert "- durability: sha256:ab was acknowledged by us-south-1 and is 404 in us-south-2 [rows 17, 203,\n  204, ...]" in report
    assert "NOT as expected (exit code 1); expected: no check violated" in report


def test_a_guard_that_failed_decides_an_inconclusive_run() -> None:
    report = render(undecided(), FOLDER)
    assert report.startswith("INCONCLUSIVE  host: CPU pressure 92 %\n")
    assert "inconclusive (exit code 3)" in report


def test_an_expected_violation_is_said_to_be_expected_and_why() -> None:
    assert "as expected (exit code 0); expected: violated: durability, because one zone has one copy" in render(lost_as_expected(), FOLDER)


def test_a_safety_check_decides_before_a_guard() -> None:
    starved = CheckResult("host", Verdict.VIOLATED, "CPU pressure 92 %")
    assert render(run_results(starved, LOST, verdict=Verdict.VIOLATED), FOLDER).startswith("VIOLATED  durability")


def test_each_lane_is_a_row_with_what_it_shows_and_what_it_takes_to_show_more() -> None:
    report = render(run_results(*HELD, SERVED), FOLDER)
    assert LANES in "\n".join(line.rstrip() for line in report.splitlines())
    assert requests_needed(0.9999, failures=2) == 62_956


def test_lane_in_which_nothing_was_measured_has_no_downtime() -> None:
    numbers = {"regional.sessions": 0.0, "regional.missed": 0.0, "regional.objective_lower_bound": 0.0}
    report = render(run_results(replace(SERVED, numbers=numbers)), FOLDER)
    assert "regional  0    0         0.000 %  -           -       -       2,995 / 29,956 / 299,572" in report


def test_a_finding_is_told_in_two_lines_at_most() -> None:
    found = replace(LOST, findings=(Finding("word " * 25 + "end.", (4, 5)),))
    report = render(run_results(found, verdict=Verdict.VIOLATED), FOLDER)
    assert "word\n  word" in report
    assert "end. [rows 4, 5]\n" in report


def test_a_report_is_at_most_100_columns_and_48_lines_however_much_was_found() -> None:
    findings = tuple(Finding("many words " * 40, tuple(range(50))) for _ in range(30))
    checks = tuple(CheckResult(f"check-{number}", Verdict.VIOLATED, "long " * 60, {}, findings) for number in range(10))
    results = run_results(*checks, SERVED, verdict=Verdict.VIOLATED)
    slow = replace(
        results.strikes[0], failover_s=(17.43, 20.21), recovery_s=(110.2, 115.3), downtime_s=12.3, downtime_bounds_s=(10.2, 25.0)
    )
    report = render(replace(results, strikes=(slow,) * 40, claims=("S1",) * 60), Path("run"))
    assert max(len(line) for line in report.splitlines()) <= 100
    assert len(report.splitlines()) <= 48


def test_a_run_without_strikes_or_checks_can_be_printed() -> None:
    report = render(replace(run_results(), checks=(), strikes=(), verdict=Verdict.INCONCLUSIVE), FOLDER)
    assert report.startswith("INCONCLUSIVE  no check ran\n")


def test_several_runs_end_in_one_row_each() -> None:
    lines = summary([run_results(*HELD), lost()]).splitlines()
    assert lines[0].split() == ["experiment", "variant", "verdict", "expected?", "exit", "decided", "by"]
    assert lines[2].split()[:5] == ["zone-outage", "refused", "held", "yes", "0"]
    assert lines[3].split()[:5] == ["zone-outage", "refused", "violated", "no", "1"]
