"""A run that is killed leaves nothing: a sample of what `python -m tests.torture.kills` does a hundred times."""

from pathlib import Path

from tests.torture.kills import kills

BEFORE_THE_END_S = 12.0  # demo.yaml's phases take 11 s, and the region a second


def test_run_killed_at_random_moments_leaves_no_process_port_or_folder(tmp_path: Path) -> None:
    done = list(kills(3, seed=4, life_s=BEFORE_THE_END_S, folder=tmp_path))
    assert [kill.line(number) for number, kill in enumerate(done) if kill.left or kill.ended] == []
