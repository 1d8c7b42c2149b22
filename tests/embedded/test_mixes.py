"""Sessions of the mixes, sent for real: what the runner does is what the plan says it will."""

import asyncio
import json
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import replace
from itertools import islice
from pathlib import Path

import pytest

from chaoskit.model.history import Outcome
from chaoskit.model.workload import PlannedBlob, Session
from chaoskit.workload.requests import fetched, requests
from chaoskit.workload.runner import Runner
from tests.embedded.scripted_registry import Asked, Registry
from tests.embedded.test_runner import Bench, bench, run
from tests.unit.workload.planned import METHODS, Sent, plan

OK, FAILED = Outcome.OK, Outcome.FAILED
ROOT = Path(__file__).parent.parent.parent
ZONES = ("z-1", "z-2", "z-3")
REGION = ("us-south-1", "us-south-2", "us-south-3")
IMAGE = tuple(PlannedBlob(number, 300 + number, chunked=False) for number in range(5))
PUSH = Session(1, 0, "pinned", "z-1", "push", "chaos/r1/t0/r0", "v00000001", IMAGE)
PULL = Session(2, 0, "pinned", "z-1", "pull", "chaos/r1/t0/r0", "v00000001", at_once=3)


def after_the_push(pull: Session, mischief: Callable[[Asked], str] = lambda asked: "", *, timeout_s: float = 10) -> Bench:
    """What a pull left at a registry that was pushed to in peace."""
    registry = Registry()
    run([PUSH], registry)
    registry.mischief = mischief
    return run([pull], registry, timeout_s=timeout_s)


def of_blobs(then: str, *zones: str) -> Callable[[Asked], str]:
    return lambda asked: then if "/blobs/" in asked.path and asked.zone in (zones or ZONES) else ""


def test_a_pull_fetches_three_blobs_at_once_and_none_after_one_that_did_not_come() -> None:
    made = after_the_push(PULL, of_blobs("hang"), timeout_s=0.3)
    assert [(row.observed, row.outcome) for row in made.ended("blob-get")] == [("maybe-sent-timeout", FAILED)] * 3
    starts = [row.called_ns for row in made.ended("blob-get")]
    ends = [row.returned_ns for row in made.ended("blob-get") if row.returned_ns is not None]
    assert max(starts) < min(ends)
    assert [row.outcome for row in made.ended("pull")] == [FAILED]


def test_a_pull_fetches_every_blob_and_each_is_due_when_its_place_was_free() -> None:
    made = after_the_push(PULL)
    whole, manifest, *blobs = made.ended()
    assert (whole.outcome, whole.children) == (OK, manifest.children)
    assert tuple(row.digest for row in blobs) == manifest.children
    assert manifest.returned_ns is not None
    assert all(row.intended_ns >= manifest.returned_ns for row in blobs)
    assert whole.size_bytes == manifest.size_bytes + sum(part.size_bytes for part in IMAGE)


def test_each_blob_tries_again_by_itself_at_the_next_entry() -> None:
    made = after_the_push(replace(PULL, lane="regional"), of_blobs("503", "z-1"))
    tried = defaultdict(list)
    for row in made.ended("blob-get"):
        tried[row.digest].append(row.zone)
    assert sorted(tried.values()) == [["z-1", "z-2"]] * 3 + [["z-2"]] * 2
    assert [row.outcome for row in made.ended("pull")] == [OK]


def test_a_pull_with_a_warm_cache_fetches_some_of_the_blobs() -> None:
    made = after_the_push(replace(PULL, fetches=2))
    manifest, *blobs = made.ended("manifest-get", "blob-get")
    assert tuple(row.digest for row in blobs) == fetched(replace(PULL, fetches=2), manifest.children)
    assert len(blobs) == 2


def test_a_login_is_one_ping() -> None:
    made = run([Session(3, 0, "regional", "z-2", "login", "", "")], Registry(lambda asked: "200"))
    assert [(row.action, row.zone, row.outcome) for row in made.ended()] == [("login", "z-2", OK), ("ping", "z-2", OK)]


