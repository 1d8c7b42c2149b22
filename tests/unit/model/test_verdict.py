import pytest

from chaoskit.model.verdict import CheckResult, Expectation, Verdict, as_expected, overall, worst

HELD, INCONCLUSIVE, VIOLATED = Verdict.HELD, Verdict.INCONCLUSIVE, Verdict.VIOLATED


def results(**verdicts: Verdict) -> tuple[CheckResult, ...]:
    return tuple(CheckResult(check, verdict, "") for check, verdict in verdicts.items())


@pytest.mark.parametrize(
    ("several", "expected"),
    [((), INCONCLUSIVE), ((HELD,), HELD), ((HELD, INCONCLUSIVE), INCONCLUSIVE), ((VIOLATED, INCONCLUSIVE, HELD), VIOLATED)],
)
def test_worst_of_nothing_is_inconclusive_and_violated_beats_all(several: tuple[Verdict, ...], expected: Verdict) -> None:
    assert worst(several) is expected


def test_failed_guard_demotes_held_to_inconclusive() -> None:
    assert overall(results(durability=HELD, coverage=INCONCLUSIVE)) is INCONCLUSIVE


def test_guard_is_never_itself_violated() -> None:
    assert overall(results(durability=HELD, effect=VIOLATED)) is INCONCLUSIVE


def test_violated_safety_stands_beside_a_failed_guard() -> None:
    assert overall(results(durability=VIOLATED, host=INCONCLUSIVE)) is VIOLATED


NOTHING = Expectation()
FAILOVER = Expectation(violated=("failover",), because="ejection takes 15 s")


@pytest.mark.parametrize(
    ("found", "expect", "expected"),
    [
        (results(durability=HELD, host=HELD), NOTHING, HELD),
        (results(durability=HELD, failover=VIOLATED), FAILOVER, HELD),
        (results(durability=VIOLATED), NOTHING, VIOLATED),
        (results(durability=VIOLATED, failover=VIOLATED), FAILOVER, VIOLATED),
        (results(durability=HELD, failover=HELD), FAILOVER, VIOLATED),
        (results(durability=VIOLATED, host=INCONCLUSIVE), NOTHING, VIOLATED),
        (results(failover=VIOLATED, availability=VIOLATED), Expectation(("failover",), may=("availability",)), HELD),
        (results(failover=VIOLATED, availability=INCONCLUSIVE), Expectation(("failover",), may=("availability",)), HELD),
        (results(durability=HELD, tags=INCONCLUSIVE), NOTHING, INCONCLUSIVE),
        (results(failover=INCONCLUSIVE), FAILOVER, INCONCLUSIVE),
        (results(failover=HELD, effect=INCONCLUSIVE), FAILOVER, INCONCLUSIVE),
        (results(failover=HELD, tags=INCONCLUSIVE), FAILOVER, VIOLATED),
        (results(failover=VIOLATED, coverage=INCONCLUSIVE), FAILOVER, INCONCLUSIVE),
        ((), NOTHING, INCONCLUSIVE),
    ],
    ids=[
        "all held",
        "exactly what was expected",
        "an unexpected violation",
        "one more than expected",
        "an expected violation that did not come",
        "an unexpected violation stands beside a failed guard",
        "a violation that may come",
        "an undecided check that may be violated",
        "an undecided check",
        "the expected violation is undecided",
        "an expected violation that a failed guard may have hidden",
        "an undecided check does not excuse a missing violation",
        "a failed guard beside the expected violation",
        "no check at all",
    ],
)
def test_as_expected(found: tuple[CheckResult, ...], expect: Expectation, expected: Verdict) -> None:
    assert as_expected(found, expect) is expected
