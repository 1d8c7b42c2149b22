"""How long `chaoskit check` takes, and where: the load, each check, the rest; wall and CPU time and peak memory, in a process of its own.

A check pays for the views it is the first to ask for (`checks.base.derived`), so the order counts: it is that of `kinds.CHECKS`.
"""

import dataclasses
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TypeVar

import msgspec
import numpy as np
from tabulate import tabulate

from bench.histories import write_run
from chaoskit import rundir
from chaoskit.catalog import DRIVERS, TOPOLOGIES
from chaoskit.checks.base import judge_all
from chaoskit.experiment import Variant
from chaoskit.experiment import load as load_experiment
from chaoskit.judgement import judge
from chaoskit.model.evidence import Evidence
from chaoskit.model.verdict import Verdict

EXPERIMENT = Path(__file__).with_name("experiment.yaml")
SIZES = (10_000, 100_000, 1_000_000)
REPEATS = 3
LIES = 1_000  # of so many final reads, one is made to answer 404

T = TypeVar("T")


class Timing(msgspec.Struct):
    """One part of the work: seconds on the wall and of CPU."""

    part: str
    wall_s: float
    cpu_s: float


class Measured(msgspec.Struct):
    """One process that judged one run: the parts in order, peak RSS, what it judged and found."""

    parts: list[Timing]
    peak_mb: float
    operations: int
    lines: int
    findings: int
    verdicts: dict[str, str]

    @property
    def total(self) -> Timing:
        """All parts together."""
        return Timing("all", sum(part.wall_s for part in self.parts), sum(part.cpu_s for part in self.parts))


def judge_once(path: Path, *, lies: bool) -> Measured:
    """Load and judge a run here, part by part; with `lies`, after some of its final reads were made to answer 404."""
    parts: list[Timing] = []

    def timed(part: str, work: Callable[[], T]) -> T:
        wall, cpu = time.perf_counter(), time.process_time()
        made = work()
        parts.append(Timing(part, time.perf_counter() - wall, time.process_time() - cpu))
        return made

    stored = timed("load", lambda: rundir.load(path))
    evidence = _with_lies(stored.evidence) if lies else stored.evidence
    checks = stored.variant.experiment.checks
    results = [timed(check.check, lambda check=check: judge_all((check,), evidence)[0]) for check in checks]  # type: ignore[misc]
    rest = stored.variant.experiment.model_copy(update={"checks": ()})
    timed("timeline and counts", lambda: judge(dataclasses.replace(stored, variant=dataclasses.replace(stored.variant, experiment=rest))))
    return Measured(
        parts=parts,
        peak_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        operations=len(evidence.history),
        lines=_lines(path),
        findings=sum(len(result.findings) for result in results),
        verdicts={result.check: str(result.verdict) for result in results},
    )


def _lines(path: Path) -> int:
    with (path / "history.jsonl").open("rb") as stream:
        return sum(block.count(b"\n") for block in iter(lambda: stream.read(2**20), b"")) - 1


def _with_lies(evidence: Evidence) -> Evidence:
    """One final read in `LIES` answers 404: most checks then have findings to tell, which costs more than to hold."""
    history = evidence.history
    reads = (history.phase == history.code("final")) & (history.got != 0)
    rows = np.flatnonzero(reads)[::LIES]
    changed = {name: getattr(history, name).copy() for name in ("got", "advertised", "status", "observed")}
    for name, value in (("got", 0), ("advertised", 0), ("status", 404), ("observed", history.code("absent"))):
        changed[name][rows] = value
    return dataclasses.replace(evidence, history=dataclasses.replace(history, **changed))


def apart(path: Path, *, lies: bool) -> Measured:
    """`judge_once` in a fresh process, so that peak memory is its own."""
    command = [sys.executable, "-m", "bench.judging", str(path), *(["--lies"] if lies else [])]
    return msgspec.json.decode(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout, type=Measured)


def typical(runs: Sequence[Measured]) -> Measured:
    """The median of each figure over several runs of one history."""
    parts = [
        Timing(same[0].part, median(part.wall_s for part in same), median(part.cpu_s for part in same))
        for same in zip(*(run.parts for run in runs), strict=True)
    ]
    return msgspec.structs.replace(runs[0], parts=parts, peak_mb=median(run.peak_mb for run in runs))


