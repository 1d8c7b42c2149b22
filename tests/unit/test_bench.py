"""The runs that the bench judges have the shape it says, so that its figures mean what they say."""

from collections import Counter
from pathlib import Path

import msgspec
import numpy as np

from bench import judging
from bench.histories import write_run
from chaoskit import rundir
from chaoskit.kinds import CHECKS
from chaoskit.model.history import Operation

ROWS = 10_000


def written(folder: Path, *, opens_reads: bool) -> tuple[Path, Counter[int]]:
    """A small run, and how many lines each operation has."""
    path = write_run(folder, judging.experiment(), rows=ROWS, seed=1, opens_reads=opens_reads)
    lines = (path / "history.jsonl").read_bytes().splitlines()[1:]
    return path, Counter(msgspec.json.decode(line, type=Operation).index for line in lines)


def test_generated_run_has_its_operations_two_lines_each_and_its_tags(tmp_path: Path) -> None:
    path, lines = written(tmp_path, opens_reads=True)
    history = rundir.load(path).evidence.history

    assert history.index.tolist() == list(range(ROWS))
    assert set(lines.values()) == {2}
    assert len(np.unique(history.reference[history.reference != 0])) == ROWS / 100


def test_a_read_of_a_run_as_a_real_one_leaves_one_line(tmp_path: Path) -> None:
    path, lines = written(tmp_path, opens_reads=False)
    history = rundir.load(path).evidence.history
    reads = history.is_action("manifest-get", "blob-get", "blob-head")

    assert {lines[index] for index in history.index[reads].tolist()} == {1}
    assert {lines[index] for index in history.index[~reads].tolist()} == {2}


def test_generated_run_is_correct_and_its_strike_was_felt(tmp_path: Path) -> None:
    path, _ = written(tmp_path, opens_reads=True)
    measured = judging.judge_once(path, lies=False)
    history = rundir.load(path).evidence.history

    silent = {"lists", "deletes"}  # such a run has neither
    assert {check for check, verdict in measured.verdicts.items() if verdict != "held"} == silent
    assert {"connect-refused", "maybe-sent-timeout"} <= {history.name(int(code)) for code in history.observed}


def test_lies_in_a_generated_run_are_found(tmp_path: Path) -> None:
    path, _ = written(tmp_path, opens_reads=True)
    verdicts = judging.judge_once(path, lies=True).verdicts

    assert {check for check, verdict in verdicts.items() if verdict == "violated"} == {"durability", "closure", "tags"}


def test_bench_judges_by_every_check_but_the_one_that_needs_an_operator() -> None:
    names = [check.check for check in judging.experiment().experiment.checks]

    assert sorted(names) == sorted(set(CHECKS) - {"recoverability"})
