"""`doctor`: what this machine has and lacks for the Compose driver. Looks only; starts and pulls nothing."""

import shutil
import subprocess
from pathlib import Path

from tabulate import tabulate

from chaoskit.catalog import images
from chaoskit.cli.terminal import environment
from chaoskit.errors import EnvironmentMissing
from chaoskit.rundir import low_disk

_LIMIT_S = 20


def doctor() -> None:
    """Say what this machine has and lacks: Docker's client, daemon, Compose plugin, images, disk. Exit code 4 if something is missing.

    Example: chaoskit doctor
    """
    rows = [
        _client(),
        _answers("daemon", "docker", "version", "--format", "{{.Server.Version}}"),
        _answers("compose plugin", "docker", "compose", "version"),
    ]
    rows += [_answers(f"image {ref}", "docker", "image", "inspect", "--format", "{{.Id}}", ref) for ref in images(environment()).values()]
    low = low_disk(Path.cwd())
    rows.append(("disk", low is None, low or "enough"))
    print(
        tabulate([(what, "ok" if good else "MISSING", text) for what, good, text in rows], headers=("what", "", "found"), tablefmt="simple")
    )
    lacking = [what for what, good, _ in rows if not good]
    if lacking:
        raise EnvironmentMissing(
            f"this machine lacks: {', '.join(lacking)}; see the README's 'what you need', or run 'make images' for images"
        )


COMMANDS = {"doctor": doctor}


def _client() -> tuple[str, bool, str]:
    path = shutil.which("docker")
    return "docker client", path is not None, path or "no 'docker' command on PATH"


def _answers(what: str, *command: str) -> tuple[str, bool, str]:
    """The command ends with 0; what it prints is shown and never parsed."""
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return what, False, str(error)
    lines = (ended.stdout if ended.returncode == 0 else ended.stderr).strip().splitlines()
    return what, ended.returncode == 0, lines[0][:80] if lines else ""
