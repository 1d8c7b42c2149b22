"""A history file that is cut, garbled or mixed: a clear error with its line, or a judged prefix that says so; never a held verdict."""

from collections.abc import Callable
from pathlib import Path

import pytest

from chaoskit import judgement, rundir
from chaoskit.errors import RunDirBroken
from chaoskit.experiment import Variant
from chaoskit.model.history import Operation, Outcome
from chaoskit.model.verdict import Verdict
from chaoskit.rows import read_rows
from tests.unit.checks.histories import healthy, struck
from tests.unit.experiments import VALID, load_text
from tests.unit.test_rundir import create, operation

MANY = 3_000  # rows of more than one block


@pytest.fixture
def variant(tmp_path: Path) -> Variant:
    return load_text(tmp_path, VALID)[0]


@pytest.fixture
def many(tmp_path: Path, variant: Variant) -> Path:
    """A run folder with so many rows that they are read in several blocks."""
    with create(tmp_path, variant) as run:
        for index in range(MANY):
            run.history.append(operation(index, digest=f"sha256:{index:064}"))
    return run.path


def healthy_run(folder: Path, variant: Variant) -> Path:
    """A run that went to its end and is held."""
    story = healthy(step=5)
    evidence = story.evidence(struck())
    with create(folder, variant) as run:
        for row in story.rows:
            run.history.append(row)
        run.events.struck(evidence.strikes[0])
        run.events.host(evidence.host[0])
        for phase in evidence.phases:
            run.events.phase(phase)
        run.write_meta({"duration_s": 60.0})
    return run.path


def rows_of(path: Path) -> tuple[list[Operation], bool]:
    rows: list[Operation] = []
    count, is_whole = read_rows(path, "history", Operation, rows.extend)
    assert count == len(rows)
    return rows, is_whole


def test_rows_of_many_blocks_are_read_in_their_order(many: Path) -> None:
    history = rundir.load(many).evidence.history

    assert (many / "history.jsonl").stat().st_size > 2 * 2**18
    assert history.index.tolist() == list(range(MANY))
    assert [history.name(int(code)) for code in history.digest[[0, 1500, 2999]]] == [f"sha256:{index:064}" for index in (0, 1500, 2999)]


def test_file_cut_at_any_byte_gives_its_whole_rows_or_an_error_about_its_header(tmp_path: Path, variant: Variant) -> None:
    with create(tmp_path, variant) as run:
        run.history.append(operation(0))
        run.history.append(operation(0, returned_ns=9, outcome=Outcome.OK, detail="déjà vu"))
        run.history.append(operation(1))
    content, cut = (run.path / "history.jsonl").read_bytes(), tmp_path / "cut.jsonl"
    rows, _ = rows_of(run.path / "history.jsonl")
    header = content.index(b"\n")
    for size in range(len(content) + 1):
        cut.write_bytes(content[:size])
        if size < header:
            with pytest.raises(RunDirBroken, match=r"cut.jsonl: is empty" if size == 0 else r"cut.jsonl:1: is no row"):
                rows_of(cut)
        else:
            ended = content[:size].endswith(b"\n")
            assert rows_of(cut) == (rows[: content[:size].count(b"\n") - 1] if size > header else [], ended), size


def test_history_that_lost_its_last_rows_is_never_held(tmp_path: Path, variant: Variant) -> None:
    path = healthy_run(tmp_path, variant)
    file = path / "history.jsonl"
    content = file.read_bytes()
    whole = judgement.judge(rundir.load(path))
    assert whole.verdict is Verdict.HELD, [check for check in whole.checks if check.verdict is not Verdict.HELD]
    ends = [place for place, byte in enumerate(content, start=1) if byte == 10][:-1]
    for end in (*ends[:: len(ends) // 10], *ends[-12:]):
        for size in (end, end + 30):
            file.write_bytes(content[:size])
            stored = rundir.load(path)
            assert not stored.evidence.complete
            assert judgement.judge(stored).verdict is not Verdict.HELD, size


def test_events_that_lost_their_last_row_make_a_prefix(tmp_path: Path, variant: Variant) -> None:
    with create(tmp_path, variant) as run:
        run.events.note("one", 1)
        run.write_meta({})
    lines = (run.path / "events.jsonl").read_bytes().splitlines(keepends=True)
    (run.path / "events.jsonl").write_bytes(b"".join(lines[:-1]))
    stored = rundir.load(run.path)
    assert (stored.notes, stored.evidence.complete) == ((), False)


def split_a_row(lines: list[bytes]) -> None:
    """Both halves are no rows, and together with a newline between them they would be one."""
    lines[2000:2001] = lines[2000].replace(b',"action"', b',\n"action"').splitlines(keepends=True)


def join_two_rows(lines: list[bytes]) -> None:
    lines[2000:2002] = [lines[2000].rstrip(b"\n") + lines[2001]]


def leave_a_blank(lines: list[bytes]) -> None:
    lines.insert(2000, b"\n")


def flip(lines: list[bytes]) -> None:
    lines[2000] = lines[2000].replace(b"{", b"[", 1)


def name_by_number(lines: list[bytes]) -> None:
    lines[2000] = lines[2000].replace(b'"us-south-1"', b"1")


def count_too_far(lines: list[bytes]) -> None:
    lines[2000] = lines[2000].replace(b'"called_ns":2', b'"called_ns":99999999999999999999')


def drop_the_clock(lines: list[bytes]) -> None:
    lines[2000] = lines[2000].replace(b'"called_ns":2', b'"x":2')


def bytes_that_are_no_text(lines: list[bytes]) -> None:
    lines[2000] = lines[2000].replace(b"sha256:", b"sha\xff56:")


def append_another_version(lines: list[bytes]) -> None:
    lines[2000:] = [b'{"schema_version":2,"kind":"history"}\n', *lines[2000:]]


GARBLED: tuple[Callable[[list[bytes]], None], ...] = (
    split_a_row,
    join_two_rows,
    leave_a_blank,
    flip,
    name_by_number,
    count_too_far,
    drop_the_clock,
    bytes_that_are_no_text,
    append_another_version,
)


@pytest.mark.parametrize("garble", GARBLED)
def test_garbled_line_in_the_middle_is_named(many: Path, garble: Callable[[list[bytes]], None]) -> None:
    file = many / "history.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    garble(lines)
    file.write_bytes(b"".join(lines))
    with pytest.raises(RunDirBroken, match=r"history\.jsonl:2001: is no row of a version 1 history file: "):
        rundir.load(many)


def test_superseded_row_that_is_garbled_is_named_too(tmp_path: Path, variant: Variant) -> None:
    with create(tmp_path, variant) as run:
        run.history.append(operation(0))
        run.history.append(operation(0, returned_ns=9, outcome=Outcome.OK))
    file = run.path / "history.jsonl"
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join([lines[0], lines[1].replace(b'"called_ns":2', b'"called_ns":"2"'), lines[2]]))
    with pytest.raises(RunDirBroken, match=r"history\.jsonl:2: is no row .*called_ns"):
        rundir.load(run.path)
