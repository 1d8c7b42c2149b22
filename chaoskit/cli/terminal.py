"""What the commands share of the terminal and the process: progress on stderr, options as values, signals, the worst exit code."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeVar

import uvloop

from chaoskit.complaints import not_one_of
from chaoskit.errors import BadExperiment, Interrupted
from chaoskit.model.units import parse_duration

T = TypeVar("T")

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_WORST_FIRST = (130, 2, 1, 4, 3, 0)


@dataclass(frozen=True, slots=True)
class Signalled:
    """The signals that came while they were noted."""

    names: list[str] = field(default_factory=list)


def worst_code(codes: Iterable[int]) -> int:
    """The exit code of several runs: the worst in the order 130, 1, 4, 3, 0."""
    return min(codes, key=_WORST_FIRST.index, default=0)


def environment() -> Mapping[str, str]:
    """The environment, as a value to hand down: nothing below the CLI reads it."""
    return os.environ


def progress(*, quiet: bool) -> Callable[[str], None]:
    """Plain lines on stderr, with the seconds since now."""
    began = time.monotonic()

    def say(text: str) -> None:
        if not quiet:
            print(f"{time.monotonic() - began:6.1f} s  {text}", file=sys.stderr, flush=True)

    return say


def warn(text: str) -> None:
    """One line on stderr."""
    print(f"chaoskit: {text}", file=sys.stderr, flush=True)


def seconds(text: str | None, option: str) -> float | None:
    """An option's duration in seconds, above 0; None stays None."""
    if text is None:
        return None
    try:
        value = parse_duration(text).total_seconds()
    except ValueError as error:
        raise BadExperiment(f"{option}: {error}") from error
    if value <= 0:
        raise BadExperiment(f"{option}: {text!r} is no time at all; write a duration above 0, such as 15s")
    return value


def chosen(value: str, choices: Mapping[str, T], what: str) -> T:
    """The entry of that name. BadExperiment lists the choices, nearest first."""
    if value not in choices:
        raise BadExperiment(f"{what}: {not_one_of(value, choices)}")
    return choices[value]


def until_stopped(work: Callable[[asyncio.Event], Awaitable[T]]) -> T:
    """Run `work` with an event that SIGINT, SIGTERM or SIGHUP sets. What it does then, and how fast, is its own affair."""

    async def run() -> T:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                loop.add_signal_handler(number, stop.set)
        try:
            return await work(stop)
        finally:
            for number in SIGNALS:
                loop.remove_signal_handler(number)
            raise_on_signals()

    return uvloop.run(run())


def raise_on_signals() -> None:
    """Outside of an event loop a signal becomes Interrupted, once: what cleans up after it is not to be interrupted again."""

    def interrupt(number: int, _frame: object) -> None:
        for each in SIGNALS:
            signal.signal(each, signal.SIG_IGN)
        raise Interrupted(f"stopped by {signal.Signals(number).name}")

    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, interrupt)


@contextmanager
def noting_signals() -> Iterator[Signalled]:
    """For blocking work that must not be broken off: signals are noted, and the work asks for them when it can."""
    signalled = Signalled()

    def note(number: int, _frame: object) -> None:
        signalled.names.append(signal.Signals(number).name)

    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, note)
    try:
        yield signalled
    finally:
        raise_on_signals()
