"""Does the judge judge: seeded bugs switched on one by one, each as a real run, then controls and decoys that must be held."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from chaoskit import rundir
from chaoskit.drivers.base import Driver
from chaoskit.drivers.embedded.bugs import Bug
from chaoskit.errors import ChaosError
from chaoskit.experiment import Variant
from chaoskit.model.results import RunResults
from chaoskit.model.topology import Topology
from chaoskit.model.verdict import GUARDS, CheckResult, Verdict
from chaoskit.run import conduct
from chaoskit.trials import Trial

SIDE_BY_SIDE = 2
FINAL_S = 10.0

Deploys = Callable[[tuple[Bug, ...]], Driver]


@dataclass(frozen=True, slots=True)
class Tried:
    """One trial with one seed. `fired` are the checks that were not held (of checks that judge the region: violated); `problem` is why
    there is no verdict. `detected_s` is from the start of the load to the end of the first operation a finding of a wanted check names."""

    trial: Trial
    seed: int
    fired: tuple[str, ...]
    detected_s: float | None
    problem: str
    folder: Path

    @property
    def is_good(self) -> bool:
        """A bug was caught by a check that must; a control fired nothing."""
        if self.problem:
            return False
        if self.trial.bug is None:
            return not self.fired
        return bool(set(self.fired) & set(self.trial.wanted))


def fired(results: RunResults) -> tuple[str, ...]:
    """Checks that spoke up. A guard speaks by not being held, and only if no other check is violated; host is the machine's affair."""
    violated = tuple(check.check for check in results.checks if check.verdict is Verdict.VIOLATED and check.check not in GUARDS)
    guards = tuple(c.check for c in results.checks if c.check in GUARDS - {"host"} and c.verdict is not Verdict.HELD)
    return (*violated, *guards)


async def run_trials(
    trials: Sequence[Trial],
    seeds: Collection[int],
    *,
    deploys: Deploys,
    topology: Topology,
    out: Path,
    stop: asyncio.Event,
    tell: Callable[[Tried], None],
    side_by_side: int = SIDE_BY_SIDE,
) -> tuple[Tried, ...]:
    """Every trial with every seed, those that measure no time `side_by_side`; `tell` gets each as it ends."""
    places = asyncio.Semaphore(side_by_side)

    async def one(trial: Trial, seed: int) -> Tried:
        async with places:
            tried = await _try(trial, seed, deploys=deploys, topology=topology, out=out, stop=stop)
            tell(tried)
            return tried

    together = [(trial, seed) for trial in trials for seed in seeds if not trial.alone]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(trial, seed)) for trial, seed in together]
    done = [task.result() for task in tasks]
    for trial in trials:
        for seed in seeds if trial.alone else ():
            done.append(await one(trial, seed))
    return tuple(done)


async def _try(trial: Trial, seed: int, *, deploys: Deploys, topology: Topology, out: Path, stop: asyncio.Event) -> Tried:
    word = "".join(letter if letter.isalnum() else "-" for letter in trial.name)
    variant = Variant(word, trial.experiment(seed), experiment_sha256="")
    with rundir.create(out, variant, topology=topology, seed=seed, now=datetime.now(UTC)) as folder:
        folder.write_meta({"driver": "embedded"})
        try:
            results = await conduct(
                variant,
                driver=deploys(tuple(bug for bug in (trial.bug, trial.decoy) if bug is not None)),
                topology=topology,
                folder=folder,
                seed=seed,
                progress=lambda text: None,
                stop=stop,
                final_s=FINAL_S,
                skips=trial.skips,
            )
        except ChaosError as error:
            stop_early = stop.is_set()
            if stop_early:
                raise
            return Tried(trial, seed, (), None, f"{type(error).__name__}: {error}", folder.path)
    return Tried(trial, seed, fired(results), _detected_s(results, trial.wanted, folder.path), "", folder.path)


def _detected_s(results: RunResults, wanted: Collection[str], folder: Path) -> float | None:
    """When the first operation of a wanted check's finding had ended, in s from the first operation on."""
    named = {row for check in results.checks if _is_violated(check, wanted) for finding in check.findings for row in finding.operations}
    if not named:
        return None
    history = rundir.load(folder).evidence.history
    first = int(history.called_ns.min(initial=0))
    return min((int(history.returned_ns[row]) - first) / 1e9 for row in range(len(history)) if int(history.index[row]) in named)


def _is_violated(check: CheckResult, wanted: Collection[str]) -> bool:
    return check.check in wanted and check.verdict is Verdict.VIOLATED
