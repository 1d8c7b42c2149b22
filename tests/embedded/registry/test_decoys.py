"""Each decoy does what a correct registry may do: seen once with it, and not without."""

import json
import time
from collections.abc import Callable

import pytest

from chaoskit.drivers.embedded.bugs import Bug
from chaoskit.drivers.embedded.registry.decoys import LATER_S
from tests.embedded.registry.memory import MemoryStore
from tests.embedded.registry.running import talking
from tests.embedded.registry.talk import Talk, digest_of


def until_gone(read: Callable[[], int], *, limit_s: float = 5) -> float:
    """Seconds until a read is answered 404."""
    start = time.monotonic()
    while (status := read()) != 404:
        assert time.monotonic() - start < limit_s, f"still {status} after {limit_s} s"
        time.sleep(0.01)
    return time.monotonic() - start


def five_tags(talk: Talk) -> list[int]:
    """Statuses of five manifest PUTs whose blobs are there."""
    manifest = talk.push_image("r", "v0")
    return [talk.put("r", f"v{number}", manifest).status for number in range(1, 6)]


@pytest.mark.parametrize("bugs", [(), (Bug.ERROR_AFTER_COMMIT,)])
def test_a_write_that_was_answered_with_an_error_was_carried_out(bugs: tuple[Bug, ...]) -> None:
    with talking(MemoryStore(), *bugs) as talk:
        statuses = five_tags(talk)
        assert statuses.count(503) == len(bugs)
        assert statuses.count(201) == 5 - len(bugs)
        assert [talk.get("r", f"v{number}").status for number in range(1, 6)] == [200] * 5


@pytest.mark.parametrize(("bugs", "status"), [((), 404), ((Bug.DELAYED_DELETE,), 200)])
def test_a_delayed_delete_is_acknowledged_first_and_carried_out_later(bugs: tuple[Bug, ...], status: int) -> None:
    with talking(MemoryStore(), *bugs) as talk:
        digest = digest_of(talk.push_image("r", "v1"))
        blob = json.loads(talk.get("r", "v1").body)["config"]["digest"]
        for target in (f"/v2/r/manifests/{digest}", f"/v2/r/blobs/{blob}"):
            assert talk.ask("DELETE", target).status == 202
            assert talk.ask("HEAD", target).status == status
            took_s = until_gone(lambda target=target: talk.ask("HEAD", target).status)  # type: ignore[misc]
            assert (took_s > LATER_S / 2) == bool(bugs)
        assert talk.get("r", "v1").status == 404


def test_a_delayed_delete_of_what_is_not_there_is_refused_at_once() -> None:
    with talking(MemoryStore(), Bug.DELAYED_DELETE) as talk:
        assert talk.ask("DELETE", f"/v2/r/manifests/{digest_of(b'x')}").status == 404
        assert talk.ask("DELETE", f"/v2/r/blobs/{digest_of(b'x')}").status == 404


@pytest.mark.parametrize("bugs", [(), (Bug.TOO_MANY_REQUESTS,)])
def test_a_throttled_request_has_done_nothing_and_says_so(bugs: tuple[Bug, ...]) -> None:
    with talking(MemoryStore(), *bugs) as talk:
        digest = digest_of(talk.push_image("r", "v1"))
        replies = [talk.get("r", digest) for _ in range(40)]
        refused = [reply for reply in replies if reply.status == 429]
        assert len(refused) == 2 * len(bugs)
        assert {json.loads(reply.body)["errors"][0]["code"] for reply in refused} == ({"TOOMANYREQUESTS"} if bugs else set())


def test_a_throttled_push_leaves_no_manifest() -> None:
    store = MemoryStore()
    with talking(store, Bug.TOO_MANY_REQUESTS) as talk:
        first = json.loads(talk.push_image("r", "v0"))
        manifests = (json.dumps({**first, "annotations": {"n": str(number)}}).encode() for number in range(40))
        fresh = next(manifest for manifest in manifests if talk.put("r", "v1", manifest).status == 429)
    with talking(store) as talk:
        assert talk.get("r", digest_of(fresh)).status == 404
