"""`up`, `status`, `inject`, `heal`, `down`: a region that belongs to a person, and faults put on it by hand."""

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from pydantic import ValidationError
from tabulate import tabulate

from chaoskit.catalog import BY_HAND, TOPOLOGIES
from chaoskit.cli.terminal import Signalled, chosen, environment, noting_signals, progress, seconds, warn
from chaoskit.complaints import sentences
from chaoskit.drivers.base import Deployment
from chaoskit.errors import BadExperiment, EnvironmentMissing, Interrupted
from chaoskit.faults.base import Fault
from chaoskit.faults.fold import Wanted
from chaoskit.kinds import FAULTS
from chaoskit.plane.injector import Injector
from chaoskit.plane.moves import differences
from chaoskit.plane.toxiproxy import Plane
from chaoskit.yamlplaces import Placed, parse, plain

Name = Annotated[str, typer.Option("--name", help="The region's name on this host.")]
DriverName = Annotated[str, typer.Option("--driver", help=f"One of {', '.join(BY_HAND)}.")]

_REGION = "chaoskit"
_DRIVER = "compose"
_POLL_S = 0.1
_DETACH_S = 60.0
_IS_ON = "is on"


def up(
    topology: Annotated[str, typer.Argument(help=f"One of {', '.join(TOPOLOGIES)}.")] = "three-zones",
    driver: DriverName = _DRIVER,
    name: Name = _REGION,
) -> None:
    """Start a region of your own and keep it until `down`.

    Example: chaoskit up three-zones --name mine
    """
    layout = chosen(topology, TOPOLOGIES, "TOPOLOGY")()
    deployment = chosen(driver, BY_HAND, "--driver")(environment()).up(layout, name=name)
    print(tabulate(deployment.entries.items(), headers=("zone", "entry"), tablefmt="simple"))
    print(f"\nregion '{name}' is up; next: chaoskit inject zone-outage zone={layout.zones[0]} --for 15s --name {name}")


def status(
    driver: DriverName = _DRIVER, name: Annotated[str | None, typer.Option("--name", help="Only this region, with its links.")] = None
) -> None:
    """Show the regions on this host; with --name also what differs from a healthy one.

    Example: chaoskit status --name mine
    """
    makes = chosen(driver, BY_HAND, "--driver")(environment())
    regions = [region for region in makes.regions() if name in (None, region.name)]
    rows = [
        (region.name, region.topology, "yours" if region.personal else "a run's", _counted(tuple(region.states.values())))
        for region in regions
    ]
    print(
        tabulate(rows, headers=("region", "topology", "belongs to", "components"), tablefmt="simple") if rows else "no region on this host"
    )
    if name is not None:
        deployment = makes.attach(name)
        struck = differences(Plane(deployment.control, time.monotonic_ns).read(), Wanted())
        print("\n" + ("\n".join(struck) or "every link is healthy"))


def inject(
    fault: Annotated[str, typer.Argument(metavar="FAULT", help="One that `chaoskit faults` lists.", show_default=False)],
    values: Annotated[list[str] | None, typer.Argument(metavar="KEY=VALUE", help="Its parameters.", show_default=False)] = None,
    lasts: Annotated[str | None, typer.Option("--for", metavar="DURATION", help="Heal after this time, else on Ctrl-C.")] = None,
    detach: Annotated[bool, typer.Option("--detach", help="Return at once; a process left behind heals. Needs --for.")] = False,
    driver: DriverName = _DRIVER,
    name: Name = _REGION,
) -> None:
    """Put a fault on a region, wait, and heal it.

    Example: chaoskit inject zone-outage zone=us-south-2 shape=black-hole --for 15s
    """
    wanted = parsed_fault(fault, values or ())
    limit_s = seconds(lasts, "--for")
    makes = chosen(driver, BY_HAND, "--driver")(environment())
    if detach:
        if lasts is None:
            raise BadExperiment("--detach: needs --for, so that the fault is healed without you")
        arguments = (fault, *(values or ()), "--for", lasts, "--driver", driver, "--name", name)
        _left_behind(arguments, makes.root / f"inject-{name}-{time.time_ns()}.log")
        return
    _strike(makes.attach(name), wanted, limit_s)