def test_a_login_that_is_refused_at_every_entry_failed() -> None:
    made = run([Session(3, 0, "regional", "z-2", "login", "", "")], Registry(lambda asked: "503"))
    assert [row.zone for row in made.ended("ping")] == ["z-2", "z-3", "z-1"]
    assert [row.outcome for row in made.ended("login")] == [FAILED]


def test_what_the_runner_sends_is_what_the_plan_says_request_by_request() -> None:
    """One session after the other, so that what a HEAD finds is known; the sizes that change code paths are among them."""
    sessions = [replace(session, due_ns=0) for session in islice(plan(zones=ZONES, scale=0.01), 400)]
    planned = Sent(step_s=0.0)

    async def go() -> list[tuple[list[str], list[str]]]:
        pairs = []
        async with bench(Registry(lambda asked: "200" if asked.path == "/v2/" else "")) as made:
            for session in sessions:
                del made.rows[:]
                await Runner([session], made.setting).run()
                pairs.append(([row.action for row in made.ended()][1:], planned.send(session)))
        return pairs

    for done, expected in asyncio.run(go()):
        assert done == expected
    assert planned.actions.total() > 1_000
    assert {0, 5 * 2**20 - 1, 5 * 2**20, 5 * 2**20 + 1} <= set(planned.sizes.values())


def chaoskit(*arguments: str, out: Path, environment: dict[str, str]) -> Path:
    """The folder of the one run that the arguments made. A busy machine makes it inconclusive; what was asked for is the same."""
    command = [sys.executable, "-m", "chaoskit.cli.app", "run", *arguments, "--driver", "embedded", "--out", str(out)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode in (0, 3), f"{done.stdout}\n{done.stderr}"
    return next(out.glob("*/latest")).resolve()


def asked(folder: Path) -> dict[int, list[dict[str, object]]]:
    """Attempts of each session that ended well, in order, by its number."""
    rows = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()[1:]]
    last = {row["index"]: row for row in rows if row.get("lane") != "sweep"}
    wholes = {index: row for index, row in last.items() if row.get("parent", -1) == -1 and row.get("outcome") == OK}
    found: dict[int, list[dict[str, object]]] = {row.get("session", 0): [] for row in wholes.values()}
    for _, row in sorted(last.items()):
        if row.get("parent", -1) in wholes:
            found[row.get("session", 0)].append(row)
    return found


@pytest.mark.nightly
def test_the_history_of_a_real_run_has_the_planned_requests_and_a_run_again_the_same_plan(
    tmp_path: Path, plain_environment: dict[str, str]
) -> None:
    file = str(ROOT / "experiments" / "registry-mix.yaml")
    folder = chaoskit(file, out=tmp_path / "first", environment=plain_environment)
    recorded = asked(folder)
    planned = {session.number: session for session in plan(rate=25.0, seconds=70, run_id=folder.name, zones=REGION)}
    for number, rows in recorded.items():
        assert [row["action"] for row in rows] == expected(planned[number], rows)
    methods = Counter(METHODS[str(row["action"])] for rows in recorded.values() for row in rows)
    simulated = Sent(step_s=0.0)
    for session in planned.values():
        if session.number in recorded:
            simulated.send(session)
    told = Counter(METHODS[action] for action in simulated.actions.elements())
    assert methods.total() > 2_000
    shares = {method: 100 * number / methods.total() for method, number in methods.items()}
    assert shares == pytest.approx({method: 100 * number / told.total() for method, number in told.items()}, abs=1)
    again = chaoskit(str(folder), "--set", "steady=2s", out=tmp_path / "again", environment=plain_environment)
    assert len({json.loads((each / "run.json").read_text())["plan_sha256"] for each in (folder, again)}) == 1


def expected(session: Session, rows: list[dict[str, object]]) -> list[str]:
    """The planned requests of a session, given what its HEADs and its manifest showed."""
    heads = iter([row.get("observed") == "read-ok" for row in rows if row["action"] == "blob-head"])
    manifest = next((row for row in rows if row["action"] == "manifest-get"), {})
    children = manifest.get("children", [])
    assert isinstance(children, list)
    return list(requests(session, is_present=lambda part: next(heads), image=children))
