"""Blobs, uploads and manners of the OCI distribution API: the same tests against our registry and the real one."""

import hashlib
import re
import socket

import pytest

from chaoskit.drivers.base import Address
from tests.embedded.registry.talk import ABSENT, BINARY, Talk, digest_of

BLOB = bytes(range(256)) * 4


def test_base_says_that_this_is_a_registry(talk: Talk) -> None:
    reply = talk.ask("GET", "/v2/")
    assert reply.status == 200
    assert reply.headers["docker-distribution-api-version"] == "registry/2.0"


def test_blob_uploaded_whole_is_served_with_its_digest_and_length(talk: Talk, repository: str) -> None:
    reply = talk.ask("PUT", f"{talk.open(repository)}&digest={digest_of(BLOB)}", BLOB, BINARY)
    assert reply.status == 201
    assert reply.headers["location"] == f"/v2/{repository}/blobs/{digest_of(BLOB)}"
    assert reply.headers["docker-content-digest"] == digest_of(BLOB)
    reply = talk.ask("GET", f"/v2/{repository}/blobs/{digest_of(BLOB)}")
    assert (reply.status, reply.body) == (200, BLOB)
    assert reply.headers["content-length"] == str(len(BLOB))
    assert reply.headers["content-type"] == "application/octet-stream"
    assert reply.headers["docker-content-digest"] == digest_of(BLOB)


def test_head_of_a_blob_has_the_headers_and_no_body(talk: Talk, repository: str) -> None:
    talk.push_blob(repository, BLOB)
    reply = talk.ask("HEAD", f"/v2/{repository}/blobs/{digest_of(BLOB)}")
    assert (reply.status, reply.body) == (200, b"")
    assert reply.headers["content-length"] == str(len(BLOB))
    assert reply.headers["docker-content-digest"] == digest_of(BLOB)


@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE"])
def test_blob_of_another_repository_is_absent(talk: Talk, repository: str, method: str) -> None:
    talk.push_blob(repository, BLOB)
    reply = talk.ask(method, f"/v2/{repository}/other/blobs/{digest_of(BLOB)}")
    assert reply.status == 404
    assert method == "HEAD" or reply.codes == ["BLOB_UNKNOWN"]


@pytest.mark.parametrize(
    ("wanted", "content_range", "expected"),
    [
        ("bytes=0-9", "bytes 0-9/1024", BLOB[:10]),
        ("bytes=1000-", "bytes 1000-1023/1024", BLOB[1000:]),
        ("bytes=-3", "bytes 1021-1023/1024", BLOB[-3:]),
        ("bytes=1020-5000", "bytes 1020-1023/1024", BLOB[1020:]),
        ("bytes=-5000", "bytes 0-1023/1024", BLOB),
    ],
)
def test_range_is_served_in_part(talk: Talk, repository: str, wanted: str, content_range: str, expected: bytes) -> None:
    talk.push_blob(repository, BLOB)
    reply = talk.ask("GET", f"/v2/{repository}/blobs/{digest_of(BLOB)}", None, {"Range": wanted})
    assert (reply.status, reply.body) == (206, expected)
    assert reply.headers["content-range"] == content_range
    assert reply.headers["content-length"] == str(len(expected))


@pytest.mark.parametrize("wanted", ["bytes=1024-", "bytes=9-2", "nonsense"])
def test_range_that_cannot_be_is_416(talk: Talk, repository: str, wanted: str) -> None:
    talk.push_blob(repository, BLOB)
    assert talk.ask("GET", f"/v2/{repository}/blobs/{digest_of(BLOB)}", None, {"Range": wanted}).status == 416


def test_deleted_blob_is_absent_for_head_and_get_alike(talk: Talk, repository: str) -> None:
    talk.push_blob(repository, BLOB)
    target = f"/v2/{repository}/blobs/{digest_of(BLOB)}"
    assert talk.ask("DELETE", target).status == 202
    assert talk.ask("HEAD", target).status == 404
    assert talk.ask("GET", target).codes == ["BLOB_UNKNOWN"]
    assert talk.ask("DELETE", target).status == 404


def test_mount_links_a_blob_of_another_repository(talk: Talk, repository: str) -> None:
    talk.push_blob(repository, BLOB)
    reply = talk.ask("POST", f"/v2/{repository}/mounted/blobs/uploads/?mount={digest_of(BLOB)}&from={repository}")
    assert reply.status == 201
    assert reply.headers["docker-content-digest"] == digest_of(BLOB)
    assert talk.ask("GET", f"/v2/{repository}/mounted/blobs/{digest_of(BLOB)}").body == BLOB


@pytest.mark.parametrize(
    "query", [f"mount={ABSENT}&from=nowhere", f"mount={ABSENT}", "mount=nonsense&from=nowhere", f"mount={ABSENT}&from=UPPER"]
)
def test_mount_that_cannot_be_falls_back_to_a_session(talk: Talk, repository: str, query: str) -> None:
    reply = talk.ask("POST", f"/v2/{repository}/blobs/uploads/?{query}")
    assert reply.status == 202
    assert talk.ask("GET", reply.headers["location"]).status == 204


