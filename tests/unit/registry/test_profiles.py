import pytest

from chaoskit.model.history import Outcome
from chaoskit.registry.profiles import BASIC, NONE, PROFILES, is_retried


def test_basic_tries_after_one_and_three_seconds_and_none_never() -> None:
    assert BASIC.delays_ns == (1_000_000_000, 3_000_000_000)
    assert NONE.delays_ns == ()
    assert PROFILES == {"none": NONE, "basic": BASIC}


@pytest.mark.parametrize(
    ("outcome", "status", "is_upload_step", "expected"),
    [
        (Outcome.OK, 201, False, False),
        (Outcome.OK, 404, False, False),
        (Outcome.UNKNOWN, 0, False, True),
        (Outcome.FAILED, 0, False, True),
        (Outcome.UNKNOWN, 500, False, True),
        (Outcome.UNKNOWN, 408, False, True),
        (Outcome.FAILED, 429, False, True),
        (Outcome.FAILED, 400, False, False),
        (Outcome.FAILED, 404, False, False),
        (Outcome.FAILED, 404, True, True),
        (Outcome.FAILED, 416, True, True),
        (Outcome.FAILED, 403, True, False),
    ],
)
def test_all_but_an_ok_and_a_definitive_4xx_is_tried_again(outcome: Outcome, status: int, is_upload_step: bool, expected: bool) -> None:
    assert is_retried(outcome, status, is_upload_step=is_upload_step) is expected
