"""What one HTTP attempt proves: the one table that classifies, prints the docs page and is tested row by row.

The cautious reading wins everywhere: a write is FAILED only where it is proven that it did not happen, OK only where it was acknowledged.
It refuses to guess: what no row describes is `anything-else`, and a run with such a row is inconclusive.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, assert_never

from chaoskit.model.history import Outcome

Availability = Literal["good", "bad", "throttled", "excluded", "later"]
Trouble = Literal["", "harness", "dns", "refused", "tls", "reset", "eof", "timeout", "cut", "other"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One attempt as the client saw it end.

    `trouble` is what ended it instead of a complete answer (`cut`: the body was shorter than announced). `is_sent` is true as soon as
    a byte of the request *may* have left. `status` is 0 without an answer. `is_after_unknown`: an earlier step of this upload session
    was UNKNOWN. `is_rest`: this is where a body that broke off goes on, as was asked for; digest and parsing are those of the whole.
    """

    is_write: bool
    is_sent: bool
    status: int = 0
    trouble: Trouble = ""
    is_upload_step: bool = False
    is_after_unknown: bool = False
    is_rest: bool = False
    digest_matches: bool = True
    parses: bool = True


@dataclass(frozen=True, slots=True)
class Row:
    """One row: its id (`Operation.observed`), what is seen, what that proves of a write and of a read, how availability counts it."""

    id: str
    seen: str
    write: Outcome | None
    read: Outcome | None
    availability: Availability
    matches: Callable[[Observation], bool]


_UNKNOWN, _OK, _FAILED = Outcome.UNKNOWN, Outcome.OK, Outcome.FAILED


def _unsent(*troubles: Trouble) -> Callable[[Observation], bool]:
    return lambda seen: not seen.is_sent and seen.trouble in troubles


def _sent(*troubles: Trouble) -> Callable[[Observation], bool]:
    return lambda seen: seen.is_sent and seen.trouble in troubles


def _write(*statuses: int) -> Callable[[Observation], bool]:
    return lambda seen: seen.is_write and not seen.trouble and seen.status in statuses


def _read(status: int, *, digest_matches: bool = True, parses: bool = True) -> Callable[[Observation], bool]:
    return lambda seen: (
        not seen.is_write
        and not seen.trouble
        and (seen.status == status or (seen.is_rest and status == 200))
        and seen.digest_matches == digest_matches
        and (not digest_matches or seen.parses == parses)
    )


def _upload(is_after_unknown: bool, *statuses: int) -> Callable[[Observation], bool]:
    wanted = _write(*statuses)
    return lambda seen: wanted(seen) and seen.is_upload_step and seen.is_after_unknown == is_after_unknown


def _status(first: int, last: int) -> Callable[[Observation], bool]:
    return lambda seen: not seen.trouble and first <= seen.status <= last


