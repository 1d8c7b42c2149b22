from datetime import UTC, datetime
from pathlib import Path

import pytest

from chaoskit import rundir
from chaoskit.judgement import judge
from chaoskit.model.evidence import PhaseWindow
from chaoskit.model.history import Operation
from chaoskit.model.results import RunResults
from chaoskit.model.verdict import Verdict
from tests.mutants.corrupt import CORRUPTIONS, Corruption, Rows, corrupted, fits, put_an_old_value_back
from tests.unit.experiments import load_text

from .histories import PHASES, TOPOLOGY, Story, healthy, ns

EXPERIMENT = """\
name: quiet
claims: []
duty: provider
hypothesis: Nothing is done to the region.
topology: three-zones
workload: {mix: basic, rate: 2/s, timeout: 10s, objective: {push: 5s, pull: 2s, manifest: 1s}}
steady: 10s
strikes: []
recover: 15s
checks: [durability, integrity, closure, phantom, tags]
"""


def _rows() -> list[Operation]:
    story = Story(rows=list(healthy(step=5).rows))
    story.push("latest", "old", 3)
    story.push("latest", "new", 4)
    story.sweep("latest", "new", blobs=("new-layer",))
    for zone in (1, 2, 3):
        story.get_manifest("old", 42, zone=zone)
        story.get_blob("old-layer", 42, zone=zone)
    return story.rows


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run in which nothing went wrong, stored as a run stores it: each operation twice."""
    (variant,) = load_text(tmp_path, EXPERIMENT)
    with rundir.create(tmp_path / "runs", variant, topology=TOPOLOGY, seed=1, now=datetime(2026, 1, 2, tzinfo=UTC)) as folder:
        for row in _rows():
            folder.history.append(Operation(**{name: getattr(row, name) for name in ("index", "action", "lane", *_WHERE)}))
            folder.history.append(row)
        for name, (start, end) in PHASES.items():
            folder.events.phase(PhaseWindow(name, ns(start), ns(end)))
    return folder.path


_WHERE = ("phase", "region", "zone", "intended_ns", "called_ns")


def _findings(results: RunResults) -> dict[str, tuple[str, ...]]:
    violated = [result for result in results.checks if result.verdict is Verdict.VIOLATED]
    return {result.check: tuple(finding.text for finding in result.findings) for result in violated}


def test_the_run_itself_is_not_violated(run: Path) -> None:
    assert _findings(judge(rundir.load(run))) == {}


@pytest.mark.parametrize("corruption", CORRUPTIONS, ids=lambda corruption: corruption.name)
def test_corrupted_history_gets_exactly_its_labels(corruption: Corruption, run: Path, tmp_path: Path) -> None:
    results = judge(rundir.load(corrupted(run, tmp_path / "corrupted", corruption)))

    assert fits(corruption, _findings(results)), _findings(results)
    assert not results.as_expected


def test_the_run_that_was_corrupted_is_left_as_it_was(run: Path, tmp_path: Path) -> None:
    before = (run / "history.jsonl").read_bytes()
    copy = corrupted(run, tmp_path / "corrupted", CORRUPTIONS[0])

    assert (run / "history.jsonl").read_bytes() == before
    assert (copy / "history.jsonl").read_bytes() != before


def test_findings_of_another_check_do_not_fit() -> None:
    flipped = CORRUPTIONS[0]

    assert fits(flipped, {"integrity": ["blob-get of r@x returned bytes"]})
    assert not fits(flipped, {"integrity": ["blob-get of r@x returned bytes"], "tags": ["Stale read"]})
    assert not fits(flipped, {"integrity": ["something else"]})
    assert not fits(flipped, {})


def test_a_run_without_a_tag_pushed_twice_is_refused() -> None:
    rows: Rows = healthy(step=5).rows
    with pytest.raises(LookupError, match="no tag was pushed twice"):
        put_an_old_value_back(rows)
