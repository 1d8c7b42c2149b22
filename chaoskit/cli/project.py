"""`project`: the downtime of a year from a rates file and stored runs."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from textwrap import fill
from typing import Annotated

import numpy as np
import typer
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from tabulate import tabulate

from chaoskit import rundir
from chaoskit.checks.budget import TARGET
from chaoskit.errors import BadExperiment
from chaoskit.judgement import judge
from chaoskit.projection import FaultRate, Projection, project
from chaoskit.stats import YEAR_S, error_budget_s

_WIDTH = 98
_TOO_MANY = 1000


class _Rate(BaseModel):
    """A row of a rates file: how many events in how many years (of one region), where that is written, and of when."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    fault: Annotated[str, Field(min_length=1)]
    events: Annotated[float, Field(ge=0)]
    years: Annotated[float, Field(gt=0)]
    source: Annotated[str, Field(min_length=1)]
    date: date


class _Rates(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    target: Annotated[float, Field(gt=0, lt=1)] = TARGET
    rates: Annotated[tuple[_Rate, ...], Field(min_length=1)]


def project_runs(
    rates: Annotated[Path, typer.Argument(metavar="RATES", help="A YAML file of fault rates.", show_default=False)],
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Run folders whose strikes are counted.", show_default=False)],
    seed: Annotated[int, typer.Option(min=0, help="Of the draws.")] = 0,
) -> None:
    """Project the downtime of a year from how often faults happen and what they cost in stored runs.

    The file: `rates:` a list of {fault: zone-outage, events: 3, years: 12, source: "...", date: 2026-01-31}, and `target:` if not 0.99999.

    Example: chaoskit project rates.yaml runs/zone-outage/*
    """
    wanted = _read(rates)
    known = [FaultRate(rate.fault, rate.events, rate.years, rate.source, rate.date.isoformat()) for rate in wanted.rates]
    try:
        found = project(known, _measured(runs), target=wanted.target, random=np.random.default_rng(seed))
    except ValueError as error:
        raise BadExperiment(f"{rates}: {error}") from error
    print(render(found))


COMMANDS = {"project": project_runs}


def render(found: Projection) -> str:
    """The projection as text: the year first, then classes, then every assumption."""
    budget = error_budget_s(found.target, YEAR_S)
    head = (
        f"downtime of a year: median {found.median_s:.1f} s, 5 to 95 %: {found.low_s:.1f} to {found.high_s:.1f} s\n"
        f"P(at least {100 * found.target:g} %, so at most {budget:.1f} s) = {found.meets_target:.3f}, if what is unmodelled costs nothing"
    )
    rows = [(each.fault, f"{each.per_year:.3g}", f"{100 * each.share:.1f} %") for each in found.classes]
    table = tabulate([*rows, ("unmodelled", "?", "?")], headers=("class", "a year", "share"), tablefmt="simple", disable_numparse=True)
    notes = [("unmodelled", found.unmodelled), ("assumed", found.assumptions)]
    lists = "\n\n".join(
        "\n".join((title, *(fill(f"- {text}", _WIDTH, subsequent_indent="  ") for text in texts))) for title, texts in notes
    )
    return f"{head}\n\n{table}\n\n{lists}"


def _measured(runs: Sequence[Path]) -> dict[str, list[float]]:
    """Downtime of each strike by the kind of its fault, of all runs, judged again; a folder that is named twice counts once."""
    found: dict[str, list[float]] = {}
    for path in dict.fromkeys(run.resolve() for run in runs):
        for strike in judge(rundir.load(path)).strikes:
            if strike.downtime_s is not None:
                found.setdefault(str(strike.fault.get("kind", "?")), []).append(strike.downtime_s)
    return found


def _read(path: Path) -> _Rates:
    """BadExperiment names the file and every field that is wrong."""
    try:
        loaded = yaml.safe_load(path.read_text())
        rates = _Rates.model_validate(loaded)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise BadExperiment(f"{path}: cannot be read as YAML: {error}") from error
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, each['loc'])) or 'file'}: {each['msg']}, found {each['input']!r}" for each in error.errors())
        raise BadExperiment(f"{path}: {wrong}") from error
    often = [rate.fault for rate in rates.rates if rate.events / rate.years > _TOO_MANY]
    if often:
        raise BadExperiment(f"{path}: more than {_TOO_MANY} events a year of {', '.join(often)}: that is no fault but a state")
    return rates
