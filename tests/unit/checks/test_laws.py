"""Laws: what a correct region leaves is never violated. What one lie in it does is in test_mutations."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chaoskit.checks.base import Check
from chaoskit.checks.closure import Closure
from chaoskit.checks.durability import Durability
from chaoskit.checks.integrity import Integrity
from chaoskit.checks.phantom import Phantom
from chaoskit.checks.tags import Tags
from chaoskit.model.verdict import Verdict

from .histories import Story, texts
from .region import REPOSITORIES, correct_run

SAFETY: tuple[Check, ...] = (Durability(), Integrity(), Closure(), Phantom(), Tags(linearizable=True))
RUNS = settings(max_examples=12, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), database=None)
SEEDS = st.integers(0, 10**6)


@RUNS
@given(seed=SEEDS, deletes=st.booleans())
def test_correct_region_is_never_violated(seed: int, deletes: bool) -> None:
    evidence = Story(rows=correct_run(seed, deletes=deletes)).evidence()

    for check in SAFETY:
        result = check.judge(evidence)
        assert result.verdict is not Verdict.VIOLATED, texts(result)


def test_the_model_region_uses_several_repositories_so_that_leaks_would_show() -> None:
    assert {row.repository for row in correct_run(3)} == set(REPOSITORIES)
