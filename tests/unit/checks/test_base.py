from datetime import timedelta
from typing import Literal

import numpy as np
import pytest
from pydantic import ValidationError

from chaoskit.checks.availability import Availability
from chaoskit.checks.base import Check, earliest, judge_all
from chaoskit.checks.closure import Closure
from chaoskit.checks.coverage import Coverage
from chaoskit.checks.deletes import Deletes
from chaoskit.checks.durability import Durability
from chaoskit.checks.effect import Effect
from chaoskit.checks.failover import Failover
from chaoskit.checks.host import Host
from chaoskit.checks.integrity import Integrity
from chaoskit.checks.lists import Lists
from chaoskit.checks.phantom import Phantom
from chaoskit.checks.recoverability import Recoverability
from chaoskit.checks.refusal import Refusal
from chaoskit.checks.sessions import Sessions
from chaoskit.checks.tags import Tags
from chaoskit.model.evidence import Evidence
from chaoskit.model.history import OPEN
from chaoskit.model.strike import Struck
from chaoskit.model.verdict import CheckResult, Verdict

from .histories import Story, healthy, struck


class Crash(Check):
    """A check with a bug."""

    check: Literal["crash"] = "crash"

    def judge(self, evidence: Evidence) -> CheckResult:
        raise ZeroDivisionError("a bug")


def test_check_that_crashes_is_inconclusive_and_the_others_have_their_word() -> None:
    results = judge_all((Host(), Crash(), Durability()), healthy(step=10).evidence())

    assert [(result.check, result.verdict) for result in results] == [
        ("host", Verdict.HELD),
        ("crash", Verdict.INCONCLUSIVE),
        ("durability", Verdict.HELD),
    ]
    assert results[1].summary == "the check itself crashed: ZeroDivisionError: a bug"


def test_unknown_parameter_is_refused() -> None:
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        Durability.model_validate({"check": "durability", "visible_with": "3s"})


def test_earliest_time_of_each_key() -> None:
    found = earliest(np.array([7, 3, 7]), np.array([5, 9, 4]))

    assert found.of(np.array([3, 7, 8])).tolist() == [9, 4, OPEN]
    assert earliest(np.array([], np.int64), np.array([], np.int64)).of(np.array([1])).tolist() == [OPEN]


@pytest.mark.parametrize("strikes", [(), (struck(),), (struck(injected_ns=None, healed_ns=None, cut_ns={}),)])
def test_empty_history_proves_nothing_and_crashes_no_check(strikes: tuple[Struck, ...]) -> None:
    evidence = Story().evidence(*strikes, phases=(), host=())
    checks = (
        *(Durability(), Integrity(), Closure(), Phantom(), Tags(linearizable=True), Refusal(), Availability()),
        *(Deletes(), Lists(), Sessions(), Recoverability(within=timedelta(seconds=3))),
        *(Failover(within=timedelta(seconds=3)), Effect(), Coverage(), Host()),
    )

    for result in judge_all(checks, evidence):
        assert result.verdict is Verdict.INCONCLUSIVE, result
        assert "crashed" not in result.summary
