"""Sessions of each client's profile against a registry that misbehaves: what is asked for, where, when, and how it ends."""

import asyncio
import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from chaoskit.model.history import Operation, Outcome
from chaoskit.model.workload import PlannedBlob, Session
from chaoskit.registry.client import open_clients
from chaoskit.registry.profiles import NONE, PROFILES, Profile
from chaoskit.workload.course import Setting
from chaoskit.workload.recorder import Recorder
from chaoskit.workload.runner import Runner
from tests.embedded.scripted_registry import ZONES, Asked, Registry, listening
from tests.embedded.test_runner import hurried

OK, FAILED, UNKNOWN = Outcome.OK, Outcome.FAILED, Outcome.UNKNOWN
MS = 1_000_000
CLIENTS = ("crane", "skopeo", "docker", "containerd", "regclient")
CONFIG = PlannedBlob(10, 5_000, chunked=True)
REPOSITORY = "chaos/r1/r0"
Step = tuple[str, str, int, str]


def push(*blobs: PlannedBlob) -> Session:
    return Session(1, 0, "regional", "z-2", "push", REPOSITORY, "v1", blobs or (CONFIG,), pings=2)


PULL = Session(2, 0, "regional", "z-2", "pull", REPOSITORY, "v1", pings=2)


def played(session: Session, profile: Profile, registry: Registry, *, closed: str = "") -> list[Operation]:
    """The rows of one session, as they ended; nobody listens at the entry `closed`."""

    async def go() -> list[Operation]:
        rows: dict[int, Operation] = {}

        def record(row: Operation) -> None:
            rows[row.index] = row

        recorder = Recorder(record, time.monotonic_ns, lambda: "steady", dict.fromkeys(ZONES, "us-south"))
        async with listening(registry) as entries:
            known = {**entries, closed: "http://127.0.0.1:9"} if closed else entries
            async with open_clients(known, timeout_ns=10**10, clock=time.monotonic_ns) as clients:
                await Runner([session], Setting(clients, recorder, "r1", {"pinned": NONE, "regional": profile})).run()
        return [rows[index] for index in sorted(rows)]

    return asyncio.run(go())


def filled() -> Registry:
    """A registry that has the image."""
    registry = Registry()
    assert played(push(), PROFILES["basic"], registry)[0].outcome is OK
    registry.asked.clear()
    return registry


def failing(answer: str, *steps: str, zones: tuple[str, ...] = ZONES, times: int = 10**6) -> Callable[[Asked], str]:
    """Answers `METHOD` or `METHOD path-part` this way, so many times."""
    left = itertools.count()

    def mischief(asked: Asked) -> str:
        struck = any(asked.method == step.split()[0] and step.split()[-1] in f"{asked.method} {asked.path}" for step in steps)
        return answer if struck and asked.zone in zones and next(left) < times else ""

    return mischief


def steps(rows: list[Operation]) -> list[Step]:
    return [(row.action, row.zone, row.attempt, row.observed) for row in rows[1:]]


def gaps_ms(rows: list[Operation], action: str) -> Iterator[float]:
    """From each try's end to when the next one was due."""
    for before, after in itertools.pairwise(row for row in rows if row.action == action):
        assert before.returned_ns is not None
        yield (after.intended_ns - before.returned_ns) / MS


HEAD, POST, PATCH, PUT = "blob-head", "upload-post", "upload-patch", "upload-put"


@pytest.mark.parametrize(
    ("client", "expected"),
    [
        ("crane", ["ping", HEAD, POST, PATCH, PUT]),
        ("skopeo", ["ping", HEAD, HEAD, POST, PATCH, PUT]),
        ("docker", ["ping", POST, PATCH, PUT]),
        ("containerd", [HEAD, POST, PUT]),
        ("regclient", [HEAD, POST, PUT]),
    ],
)
def test_a_push_sends_what_its_client_sends_whatever_the_plan_says(client: str, expected: list[str]) -> None:
    registry = Registry()
    rows = played(push(), PROFILES[client], registry)
    assert [row.action for row in rows] == ["push", *expected, "manifest-put"]
    assert {row.profile for row in rows} == {client}
    assert {row.outcome for row in rows} == {OK}
    assert len(registry.blobs[rows[-1].children[0]]) == CONFIG.size_bytes


