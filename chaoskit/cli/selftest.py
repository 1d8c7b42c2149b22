"""`selftest`: does every check catch the bug it exists for."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from tabulate import tabulate

from chaoskit.catalog import TOPOLOGIES, with_bugs
from chaoskit.cli.terminal import chosen, progress, until_stopped, warn
from chaoskit.drivers.embedded.bugs import Bug
from chaoskit.selftest import SIDE_BY_SIDE, Tried, run_trials
from chaoskit.trials import CONTROLS, TRIALS, UNCOVERED


def selftest(
    bugs: Annotated[list[str] | None, typer.Option("--bug", metavar="NAME", help="Only this bug; may be repeated.")] = None,
    seeds: Annotated[int, typer.Option(min=1, max=100, help="How many seeds each is tried with.")] = 1,
    jobs: Annotated[int, typer.Option(min=1, max=16, help="How many runs whose checks measure no time go side by side.")] = SIDE_BY_SIDE,
    out: Annotated[Path, typer.Option(help="Where run folders go.")] = Path("runs"),
) -> None:
    """Switch seeded bugs on in the embedded region, one by one, and see that the checks catch them; controls must be held.

    Exit code: 0 if every bug that has a check was caught with every seed and no control failed, else 1.

    Example: chaoskit selftest --bug bit-rot --seeds 3
    """
    flags = {bug.flag: bug for bug in Bug}
    only = [chosen(name, flags, "--bug") for name in bugs or ()]
    trials = [trial for trial in (*TRIALS, *CONTROLS) if not only or trial.bug in only or trial.decoy in only]
    say = progress(quiet=False)
    tried = until_stopped(
        lambda stop: run_trials(
            trials,
            range(1, seeds + 1),
            deploys=with_bugs,
            topology=TOPOLOGIES["three-zones"](),
            out=out,
            stop=stop,
            side_by_side=jobs,
            tell=lambda one: say(f"{one.trial.name} seed {one.seed}: {', '.join(one.fired) or one.problem or 'nothing fired'}"),
        )
    )
    print(_table(tried))
    for bug in UNCOVERED if not only else [bug for bug in only if bug in UNCOVERED]:
        print(f"UNCOVERED  {bug.flag}: {UNCOVERED[bug]}")
    bad = [one for one in tried if not one.is_good]
    for one in bad:
        warn(f"{one.trial.name}, seed {one.seed}: {one.problem or ', '.join(one.fired) or 'not caught'}; see {one.folder}")
    print(f"{len(tried) - len(bad)} of {len(tried)} as they should be")
    raise typer.Exit(1 if bad else 0)


COMMANDS = {"selftest": selftest}


def _table(tried: Sequence[Tried]) -> str:
    rows = []
    for name in dict.fromkeys(one.trial.name for one in tried):
        mine = [one for one in tried if one.trial.name == name]
        trial = mine[0].trial
        must, may = trial.wanted, trial.bug.value.may if trial.bug else ()
        seen = [check for one in mine for check in one.fired]
        others = dict.fromkeys(check for check in seen if check not in (*must, *may))
        times = [one.detected_s for one in mine if one.detected_s is not None]
        good = sum(one.is_good for one in mine)
        rows.append(
            (
                trial.name,
                ", ".join(must) or "(none)",
                f"{good} of {len(mine)}",
                f"{max(times):.1f}" if times else "",
                ", ".join(dict.fromkeys(check for check in seen if check in (*must, *may))),
                ", ".join(others),
            )
        )
    headers = ("seeded bug", "must be caught by", "as it should", "within s", "fired", "others that fired")
    return tabulate(rows, headers=headers, tablefmt="simple")
