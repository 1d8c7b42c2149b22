"""Options of the whole suite. Tests marked `docker` skip loudly where no engine answers; with --require-docker a skip is a failure."""

import os
import subprocess
from collections.abc import Iterator

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--require-docker", action="store_true", help="a skipped Compose test is a failure")


def _docker_answers() -> bool:
    try:
        return subprocess.run(["docker", "info"], capture_output=True, timeout=30, check=False).returncode == 0
    except FileNotFoundError:
        return False


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    marked = [item for item in items if item.get_closest_marker("docker")]
    if not marked or _docker_answers():
        return
    if config.getoption("--require-docker"):
        raise pytest.UsageError(f"--require-docker: {len(marked)} Compose tests cannot run, 'docker info' fails")
    for item in marked:
        item.add_marker(pytest.mark.skip(reason="NO DOCKER ENGINE: the real stack was not tested"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    report = yield
    if report.skipped and item.get_closest_marker("docker") and item.config.getoption("--require-docker"):  # type: ignore[attr-defined]
        report.outcome = "failed"  # type: ignore[attr-defined]
        report.longrepr = f"skipped under --require-docker: {report.longrepr}"  # type: ignore[attr-defined]
    return report


@pytest.fixture
def plain_environment() -> dict[str, str]:
    """The environment for a chaoskit process: no colours, no overrides."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CHAOSKIT_")}
    return {**kept, "NO_COLOR": "1", "CI": "true"}