def heal(driver: DriverName = _DRIVER, name: Name = _REGION) -> None:
    """Take every fault off a region, whoever put it on.

    Example: chaoskit heal --name mine
    """
    deployment = chosen(driver, BY_HAND, "--driver")(environment()).attach(name)
    injector = _injector(deployment)
    with noting_signals() as signalled:
        injector.heal_all()
        injector.assert_clean()
    _raise_if(signalled)
    print(f"region '{name}' is clean")


def down(driver: DriverName = _DRIVER, name: Name = _REGION) -> None:
    """Take a region away with everything it made.

    Example: chaoskit down --name mine
    """
    makes = chosen(driver, BY_HAND, "--driver")(environment())
    known = {region.name for region in makes.regions()}
    makes.down(name)
    others = f"; there are: {', '.join(sorted(known))}" if known else ""
    print(f"region '{name}' is gone" if name in known else f"there was no region called '{name}'{others}")


COMMANDS = {"up": up, "status": status, "inject": inject, "heal": heal, "down": down}


def parsed_fault(kind: str, values: Sequence[str]) -> Fault:
    """`zone-outage` and `zone=us-south-2`, ... as a fault. BadExperiment as for a file."""
    model = chosen(kind, FAULTS, "FAULT")
    fields: dict[str, Placed] = {"kind": Placed(kind, "inject", ("kind",))}
    for text in values:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise BadExperiment(f"inject: {text!r} is not of the form key=value, such as zone=us-south-2")
        if key in fields:
            raise BadExperiment(f"inject: {key!r} is given twice")
        fields[key] = Placed(parse(value, "inject").value, "inject", (key,))
    root = Placed(fields, "inject")
    try:
        return model.model_validate(plain(root))
    except ValidationError as error:
        raise BadExperiment("\n".join(sentences(error, root, model, {}))) from error


def _injector(deployment: Deployment) -> Injector:
    return Injector(deployment.topology, Plane(deployment.control, time.monotonic_ns), deployment, time.monotonic_ns)


def _strike(deployment: Deployment, fault: Fault, limit_s: float | None) -> None:
    """On, wait, off: a signal ends the wait and never the healing."""
    injector = _injector(deployment)
    say = progress(quiet=False)
    with noting_signals() as signalled:
        try:
            struck = injector.inject(0, fault, time.monotonic_ns())
            say(f"{fault.kind} {_IS_ON} ({len(struck.links)} links); heals {f'in {limit_s:g} s' if limit_s else 'on Ctrl-C'}")
            if struck.effective_ns is None:
                warn("no canary saw the declared symptom everywhere; the fault is on all the same")
            end = None if limit_s is None else time.monotonic() + limit_s
            while not signalled.names and (end is None or time.monotonic() < end):
                time.sleep(_POLL_S)
        finally:
            injector.heal_all()
            injector.assert_clean()
        say("healed, and every link and component is as before")
    _raise_if(signalled)


def _left_behind(arguments: Sequence[str], log: Path) -> None:
    """The same command in a session of its own; returns when its fault is on, raises what it said if it ended before."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        guardian = subprocess.Popen(
            [sys.executable, "-m", "chaoskit.cli.app", "inject", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    end = time.monotonic() + _DETACH_S
    while _IS_ON not in log.read_text():
        code = guardian.poll()
        if code is not None or time.monotonic() > end:
            said = log.read_text().strip() or "nothing"
            state = f"ended with code {code}" if code is not None else f"has not struck within {_DETACH_S:g} s and goes on"
            raise EnvironmentMissing(f"the process left behind (pid {guardian.pid}) {state}; it said: {said}")
        time.sleep(_POLL_S)
    print(f"{arguments[0]} is on; process {guardian.pid} heals it, its log is {log}")


def _raise_if(signalled: Signalled) -> None:
    if signalled.names:
        raise Interrupted(f"stopped by {signalled.names[0]}; the region was healed first")


def _counted(states: Sequence[str]) -> str:
    return ", ".join(f"{count} {state}" for state, count in sorted(Counter(states).items()))
