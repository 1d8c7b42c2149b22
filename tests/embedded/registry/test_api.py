"""What our registry promises beyond the contract it shares with the real one, and its pure parts."""

import json

import pytest

from chaoskit.drivers.embedded.registry.blobs import range_of
from chaoskit.drivers.embedded.registry.errors import Rejected
from chaoskit.drivers.embedded.registry.names import Target, target_of
from chaoskit.drivers.embedded.registry.signing import signed_offset, upload_url
from chaoskit.drivers.embedded.storeapi import WHOLE_MOST
from tests.embedded.registry.memory import MemoryStore
from tests.embedded.registry.running import talking
from tests.embedded.registry.talk import ABSENT, BINARY, CONFIG, INDEX, OCI, descriptor, digest_of, image

BLOB = b"a blob"


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("/v2/a/tags/list", Target("tags", "a", "")),
        ("/v2/tags/list/tags/list", Target("tags", "tags/list", "")),
        ("/v2/a/b__c/d-e.f/manifests/v1", Target("manifests", "a/b__c/d-e.f", "v1")),
        (f"/v2/blobs/uploads/manifests/{ABSENT}", Target("manifests", "blobs/uploads", ABSENT)),
        (f"/v2/a/blobs/{ABSENT.replace(':', '%3A')}", Target("blobs", "a", ABSENT)),
        ("/v2/a/blobs/uploads/", Target("uploads", "a", "")),
        ("/v2/a/blobs/uploads", Target("uploads", "a", "")),
        ("/v2/a/blobs/uploads/x-1", Target("uploads", "a", "x-1")),
        (f"/v2/a/referrers/{ABSENT}", Target("referrers", "a", ABSENT)),
    ],
)
def test_path_names_a_target(path: str, target: Target) -> None:
    assert target_of(path) == target


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/v2/A/tags/list", "NAME_INVALID"),
        ("/v2//tags/list", "NAME_INVALID"),
        ("/v2/a/../b/tags/list", "NAME_INVALID"),
        ("/v2/" + "a" * 256 + "/tags/list", "NAME_INVALID"),
        ("/v2/a/manifests/-v1", "TAG_INVALID"),
        ("/v2/a/manifests/" + "t" * 129, "TAG_INVALID"),
        ("/v2/a/manifests/sha256:12", "DIGEST_INVALID"),
        ("/v2/a/manifests/md5:" + "0" * 32, "DIGEST_INVALID"),
        ("/v2/a/blobs/v1", "DIGEST_INVALID"),
        ("/v2/a/blobs/" + ABSENT[:-1] + "A", "DIGEST_INVALID"),
        ("/v2/a/blobs/uploads/a.b", "BLOB_UPLOAD_UNKNOWN"),
        ("/v2/a/uploads/x", "UNSUPPORTED"),
        ("/v2/_catalog", "UNSUPPORTED"),
        ("/v3/a/tags/list", "UNSUPPORTED"),
        ("http://host/v2/a/tags/list", "UNSUPPORTED"),
    ],
)
def test_path_that_cannot_be_says_why(path: str, code: str) -> None:
    with pytest.raises(Rejected) as raised:
        target_of(path)
    assert raised.value.code == code


def test_signed_state_holds_for_its_session_and_secret_only() -> None:
    url = upload_url("s", "a/b", "up", 42)
    path, _, state = url.partition("?_state=")
    assert path == "/v2/a/b/blobs/uploads/up"
    assert signed_offset("s", "a/b", "up", state) == 42
    others = [("t", "a/b", "up", state), ("s", "a", "up", state), ("s", "a/b", "qu", state), ("s", "a/b", "up", state.replace("42", "43"))]
    for secret, repository, upload, changed in [*others, ("s", "a/b", "up", ""), ("s", "a/b", "up", "-1.x"), ("s", "a/b", "up", "1.é")]:
        with pytest.raises(Rejected) as raised:
            signed_offset(secret, repository, upload, changed)
        assert (raised.value.status, raised.value.code) == (404, "BLOB_UPLOAD_INVALID")


@pytest.mark.parametrize(
    ("header", "expected"),
    [("bytes=0-0", (0, 1)), ("bytes=5-", (5, 5)), ("bytes=-4", (6, 4)), ("bytes=0-99", (0, 10)), ("bytes=-99", (0, 10))],
)
def test_range_of_ten_bytes(header: str, expected: tuple[int, int]) -> None:
    assert range_of(header, 10) == expected


@pytest.mark.parametrize("header", ["bytes=-", "bytes=10-", "bytes=-0", "bytes=3-2", "lines=1-2", "bytes=" + "9" * 30 + "-"])
def test_range_of_nothing_is_416(header: str) -> None:
    with pytest.raises(Rejected) as raised:
        range_of(header, 10)
    assert raised.value.status == 416


def test_post_with_a_digest_takes_the_blob() -> None:
    with talking(MemoryStore()) as talk:
        assert talk.ask("POST", f"/v2/r/blobs/uploads/?digest={digest_of(BLOB)}", BLOB, BINARY).status == 201
        assert talk.ask("GET", f"/v2/r/blobs/{digest_of(BLOB)}").body == BLOB
        assert talk.ask("POST", f"/v2/r/blobs/uploads/?digest={ABSENT}", BLOB, BINARY).codes == ["DIGEST_INVALID"]


