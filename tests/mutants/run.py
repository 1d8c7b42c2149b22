"""Mutation testing of the judge: a stratified sample of mutants of `chaoskit/checks` and `chaoskit/stats.py`, each against its tests.

`python -m tests.mutants.run [COUNT [SEED [MODULE ...]]]` prints the survivors and the score. No file is changed: a mutant lives in a
forked process only, which imports the package anew with one module's source replaced. First the tests made for that module, with short
fuzz runs of its families; a mutant that survives them meets all tests of the judge.
"""

import importlib
import os
import random
import resource
import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.util import spec_from_loader
from pathlib import Path
from types import CodeType, ModuleType

import pytest

from .operators import Mutant, mutants

ROOT = Path(__file__).parent.parent.parent
TESTS = "tests/unit/checks"
FUZZ = f"{TESTS}/test_fuzz.py::test_check_agrees_with_its_oracle_on_random_tiny_histories"
LIMIT_S, WIDE_LIMIT_S = 15, 120  # of CPU; the tests of a module take about one, all take about twenty
HISTORIES = 150  # of each family, where `make test` takes thousands
KILLED, SURVIVED, TIMEOUT = "killed", "survived", "timeout"

_TAGS = ("test_tags.py", "test_tags_deletes.py", "test_models.py")
_ORDERS = ("tags", "one delete", "read-your-writes", "monotonic reads")
_TIMES = ("test_windows.py", "test_timeline.py", "test_failover.py", "test_availability.py")
_OBJECTS = ("test_durability.py", "test_closure.py", "test_refusal.py", "test_deletes.py")
# Module -> tests made for it, and families (by how their names begin); else those of its own name.
KILL: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "absence": (("test_absence.py", "test_refusal.py", "test_availability.py"), ("refusal",)),
    "base": (("test_base.py", *_OBJECTS, "test_guards.py"), ("durability", "closure", "phantom", "refusal", "tags", "lists")),
    "objects": (_OBJECTS, ("durability", "closure", "refusal", "deletes")),
    "words": (("test_durability.py", "test_closure.py", *_TAGS), ()),
    "lifetimes": (("test_deletes.py", "test_lists.py"), ("deletes", "lists")),
    "coverage": (("test_guards.py",), ()),
    "effect": (("test_guards.py",), ()),
    "host": (("test_guards.py",), ()),
    **dict.fromkeys(("tags", "registers", "linearizability", "conflicts", "convergence", "models"), (_TAGS, _ORDERS)),
    **dict.fromkeys(("availability", "failover", "timeline", "windows", "traffic", "budget", "scopes"), (_TIMES, ())),
    "stats": (("../test_stats.py", "../test_stats_episodes.py"), ()),
}


@dataclass(frozen=True)
class Trial:
    """A mutant of a module, and what became of it."""

    module: str
    mutant: Mutant
    fate: str
    seconds: float


class _Replaced(SourceFileLoader):
    """Loads a module from a text in place of its file."""

    def __init__(self, name: str, path: Path, source: str) -> None:
        super().__init__(name, str(path))
        self._source = source

    def get_code(self, fullname: str) -> CodeType:
        return compile(self._source, self.path, "exec")


class _Finder(MetaPathFinder):
    def __init__(self, name: str, path: Path, source: str) -> None:
        self._name, self._path, self._source = name, path, source

    def find_spec(self, fullname: str, path: object = None, target: ModuleType | None = None) -> ModuleSpec | None:
        if fullname != self._name:
            return None
        return spec_from_loader(fullname, _Replaced(fullname, self._path, self._source))


def modules() -> dict[str, Path]:
    """The modules under test, by the last part of their names."""
    found = sorted((ROOT / "chaoskit/checks").glob("*.py"))
    return {path.stem: path for path in (*found, ROOT / "chaoskit/stats.py") if path.stem != "__init__" and path.exists()}


def _dotted(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def _forget() -> None:
    """Take the package and its tests out of memory, so that they are imported anew; what they import from elsewhere stays."""
    for name in [name for name in sys.modules if name.split(".")[0] in ("chaoskit", "tests") and not name.startswith("tests.mutants")]:
        del sys.modules[name]


def _tests(module: str) -> tuple[list[str], tuple[str, ...]]:
    own, families = KILL.get(module, ((f"test_{module}.py",), (module,)))
    present = [f"{TESTS}/{name}" for name in own if (ROOT / TESTS / name).exists()]
    return [*present, f"{TESTS}/test_edges.py", *([FUZZ] if families else [])], families


def _pytest(paths: Sequence[str], families: tuple[str, ...] | None) -> int:
    """Run tests in this process, with short fuzz runs of some families (None: of all)."""
    fuzz = vars(importlib.import_module("tests.unit.checks.fuzz"))
    fuzz["HISTORIES"] = HISTORIES
    if families is not None:
        fuzz["FAMILIES"] = {name: family for name, family in fuzz["FAMILIES"].items() if name.startswith(families)}
    options = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:randomly", "--override-ini=addopts="]
    return int(pytest.main([*options, *paths]))


def _in_child(module: str, source: str, *, wide: bool) -> int:
    """The exit code of the tests of one module with that source; never returns to the caller's frame in the child."""
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    code = 70
    try:
        limit = WIDE_LIMIT_S if wide else LIMIT_S
        resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
        with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere), redirect_stderr(nowhere):
            path = modules()[module]
            sys.meta_path.insert(0, _Finder(_dotted(path), path, source))
            paths, families = _tests(module)
            code = _pytest([TESTS, "tests/unit/test_stats.py"], None) if wide else _pytest(paths, families)
    finally:
        os._exit(code)


