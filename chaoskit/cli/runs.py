"""`run`, `plan`, `check`: experiments from files, and stored runs judged again."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from shutil import get_terminal_size
from typing import Annotated

import typer

from chaoskit import rundir
from chaoskit.catalog import DEFAULT_DRIVER, DRIVERS, REPORTERS, TOPOLOGIES
from chaoskit.cli.plan import plan_text
from chaoskit.cli.terminal import chosen, environment, progress, seconds, until_stopped, warn, worst_code
from chaoskit.drivers.base import Driver
from chaoskit.errors import BadExperiment, ChaosError, Interrupted
from chaoskit.experiment import Variant, load
from chaoskit.judgement import judge
from chaoskit.model.results import RunResults
from chaoskit.report import console
from chaoskit.report import witness as drawing

Files = Annotated[list[Path], typer.Argument(metavar="FILE", help="Experiment files, or run folders to run again.", show_default=False)]
DriverName = Annotated[str, typer.Option("--driver", help=f"One of {', '.join(DRIVERS)}.")]
Sets = Annotated[list[str] | None, typer.Option("--set", metavar="PATH=VALUE", help="Change a value of the file; may be repeated.")]
Json = Annotated[bool, typer.Option("--json", help="Print exactly results.json, and nothing else, to stdout.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress on stderr.")]


@dataclass(frozen=True, slots=True)
class _Options:
    driver: Driver
    out: Path
    timeout_s: float | None
    quiet: bool


def run(
    files: Files,
    driver: DriverName = DEFAULT_DRIVER,
    seed: Annotated[int | None, typer.Option(min=0, help="Instead of the seed of the file.")] = None,
    out: Annotated[Path, typer.Option(help="Where run folders go.")] = Path("runs"),
    sets: Sets = None,
    timeout: Annotated[str | None, typer.Option(metavar="DURATION", help="The most one run may take, such as 10m.")] = None,
    json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Run experiments and say whether they went as expected.

    Exit code: 0 as expected, 1 not as expected, 2 bad input, 3 inconclusive, 4 harness or environment failed, 130 interrupted.

    Example: chaoskit run experiments/zone-outage.yaml --set strikes.0.fault.shape=black-hole
    """
    deploys = chosen(driver, DRIVERS, "--driver")(environment())
    settings = [*(sets or ()), *([] if seed is None else [f"seed={seed}"])]
    variants = _all_variants(files, driver, settings)
    options = _Options(deploys, out, seconds(timeout, "--timeout"), quiet)
    low = rundir.low_disk(out)
    if low is not None:
        warn(low)
    found, codes = _one_after_another(variants, options, show=not json)
    if json:
        _print_json(found, several=len(variants) > 1)
    elif len(variants) > 1:
        print(f"\n{console.summary(found)}")
    raise typer.Exit(worst_code(codes))


def plan(files: Files, driver: DriverName = DEFAULT_DRIVER, sets: Sets = None) -> None:
    """Show what would be cut, on which links, and what a peer would see there; starts nothing.

    Example: chaoskit plan experiments/zone-outage.yaml --set strikes.0.fault.zone=us-south-3
    """
    chosen(driver, DRIVERS, "--driver")
    variants = _all_variants(files, driver, sets or ())
    print("\n\n".join(plan_text(variant, TOPOLOGIES[variant.experiment.topology]()) for variant in variants))


def check(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run folder, or its experiment's `latest`.", show_default=False)],
    witness: Annotated[bool, typer.Option("--witness", help="Draw the few operations that show each violation.")] = False,
    json: Json = False,
) -> None:
    """Judge a stored run again, offline: same history, same results, same exit code.

    Example: chaoskit check runs/zone-outage/latest --witness
    """
    stored = rundir.load(run)
    results = judge(stored)
    if json:
        _print_json([results], several=False)
    else:
        print(REPORTERS["console"](results, stored.path))
        if witness:
            print("\n" + drawing.render(results, stored.evidence.history, width=get_terminal_size((80, 24)).columns))
    raise typer.Exit(results.exit_code)


COMMANDS = {"run": run, "plan": plan, "check": check}


def _all_variants(files: Sequence[Path], driver: str, sets: Sequence[str]) -> list[Variant]:
    """Every file is validated before the first starts; BadExperiment lists the errors of all."""
    variants: list[Variant] = []
    errors = []
    for file in files:
        again = rundir.is_run(file)
        path = rundir.experiment_file(file) if again else file
        try:
            loaded = load(path, driver=driver, drivers=DRIVERS, topologies=TOPOLOGIES, sets=sets)
        except BadExperiment as error:
            errors.append(str(error))
            continue
        variants += [rundir.stored_variant(file)] if again and not sets else loaded
    if errors:
        raise BadExperiment("\n".join(errors))
    return variants


def _one_after_another(variants: Sequence[Variant], options: _Options, *, show: bool) -> tuple[list[RunResults], list[int]]:
    """What the runs found, and their exit codes. A run that failed does not stop the next; a signal does."""
    found: list[RunResults] = []
    codes: list[int] = []
    for number, variant in enumerate(variants):
        try:
            results, path = _conduct(variant, options)
        except Interrupted as error:
            warn(f"Interrupted: {error}")
            return found, [*codes, error.exit_code]
        except ChaosError as error:
            if len(variants) == 1:
                raise
            warn(f"{variant.experiment.name} [{variant.name}]: {type(error).__name__}: {error}")
            codes.append(error.exit_code)
            continue
        found.append(results)
        codes.append(results.exit_code)
        if show:
            print(("\n" if number else "") + REPORTERS["console"](results, path), flush=True)
    return found, codes


def _conduct(variant: Variant, options: _Options) -> tuple[RunResults, Path]:
    from chaoskit.run import conduct  # `plan` and `--help` need none of what a run imports

    topology = TOPOLOGIES[variant.experiment.topology]()
    seed = variant.experiment.seed
    say = progress(quiet=options.quiet)
    with rundir.create(options.out, variant, topology=topology, seed=seed, now=datetime.now(UTC)) as folder:
        folder.write_meta({"argv": sys.argv[1:], "driver": options.driver.name, "chaoskit": version("chaoskit")})
        say(f"{variant.experiment.name} [{variant.name}] into {folder.path}")
        results = until_stopped(
            lambda stop: conduct(
                variant,
                driver=options.driver,
                topology=topology,
                folder=folder,
                seed=seed,
                progress=say,
                stop=stop,
                timeout_s=options.timeout_s,
            )
        )
    return results, folder.path


def _print_json(found: Sequence[RunResults], *, several: bool) -> None:
    encoded = [rundir.encode_results(results).decode() for results in found]
    if several:
        print(f"[{', '.join(encoded)}]")
    elif encoded:
        print(encoded[0])