def bench(rows: Sequence[int], *, repeats: int, opens_reads: bool) -> str:
    """Judge runs of these sizes, each so often, in turn, so that a busy minute of the machine meets all of them; the tables."""
    variant = experiment()
    with TemporaryDirectory(prefix="chaoskit-bench-") as root:
        paths = {size: write_run(Path(root) / str(size), variant, rows=size, seed=1, opens_reads=opens_reads) for size in rows}
        runs: dict[int, list[Measured]] = {size: [] for size in rows}
        for _ in range(repeats):
            for size, path in paths.items():
                runs[size].append(apart(path, lies=False))
        largest = apart(paths[max(rows)], lies=True)
    found = {size: typical(measured) for size, measured in runs.items()}
    return f"{_table(found)}\n\n{_ratios(found)}\n\n{_lied(found[max(rows)], largest)}"


def experiment() -> Variant:
    """The experiment that names every check there is."""
    (variant,) = load_experiment(EXPERIMENT, driver="embedded", drivers=DRIVERS, topologies=TOPOLOGIES)
    return variant


def _table(found: Mapping[int, Measured]) -> str:
    headers = ["", *(f"{size:,} operations" for size in found)]
    body = [["lines of history.jsonl", *(f"{run.lines:,}" for run in found.values())]]
    for number, part in enumerate(next(iter(found.values())).parts):
        body.append([part.part, *(_seconds(run.parts[number]) for run in found.values())])
    body.append(["all", *(_seconds(run.total) for run in found.values())])
    body.append(["peak RSS", *(f"{run.peak_mb:,.0f} MB" for run in found.values())])
    body.append(["verdicts", *(_verdicts(run) for run in found.values())])
    return "Seconds on the wall (of CPU), medians\n" + str(tabulate(body, headers, disable_numparse=True, colalign=_right(len(headers))))


def _ratios(found: Mapping[int, Measured]) -> str:
    sizes = sorted(found)
    body = []
    for small, large in pairwise(sizes):
        one, ten = found[small], found[large]
        loads, totals = [run.parts[0].cpu_s for run in (one, ten)], [run.total.cpu_s for run in (one, ten)]
        checks = [total - load for total, load in zip(totals, loads, strict=True)]
        pairs = ((small, large), loads, checks, totals, (one.peak_mb, ten.peak_mb))
        body.append([f"{small:,} -> {large:,}", *(f"{after / before:.1f}" for before, after in pairs)])
    headers = ["growth of", "operations", "load", "checks", "all", "peak RSS"]
    return "Ratios of CPU time\n" + str(tabulate(body, headers, disable_numparse=True, colalign=_right(len(headers))))


def _lied(held: Measured, lied: Measured) -> str:
    """What findings cost: the same run with final reads that lie."""
    body = [
        [part.part, f"{part.cpu_s:.2f}", f"{worse.cpu_s:.2f}", lied.verdicts.get(part.part, "")]
        for part, worse in zip(held.parts, lied.parts, strict=True)
    ]
    body.append(["all", f"{held.total.cpu_s:.2f}", f"{lied.total.cpu_s:.2f}", f"{lied.findings} findings"])
    title = f"The largest run with one final read in {LIES:,} answered 404: seconds of CPU"
    return f"{title}\n" + str(tabulate(body, ["", "as it was", "with lies", "verdict"], disable_numparse=True, colalign=_right(4)))


def _seconds(timing: Timing) -> str:
    return f"{timing.wall_s:.2f} ({timing.cpu_s:.2f})"


def _verdicts(run: Measured) -> str:
    values = list(run.verdicts.values())
    return ", ".join(f"{values.count(verdict)} {verdict}" for verdict in Verdict if verdict in values)


def _right(columns: int) -> tuple[str, ...]:
    return ("left", *["right"] * (columns - 1))


if __name__ == "__main__":
    measured = judge_once(Path(sys.argv[1]), lies="--lies" in sys.argv)
    sys.stdout.buffer.write(msgspec.json.encode(measured))
