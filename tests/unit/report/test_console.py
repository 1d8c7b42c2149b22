from dataclasses import replace
from pathlib import Path

from chaoskit.model.verdict import CheckResult, Finding, Verdict
from chaoskit.report.console import render, summary
from tests.unit.report.samples import HELD, LOST, lost, lost_as_expected, run_results, undecided

FOLDER = Path("runs/zone-outage/20260102T030405Z-refused-7")

HELD_REPORT = """\
HELD  all 3 checks held
zone-outage [refused] on compose/three-zones, seed 7: S1, S3 (provider), 61 s from 2026-01-02T03:04:05Z

verdict    check       summary
---------  ----------  ----------------------------------------------------------
held       durability  214 acknowledged digests, none lost
held       failover    last failed first attempt 0.41 s after the cut (target 3s)
held       host        busy 31 %, lag at most 4 ms

#    strike (times in s)             links    cut         effective    failover    recovery    downtime
---  ------------------------------  -------  ----------  -----------  ----------  ----------  ----------
0    zone-outage us-south-2 refused  11       10.0..25.0  10.2         0.31..0.41  > 1.00      0.5

operations      ok    failed    unknown
------------  ----  --------  ---------
push            40         2          1
blob-get       120         0          0

as expected (exit code 0); expected: no check violated

next: judge it again:
      chaoskit check runs/zone-outage/20260102T030405Z-refused-7"""


def test_a_held_run_reads_as_printed_here() -> None:
    assert [line.rstrip() for line in render(run_results(), FOLDER).splitlines()] == HELD_REPORT.splitlines()


def test_a_violated_run_begins_with_the_check_that_decided_it() -> None:
    report = render(lost(), FOLDER)
    assert report.startswith("VIOLATED  durability: 1 of 214 acknowledged digests lost\n")
    assert "- durability: sha256:ab was acknowledged by us-south-1 and is 404 in us-south-2 [rows 17, 203, 204, ...]" in report
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


def test_a_report_is_at_most_120_columns_and_48_lines_however_much_was_found() -> None:
    findings = tuple(Finding("many words " * 40, tuple(range(50))) for _ in range(30))
    checks = tuple(CheckResult(f"check-{number}", Verdict.VIOLATED, "long " * 60, {}, findings) for number in range(11))
    results = run_results(*checks, verdict=Verdict.VIOLATED)
    report = render(replace(results, strikes=results.strikes * 40, claims=("S1",) * 60), Path("run"))
    assert max(len(line) for line in report.splitlines()) <= 120
    assert len(report.splitlines()) <= 48


def test_a_run_without_strikes_or_checks_can_be_printed() -> None:
    report = render(replace(run_results(), checks=(), strikes=(), verdict=Verdict.INCONCLUSIVE), FOLDER)
    assert report.startswith("INCONCLUSIVE  no check ran\n")


def test_several_runs_end_in_one_row_each() -> None:
    lines = summary([run_results(*HELD), lost()]).splitlines()
    assert lines[0].split() == ["experiment", "variant", "verdict", "expected?", "exit", "decided", "by"]
    assert lines[2].split()[:5] == ["zone-outage", "refused", "held", "yes", "0"]
    assert lines[3].split()[:5] == ["zone-outage", "refused", "violated", "no", "1"]
