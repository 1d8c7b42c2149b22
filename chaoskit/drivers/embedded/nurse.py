"""The driver's end of a nursery: starts it, gives it orders, and closes it with everything it started."""

import os
import select
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import IO

import msgspec

from chaoskit.drivers.embedded import nursery
from chaoskit.drivers.embedded.config import ProcessConfig
from chaoskit.drivers.embedded.nursery import Begin, Done, End, Order, Signal, Spawn
from chaoskit.errors import DeployFailed, PlaneFailed

ANSWER_S = 10.0
CLOSE_S = 5.0


class Nurse:
    """A nursery and the way to order it. Calls may come from several threads. PlaneFailed if it does not answer."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", nursery.__name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            start_new_session=True,
        )
        self._lock = threading.Lock()
        self._number = 0
        self._answers = b""

    def begin(self, folder: Path, modules: Mapping[str, str]) -> None:
        """Tell it its folder and import what it will fork."""
        self._order(Begin(dict(modules), str(folder)))

    def spawn(self, config: ProcessConfig) -> int:
        """Start a component; its pid."""
        return self._order(Spawn(config)).pid

    def signal(self, pid: int, number: int) -> None:
        """Send a signal to a component that was not ended."""
        self._order(Signal(pid, number))

    def end(self, pid: int) -> None:
        """SIGKILL a component and wait until it is gone."""
        self._order(End(pid))

    def close(self) -> None:
        """No more orders: returns when all it started, the folder and itself are gone. DeployFailed if that did not go well."""
        process = self._process
        with process:
            if process.stdin is not None:
                process.stdin.close()
            try:
                code = process.wait(CLOSE_S)
            except subprocess.TimeoutExpired as error:
                process.kill()
                raise DeployFailed(f"the region's nursery (pid {process.pid}) did not end in {CLOSE_S:g} s and was killed") from error
            if code:
                raise DeployFailed(f"the region's nursery ended with {code}: {self._last_words()}")

    def _order(self, what: Begin | Spawn | Signal | End) -> Done:
        with self._lock:
            self._number += 1
            try:
                os.write(self._pipe(self._process.stdin), msgspec.json.encode(Order(self._number, what)) + b"\n")
                done = self._answer()
            except (OSError, ValueError) as error:
                raise PlaneFailed(f"the region's nursery (pid {self._process.pid}) is gone: {error or 'no answer'}") from error
        if done.error:
            raise PlaneFailed(f"the nursery could not carry out {type(what).__name__}: {done.error}")
        return done

    def _answer(self) -> Done:
        """The answer to the last order; an older one, whose caller was interrupted, is passed over."""
        out = self._pipe(self._process.stdout)
        while True:
            while b"\n" not in self._answers:
                if not select.select([out], [], [], ANSWER_S)[0]:
                    raise TimeoutError(f"no answer in {ANSWER_S:g} s")
                more = os.read(out, 65_536)
                if not more:
                    raise BrokenPipeError(f"it ended: {self._last_words()}")
                self._answers += more
            line, _, self._answers = self._answers.partition(b"\n")
            done = msgspec.json.decode(line, type=Done)
            if done.number == self._number:
                return done

    def _pipe(self, pipe: IO[bytes] | None) -> int:
        if pipe is None:
            raise ValueError("it has no pipe")
        return pipe.fileno()

    def _last_words(self) -> str:
        try:
            self._process.wait(1)
        except subprocess.TimeoutExpired:
            return "it still runs"
        lines = (self._process.stderr.read() if self._process.stderr else b"").decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else "it said nothing"
