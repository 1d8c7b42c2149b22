"""Durations and rates as people write them in an experiment: `15s`, `500ms`, `2m`, `4/s`. A bare number is refused: it has no unit."""

import re
from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, PlainSerializer

_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)")
_RATE = re.compile(r"(\d+(?:\.\d+)?)/(s|m|h)")


def parse_duration(value: object) -> timedelta:
    """`15s` -> timedelta. ValueError for a bare number, a sign, or an unknown unit."""
    if isinstance(value, timedelta):
        return value
    match = _DURATION.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"{value!r} is not a duration; write a number and a unit, such as 500ms, 15s, 2m or 1h")
    try:
        return timedelta(seconds=float(match[1]) * _SECONDS[match[2]])
    except OverflowError as error:
        raise ValueError(f"{value!r} is longer than any run; the most is some thousand hours") from error


def format_duration(value: timedelta) -> str:
    """The shortest text that parse_duration reads back."""
    milliseconds = round(value.total_seconds() * 1000)
    for unit, size in (("h", 3_600_000), ("m", 60_000), ("s", 1000)):
        if milliseconds and milliseconds % size == 0:
            return f"{milliseconds // size}{unit}"
    return f"{milliseconds}ms" if milliseconds else "0s"


def parse_rate(value: object) -> float:
    """`4/s` or `30/m` -> sessions a second. ValueError for zero, a bare number or an unknown unit."""
    match = _RATE.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        raise ValueError(f"{value!r} is not a rate; write a number over a unit, such as 4/s or 30/m")
    rate = float(match[1]) / _SECONDS[match[2]]
    if rate <= 0:
        raise ValueError(f"{value!r} asks for nothing; a rate must be above 0")
    return rate


def nanoseconds(value: timedelta) -> int:
    """A duration in whole ns."""
    return round(value.total_seconds() * 1_000_000_000)


def _above_zero(value: timedelta) -> timedelta:
    if not value:
        raise ValueError("0s is no time at all; write a duration above 0, such as 15s")
    return value


Duration = Annotated[timedelta, BeforeValidator(parse_duration), PlainSerializer(format_duration, return_type=str)]
Positive = Annotated[Duration, AfterValidator(_above_zero)]
Rate = Annotated[float, BeforeValidator(parse_rate), PlainSerializer(lambda rate: f"{rate:g}/s", return_type=str)]
