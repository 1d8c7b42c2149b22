"""A component of the embedded region that counts where its CPU goes: a sample every few milliseconds of CPU, not of time.

At SIGTERM it leaves `COMPONENT.samples` beside the region's folder: a line `FUNCTION<TAB>OWN<TAB>WITH CALLEES` for each function it met.
What runs in C, the kernel included, counts for the Python function that called it; what the event loop does by itself for `run`.
"""

import importlib
import signal
from collections import Counter
from pathlib import Path
from types import FrameType

from chaoskit.drivers.embedded.config import ProcessConfig
from chaoskit.drivers.embedded.nursery import MODULES

EVERY_S = 0.002


class Sampler:
    """Counts the functions on the main thread's stack at each SIGPROF."""

    def __init__(self) -> None:
        self.own: Counter[str] = Counter()
        self.called: Counter[str] = Counter()

    def take(self, number: int, frame: FrameType | None) -> None:
        met = []
        while frame is not None:
            code = frame.f_code
            met.append(f"{'/'.join(Path(code.co_filename).parts[-2:])}:{code.co_qualname}")
            frame = frame.f_back
        self.own[met[0]] += 1
        self.called.update(set(met))

    def write(self, file: Path) -> None:
        lines = (f"{name}\t{self.own[name]}\t{count}\n" for name, count in self.called.items())
        file.with_suffix(".part").write_text("".join(lines))
        file.with_suffix(".part").rename(file)


async def serve(config: ProcessConfig) -> None:
    """What the component's own module does, sampled until it is cancelled."""
    component = importlib.import_module(MODULES[config.component.partition(".")[0]])
    sampler = Sampler()
    signal.signal(signal.SIGPROF, sampler.take)
    signal.setitimer(signal.ITIMER_PROF, EVERY_S, EVERY_S)
    try:
        await component.serve(config)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        sampler.write(config.path.parent.parent / f"{config.component}.samples")
