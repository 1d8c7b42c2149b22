"""Watches the machine a run shares with its patient: a small host is the main source of false verdicts. Reads /proc; judges nothing."""

import asyncio
import os
import platform
from collections.abc import Callable
from pathlib import Path

from chaoskit.model.evidence import HostSample

_TICK_S = 0.1
_TICKS_PER_SAMPLE = 10


def _cpu_times() -> tuple[float, float, float]:
    """(busy, steal, total) jiffies since boot."""
    fields = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    idle = fields[3] + fields[4]
    return float(sum(fields) - idle), float(fields[7]), float(sum(fields))


def _pressure() -> float:
    """Share of the last 10 s in which some task waited for a CPU; 0 where the kernel does not say."""
    path = Path("/proc/pressure/cpu")
    if not path.exists():
        return 0.0
    return float(path.read_text().split("avg10=", 1)[1].split(" ", 1)[0]) / 100


def facts() -> dict[str, str]:
    """What this machine is, for the record."""
    memory_kb = int(Path("/proc/meminfo").read_text().split(None, 2)[1])
    return {
        "cpus": str(os.cpu_count()),
        "memory_gib": f"{memory_kb / 2**20:.1f}",
        "kernel": platform.release(),
        "machine": platform.machine(),
    }


async def watch(record: Callable[[HostSample], None], clock: Callable[[], int]) -> None:
    """One sample a second until cancelled: CPU shares since the last one, pressure, and the worst lag of this event loop."""
    loop = asyncio.get_running_loop()
    before = _cpu_times()
    while True:
        lag = 0.0
        for _ in range(_TICKS_PER_SAMPLE):
            asked = loop.time()
            await asyncio.sleep(_TICK_S)
            lag = max(lag, loop.time() - asked - _TICK_S)
        now = _cpu_times()
        busy, steal, total = (b - a for a, b in zip(before, now, strict=True))
        before = now
        record(HostSample(clock(), busy / max(total, 1), steal / max(total, 1), _pressure(), lag * 1000))