def test_new_session_says_where_it_goes_on(talk: Talk, repository: str) -> None:
    reply = talk.ask("POST", f"/v2/{repository}/blobs/uploads/")
    assert reply.status == 202
    upload = reply.headers["docker-upload-uuid"]
    assert re.fullmatch(rf"/v2/{repository}/blobs/uploads/{re.escape(upload)}\?_state=\S+", reply.headers["location"])
    assert reply.headers["range"] == "0-0"


@pytest.mark.parametrize("has_ranges", [True, False])
def test_chunks_in_order_make_a_blob(talk: Talk, repository: str, has_ranges: bool) -> None:
    location = talk.open(repository)
    for start in range(0, 1024, 512):
        headers = {**BINARY, "Content-Range": f"{start}-{start + 511}"} if has_ranges else BINARY
        reply = talk.ask("PATCH", location, BLOB[start : start + 512], headers)
        assert (reply.status, reply.headers["range"]) == (202, f"0-{start + 511}")
        location = reply.headers["location"]
    status = talk.ask("GET", location)
    assert (status.status, status.headers["range"]) == (204, "0-1023")
    reply = talk.ask("PUT", f"{location}&digest={digest_of(BLOB)}")
    assert reply.status == 201
    assert talk.ask("GET", f"/v2/{repository}/blobs/{digest_of(BLOB)}").body == BLOB


def test_last_chunk_may_come_with_the_put(talk: Talk, repository: str) -> None:
    reply = talk.ask("PATCH", talk.open(repository), BLOB[:512], BINARY)
    reply = talk.ask("PUT", f"{reply.headers['location']}&digest={digest_of(BLOB)}", BLOB[512:], {**BINARY, "Content-Range": "512-1023"})
    assert reply.status == 201
    assert talk.ask("GET", f"/v2/{repository}/blobs/{digest_of(BLOB)}").body == BLOB


def test_chunked_encoding_makes_a_blob(talk: Talk, repository: str) -> None:
    location = talk.open(repository)
    talk.connection.request("PATCH", location, iter([BLOB[:100], BLOB[100:]]), BINARY, encode_chunked=True)
    with talk.connection.getresponse() as response:
        assert response.read() == b""
        assert (response.status, response.getheader("Range")) == (202, "0-1023")


@pytest.mark.parametrize("content_range", ["0-511", "600-1111"])
def test_chunk_out_of_order_is_416_and_changes_nothing(talk: Talk, repository: str, content_range: str) -> None:
    location = talk.ask("PATCH", talk.open(repository), BLOB[:512], BINARY).headers["location"]
    reply = talk.ask("PATCH", location, BLOB[512:], {**BINARY, "Content-Range": content_range})
    assert (reply.status, reply.codes) == (416, ["RANGE_INVALID"])
    assert talk.ask("GET", location).headers["range"] == "0-511"


def test_chunk_at_an_old_location_is_416(talk: Talk, repository: str) -> None:
    location = talk.open(repository)
    assert talk.ask("PATCH", location, BLOB[:512], BINARY).status == 202
    assert talk.ask("PATCH", location, BLOB[:512], BINARY).status == 416
    assert talk.ask("GET", location).headers["range"] == "0-511"


def test_chunk_of_another_length_than_its_range_is_refused(talk: Talk, repository: str) -> None:
    reply = talk.ask("PATCH", talk.open(repository), BLOB, {**BINARY, "Content-Range": "0-511"})
    assert (reply.status, reply.codes) == (400, ["SIZE_INVALID"])


def test_status_of_an_old_location_leads_to_where_the_session_is(talk: Talk, repository: str) -> None:
    old = talk.open(repository)
    talk.ask("PATCH", old, BLOB[:512], BINARY)
    location = talk.ask("GET", old).headers["location"]
    assert talk.ask("PATCH", location, BLOB[512:], BINARY).headers["range"] == "0-1023"


@pytest.mark.parametrize(
    ("query", "detail"), [(f"&digest={ABSENT}", "another digest"), ("&digest=nonsense", "no digest"), ("", "none at all")]
)
def test_put_with_a_wrong_digest_is_refused(talk: Talk, repository: str, query: str, detail: str) -> None:
    reply = talk.ask("PUT", talk.open(repository) + query, BLOB, BINARY)
    assert (reply.status, reply.codes) == (400, ["DIGEST_INVALID"]), detail
    assert talk.ask("HEAD", f"/v2/{repository}/blobs/{ABSENT}").status == 404


def test_session_ends_with_its_put(talk: Talk, repository: str) -> None:
    location = talk.open(repository)
    assert talk.ask("PUT", f"{location}&digest={digest_of(BLOB)}", BLOB, BINARY).status == 201
    assert talk.ask("GET", location).codes == ["BLOB_UPLOAD_UNKNOWN"]