@pytest.mark.parametrize(
    ("client", "tries", "waits_ms"),
    [("none", 1, []), ("crane", 3, [100, 300]), ("skopeo", 1, []), ("docker", 1, []), ("containerd", 4, [0, 0, 0])],
)
def test_a_manifest_answered_500_is_asked_for_as_often_as_its_client_asks(client: str, tries: int, waits_ms: list[int]) -> None:
    registry = filled()
    registry.mischief = failing("500", "GET /manifests/")
    rows = [row for row in played(PULL, PROFILES[client], registry) if row.action == "manifest-get"]
    assert [row.attempt for row in rows] == list(range(tries))
    for gap_ms, wait_ms in zip(gaps_ms(rows, "manifest-get"), waits_ms, strict=True):
        assert wait_ms - 1 <= gap_ms <= wait_ms * 1.1 + 250, "the wait of the profile, its jitter, and a busy machine"


def test_one_session_throws_the_same_dice_every_time_and_another_one_others() -> None:
    reading = replace(PROFILES["crane"].patience["manifest-get"], delays_ns=(400 * MS,), jitter=1.0)
    crane = replace(PROFILES["crane"], patience={**PROFILES["crane"].patience, "manifest-get": reading})

    def wait_ms(number: int) -> float:
        (gap_ms,) = gaps_ms(played(replace(PULL, number=number), crane, Registry(failing("500", "GET /manifests/"))), "manifest-get")
        return gap_ms

    assert wait_ms(2) == pytest.approx(wait_ms(2), abs=40)
    waits = [wait_ms(number) for number in range(2, 6)]
    assert min(waits) >= 399
    assert max(waits) <= 840
    assert max(waits) - min(waits) > 80


def test_regclient_goes_round_its_hosts_up_to_six_times() -> None:
    registry = Registry(failing("500", "GET /manifests/"))
    rows = [row for row in played(PULL, PROFILES["regclient"], registry) if row.action == "manifest-get"]
    assert [row.zone for row in rows] == ["z-2", "z-3", "z-1"] * 2
    assert rows[0].returned_ns is not None
    assert rows[3].intended_ns - rows[0].returned_ns >= 200 * MS


def test_containerd_asks_host_after_host_and_pushes_to_the_first_only() -> None:
    registry = filled()
    registry.mischief = failing("drop", "GET", "HEAD", "POST", zones=("z-2",))
    rows = played(PULL, PROFILES["containerd"], registry)
    assert rows[0].outcome is OK
    assert steps(rows) == [
        ("manifest-get", "z-2", 0, "maybe-sent-eof"),
        ("manifest-get", "z-3", 1, "read-ok"),
        ("blob-get", "z-2", 0, "maybe-sent-eof"),
        ("blob-get", "z-3", 1, "read-ok"),
    ]
    rows = played(push(), PROFILES["containerd"], registry)
    assert (rows[0].outcome, rows[0].zone) == (FAILED, "z-2")
    assert steps(rows) == [("blob-head", "z-2", 0, "maybe-sent-eof")]


@pytest.mark.parametrize("client", ["crane", "skopeo", "docker"])
def test_a_dial_that_is_refused_moves_to_the_next_address_at_once(client: str) -> None:
    rows = played(push(), PROFILES[client], Registry(), closed="z-2")
    assert rows[0].outcome is OK
    served = [row for row in rows[1:] if row.outcome is OK]
    assert {row.zone for row in served} == {"z-3"}
    refused = [(row.action, row.attempt) for row in rows[1:] if row.observed == "connect-refused"]
    assert refused == [("ping", 0), ("upload-post" if client == "docker" else "blob-head", 0), ("manifest-put", 0)], "once a unit"
    assert rows[-1].returned_ns is not None
    assert rows[-1].returned_ns - rows[0].called_ns < 1_000 * MS, "no back-off"


def test_a_manifest_that_no_host_has_is_asked_of_each_and_still_an_answer() -> None:
    rows = played(PULL, PROFILES["containerd"], Registry())
    assert (rows[0].outcome, rows[0].observed) == (OK, "absent")
    assert steps(rows) == [("manifest-get", zone, number, "absent") for number, zone in enumerate(("z-2", "z-3", "z-1"))]


