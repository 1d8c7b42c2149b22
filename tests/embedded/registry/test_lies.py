"""Each seeded bug of the registry shows what it is told to show, and a registry without it does not."""

import json
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

from chaoskit.drivers.base import Address
from chaoskit.drivers.embedded.bugs import Bug
from tests.embedded.registry.memory import MemoryStore
from tests.embedded.registry.running import running, talking
from tests.embedded.registry.talk import BINARY, Talk, digest_of

BLOB = b"all the bytes of it"


def cut_upload(address: Address, target: str, sent: bytes) -> None:
    """A PUT that announces the whole blob, sends a part and hangs up."""
    head = f"PUT {target} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(BLOB)}\r\n\r\n"
    with socket.create_connection((address.host, address.port), timeout=10) as connection:
        connection.sendall(head.encode() + sent)
        connection.shutdown(socket.SHUT_WR)
        connection.recv(1)


@pytest.mark.parametrize(("bugs", "status"), [((), 404), ((Bug.STALE_BLOB_EXISTS,), 200)])
def test_stale_exists_outlives_a_delete(bugs: tuple[Bug, ...], status: int) -> None:
    with talking(MemoryStore(), *bugs) as talk:
        target = f"/v2/r/blobs/{talk.push_blob('r', BLOB)}"
        assert talk.ask("DELETE", target).status == 202
        assert talk.ask("HEAD", target).status == status
        assert talk.ask("GET", target).status == 404


@pytest.mark.parametrize(("bugs", "status", "body"), [((), 404, b""), ((Bug.TRUNCATED_UPLOAD,), 200, BLOB[:7])])
def test_cut_upload_is_committed_under_the_digest_asked_for_only_by_the_bug(bugs: tuple[Bug, ...], status: int, body: bytes) -> None:
    store = MemoryStore()
    with running(store, *bugs) as address, Talk.to(address) as talk:
        cut_upload(address, f"{talk.open('r')}&digest={digest_of(BLOB)}", BLOB[:7])
        reply = talk.ask("GET", f"/v2/r/blobs/{digest_of(BLOB)}")
        assert (reply.status, reply.body if body else b"") == (status, body)
    if bugs:
        with talking(store, *bugs) as elsewhere:
            assert elsewhere.ask("GET", f"/v2/r/blobs/{digest_of(BLOB)}").body == body


def test_truncated_upload_lets_a_wrong_digest_and_the_manifest_above_it_pass() -> None:
    with talking(MemoryStore(), Bug.TRUNCATED_UPLOAD) as talk:
        assert talk.ask("PUT", f"{talk.open('r')}&digest={digest_of(BLOB)}", BLOB[:5], BINARY).status == 201
        talk.push_image("r", "v1", b"whole")
        assert talk.ask("HEAD", f"/v2/r/blobs/{digest_of(BLOB)}").headers["content-length"] == "5"


@pytest.mark.parametrize(("bugs", "status"), [((), 503), ((Bug.ERROR_AS_404,), 404)])
@pytest.mark.parametrize("path", ["manifests/v1", f"manifests/{digest_of(BLOB)}", f"blobs/{digest_of(BLOB)}", "tags/list"])
def test_unavailable_store_is_never_absence_but_by_the_bug(bugs: tuple[Bug, ...], status: int, path: str) -> None:
    with talking(MemoryStore(is_available=False), *bugs) as talk:
        assert talk.ask("GET", f"/v2/r/{path}").status == status


@pytest.mark.parametrize(("bugs", "status"), [((), 200), ((Bug.READABLE_WHILE_TAGGED,), 404)])
def test_manifest_without_a_tag_is_gone_only_by_the_bug(bugs: tuple[Bug, ...], status: int) -> None:
    with talking(MemoryStore(), *bugs) as talk:
        first = talk.push_image("r", "v1", b"first")
        second = talk.push_image("r", "v1", b"second")
        assert talk.get("r", digest_of(first)).status == status
        assert talk.get("r", "v1").body == second
        talk.push_image("r", "v1", b"first")
        assert talk.get("r", digest_of(first)).status == 200
        assert talk.ask("DELETE", "/v2/r/manifests/v1").status == 202
        assert talk.get("r", digest_of(first)).status == status


@pytest.mark.parametrize(
    ("bugs", "listed"),
    [((), ["v00000001", "v00000002", "v00000003"]), ((Bug.LIST_SKIPS,), ["v00000001", "v00000003"])],
)
def test_list_skips_a_neighbour_of_what_was_just_pushed(bugs: tuple[Bug, ...], listed: list[str]) -> None:
    with talking(MemoryStore(), *bugs) as talk:
        for number in (1, 2, 3):
            talk.push_image("r", f"v{number:08}")
        assert json.loads(talk.ask("GET", "/v2/r/tags/list").body)["tags"] == listed


def test_list_skips_tags_that_extend_another() -> None:
    store = MemoryStore()
    with talking(store) as talk:
        for tag in ("v1", "v1-x", "v2"):
            talk.push_image("r", tag)
    with talking(store, Bug.LIST_SKIPS) as talk:
        assert json.loads(talk.ask("GET", "/v2/r/tags/list").body)["tags"] == ["v1", "v2"]


@pytest.mark.parametrize(("bugs", "status"), [((), 201), ((Bug.LOCAL_UPLOADS,), 404)])
def test_session_goes_on_at_another_replica_unless_uploads_are_local(bugs: tuple[Bug, ...], status: int) -> None:
    store = MemoryStore()
    with talking(store, *bugs) as here, talking(store, *bugs) as there:
        location = here.open("r")
        assert there.ask("PUT", f"{location}&digest={digest_of(BLOB)}", BLOB, BINARY).status == status
        here.push_blob("r", b"another")


def test_reserialised_manifest_has_other_bytes_under_the_same_digest() -> None:
    with talking(MemoryStore(), Bug.RESERIALISED_MANIFEST) as talk:
        manifest = talk.push_image("r", "v1")
        reply = talk.get("r", "v1")
        assert reply.headers["docker-content-digest"] == digest_of(manifest)
        assert reply.body != manifest
        assert json.loads(reply.body) == json.loads(manifest)


@pytest.mark.parametrize("bugs", [(), (Bug.SHARED_BUFFER,)])
def test_shared_buffer_mixes_concurrent_reads(bugs: tuple[Bug, ...]) -> None:
    with running(MemoryStore(), *bugs) as address, Talk.to(address) as talk, ThreadPoolExecutor(4) as pool:
        digests = [digest_of(talk.push_image("r", tag, tag.encode())) for tag in ("a", "b")] * 2

        def read(digest: str) -> int:
            with Talk.to(address) as reader:
                return sum(digest_of(reader.get("r", digest).body) != digest for _ in range(20))

        wrong = sum(pool.map(read, digests))
        assert (wrong > 0) == bool(bugs)
