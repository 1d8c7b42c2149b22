from datetime import UTC, datetime
from pathlib import Path

import pytest

from chaoskit import rundir
from chaoskit.cli.project import project_runs
from chaoskit.errors import BadExperiment
from chaoskit.model.evidence import PhaseWindow
from chaoskit.model.topology import three_zones
from tests.unit.checks.histories import PHASES, fail, healthy, ns, sessions, struck
from tests.unit.experiments import VALID, load_text

RATES = """\
rates:
  - {fault: zone-outage, events: 3, years: 12, source: status page, date: 2026-01-31}
"""


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A stored run: six strikes on zone 2, in five of which the other entries failed for a while."""
    story = healthy()
    strikes = [struck(start=10 + 3 * number, end=12 + 3 * number, number=number) for number in range(6)]
    for number in range(5):
        for whole in sessions(story, 10 + 3 * number, 11 + 3 * number):
            fail(story, whole)
    variant = load_text(tmp_path, VALID)[0]
    with rundir.create(tmp_path / "runs", variant, topology=three_zones(), seed=1, now=datetime(2026, 1, 2, tzinfo=UTC)) as folder:
        for row in story.rows:
            folder.history.append(row)
        for strike in strikes:
            folder.events.struck(strike)
        for name, (start, end) in PHASES.items():
            folder.events.phase(PhaseWindow(name, ns(start), ns(end)))
    return folder.path


def rates_file(folder: Path, text: str = RATES) -> Path:
    path = folder / "rates.yaml"
    path.write_text(text)
    return path


def test_projection_is_printed_year_first_with_classes_and_assumptions(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    project_runs(rates_file(tmp_path), [run, run], seed=1)

    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("downtime of a year: median ")
    assert lines[1].startswith("P(at least 99.999 %, so at most 315.6 s) = ")
    rows = {line.split()[0]: line.split()[1:] for line in lines if line.startswith(("zone-outage ", "unmodelled "))}
    assert float(rows["zone-outage"][0]) == pytest.approx(0.2644, abs=0.002)  # the median of Gamma(3.5, 12)
    assert rows["zone-outage"][1:] == ["100.0", "%"]
    assert rows["unmodelled"] == ["?", "?"]
    text = " ".join(line.strip() for line in lines)
    assert "- zone-outage: 3 events in 12 years, from status page (2026-01-31)" in text
    assert "downtime measured in 6 strikes, 5 above 0" in text  # the folder that was named twice counts once
    assert max(map(len, lines)) <= 100


def test_target_of_the_file_is_the_one_projected(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    project_runs(rates_file(tmp_path, f"target: 0.9999\n{RATES}"), [run])

    assert "P(at least 99.99 %, so at most 3155.8 s)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rates: []", "rates: Tuple should have at least 1 item"),
        (RATES.replace("events: 3", "events: -3"), "rates.0.events: Input should be greater than or equal to 0, found -3"),
        (RATES.replace("years: 12, ", ""), "rates.0.years: Field required"),
        (RATES.replace("source: status page, ", ""), "rates.0.source: Field required"),
        (RATES.replace("years: 12", "years: 0.001"), "more than 1000 events a year of zone-outage"),
        (RATES.replace("zone-outage", "zone-kill"), "found zone-outage: 5 of 6"),
        ("rates: [", "cannot be read as YAML"),
    ],
)
def test_bad_rates_file_is_told_with_its_place(text: str, message: str, run: Path, tmp_path: Path) -> None:
    file = rates_file(tmp_path, text)

    with pytest.raises(BadExperiment, match=r".") as told:
        project_runs(file, [run])

    assert str(file) in str(told.value)
    assert message in str(told.value)
