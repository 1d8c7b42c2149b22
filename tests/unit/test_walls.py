"""Architecture §2: who may import whom, and who may touch the outside, read from the source."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import chaoskit

ROOT = Path(chaoskit.__file__).parent
MAX_LINES = 300

PLANNING = ("plan", "drafts", "mixes", "requests", "sizes", "storm", "trace")  # the pure part of the load
# Bottom first. A module may import from its own row and from rows below it; `chaoskit.` is left out.
ROWS: tuple[tuple[str, ...], ...] = (
    ("errors", "model", "stats", "projection"),
    ("faults", "checks", "registry", *(f"workload.{part}" for part in PLANNING)),
    ("plane", "workload", "drivers.base", "host"),
    ("drivers", "experiment", "moments", "kinds", "variants", "complaints", "yamlplaces", "rundir", "rows"),
    ("run", "stage", "timetable", "judgement", "report", "rescue"),
    ("gameday", "selftest", "trials", "catalog"),
    ("cli", "pytest_plugin"),
)
# What a module's own row or a lower one holds and it may still not import.
FORBIDDEN: dict[str, tuple[str, ...]] = {
    "model": ("errors", "stats"),
    "faults": ("checks", "registry", "workload", "stats"),
    "registry": ("faults", "checks", "workload", "stats"),
    "checks": ("faults", "registry", "workload", "errors"),
    "drivers": ("experiment", "moments", "kinds", "variants", "complaints", "yamlplaces", "rundir", "rows", "checks", "workload"),
    "drivers.embedded": ("registry.client", "plane"),
}
IMPURE_FOR_CHECKS = {"asyncio", "os", "time", "socket", "pathlib", "subprocess", "random", "aiohttp"}
EDGE = ("cli", "pytest_plugin")


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


SOURCES = {module_name(path): path for path in sorted(ROOT.rglob("*.py"))}
TREES = {name: ast.parse(path.read_text(), str(path)) for name, path in SOURCES.items()}
MODULES = sorted(name for name in SOURCES if name)


def imported(name: str) -> Iterator[str]:
    """Absolute names of everything a module imports, also inside functions; `from a import b` gives a.b where that is a module."""
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}: write absolute imports"
            module = node.module or ""
            for alias in node.names:
                inner = f"{module}.{alias.name}".removeprefix("chaoskit.")
                yield f"chaoskit.{inner}" if inner in SOURCES else module


def ours(name: str) -> set[str]:
    return {module.removeprefix("chaoskit.") for module in imported(name) if module.startswith("chaoskit.")}


def under(module: str, prefixes: tuple[str, ...]) -> bool:
    return any(module == prefix or module.startswith(f"{prefix}.") for prefix in prefixes)


def row_of(module: str) -> int:
    """The row of the longest matching prefix."""
    found = [(len(prefix), number) for number, row in enumerate(ROWS) for prefix in row if under(module, (prefix,))]
    assert found, f"{module} stands in no row: add it to ROWS, and to docs if it is a new layer"
    return max(found)[1]


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_down_only(module: str) -> None:
    up = sorted(other for other in ours(module) if row_of(other) > row_of(module))
    assert not up, f"{module} imports {up} from a row above its own"


@pytest.mark.parametrize("module", MODULES)
def test_no_module_imports_what_its_layer_may_not_know(module: str) -> None:
    walls = tuple(wall for layer, names in FORBIDDEN.items() if under(module, (layer,)) for wall in names)
    crossed = sorted(other for other in ours(module) if under(other, walls))
    assert not crossed, f"{module} imports {crossed}"


@pytest.mark.parametrize("module", MODULES)
def test_nothing_inside_imports_the_top_of_the_package(module: str) -> None:
    assert "chaoskit" not in set(imported(module))


def test_imports_have_no_cycle() -> None:
    graph = {name: ours(name) & set(MODULES) for name in MODULES}
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, " -> ".join((*path, name))
        if name not in done:
            for other in sorted(graph[name]):
                visit(other, (*path, name))
            done.add(name)

    for name in MODULES:
        visit(name, ())


@pytest.mark.parametrize("module", sorted(name for name in MODULES if under(name, ("checks",))))
def test_checks_touch_no_clock_no_file_no_loop(module: str) -> None:
    roots = {name.partition(".")[0] for name in imported(module)}
    assert not roots & IMPURE_FOR_CHECKS
    dates = {
        alias.name
        for node in ast.walk(TREES[module])
        if isinstance(node, ast.ImportFrom) and node.module == "datetime"
        for alias in node.names
    }
    assert dates <= {"timedelta"}, f"{module} imports {dates}: a check has parameters, no clock"


@pytest.mark.parametrize("module", sorted(name for name in MODULES if not under(name, ("catalog", "drivers"))))
def test_only_the_catalog_names_a_concrete_driver(module: str) -> None:
    data = ("drivers", "drivers.base", "drivers.embedded.bugs")
    concrete = sorted(other for other in ours(module) if under(other, ("drivers",)) and other not in data)
    assert not concrete, f"{module} imports {concrete}"


@pytest.mark.parametrize("module", sorted(name for name in MODULES if not under(name, EDGE)))
def test_only_the_edge_prints_exits_or_reads_the_environment(module: str) -> None:
    found = [
        f"line {node.lineno}: {ast.unparse(node)}"
        for node in ast.walk(TREES[module])
        if (
            isinstance(node, ast.Call) and ast.unparse(node.func) in ("print", "input", "sys.exit", "exit", "quit", "os._exit", "os.getenv")
        )
        or (isinstance(node, ast.Attribute) and ast.unparse(node) in ("os.environ", "os.environb"))
        or (isinstance(node, ast.ImportFrom) and node.module == "os" and {alias.name for alias in node.names} & {"environ", "getenv"})
    ]
    assert not found, f"{module}: {found}"


@pytest.mark.parametrize("module", MODULES)
def test_no_file_is_over_300_lines(module: str) -> None:
    lines = len(SOURCES[module].read_text().splitlines())
    assert lines <= MAX_LINES, f"{SOURCES[module]} has {lines} lines"


@pytest.mark.parametrize("path", sorted(set(ROOT.rglob("__init__.py")) - {ROOT / "__init__.py"}), ids=lambda path: path.parent.name)
def test_every_package_but_the_top_one_is_a_docstring(path: Path) -> None:
    body = ast.parse(path.read_text()).body
    assert len(body) == 1
    assert isinstance(body[0], ast.Expr)
    assert isinstance(body[0].value, ast.Constant)
