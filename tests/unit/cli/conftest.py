"""Commands run in this process, through the console script's own `main`."""

import signal
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from chaoskit.cli.app import main
from chaoskit.cli.terminal import SIGNALS


@dataclass(frozen=True, slots=True)
class Ended:
    code: int
    out: str
    err: str


Chaoskit = Callable[..., Ended]


@pytest.fixture
def chaoskit(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Chaoskit]:
    """`chaoskit("run", "x.yaml")`: exit code, stdout and stderr. Signal handlers are put back afterwards."""
    before = {number: signal.getsignal(number) for number in SIGNALS}

    def run(*arguments: str) -> Ended:
        monkeypatch.setattr(sys, "argv", ["chaoskit", *arguments])
        with pytest.raises(SystemExit) as exited:
            main()
        captured = capsys.readouterr()
        code = exited.value.code
        return Ended(code if isinstance(code, int) else 0, captured.out, captured.err)

    yield run
    for number, handler in before.items():
        signal.signal(number, handler)