@pytest.mark.parametrize(("client", "zone"), [("docker", "z-2"), ("regclient", "z-3"), ("containerd", "z-2")])
def test_a_body_that_ends_early_is_resumed_and_its_digest_is_of_the_whole(client: str, zone: str) -> None:
    registry = filled()
    registry.mischief = failing("cut", "GET /blobs/", times=1)
    rows = played(PULL, hurried(PROFILES[client], (20 * MS,) * 3), registry)
    first, second = (row for row in rows if row.action == "blob-get")
    assert (first.observed, first.got, second.observed, second.zone) == ("short-body", "", "rest-ok", zone)
    assert (second.got, second.size_bytes) == (first.digest, CONFIG.size_bytes)
    assert [asked.begins_at for asked in registry.asked if "/blobs/" in asked.path] == [0, CONFIG.size_bytes // 2]
    assert rows[0].outcome is OK


def test_what_is_wrong_in_the_first_half_of_a_resumed_body_is_seen() -> None:
    registry = filled()

    def mischief(asked: Asked) -> str:
        if "/blobs/" not in asked.path or asked.begins_at:
            return ""
        (digest,) = (key for key in registry.blobs if asked.path.endswith(key))
        registry.blobs[digest] = b"\0" + registry.blobs[digest][1:]
        return "cut"

    registry.mischief = mischief
    rows = played(PULL, hurried(PROFILES["docker"], (20 * MS,)), registry)
    assert (rows[0].outcome, rows[-1].observed) == (FAILED, "digest-differs")


@pytest.mark.parametrize("client", ["crane", "skopeo", "containerd", "regclient"])
def test_a_body_that_is_reset_is_the_end_to_these(client: str) -> None:
    registry = filled()
    registry.mischief = failing("reset", "GET /blobs/")
    rows = played(PULL, PROFILES[client], registry)
    assert [row.observed for row in rows if row.action == "blob-get"] == ["short-body"]
    assert rows[0].outcome is FAILED


def test_regclient_keeps_its_requests_apart_where_it_failed_once() -> None:
    registry = filled()
    registry.mischief = failing("502", "GET /manifests/", zones=("z-2",), times=1)
    rows = played(PULL, PROFILES["regclient"], registry)
    assert steps(rows) == [
        ("manifest-get", "z-2", 0, "http-5xx"),
        ("manifest-get", "z-3", 1, "read-ok"),
        ("blob-get", "z-2", 0, "read-ok"),
    ]
    assert rows[3].intended_ns - rows[1].intended_ns >= 200 * MS


def test_regclient_sends_a_blob_in_chunks_where_its_put_is_given_up() -> None:
    registry = Registry(failing("503", "PUT /blobs/", times=1))
    rows = played(push(), PROFILES["regclient"], registry)
    assert [(row.action, row.attempt, row.size_bytes) for row in rows[2:6]] == [
        ("upload-post", 0, -1),
        ("upload-put", 0, 5_000),
        ("upload-patch", 1, 5_000),
        ("upload-put", 1, 0),
    ]
    sessions = [asked.path for asked in registry.asked if asked.method in ("PATCH", "PUT") and "/uploads/" in asked.path]
    assert len(set(sessions)) == 1, "it stays in the session that the POST opened"
    assert rows[0].outcome is OK


def test_an_upload_refused_after_an_unknown_step_of_it_may_have_happened() -> None:
    def mischief(asked: Asked) -> str:
        return {"PUT": "500", "PATCH": "404"}.get(asked.method, "") if "/uploads/" in asked.path else ""

    rows = played(push(), hurried(PROFILES["regclient"], ()), Registry(mischief))
    assert ("upload-patch", "upload-lost-after-unknown") in [(row.action, row.observed) for row in rows]


def test_crane_begins_an_upload_again_with_its_head_and_docker_with_its_post() -> None:
    for client, again in (("crane", HEAD), ("docker", POST)):
        registry = Registry(failing("500", "PATCH", times=1))
        rows = played(push(), hurried(PROFILES[client], (20 * MS,)), registry)
        failed = next(number for number, row in enumerate(rows) if row.observed == "http-5xx")
        assert (rows[failed + 1].action, rows[failed + 1].attempt, rows[failed + 1].zone) == (again, 1, "z-2")
        assert rows[0].outcome is OK


def test_skopeo_comes_again_when_it_is_told_to() -> None:
    registry = filled()
    registry.mischief = failing("429", "GET /manifests/", times=2)
    rows = played(PULL, hurried(PROFILES["skopeo"], (30 * MS, 60 * MS)), registry)
    assert rows[0].outcome is OK
    first, second = gaps_ms(rows, "manifest-get")
    assert (first >= 29, second >= 59) == (True, True)


def test_a_kept_connection_that_breaks_is_asked_again_once_by_crane_and_a_new_one_is_not_kept() -> None:
    registry = filled()
    registry.mischief = failing("drop", "GET /manifests/")
    rows = played(PULL, PROFILES["crane"], registry)
    gaps = list(gaps_ms(rows, "manifest-get"))
    assert [row.action for row in rows[1:]] == ["ping", *["manifest-get"] * 4]
    assert gaps[0] < 90 <= gaps[1], "after the ping the connection is kept; the next one is new"


@pytest.mark.parametrize("client", CLIENTS)
def test_a_delete_is_never_sent_twice_whatever_the_client(client: str) -> None:
    registry = filled()
    registry.mischief = failing("drop", "DELETE")
    rows = played(replace(PULL, action="delete"), PROFILES[client], registry)
    assert [row.action for row in rows].count("manifest-delete") == 1
    assert rows[0].outcome is UNKNOWN
