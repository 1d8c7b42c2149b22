import itertools
from typing import get_args

import pytest

from chaoskit.model.history import Outcome
from chaoskit.registry.outcome import INCONCLUSIVE, TABLE, Observation, Trouble, as_markdown, classify

UNKNOWN, OK, FAILED = Outcome.UNKNOWN, Outcome.OK, Outcome.FAILED


def write(status: int = 0, trouble: Trouble = "", *, is_sent: bool = True) -> Observation:
    return Observation(is_write=True, is_sent=is_sent, status=status, trouble=trouble)


def read(status: int = 0, trouble: Trouble = "", *, is_sent: bool = True) -> Observation:
    return Observation(is_write=False, is_sent=is_sent, status=status, trouble=trouble)


def upload(status: int, *, is_after_unknown: bool) -> Observation:
    return Observation(is_write=True, is_sent=True, status=status, is_upload_step=True, is_after_unknown=is_after_unknown)


def wrong(*, digest_matches: bool = True, parses: bool = True) -> Observation:
    return Observation(is_write=False, is_sent=True, status=200, digest_matches=digest_matches, parses=parses)


def rest(*, digest_matches: bool = True) -> Observation:
    return Observation(is_write=False, is_sent=True, status=206, is_rest=True, digest_matches=digest_matches)


CASES = [
    (write(trouble="harness", is_sent=False), FAILED, "not-sent"),
    (read(trouble="harness", is_sent=False), FAILED, "not-sent"),
    (write(trouble="dns", is_sent=False), FAILED, "dns"),
    (read(trouble="dns", is_sent=False), FAILED, "dns"),
    (write(trouble="refused", is_sent=False), FAILED, "connect-refused"),
    (read(trouble="refused", is_sent=False), FAILED, "connect-refused"),
    (write(trouble="reset", is_sent=False), FAILED, "connect-refused"),
    (write(trouble="timeout", is_sent=False), FAILED, "connect-timeout"),
    (read(trouble="timeout", is_sent=False), FAILED, "connect-timeout"),
    (write(trouble="tls", is_sent=False), FAILED, "tls"),
    (write(trouble="reset"), UNKNOWN, "maybe-sent-reset"),
    (read(trouble="reset"), FAILED, "maybe-sent-reset"),
    (write(trouble="eof"), UNKNOWN, "maybe-sent-eof"),
    (read(trouble="eof"), FAILED, "maybe-sent-eof"),
    (write(201, "cut"), UNKNOWN, "maybe-sent-eof"),
    (read(200, "cut"), FAILED, "short-body"),
    (write(trouble="timeout"), UNKNOWN, "maybe-sent-timeout"),
    (write(201, "timeout"), UNKNOWN, "maybe-sent-timeout"),
    (read(200, "timeout"), FAILED, "maybe-sent-timeout"),
    (write(408), UNKNOWN, "http-408"),
    (read(408), FAILED, "http-408"),
    (write(500), UNKNOWN, "http-5xx"),
    (write(502), UNKNOWN, "http-5xx"),
    (read(503), FAILED, "http-5xx"),
    (write(429), FAILED, "http-429"),
    (read(429), FAILED, "http-429"),
    (upload(404, is_after_unknown=True), UNKNOWN, "upload-lost-after-unknown"),
    (upload(409, is_after_unknown=True), UNKNOWN, "upload-lost-after-unknown"),
    (upload(416, is_after_unknown=True), UNKNOWN, "upload-lost-after-unknown"),
    (upload(404, is_after_unknown=False), FAILED, "upload-lost"),
    (upload(416, is_after_unknown=False), FAILED, "http-4xx"),
    (upload(400, is_after_unknown=True), UNKNOWN, "anything-else"),
    (write(400), FAILED, "http-4xx"),
    (write(404), FAILED, "http-4xx"),
    (read(403), FAILED, "http-4xx"),
    (read(404), OK, "absent"),
    (write(201), OK, "write-ok"),
    (write(202), OK, "write-ok"),
    (write(204), OK, "write-ok"),
    (read(200), OK, "read-ok"),
    (rest(), OK, "rest-ok"),
    (rest(digest_matches=False), OK, "digest-differs"),
    (read(200, "reset"), FAILED, "short-body"),
    (read(206, "reset"), FAILED, "short-body"),
    (write(201, "reset"), UNKNOWN, "maybe-sent-reset"),
    (wrong(digest_matches=False), OK, "digest-differs"),
    (wrong(digest_matches=False, parses=False), OK, "digest-differs"),
    (wrong(parses=False), OK, "unparsable"),
    (write(307), UNKNOWN, "redirect"),
    (read(302), FAILED, "redirect"),
    (write(200), UNKNOWN, "anything-else"),
    (read(206), FAILED, "anything-else"),
    (write(trouble="other"), UNKNOWN, "anything-else"),
    (Observation(is_write=True, is_sent=True, status=202, is_upload_step=True, parses=False), UNKNOWN, "anything-else"),
]


@pytest.mark.parametrize(("seen", "outcome", "row"), CASES)
def test_each_observation_has_its_row(seen: Observation, outcome: Outcome, row: str) -> None:
    assert classify(seen) == (outcome, row)


def test_every_row_of_the_table_is_tested() -> None:
    assert {row for _, _, row in CASES} == {row.id for row in TABLE}


def test_no_observation_whatever_is_left_without_an_outcome() -> None:
    flags = [False, True]
    statuses = [0, 101, 200, 201, 206, 302, 400, 404, 408, 409, 416, 429, 451, 500, 599, 999]
    for is_write, is_sent, step, after, matches, parses in itertools.product(flags, repeat=6):
        for status, trouble in itertools.product(statuses, get_args(Trouble)):
            seen = Observation(
                is_write=is_write,
                is_sent=is_sent,
                status=status,
                trouble=trouble,
                is_upload_step=step,
                is_after_unknown=after,
                digest_matches=matches,
                parses=parses,
            )
            outcome, _ = classify(seen)
            if is_write and outcome is FAILED and is_sent:
                assert 400 <= status <= 499, f"{seen}: a write that may have left counts as not done"


def test_rows_that_make_a_run_inconclusive_are_rows() -> None:
    assert {row.id for row in TABLE} >= INCONCLUSIVE


def test_markdown_has_a_line_a_row() -> None:
    lines = as_markdown().splitlines()
    assert len(lines) == 2 + len(TABLE)
    assert "| `http-429` | 429 | FAILED | FAILED | throttled |" in lines
    assert "| `absent` | 404 on a read: an answer, good only if the history admits absence | - | OK | later |" in lines
