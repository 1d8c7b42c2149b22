import errno
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from chaoskit import rundir
from chaoskit.errors import RunDirBroken
from chaoskit.experiment import Variant
from chaoskit.model.evidence import HostSample, PhaseWindow
from chaoskit.model.history import OPEN, Operation, Outcome
from chaoskit.model.strike import Sample, Struck, Window
from chaoskit.model.topology import three_zones
from tests.unit.experiments import VALID, load_text
from tests.unit.report.samples import run_results

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def variant(tmp_path: Path) -> Variant:
    return load_text(tmp_path, VALID)[0]


def operation(index: int, **fields: object) -> Operation:
    base = {"action": "blob-get", "lane": "pinned", "phase": "steady", "region": "us-south", "zone": "us-south-1"}
    return Operation(index=index, intended_ns=1, called_ns=2, **{**base, **fields})  # type: ignore[arg-type]


def struck(number: int, **fields: object) -> Struck:
    fault = {"kind": "zone-outage", "zone": "us-south-2"}
    sample = Sample("client->lb.us-south-2", "during", 5, "refused", "refused", 1.5)
    base = {"samples": (sample,), "cut_ns": {"client->lb.us-south-2": 4}, "disturbed": (Window(8, 9),), **fields}
    return Struck(number, "zone-outage", fault, ("us-south-2",), ("client->lb.us-south-2",), (), 3, **base)  # type: ignore[arg-type]


def create(folder: Path, variant: Variant, seed: int = 7) -> rundir.RunFolder:
    return rundir.create(folder / "runs", variant, topology=three_zones(), seed=seed, now=NOW)


def whole(folder: Path, variant: Variant) -> Path:
    """A run that went to its end."""
    with create(folder, variant) as run:
        run.history.append(operation(0))
        run.history.append(operation(0, returned_ns=9, outcome=Outcome.OK, status=200))
        run.history.append(operation(1, digest="sha256:ab", children=("sha256:cd",)))
        run.events.phase(PhaseWindow("steady", 0, 10))
        run.events.struck(struck(0))
        run.events.struck(struck(0, injected_ns=4, healed_ns=9))
        run.events.host(HostSample(5, 0.5, 0.0, 0.1, 2.0))
        run.events.note("the balancer was slow", 6)
        run.events.phase(PhaseWindow("final", 10, 20))
    return run.path


def test_a_run_has_its_own_folder_named_after_time_variant_and_seed(tmp_path: Path, variant: Variant) -> None:
    with create(tmp_path, variant) as run:
        assert run.path == tmp_path / "runs" / "zone-outage" / "20260102T030405Z-default-7"
        assert {path.name for path in run.path.iterdir()} == {"experiment.yaml", "run.json", "history.jsonl", "events.jsonl"}


def test_two_runs_of_one_second_never_share_a_folder(tmp_path: Path, variant: Variant) -> None:
    with create(tmp_path, variant) as first, create(tmp_path, variant) as second:
        assert [first.path.name, second.path.name] == ["20260102T030405Z-default-7", "20260102T030405Z-default-7.2"]


def test_latest_points_at_the_newest(tmp_path: Path, variant: Variant) -> None:
    with create(tmp_path, variant, 1), create(tmp_path, variant, 2):
        latest = tmp_path / "runs" / "zone-outage" / "latest"
        assert latest.readlink() == Path("20260102T030405Z-default-2")


def test_what_was_written_is_read_back(tmp_path: Path, variant: Variant) -> None:
    stored = rundir.load(whole(tmp_path, variant))
    evidence = stored.evidence
    assert evidence.complete
    assert list(evidence.history.index) == [0, 1]
    assert list(evidence.history.returned_ns) == [9, OPEN]
    assert evidence.strikes == (struck(0, injected_ns=4, healed_ns=9),)
    assert evidence.phases == (PhaseWindow("steady", 0, 10), PhaseWindow("final", 10, 20))
    assert evidence.host == (HostSample(5, 0.5, 0.0, 0.1, 2.0),)
    assert evidence.objective_ns == {"push": 5_000_000_000, "pull": 2_000_000_000, "manifest": 1_000_000_000}
    assert evidence.topology == three_zones()
    assert (stored.notes, stored.results) == (("the balancer was slow",), None)


def test_the_variant_is_read_back_with_the_seed_of_the_run(tmp_path: Path, variant: Variant) -> None:
    stored = rundir.load(whole(tmp_path, variant)).variant
    assert (stored.name, stored.experiment_sha256) == ("default", variant.experiment_sha256)
    assert stored.experiment == variant.experiment.model_copy(update={"seed": 7})


def test_latest_can_be_loaded(tmp_path: Path, variant: Variant) -> None:
    path = whole(tmp_path, variant)
    assert rundir.load(tmp_path / "runs" / "zone-outage" / "latest").path == path.resolve()


def test_meta_is_added_to_and_never_lost(tmp_path: Path, variant: Variant) -> None:
    with create(tmp_path, variant) as run:
        run.write_meta({"driver": "compose"})
        run.write_meta({"facts": {"docker": "28"}})
    meta = json.loads((run.path / "run.json").read_text())
    assert (meta["schema_version"], meta["driver"], meta["facts"], meta["variant"]) == (1, "compose", {"docker": "28"}, "default")


def test_results_are_read_back(tmp_path: Path, variant: Variant) -> None:
    results = run_results()
    with create(tmp_path, variant) as run:
        run.write_results(results)
    assert rundir.load(run.path).results == results
    assert not list(run.path.glob(".*.new"))


