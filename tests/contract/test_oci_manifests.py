"""Manifests, tags and referrers of the OCI distribution API: the same tests against our registry and the real one."""

import json
import re

import pytest

from tests.embedded.registry.talk import ABSENT, DOCKER, DOCKER_LIST, INDEX, OCI, Talk, descriptor, digest_of, image, index

BLOB = bytes(range(256)) * 4


def test_manifest_comes_back_byte_for_byte_by_tag_and_digest(talk: Talk, repository: str) -> None:
    manifest = talk.push_image(repository, "v1")
    for reference in ("v1", digest_of(manifest)):
        reply = talk.get(repository, reference)
        assert (reply.status, reply.body) == (200, manifest)
        assert reply.headers["content-type"] == OCI
        assert reply.headers["content-length"] == str(len(manifest))
        assert reply.headers["docker-content-digest"] == digest_of(manifest)


def test_manifest_put_names_its_digest_and_place(talk: Talk, repository: str) -> None:
    talk.push_blob(repository, BLOB)
    manifest = image(BLOB)
    reply = talk.put(repository, "v1", manifest)
    assert (reply.status, reply.headers["docker-content-digest"]) == (201, digest_of(manifest))
    assert reply.headers["location"] == f"/v2/{repository}/manifests/{digest_of(manifest)}"


def test_head_of_a_manifest_has_the_headers_and_no_body(talk: Talk, repository: str) -> None:
    manifest = talk.push_image(repository, "v1")
    reply = talk.ask("HEAD", f"/v2/{repository}/manifests/v1", None, {"Accept": OCI})
    assert (reply.status, reply.body) == (200, b"")
    assert reply.headers["content-length"] == str(len(manifest))
    assert reply.headers["docker-content-digest"] == digest_of(manifest)


@pytest.mark.parametrize("media_type", [OCI, DOCKER])
def test_image_manifests_of_both_families_are_kept_as_sent(talk: Talk, repository: str, media_type: str) -> None:
    talk.push_blob(repository, BLOB)
    manifest = image(BLOB, BLOB, media_type=media_type)
    assert talk.put(repository, "v1", manifest, f"{media_type}; charset=utf-8").status == 201
    reply = talk.get(repository, "v1")
    assert (reply.body, reply.headers["content-type"]) == (manifest, media_type)


@pytest.mark.parametrize("media_type", [INDEX, DOCKER_LIST])
def test_indexes_of_both_families_are_kept_as_sent(talk: Talk, repository: str, media_type: str) -> None:
    listing = index(talk.push_image(repository, "v1"), media_type=media_type)
    assert talk.put(repository, "all", listing, media_type).status == 201
    reply = talk.get(repository, "all")
    assert (reply.body, reply.headers["content-type"]) == (listing, media_type)


def test_manifest_pushed_by_digest_has_no_tag(talk: Talk, repository: str) -> None:
    talk.push_blob(repository, BLOB)
    manifest = image(BLOB)
    assert talk.put(repository, digest_of(manifest), manifest).status == 201
    assert talk.get(repository, digest_of(manifest)).body == manifest


def test_manifest_under_another_digest_is_refused(talk: Talk, repository: str) -> None:
    talk.push_blob(repository, BLOB)
    reply = talk.put(repository, ABSENT, image(BLOB))
    assert (reply.status, reply.codes) == (400, ["DIGEST_INVALID"])


def test_manifest_stays_readable_by_digest_when_its_tag_moves(talk: Talk, repository: str) -> None:
    first = talk.push_image(repository, "v1", b"first")
    second = talk.push_image(repository, "v1", b"second")
    assert talk.get(repository, "v1").body == second
    assert talk.get(repository, digest_of(first)).body == first


def test_manifest_names_all_children_that_are_missing(talk: Talk, repository: str) -> None:
    talk.push_blob(repository, BLOB)
    reply = talk.put(repository, "v1", image(BLOB, b"missing", BLOB, b"missing too"))
    assert (reply.status, reply.codes) == (400, ["MANIFEST_BLOB_UNKNOWN"] * 2)
    assert [error["detail"] for error in json.loads(reply.body)["errors"]] == [digest_of(b"missing"), digest_of(b"missing too")]
    assert talk.get(repository, "v1").status == 404


def test_index_of_a_missing_manifest_is_refused(talk: Talk, repository: str) -> None:
    reply = talk.put(repository, "v1", index(b"missing"), INDEX)
    assert (reply.status, reply.codes) == (400, ["MANIFEST_BLOB_UNKNOWN"])


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'"x"', b"\xff\xfe"])
def test_manifest_that_is_no_json_object_is_refused(talk: Talk, repository: str, body: bytes) -> None:
    reply = talk.put(repository, "v1", body)
    assert (reply.status, reply.codes) == (400, ["MANIFEST_INVALID"])


