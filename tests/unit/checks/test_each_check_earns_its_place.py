"""Take a safety check away and a seeded bug goes unseen: for each there is a trial that counts as caught by that check and by no other."""

from pathlib import Path

import pytest

from chaoskit.model.verdict import SAFETY
from chaoskit.selftest import Tried
from chaoskit.trials import TRIALS, Trial

# Safety checks that no seeded bug needs, and why.
UNPROVEN = {"recoverability": "bug 22 needs a backup to restore from"}


def _names(trial: Trial) -> set[str]:
    """The checks a trial runs."""
    return {name for check in trial.checks for name in ([check] if isinstance(check, str) else check)}


def _only(check: str) -> list[Trial]:
    """Trials that run the check, of a bug that counts as caught if and only if it is violated."""
    return [trial for trial in TRIALS if trial.bug is not None and trial.wanted == (check,) and check in _names(trial)]


def test_safety_checks_without_a_bug_of_their_own_are_those_that_are_listed() -> None:
    assert {check for check in SAFETY if not _only(check)} == set(UNPROVEN)


@pytest.mark.parametrize("check", sorted(SAFETY - set(UNPROVEN)))
def test_without_the_check_its_bug_goes_unseen(check: str) -> None:
    for trial in _only(check):
        assert trial.bug is not None
        others = tuple(sorted((_names(trial) | set(trial.bug.value.may)) - {check}))

        assert Tried(trial, 1, (check,), None, "", Path()).is_good
        assert not Tried(trial, 1, others, None, "", Path()).is_good
