"""SIGKILL of a run at random moments of its life: within 5 s no process, no listening port and no folder of its region may be left.

    python -m tests.torture.kills 100 --seed 7      a line for each kill, then counts; exit 1 if anything was left once

What belongs to a run is known by a mark in its environment, which its children inherit, so one that was forked while the kill was on its
way is found too. Moments are drawn uniformly from the life of a run that was not killed.
"""

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random

from tests.embedded.processes import MARK, marked

LIMIT_S = 5.0
WHOLE_RUN_S = 120.0
POLL_S = 0.02
ALL = 1 + 1 + 1 + 9  # the run, the nursery, the fault proxy, three components in each of three zones
DEMO = Path(__file__).parent.parent.parent / "experiments" / "demo.yaml"
_LISTENS = "0A"  # in /proc/net/tcp


@dataclass(frozen=True, slots=True)
class Kill:
    """One kill. `processes` and `listening` are what the run had when it came; `left` is what was still there LIMIT_S later.

    `gone_s` is how long it took until all was gone. `ended`: the run was over before its moment came.
    """

    at_s: float
    ended: bool
    processes: int
    listening: int
    gone_s: float
    left: tuple[str, ...]

    def line(self, number: int) -> str:
        """For the screen."""
        had = "had ended" if self.ended else f"{self.processes:2} processes, {self.listening:2} listening"
        found = f"LEFT: {'; '.join(self.left)}" if self.left else f"gone in {self.gone_s:.2f} s"
        return f"{number:4}  at {self.at_s:6.2f} s  {had}  {found}"


def kills(count: int, *, seed: int, life_s: float, folder: Path) -> Iterator[Kill]:
    """That many runs, one after the other, each killed at a moment of its own in [0, life_s)."""
    random = Random(seed)
    for number in range(count):
        yield kill_at(random.uniform(0, life_s), folder / f"{number:04d}")


def kill_at(at_s: float, folder: Path) -> Kill:
    """Start a run, kill it `at_s` later, and see what is left."""
    temporary = folder / "tmp"
    temporary.mkdir(parents=True)
    started = time.monotonic()
    with _run(folder) as run:
        with suppress(subprocess.TimeoutExpired):
            run.wait(at_s)
        ended = run.poll() is not None
        processes = marked(str(folder))
        sockets = _sockets_of(processes) & listening()
        run.send_signal(signal.SIGKILL)
        killed = time.monotonic()
        run.wait()
    while (left := _left(folder, sockets)) and time.monotonic() - killed < LIMIT_S:
        time.sleep(POLL_S)
    return Kill(killed - started, ended, len(processes), len(sockets), time.monotonic() - killed, left)


def life(folder: Path) -> float:
    """Seconds that a run takes which nobody kills."""
    (folder / "tmp").mkdir(parents=True)
    started = time.monotonic()
    with _run(folder) as run:
        code = run.wait(WHOLE_RUN_S)
    assert code == 0, f"the run that nobody killed ended with {code}: {(folder / 'log').read_text()}"
    return time.monotonic() - started


def listening() -> set[str]:
    """Inodes of all listening TCP sockets: a port that another process opens later has another."""
    rows = [line.split() for table in ("tcp", "tcp6") for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]]
    return {row[9] for row in rows if row[3] == _LISTENS}


def main() -> int:
    """The script."""
    parser = argparse.ArgumentParser(prog="python -m tests.torture.kills")
    parser.add_argument("count", type=int, nargs="?", default=100)
    parser.add_argument("--seed", type=int, default=1)
    chosen = parser.parse_args()
    done: list[Kill] = []
    with tempfile.TemporaryDirectory(prefix="chaoskit-kills-") as name:
        folder = Path(name)
        life_s = life(folder / "whole")
        print(f"a whole run takes {life_s:.1f} s; {chosen.count} kills, seed {chosen.seed}", flush=True)
        for kill in kills(chosen.count, seed=chosen.seed, life_s=life_s, folder=folder):
            done.append(kill)
            print(kill.line(len(done)), flush=True)
        late = marked(name)
    return _sum_up(done, late)


def _run(folder: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "chaoskit.cli.app", "run", str(DEMO), "--driver", "embedded", "--out", str(folder / "runs")]
    environment = {**os.environ, MARK: str(folder), "TMPDIR": str(folder / "tmp"), "NO_COLOR": "1", "CI": "true"}
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(command, env=environment, stdout=log, stderr=log)


def _left(folder: Path, sockets: set[str]) -> tuple[str, ...]:
    processes = [f"process {pid} {command.strip()}" for pid, command in marked(str(folder)).items()]
    ports = [f"listening socket {inode}" for inode in sorted(sockets & listening())]
    return (*processes, *ports, *(f"folder {path}" for path in sorted((folder / "tmp").iterdir())))


def _sockets_of(pids: dict[int, str]) -> set[str]:
    found = set()
    for pid in pids:
        with suppress(OSError):
            for handle in Path(f"/proc/{pid}/fd").iterdir():
                with suppress(OSError):
                    found.add(str(handle.readlink()).removeprefix("socket:[").removesuffix("]"))
    return found


def _sum_up(done: list[Kill], late: dict[int, str]) -> int:
    alive = [kill for kill in done if not kill.ended]
    bad = [kill for kill in done if kill.left]
    phases = (
        ("before the region's first process", sum(kill.processes <= 1 for kill in alive)),
        ("while the region came up or went away", sum(1 < kill.processes < ALL for kill in alive)),
        ("with all processes up", sum(kill.processes >= ALL for kill in alive)),
    )
    print(f"{len(done)} kills, {len(done) - len(alive)} came after the run's end; {len(bad)} left something behind")
    for phase, count in phases:
        print(f"  {count:4}  {phase}")
    slowest_s = max((kill.gone_s for kill in done), default=0)
    print(f"slowest to be gone: {slowest_s:.2f} s, limit {LIMIT_S:g} s; processes at the very end: {late or 'none'}")
    return 1 if bad or late else 0


if __name__ == "__main__":
    sys.exit(main())
