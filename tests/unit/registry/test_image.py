import hashlib
import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaoskit.model.workload import PlannedBlob
from chaoskit.registry.image import CHUNK_BYTES, blob, blob_bytes, children, digest_of, image_manifest, tags

CONFIG = blob(PlannedBlob(seed=1, size_bytes=300, chunked=False))
LAYER = blob(PlannedBlob(seed=2, size_bytes=1000, chunked=True))
SHA = "sha256:" + "a" * 64


@given(seed=st.integers(0, 2**64 - 1), size_bytes=st.integers(0, 3 * CHUNK_BYTES))
def test_a_blob_has_its_size_its_digest_and_the_same_bytes_again(seed: int, size_bytes: int) -> None:
    content = b"".join(blob_bytes(seed, size_bytes))
    assert len(content) == size_bytes
    assert content == b"".join(blob_bytes(seed, size_bytes))
    assert blob(PlannedBlob(seed, size_bytes, False)).digest == "sha256:" + hashlib.sha256(content).hexdigest()


def test_no_chunk_is_longer_than_the_chunk_size() -> None:
    assert [len(chunk) for chunk in blob_bytes(7, 2 * CHUNK_BYTES + 1)] == [CHUNK_BYTES, CHUNK_BYTES, 1]


def test_blobs_of_different_seeds_differ_and_do_not_compress() -> None:
    first, second = b"".join(blob_bytes(1, 10_000)), b"".join(blob_bytes(2, 10_000))
    assert first != second
    assert len(zlib.compress(first, 9)) > 9_990


def test_the_manifest_is_canonical_json_of_config_and_layers() -> None:
    manifest = image_manifest(CONFIG, (LAYER,), run_id="r1", session=5, attempt=2)
    document = json.loads(manifest.body)
    assert manifest.body == json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
    assert manifest.digest == digest_of(manifest.body)
    assert document["config"] == {"mediaType": "application/vnd.chaoskit.random.v1", "digest": CONFIG.digest, "size": 300}
    assert document["annotations"] == {"dev.chaoskit.run": "r1", "dev.chaoskit.session": "5", "dev.chaoskit.attempt": "2"}
    assert children(manifest.body) == manifest.children == (CONFIG.digest, LAYER.digest)


def test_each_attempt_has_other_bytes() -> None:
    digests = {
        image_manifest(CONFIG, (LAYER,), run_id=run_id, session=session, attempt=attempt).digest
        for run_id in ("r1", "r2")
        for session in (1, 2)
        for attempt in (0, 1)
    }
    assert len(digests) == 8


def test_children_of_an_index_are_its_manifests() -> None:
    body = json.dumps({"schemaVersion": 2, "manifests": [{"digest": SHA, "size": 1, "platform": {"os": "linux"}}]}).encode()
    assert children(body) == (SHA,)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"{}",
        b'{"schemaVersion":2}',
        b'{"schemaVersion":2,"config":{"digest":"sha256:short"}}',
        b'{"schemaVersion":2,"config":{"digest":"' + SHA.encode(),
    ],
)
def test_what_is_no_manifest_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match="manifest"):
        children(body)


def test_tags_keep_their_order_and_null_is_none() -> None:
    assert tags(b'{"name":"r","tags":["v2","v1"]}') == ("v2", "v1")
    assert tags(b'{"name":"r","tags":null}') == ()


@pytest.mark.parametrize("body", [b"[]", b'{"tags":["a"]}', b'{"name":"r","tags":[1]}', b'{"name":"r","tags":["a"'])
def test_what_is_no_list_of_tags_is_refused(body: bytes) -> None:
    with pytest.raises(ValueError, match="not a list of tags"):
        tags(body)