@pytest.mark.parametrize("size", [WHOLE_MOST, WHOLE_MOST + 1])
def test_put_of_a_blob_in_one_piece_or_more_is_checked_before_it_is_acknowledged(size: int) -> None:
    with talking(MemoryStore()) as talk:
        content = b"x" * size
        wrong = talk.ask("PUT", f"{talk.open('r')}&digest={ABSENT}", content, BINARY)
        assert (wrong.status, wrong.codes) == (400, ["DIGEST_INVALID"])
        assert talk.ask("HEAD", f"/v2/r/blobs/{ABSENT}").status == 404
        digest = talk.push_blob("r", content)
        assert talk.ask("GET", f"/v2/r/blobs/{digest}").body == content


def test_put_of_a_whole_blob_into_a_session_with_bytes_says_where_the_session_is() -> None:
    with talking(MemoryStore()) as talk:
        location = talk.open("r")
        assert talk.ask("PATCH", location, b"begun", BINARY).status == 202
        refused = talk.ask("PUT", f"{location}&digest={digest_of(BLOB)}", BLOB, BINARY)
        assert (refused.status, refused.headers["range"]) == (416, "0-4")


def test_several_ranges_are_answered_with_the_whole_blob() -> None:
    with talking(MemoryStore()) as talk:
        reply = talk.ask("GET", f"/v2/r/blobs/{talk.push_blob('r', BLOB)}", None, {"Range": "bytes=0-1,3-4"})
        assert (reply.status, reply.body) == (200, BLOB)


def test_chunk_out_of_order_is_told_where_to_go_on() -> None:
    with talking(MemoryStore()) as talk:
        old = talk.open("r")
        talk.ask("PATCH", old, BLOB[:2], BINARY)
        reply = talk.ask("PATCH", old, BLOB[:2], BINARY)
        assert (reply.status, reply.headers["range"]) == (416, "0-1")
        assert talk.ask("PUT", f"{reply.headers['location']}&digest={digest_of(BLOB)}", BLOB[2:], BINARY).status == 201


def test_session_of_another_secret_is_refused() -> None:
    store = MemoryStore()
    with talking(store) as talk:
        forged = upload_url("another", "r", talk.ask("POST", "/v2/r/blobs/uploads/").headers["docker-upload-uuid"], 0)
        assert talk.ask("PATCH", forged, BLOB, BINARY).codes == ["BLOB_UPLOAD_INVALID"]


def test_referrers_are_listed_and_filtered_by_artifact_type() -> None:
    with talking(MemoryStore()) as talk:
        manifest = talk.push_image("r", "v1")
        subject = descriptor(manifest, OCI)
        typed = image(b"content", subject=subject, artifactType="application/x", annotations={"by": "me"})
        plain = image(b"content", subject=subject)
        for body in (typed, plain):
            assert talk.put("r", digest_of(body), body).headers["oci-subject"] == digest_of(manifest)
        reply = talk.ask("GET", f"/v2/r/referrers/{digest_of(manifest)}")
        assert (reply.status, reply.headers["content-type"]) == (200, INDEX)
        entries = [
            {**descriptor(typed, OCI), "artifactType": "application/x", "annotations": {"by": "me"}},
            {**descriptor(plain, OCI), "artifactType": CONFIG},
        ]
        assert json.loads(reply.body)["manifests"] == entries
        reply = talk.ask("GET", f"/v2/r/referrers/{digest_of(manifest)}?artifactType=application/x")
        assert reply.headers["oci-filters-applied"] == "artifactType"
        assert json.loads(reply.body)["manifests"] == entries[:1]


def test_digest_that_nobody_refers_to_has_an_empty_list() -> None:
    with talking(MemoryStore()) as talk:
        reply = talk.ask("GET", f"/v2/nobody/referrers/{ABSENT}")
        assert (reply.status, json.loads(reply.body)["manifests"]) == (200, [])


@pytest.mark.parametrize(
    "document",
    [{"schemaVersion": 1}, {"schemaVersion": 2}, {"schemaVersion": 2, "config": descriptor(BLOB, CONFIG), "manifests": []}, {"config": {}}],
)
def test_manifest_of_no_known_shape_is_refused(document: dict[str, object]) -> None:
    with talking(MemoryStore()) as talk:
        talk.push_blob("r", BLOB)
        reply = talk.put("r", "v1", json.dumps(document).encode())
        assert (reply.status, reply.codes) == (400, ["MANIFEST_INVALID"])


def test_write_that_no_quorum_answered_is_503_and_never_a_refusal() -> None:
    store = MemoryStore()
    with talking(store) as talk:
        location = talk.open("r")
        manifest = talk.push_image("r", "v1")
        store.is_available = False
        for method, target in (("PUT", "/v2/r/manifests/v1"), ("DELETE", "/v2/r/manifests/v1"), ("POST", "/v2/r/blobs/uploads/")):
            assert talk.ask(method, target, manifest, {"Content-Type": OCI}).status == 503
        assert talk.ask("PATCH", location, BLOB, BINARY).status == 503
        assert talk.ask("PUT", f"{location}&digest={digest_of(BLOB)}").codes == ["UNAVAILABLE"]