def test_every_row_is_on_disk_when_append_returns(tmp_path: Path, variant: Variant) -> None:
    with create(tmp_path, variant) as run:
        run.history.append(operation(0))
        rows = (run.path / "history.jsonl").read_bytes().splitlines()
    assert [json.loads(rows[0]), json.loads(rows[1])["index"]] == [{"schema_version": 1, "kind": "history"}, 0]


def test_a_run_without_its_final_phase_is_incomplete(tmp_path: Path, variant: Variant) -> None:
    with create(tmp_path, variant) as run:
        run.events.phase(PhaseWindow("steady", 0, 10))
    assert not rundir.load(run.path).evidence.complete


@pytest.mark.parametrize("name", ["history.jsonl", "events.jsonl"])
def test_a_torn_last_line_is_left_out_and_makes_the_run_incomplete(tmp_path: Path, variant: Variant, name: str) -> None:
    path = whole(tmp_path, variant)
    with (path / name).open("ab") as stream:
        stream.write(b'{"index": 2, "act')
    evidence = rundir.load(path).evidence
    assert not evidence.complete
    assert list(evidence.history.index) == [0, 1]


def garbage_inside(path: Path) -> None:
    lines = (path / "history.jsonl").read_bytes().splitlines(keepends=True)
    (path / "history.jsonl").write_bytes(lines[0] + b"\x00\xff{\n" + b"".join(lines[1:]))


def other_version(path: Path) -> None:
    (path / "run.json").write_text((path / "run.json").read_text().replace('"schema_version": 1', '"schema_version": 9'))


def other_header(path: Path) -> None:
    (path / "history.jsonl").write_bytes(b'{"schema_version":2,"kind":"history"}\n')


def strange_event(path: Path) -> None:
    (path / "events.jsonl").write_bytes(b'{"schema_version":1,"kind":"events"}\n{"event":"party"}\n')


def strange_note(path: Path) -> None:
    (path / "events.jsonl").write_bytes(b'{"schema_version":1,"kind":"events"}\n{"event":"note"}\n')


def bad_experiment(path: Path) -> None:
    (path / "experiment.yaml").write_text("name: x\n")


def bad_results(path: Path) -> None:
    (path / "results.json").write_text('{"schema_version": 1}')


def emptied(name: str) -> Callable[[Path], None]:
    def empty(path: Path) -> None:
        (path / name).write_bytes(b"")

    return empty


def removed(name: str) -> Callable[[Path], None]:
    return lambda path: (path / name).unlink()


DAMAGE = {
    "garbage in the middle": (garbage_inside, "history.jsonl:2: is no row of a version 1 history file"),
    "another version": (other_version, "run.json: has schema_version 9; this chaoskit reads 1"),
    "another header": (
        other_header,
        "history.jsonl:1: is no row of a version 1 history file: the header says kind 'history', schema_version 2",
    ),
    "an unknown event": (strange_event, "events.jsonl:2: is no row of a version 1 events file: 'party' is not an event"),
    "a note without text": (strange_note, "events.jsonl:2: is no row of a version 1 events file"),
    "an experiment that is none": (bad_experiment, "hypothesis: is required"),
    "results that are none": (bad_results, "results.json: is not as a run writes it"),
    "an empty history": (emptied("history.jsonl"), "history.jsonl: is empty"),
    "an empty run.json": (emptied("run.json"), "run.json: is not JSON"),
    "no history": (removed("history.jsonl"), "history.jsonl: is missing"),
    "no events": (removed("events.jsonl"), "events.jsonl: is missing"),
    "no experiment": (removed("experiment.yaml"), "experiment.yaml: is missing"),
    "no run.json": (removed("run.json"), "run.json: is missing"),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_folder_says_which_file_and_line(tmp_path: Path, variant: Variant, damage: str) -> None:
    harm, message = DAMAGE[damage]
    path = whole(tmp_path, variant)
    harm(path)
    with pytest.raises(RunDirBroken) as caught:
        rundir.load(path)
    assert message in str(caught.value)


def test_what_is_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunDirBroken, match="is not a run folder"):
        rundir.load(tmp_path / "nothing")


def test_a_root_that_cannot_be_made_is_refused(tmp_path: Path, variant: Variant) -> None:
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(RunDirBroken, match=r"zone-outage: cannot be written: (Not a directory|File exists)"):
        create(tmp_path, variant)


def test_a_full_disk_is_said_at_the_row_that_did_not_fit(tmp_path: Path, variant: Variant, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(file: int, line: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with create(tmp_path, variant) as run, monkeypatch.context() as patch:
        patch.setattr("chaoskit.rows.os.write", full)
        with pytest.raises(RunDirBroken, match=r"history.jsonl: cannot be written: No space left on device"):
            run.history.append(operation(0))


def test_a_row_that_fits_only_in_part_is_an_error(tmp_path: Path, variant: Variant, monkeypatch: pytest.MonkeyPatch) -> None:
    with create(tmp_path, variant) as run, monkeypatch.context() as patch:
        patch.setattr("chaoskit.rows.os.write", lambda file, line: 5)
        with pytest.raises(RunDirBroken, match=r"history.jsonl: only 5 of \d+ bytes were written"):
            run.history.append(operation(0))


def test_a_warning_comes_before_a_run_that_may_not_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert rundir.low_disk(tmp_path / "not" / "made") is None or "GiB free" in str(rundir.low_disk(tmp_path))
    monkeypatch.setattr("chaoskit.rundir.LOW_DISK_BYTES", 2**80)
    assert "GiB free under" in str(rundir.low_disk(tmp_path / "not" / "made"))
