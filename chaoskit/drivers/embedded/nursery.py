"""The process that starts all others of an embedded region: imports everything once, then forks a component in milliseconds.

`python -m chaoskit.drivers.embedded.nursery` takes orders on stdin, one JSON line each, and answers each with one on stdout. It has one
thread. At the end of stdin, be it that the driver closed it or was killed, it kills and reaps what it started and removes the
region's folder; should it be killed itself, the kernel kills its children (PDEATHSIG), stopped ones too.
"""

import asyncio
import ctypes
import gc
import importlib
import logging
import os
import resource
import shutil
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import msgspec
import uvloop

from chaoskit.drivers.embedded.config import ProcessConfig

MODULES: Mapping[str, str] = {
    "lb": "chaoskit.drivers.embedded.balancer.server",
    "registry": "chaoskit.drivers.embedded.registry.server",
    "store": "chaoskit.drivers.embedded.store.server",
    "proxy": "chaoskit.drivers.embedded.proxy.server",
}
FILES = 16_384
_PR_SET_PDEATHSIG = 1

log = logging.getLogger("nursery")

Serve = Callable[[ProcessConfig], Awaitable[None]]


class Begin(msgspec.Struct, tag=True):
    """The first order: which module serves each kind, and the region's folder."""

    modules: dict[str, str]
    folder: str


class Spawn(msgspec.Struct, tag=True):
    """Fork a component."""

    config: ProcessConfig


class Signal(msgspec.Struct, tag=True):
    """Send a child a signal; nothing happens if it is gone."""

    pid: int
    number: int


class End(msgspec.Struct, tag=True):
    """SIGKILL a child and reap it; nothing happens if that was done before."""

    pid: int


class Order(msgspec.Struct):
    """One line on stdin."""

    number: int
    what: Begin | Spawn | Signal | End


class Done(msgspec.Struct):
    """One line on stdout: the order of that number was carried out. `pid` of a Spawn; `error` if it failed."""

    number: int
    pid: int = 0
    error: str = ""


def log_of(config: ProcessConfig) -> Path:
    """A component's log: beside its folder, which is its own."""
    return config.path.with_name(f"{config.component}.log")


@dataclass(frozen=True, slots=True)
class _Calling:
    """What a child goes on to do."""

    config: ProcessConfig
    serve: Serve


class _Ward:
    """The children by pid, and what they can become."""

    def __init__(self) -> None:
        self.folder = ""
        self._living: set[int] = set()
        self._serves: dict[str, Serve] = {}

    def begin(self, order: Begin) -> None:
        """Make the folder, and import what children will serve with; what is imported now is shared by all of them."""
        Path(order.folder).mkdir(mode=0o700, parents=True)
        self.folder = order.folder
        self._serves = {kind: importlib.import_module(module).serve for kind, module in order.modules.items()}
        gc.collect()
        gc.freeze()

    def spawn(self, config: ProcessConfig) -> int:
        """The child's pid; 0 in the child."""
        config.path.mkdir(parents=True, exist_ok=True)
        pid = os.fork()
        if pid:
            self._living.add(pid)
        return pid

    def calling(self, config: ProcessConfig) -> _Calling:
        """What a child of that config goes on to do."""
        return _Calling(config, self._serves[config.component.partition(".")[0]])

    def signal(self, order: Signal) -> None:
        """A pid in `_living` was not reaped, so it is still that child's."""
        if order.pid in self._living:
            with suppress(ProcessLookupError):
                os.kill(order.pid, order.number)

    def end(self, pid: int) -> None:
        """Kill and reap."""
        if pid in self._living:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            self._living.discard(pid)

    def close(self) -> None:
        """End all, then remove what they wrote."""
        for pid in self._living:
            os.kill(pid, signal.SIGKILL)
        for pid in tuple(self._living):
            self.end(pid)
        if self.folder:
            shutil.rmtree(self.folder)


def main() -> None:
    """The nursery's life; a child returns from `_nurse` to live its own."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (FILES if most == resource.RLIM_INFINITY else min(FILES, most), most))
    calling = _nurse(sys.stdin.buffer)
    if calling is not None:
        _live(calling)


def _nurse(orders: BinaryIO) -> _Calling | None:
    """Carry out orders until there are no more: None then. In a child: its calling."""
    ward, nursery = _Ward(), os.getpid()
    for line in orders:
        order = msgspec.json.decode(line, type=Order)
        done = Done(order.number)
        try:
            match order.what:
                case Begin():
                    ward.begin(order.what)
                case Spawn(config):
                    done.pid = ward.spawn(config)
                case Signal():
                    ward.signal(order.what)
                case End(pid):
                    ward.end(pid)
        except (OSError, ImportError, AttributeError) as error:
            done.error = f"{type(error).__name__}: {error}"
        if isinstance(order.what, Spawn) and not done.pid and not done.error:
            _leave_home(nursery, log_of(order.what.config))
            return ward.calling(order.what.config)
        with suppress(BrokenPipeError):  # the driver is gone; so are the orders
            os.write(1, msgspec.json.encode(done) + b"\n")
    ward.close()
    return None


def _leave_home(nursery: int, log: Path) -> None:
    """Die with the nursery; take no part in its session, its orders, its answers or its terminal."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise SystemExit(f"prctl(PR_SET_PDEATHSIG): {os.strerror(ctypes.get_errno())}")
    if os.getppid() != nursery:
        raise SystemExit(1)
    os.setsid()
    nothing = os.open(os.devnull, os.O_RDONLY)
    written = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    for source, target in ((nothing, 0), (written, 1), (written, 2)):
        os.dup2(source, target)
    os.close(nothing)
    os.close(written)


def _live(calling: _Calling) -> None:
    config = calling.config
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s.%(msecs)03d %(name)s %(levelname)s %(message)s", datefmt="%H:%M:%S")
    log.warning("%s starts, for the %d. time, as process %d", config.component, config.incarnation, os.getpid())
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_until_told(calling))
    log.warning("%s ends", config.component)


async def _until_told(calling: _Calling) -> None:
    serving = asyncio.ensure_future(calling.serve(calling.config))
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, serving.cancel)
    await asyncio.wait([serving])
    if not serving.cancelled():
        serving.result()


if __name__ == "__main__":
    main()
