"""Differential fuzz: many tiny random histories, judged by the vectorised checks and by slow oracles (package `families`).

`python -m tests.unit.checks.fuzz 1000000 [SEED [FAMILY ...]]` prints the counts, and of each family with a mismatch the smallest history.
"""

import random
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules

from chaoskit.model.history import Operation
from chaoskit.model.verdict import Verdict

from . import families
from .families.base import Family, Judged, Rows

HISTORIES = 10_000  # of each family in `make test`; `make fuzz` asks for a million
BATCH = 40
ALONE = 50  # every so manyth history is judged by itself too, as only then the check's verdict is the history's


def _families() -> tuple[Family, ...]:
    names = sorted(module.name for module in iter_modules(families.__path__))
    modules = [import_module(f"{families.__name__}.{name}") for name in names]
    return tuple(family for module in modules for family in getattr(module, "FAMILIES", ()))


FAMILIES = {family.name: family for family in _families()}


@dataclass
class Counts:
    """Histories judged, what the oracle said of them, how many were judged alone too, and on how many check and oracle differ."""

    histories: int = 0
    violated: int = 0
    inconclusive: int = 0
    alone: int = 0
    mismatches: int = 0
    seconds: float = 0.0
    example: Rows = ()

    def differs(self, rows: Rows) -> None:
        """Note a mismatch."""
        self.mismatches += 1
        self.example = self.example or rows


def alone(family: Family, rows: Rows) -> Judged:
    """The check's word on one history by itself."""
    verdict, (blame,) = family.judge([rows])
    return Judged(verdict, blame)


def _compare(family: Family, batch: Sequence[Rows], counts: Counts) -> None:
    _, found = family.judge(batch)
    for rows, blame in zip(batch, found, strict=True):
        counts.histories += 1
        expected = family.oracle(rows)
        counts.violated += expected.verdict is Verdict.VIOLATED
        counts.inconclusive += expected.verdict is Verdict.INCONCLUSIVE
        is_alone = counts.histories % ALONE == 0
        counts.alone += is_alone
        if blame != expected.blame or (is_alone and alone(family, rows) != expected):
            counts.differs(rows)


def fuzz(family: Family, histories: int, seed: int) -> Counts:
    """Judge so many histories both ways."""
    source = random.Random(f"{family.name}/{seed}")
    counts = Counts()
    began = time.process_time()
    while counts.histories < histories:
        batch: list[list[Operation]] = []
        first = 0
        for number in range(min(BATCH, histories - counts.histories)):
            batch.append(family.generate(source, first, number))
            first += len(batch[-1])
        _compare(family, batch, counts)
    counts.seconds = time.process_time() - began
    return counts


def smallest(family: Family, rows: Rows) -> Rows:
    """What is left of a history on which check and oracle differ when no operation can be taken away."""
    for gone in rows:
        fewer = [row for row in rows if row is not gone]
        if fewer and alone(family, fewer) != family.oracle(fewer):
            return smallest(family, fewer)
    return rows


def _shown(family: Family, rows: Rows) -> str:
    least = smallest(family, rows)
    return "\n".join(["", *(f"  {row}" for row in least), f"  check:  {alone(family, least)}", f"  oracle: {family.oracle(least)}"])


def main(histories: int, seed: int, names: Sequence[str]) -> int:
    """Print a line a family; 1 if check and oracle differ anywhere."""
    total = 0
    for name in names or FAMILIES:
        family = FAMILIES[name]
        counts = fuzz(family, histories, seed)
        total += counts.mismatches
        line = f"{name}: {counts.histories} histories ({counts.alone} of them alone too), {counts.violated} violated, "
        line += f"{counts.inconclusive} inconclusive, {counts.mismatches} mismatches, {counts.seconds:.1f} s of CPU"
        sys.stdout.write(line + (_shown(family, counts.example) if counts.mismatches else "") + "\n")
        sys.stdout.flush()
    return int(total > 0)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0, sys.argv[3:]))