def _fate(code: int) -> str:
    return SURVIVED if code == 0 else TIMEOUT if code < 0 else KILLED


def _cpu_s() -> float:
    """CPU time of all children so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def attempt(module: str, mutant: Mutant, *, wide: bool = False) -> Trial:
    """See whether the tests of its module notice, or all tests of the judge."""
    began = _cpu_s()
    fate = _fate(_in_child(module, mutant.source, wide=wide))
    return Trial(module, mutant, fate, _cpu_s() - began)


def _attempts(chosen: Sequence[tuple[str, Mutant]], *, wide: bool) -> list[Trial]:
    trials = []
    for module, mutant in chosen:
        trials.append(attempt(module, mutant, wide=wide))
        sys.stderr.write(f"{len(trials)} of {len(chosen)}: {trials[-1].fate} {_told(trials[-1])}\n")
    return trials


def sample(found: dict[str, list[Mutant]], count: int, seed: int) -> list[tuple[str, Mutant]]:
    """So many mutants: one of every stratum (module and kind of change), the rest by the size of the strata."""
    source = random.Random(seed)
    strata: dict[tuple[str, str], list[tuple[str, Mutant]]] = {}
    for module, made in found.items():
        for mutant in made:
            strata.setdefault((module, mutant.kind), []).append((module, mutant))
    for stratum in strata.values():
        source.shuffle(stratum)
    chosen = [stratum[0] for stratum in strata.values()]
    rest = [one for stratum in strata.values() for one in stratum[1:]]
    more = source.sample(rest, min(len(rest), max(0, count - len(chosen))))
    both = [*chosen, *more]
    source.shuffle(both)
    return both


def unmutated(names: Sequence[str]) -> list[str]:
    """Modules whose tests fail as they are: of their mutants nothing could be said."""
    return [name for name in names if _in_child(name, modules()[name].read_text(), wide=False) != 0]


def _told(trial: Trial) -> str:
    mutant = trial.mutant
    return f"{trial.module}:{mutant.line} {mutant.kind}: {mutant.before}  ->  {mutant.after}"


def _score(trials: Sequence[Trial]) -> str:
    fates = Counter(trial.fate for trial in trials)
    share = 100 * (fates[KILLED] + fates[TIMEOUT]) / max(1, len(trials))
    counts = f"{fates[KILLED]} killed, {fates[TIMEOUT]} timed out, {fates[SURVIVED]} survived"
    middle = sorted(trial.seconds for trial in trials)[len(trials) // 2]
    return f"{len(trials)} mutants: {counts}; score {share:.1f} %; median {middle:.2f} s of CPU a mutant"


def main(count: int, seed: int, names: Sequence[str]) -> int:
    """Print the survivors and the score; 1 if tests of a module fail without a mutant."""
    os.chdir(ROOT)
    with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):
        pytest.main(["-q", "--collect-only", "-p", "no:cacheprovider", TESTS])
    _forget()
    wanted = {name: path for name, path in modules().items() if not names or name in names}
    broken = unmutated(list(wanted))
    if broken:
        sys.stdout.write(f"left out, their tests fail without a mutant: {', '.join(broken)}\n")
        wanted = {name: path for name, path in wanted.items() if name not in broken}
    found = {name: list(mutants(path.read_text())) for name, path in wanted.items()}
    chosen = sample(found, count, seed)
    sys.stdout.write(f"{len(chosen)} of {sum(map(len, found.values()))} mutants of {len(found)} modules, seed {seed}\n")
    first = _attempts(chosen, wide=False)
    again = _attempts([(trial.module, trial.mutant) for trial in first if trial.fate == SURVIVED], wide=True)
    trials = [trial for trial in first if trial.fate != SURVIVED] + again
    sys.stdout.writelines(f"{trial.fate}: {_told(trial)}\n" for trial in trials if trial.fate != KILLED)
    sys.stdout.write(f"by the tests of their module: {_score(first)}\n")
    for kind in sorted({trial.mutant.kind for trial in trials}):
        sys.stdout.write(f"{kind}: {_score([trial for trial in trials if trial.mutant.kind == kind])}\n")
    sys.stdout.write(f"all: {_score(trials)}\n")
    return int(bool(broken))


if __name__ == "__main__":
    sys.exit(main(int((sys.argv[1:2] or ["400"])[0]), int((sys.argv[2:3] or ["1"])[0]), sys.argv[3:]))