def test_cancelled_session_is_gone(talk: Talk, repository: str) -> None:
    location = talk.open(repository)
    assert talk.ask("DELETE", location).status == 204
    for method in ("GET", "PATCH", "DELETE"):
        reply = talk.ask(method, location, b"x" if method == "PATCH" else None, BINARY)
        assert (reply.status, reply.codes) == (404, ["BLOB_UPLOAD_UNKNOWN"]), method


def test_unknown_session_is_404(talk: Talk, repository: str) -> None:
    reply = talk.ask("GET", f"/v2/{repository}/blobs/uploads/0188f4a5-0000-7000-8000-000000000000?_state=x")
    assert (reply.status, reply.codes) == (404, ["BLOB_UPLOAD_UNKNOWN"])


def test_forged_state_is_404_for_writes(talk: Talk, repository: str) -> None:
    location, _, state = talk.open(repository).partition("?")
    forged = state[:-6] + ("AAAAAA" if state[-6:] != "AAAAAA" else "BBBBBB")
    for query in ("", "?_state=", f"?{forged}"):
        reply = talk.ask("PATCH", location + query, BLOB, BINARY)
        assert (reply.status, reply.codes) == (404, ["BLOB_UPLOAD_INVALID"]), query


def test_post_with_a_digest_takes_the_blob_or_opens_a_session(talk: Talk, repository: str) -> None:
    reply = talk.ask("POST", f"/v2/{repository}/blobs/uploads/?digest={digest_of(BLOB)}", BLOB, BINARY)
    assert reply.status in (201, 202)
    if reply.status == 202:
        assert talk.ask("PUT", f"{reply.headers['location']}&digest={digest_of(BLOB)}", BLOB, BINARY).status == 201
    assert talk.ask("GET", f"/v2/{repository}/blobs/{digest_of(BLOB)}").body == BLOB


def test_empty_blob_is_a_blob(talk: Talk, repository: str) -> None:
    assert talk.ask("PUT", f"{talk.open(repository)}&digest={digest_of(b'')}").status == 201
    reply = talk.ask("GET", f"/v2/{repository}/blobs/{digest_of(b'')}")
    assert (reply.status, reply.body, reply.headers["content-length"]) == (200, b"", "0")


def test_sha512_is_a_digest_too(talk: Talk, repository: str) -> None:
    digest = "sha512:" + hashlib.sha512(BLOB).hexdigest()
    assert talk.ask("PUT", f"{talk.open(repository)}&digest={digest}", BLOB, BINARY).status == 201
    assert talk.ask("GET", f"/v2/{repository}/blobs/{digest}").body == BLOB


@pytest.mark.parametrize(
    "target",
    [
        "/v2/UPPER/tags/list",
        "/v2/-x/tags/list",
        "/v2/x..y/tags/list",
        "/v2/x___y/tags/list",
        "/v2/x/manifests/.tag",
        "/v2/x/manifests/" + "t" * 129,
        "/v2/x/manifests/sha256:12",
        "/v2/x/blobs/sha256:12",
        "/v2/x/blobs/nonsense",
        "/v2/x/nonsense/y",
    ],
)
def test_what_cannot_be_named_is_a_client_error(talk: Talk, target: str) -> None:
    assert talk.ask("GET", target).status in (400, 404)


def test_wrong_method_is_405(talk: Talk, repository: str) -> None:
    assert talk.ask("PUT", f"/v2/{repository}/tags/list").status == 405
    assert talk.ask("PATCH", f"/v2/{repository}/manifests/x", b"x").status == 405


def test_client_that_expects_100_gets_it_before_it_sends(entry: Address, talk: Talk, repository: str) -> None:
    location = f"{talk.open(repository)}&digest={digest_of(BLOB)}"
    head = f"PUT {location} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(BLOB)}\r\nExpect: 100-continue\r\n\r\n"
    with socket.create_connection((entry.host, entry.port), timeout=10) as connection:
        connection.sendall(head.encode())
        assert connection.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(BLOB)
        assert connection.recv(1000).startswith(b"HTTP/1.1 201 ")


@pytest.mark.parametrize(
    "head",
    [
        b"nonsense\r\n\r\n",
        b"GET /v2/ HTTP/9.9\r\nHost: x\r\n\r\n",
        b"GET /v2/ HTTP/1.1\r\nHost: x\r\nbad header\r\n\r\n",
        b"POST /v2/x/blobs/uploads/ HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n",
        b"POST /v2/x/blobs/uploads/ HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
    ],
)
def test_what_is_no_http_is_answered_and_closed(entry: Address, talk: Talk, head: bytes) -> None:
    with socket.create_connection((entry.host, entry.port), timeout=10) as connection:
        connection.sendall(head)
        answer = b"".join(iter(lambda: connection.recv(4096), b""))
    assert re.match(rb"HTTP/1\.[01] (400|505) ", answer), answer
    assert talk.ask("GET", "/v2/").status == 200
