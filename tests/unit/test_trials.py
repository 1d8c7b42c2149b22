"""The selftest's own table: every seeded bug has a trial that can catch it, every control is one that can fail."""

from collections import Counter

import pytest

from chaoskit.drivers.embedded.bugs import Bug
from chaoskit.kinds import CHECKS
from chaoskit.model.verdict import GUARDS
from chaoskit.trials import CONTROLS, KEPT, TRIALS, UNCOVERED, Trial

BUGS = [bug for bug in Bug if bug.value.must]
DECOYS = [bug for bug in Bug if not bug.value.must]


def judged(trial: Trial) -> set[str]:
    return {check.check for check in trial.experiment(1).checks}


def test_every_bug_has_a_trial_or_is_said_to_have_none() -> None:
    assert {trial.bug for trial in TRIALS} == set(BUGS) - set(UNCOVERED)
    assert max(Counter(trial.name for trial in (*TRIALS, *CONTROLS)).values()) == 1


@pytest.mark.parametrize("trial", TRIALS, ids=lambda trial: trial.name)
def test_a_trial_is_judged_by_every_check_that_must_catch_its_bug(trial: Trial) -> None:
    assert trial.bug is not None
    assert trial.name.partition(": ")[0] == trial.bug.flag
    assert trial.decoy is None
    assert trial.wanted
    assert set(trial.wanted) <= judged(trial)


@pytest.mark.parametrize("trial", CONTROLS, ids=lambda trial: trial.name)
def test_a_control_has_no_bug_and_is_judged_by_more_than_guards(trial: Trial) -> None:
    assert trial.bug is None
    assert judged(trial) - GUARDS
    assert trial.name.startswith(("control: ", "decoy: "))


def test_every_decoy_is_met_in_a_control() -> None:
    assert {trial.decoy for trial in CONTROLS} >= set(DECOYS)
    assert {bug.value.number for bug in DECOYS} == {0}


def test_numbers_of_bugs_are_those_of_the_design_once_each() -> None:
    numbers = [bug.value.number for bug in BUGS]
    assert sorted(numbers) == [number for number in range(1, 27) if number not in (17, 22)]


def test_checks_that_bugs_name_exist() -> None:
    named = {check for bug in Bug for check in (*bug.value.must, *bug.value.may)}
    assert named <= CHECKS.keys()
    assert set(KEPT) <= CHECKS.keys()
