"""`chaoskit check RUN --witness`, over a run folder with a stale read in it."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from chaoskit import rundir
from chaoskit.catalog import DRIVERS, TOPOLOGIES
from chaoskit.experiment import load
from chaoskit.model.topology import three_zones
from tests.unit.checks.histories import Story
from tests.unit.cli.conftest import Chaoskit
from tests.unit.experiments import VALID


def stored(root: Path, read: str) -> Path:
    """A run in which b overwrote a, and then `read` was read."""
    story = Story()
    story.put("t", "a", 1)
    story.put("t", "b", 3)
    story.get("t", read, 5, zone=2)
    story.sweep("t", "b")
    file = root / "x.yaml"
    file.write_text(VALID)
    (variant,) = load(file, driver="embedded", drivers=DRIVERS, topologies=TOPOLOGIES, sets=["checks=[{tags: {}}]"])
    with rundir.create(root / "runs", variant, topology=three_zones(), seed=1, now=datetime(2026, 1, 1, tzinfo=UTC)) as folder:
        for row in story.rows:
            folder.history.append(row)
        return folder.path


@pytest.fixture
def stale(tmp_path: Path) -> Path:
    return stored(tmp_path, "a")


def test_the_witness_follows_the_report(stale: Path, chaoskit: Chaoskit) -> None:
    plain, ended = chaoskit("check", str(stale)), chaoskit("check", str(stale), "--witness")

    assert ended.out.startswith(plain.out)
    assert "\n\nwitness of tags\n\n  manifest-put 0  us-south-1" in ended.out
    assert "  Stale read: manifest-get of r:t at us-south-2" in ended.out
    assert (plain.code, ended.code) == (1, 1)


@pytest.mark.parametrize("columns", [80, 120])
def test_the_witness_is_as_wide_as_the_terminal(columns: int, stale: Path, chaoskit: Chaoskit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(columns))

    drawing = chaoskit("check", str(stale), "--witness").out.partition("witness of tags")[2]

    assert max(map(len, drawing.splitlines())) == columns


def test_without_a_terminal_the_witness_is_80_columns_wide(stale: Path, chaoskit: Chaoskit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)

    drawing = chaoskit("check", str(stale), "--witness").out.partition("witness of tags")[2]

    assert max(map(len, drawing.splitlines())) == 80


def test_json_is_the_same_with_and_without_the_witness(stale: Path, chaoskit: Chaoskit) -> None:
    plain, ended = chaoskit("check", str(stale), "--json"), chaoskit("check", str(stale), "--json", "--witness")

    assert json.loads(ended.out)["checks"][0]["verdict"] == "violated"
    assert ended == plain


def test_a_run_that_held_has_nothing_to_draw(tmp_path: Path, chaoskit: Chaoskit) -> None:
    assert chaoskit("check", str(stored(tmp_path, "b")), "--witness").out.endswith("\nno check is violated: there is nothing to draw\n")