@pytest.mark.parametrize("media_type", ["text/plain", DOCKER, INDEX])
def test_manifest_of_another_type_than_it_says_is_refused(talk: Talk, repository: str, media_type: str) -> None:
    talk.push_blob(repository, BLOB)
    reply = talk.put(repository, "v1", image(BLOB), media_type)
    assert (reply.status, reply.codes) == (400, ["MANIFEST_INVALID"])


def test_manifest_over_4_mib_is_refused(talk: Talk, repository: str) -> None:
    talk.push_blob(repository, BLOB)
    reply = talk.put(repository, "v1", image(BLOB, annotations={"long": "x" * 4 * 1024 * 1024}))
    assert reply.status in (400, 413)


@pytest.mark.parametrize("reference", ["absent", ABSENT])
def test_unknown_manifest_is_404(talk: Talk, repository: str, reference: str) -> None:
    reply = talk.get(repository, reference)
    assert (reply.status, reply.codes) == (404, ["MANIFEST_UNKNOWN"])
    assert talk.ask("HEAD", f"/v2/{repository}/manifests/{reference}").status == 404
    assert talk.ask("DELETE", f"/v2/{repository}/manifests/{reference}").codes == ["MANIFEST_UNKNOWN"]


def test_deleting_a_tag_leaves_the_manifest(talk: Talk, repository: str) -> None:
    manifest = talk.push_image(repository, "v1")
    assert talk.ask("DELETE", f"/v2/{repository}/manifests/v1").status == 202
    assert talk.get(repository, "v1").status == 404
    assert talk.get(repository, digest_of(manifest)).body == manifest


def test_deleting_a_digest_takes_its_tags_along(talk: Talk, repository: str) -> None:
    manifest = talk.push_image(repository, "v1")
    talk.put(repository, "v2", manifest)
    talk.push_image(repository, "other", b"other")
    assert talk.ask("DELETE", f"/v2/{repository}/manifests/{digest_of(manifest)}").status == 202
    assert talk.get(repository, digest_of(manifest)).status == 404
    assert talk.get(repository, "v1").status == 404
    assert json.loads(talk.ask("GET", f"/v2/{repository}/tags/list").body)["tags"] == ["other"]


def test_tags_are_listed_in_order(talk: Talk, repository: str) -> None:
    manifest = talk.push_image(repository, "v1")
    for tag in ("v10", "a", "v1-x", "B", "v1.1", "v2"):
        talk.put(repository, tag, manifest)
    reply = talk.ask("GET", f"/v2/{repository}/tags/list")
    assert reply.status == 200
    assert json.loads(reply.body) == {"name": repository, "tags": ["B", "a", "v1", "v1-x", "v1.1", "v10", "v2"]}
    assert "link" not in reply.headers


@pytest.mark.parametrize("count", [1, 2, 3, 6])
def test_pages_of_any_size_add_up_to_the_list(talk: Talk, repository: str, count: int) -> None:
    tags = ["a", "v1", "v1-x", "v1.1", "v10", "v2"]
    manifest = talk.push_image(repository, "a")
    for tag in tags:
        talk.put(repository, tag, manifest)
    target, seen = f"/v2/{repository}/tags/list?n={count}", list[str]()
    while target:
        reply = talk.ask("GET", target)
        page = json.loads(reply.body)["tags"]
        assert len(page) <= count
        seen += page
        following = re.fullmatch(r'<([^>]*)>; rel="next"', reply.headers.get("link", ""))
        target = following[1] if following else ""
    assert seen == tags


def test_last_need_not_be_a_tag(talk: Talk, repository: str) -> None:
    manifest = talk.push_image(repository, "a")
    for tag in ("c", "d"):
        talk.put(repository, tag, manifest)
    assert json.loads(talk.ask("GET", f"/v2/{repository}/tags/list?last=b&n=100").body)["tags"] == ["c", "d"]
    assert json.loads(talk.ask("GET", f"/v2/{repository}/tags/list?n=0").body)["tags"] == []


@pytest.mark.parametrize("count", ["x", "-1"])
def test_page_size_that_is_no_number_is_refused(talk: Talk, repository: str, count: str) -> None:
    talk.push_image(repository, "v1")
    reply = talk.ask("GET", f"/v2/{repository}/tags/list?n={count}")
    assert (reply.status, reply.codes) == (400, ["PAGINATION_NUMBER_INVALID"])


def test_tags_of_an_unknown_repository_are_404(talk: Talk, repository: str) -> None:
    reply = talk.ask("GET", f"/v2/{repository}/tags/list")
    assert (reply.status, reply.codes) == (404, ["NAME_UNKNOWN"])


def test_subject_is_confirmed_exactly_where_referrers_are_served(talk: Talk, repository: str) -> None:
    manifest = talk.push_image(repository, "v1")
    signature = image(b"content", subject=descriptor(manifest, OCI))
    reply = talk.put(repository, digest_of(signature), signature)
    assert reply.status == 201
    is_served = talk.ask("GET", f"/v2/{repository}/referrers/{digest_of(manifest)}").status == 200
    assert ("oci-subject" in reply.headers) == is_served