TABLE = (
    Row(
        "not-sent",
        "the harness itself could not send: too many in flight, no descriptor or local port left (above 0.1 % the run is inconclusive)",
        _FAILED,
        _FAILED,
        "excluded",
        _unsent("harness"),
    ),
    Row("dns", "the name did not resolve; no request byte left", _FAILED, _FAILED, "bad", _unsent("dns")),
    Row(
        "connect-refused",
        "connect refused, unreachable or reset before any request byte left",
        _FAILED,
        _FAILED,
        "bad",
        _unsent("refused", "reset", "eof"),
    ),
    Row("connect-timeout", "connect timed out; no request byte left", _FAILED, _FAILED, "bad", _unsent("timeout")),
    Row("tls", "TLS failed; no request byte left", _FAILED, _FAILED, "bad", _unsent("tls")),
    Row(
        "short-body",
        "a read's body ends, or is reset, before its Content-Length or its last chunk: not corruption",
        None,
        _FAILED,
        "bad",
        lambda seen: not seen.is_write and (seen.trouble == "cut" or (seen.trouble == "reset" and seen.status > 0)),
    ),
    Row("maybe-sent-reset", "any request byte may have left, then a reset", _UNKNOWN, _FAILED, "bad", _sent("reset")),
    Row(
        "maybe-sent-eof",
        "any request byte may have left, then EOF, also inside a write's answer",
        _UNKNOWN,
        _FAILED,
        "bad",
        _sent("eof", "cut"),
    ),
    Row(
        "maybe-sent-timeout", "any request byte may have left, then no complete answer in time", _UNKNOWN, _FAILED, "bad", _sent("timeout")
    ),
    Row("http-408", "408", _UNKNOWN, _FAILED, "bad", _status(408, 408)),
    Row("http-5xx", "any 5xx: a proxy's 502 says nothing about the backend", _UNKNOWN, _FAILED, "bad", _status(500, 599)),
    Row("http-429", "429", _FAILED, _FAILED, "throttled", _status(429, 429)),
    Row(
        "upload-lost-after-unknown",
        "404, 409 or 416 on an upload step after an earlier unknown step: it may have been the last one",
        _UNKNOWN,
        None,
        "bad",
        _upload(True, 404, 409, 416),
    ),
    Row("upload-lost", "404 on an upload step with no unknown step before: a lost session", _FAILED, None, "bad", _upload(False, 404)),
    Row("absent", "404 on a read: an answer, good only if the history admits absence", None, _OK, "later", _read(404)),
    Row(
        "http-4xx",
        "any other 4xx with no unknown step before: our client is always right",
        _FAILED,
        _FAILED,
        "bad",
        lambda seen: _status(400, 499)(seen) and not seen.is_after_unknown,
    ),
    Row(
        "write-ok",
        "201, 202 or 204, with all that the next step needs",
        _OK,
        None,
        "good",
        lambda seen: _write(201, 202, 204)(seen) and seen.parses,
    ),
    Row("rest-ok", "206 with all that was missing of a body that broke off", None, _OK, "good", lambda s: s.is_rest and _read(200)(s)),
    Row("read-ok", "200 with its full body, or a HEAD's headers", None, _OK, "good", _read(200)),
    Row(
        "digest-differs",
        "200 (or such a 206), complete, but the bytes hash to another digest: an integrity violation",
        None,
        _OK,
        "bad",
        _read(200, digest_matches=False),
    ),
    Row(
        "unparsable",
        "200, complete, but not the JSON or list it should be: an integrity violation",
        None,
        _OK,
        "bad",
        _read(200, parses=False),
    ),
    Row("redirect", "3xx: not followed; the run is inconclusive", _UNKNOWN, _FAILED, "bad", _status(300, 399)),
    Row("anything-else", "anything else; the run is inconclusive", _UNKNOWN, _FAILED, "bad", lambda seen: True),
)

INCONCLUSIVE = frozenset({"redirect", "anything-else"})


def classify(seen: Observation) -> tuple[Outcome, str]:
    """Outcome and row id: the first row that matches."""
    row = next(row for row in TABLE if row.matches(seen))
    outcome = row.write if seen.is_write else row.read
    if outcome is None:
        raise AssertionError(f"row {row.id!r} of the outcome table matched {seen}, of which it says nothing")
    return outcome, row.id


def _word(outcome: Outcome | None) -> str:
    match outcome:
        case None:
            return "-"
        case Outcome.OK | Outcome.FAILED:
            return outcome.name
        case Outcome.UNKNOWN:
            return "**UNKNOWN**"
        case _:
            assert_never(outcome)


def as_markdown() -> str:
    """The table as the docs show it."""
    lines = ["| id | observed | write | read | availability |", "|---|---|---|---|---|"]
    lines += [f"| `{row.id}` | {row.seen} | {_word(row.write)} | {_word(row.read)} | {row.availability} |" for row in TABLE]
    return "\n".join(lines) + "\n"
