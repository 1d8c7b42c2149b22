"""Finding processes that were started with a mark in their environment, and waiting until there is none."""

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from chaoskit.drivers.embedded.nursery import MODULES
from tests.embedded.standin import MODULE

MARK = "CHAOSKIT_TEST_MARK"
STANDINS: Mapping[str, str] = {**MODULES, "registry": MODULE, "store": MODULE, "proxy": MODULE}


def children_of(pid: int) -> list[int]:
    return [int(word) for task in Path(f"/proc/{pid}/task").glob("*/children") for word in task.read_text().split()]


def descendants(pid: int) -> list[int]:
    found = children_of(pid)
    return found + [grandchild for child in found for grandchild in descendants(child)]


def marked(value: str) -> dict[int, str]:
    """Processes with the mark, by pid: their command lines. A zombie has none and is not one."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if f"{MARK}={value}".encode() in (folder / "environ").read_bytes():
                found[int(folder.name)] = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except OSError:
            continue
    return found


def exists(pid: int) -> bool:
    """There is such a process, be it a zombie."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def wait_until(happened: Callable[[], bool], what: Callable[[], object], limit_s: float = 5.0) -> None:
    end = time.monotonic() + limit_s
    while not happened():
        assert time.monotonic() < end, f"not within {limit_s} s: {what()}"
        time.sleep(0.01)
