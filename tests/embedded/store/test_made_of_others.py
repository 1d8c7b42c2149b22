"""The three calls that do in one message what two others do: the same answers as those, with a zone away, and through a store that lies."""

import random
from pathlib import Path

import pytest
import uvloop

from chaoskit.drivers.embedded.registry.forwarding import Forwarding
from chaoskit.drivers.embedded.storeapi import PART_MOST, NotFound, Refused, Store, StoredManifest, Unavailable
from tests.embedded.store.region import ZONES, digest_of, manifest, pieces, pull_blob, push_blob, region

ONE, TWO, THREE = ZONES
SMALL = b"a small blob"


class Lying(Forwarding):
    """Has the size of every blob, the value of every tag and every manifest from itself."""

    async def blob_size(self, repository: str, digest: str) -> int:
        return await self.inner.blob_size(repository, digest) - 2

    async def tag_get(self, repository: str, tag: str) -> str:
        return await self.inner.tag_get(repository, "v2")

    async def upload_commit(self, repository: str, upload: str, digest: str) -> int:
        return -await self.inner.upload_commit(repository, upload, digest)


async def whole(store: Store, body: bytes, digest: str = "") -> str:
    upload = await store.upload_open("a")
    assert await store.upload_whole("a", upload, digest or digest_of(body), body) == len(body)
    return upload


def test_a_blob_sent_whole_is_read_in_every_zone_and_its_session_has_ended(tmp_path: Path) -> None:
    async def body() -> None:
        async with region(tmp_path) as here:
            upload = await whole(here.stores[ONE], SMALL)
            for zone in ZONES:
                assert await pull_blob(here.stores[zone], "a", digest_of(SMALL)) == SMALL
            with pytest.raises(NotFound):
                await here.stores[TWO].upload_whole("a", upload, digest_of(SMALL), SMALL)

    uvloop.run(body())


def test_a_blob_sent_whole_is_there_after_all_stores_were_killed(tmp_path: Path) -> None:
    async def body() -> None:
        async with region(tmp_path) as here:
            await here.stop(THREE)
            await whole(here.stores[ONE], SMALL)
            await here.stop(ONE, TWO)
            here.start()
            await here.ready()
            for zone in ZONES:
                assert await pull_blob(here.stores[zone], "a", digest_of(SMALL)) == SMALL

    uvloop.run(body())


def test_a_blob_sent_whole_without_a_quorum_is_not_acknowledged(tmp_path: Path) -> None:
    async def body() -> None:
        async with region(tmp_path) as here:
            upload = await here.stores[ONE].upload_open("a")
            await here.stop(TWO, THREE)
            with pytest.raises(Unavailable):
                await here.stores[ONE].upload_whole("a", upload, digest_of(SMALL), SMALL)

    uvloop.run(body())


def test_a_session_that_has_bytes_refuses_a_whole_blob_and_keeps_them(tmp_path: Path) -> None:
    async def body() -> None:
        async with region(tmp_path) as here:
            upload = await here.stores[ONE].upload_open("a")
            await here.stores[ONE].upload_append("a", upload, 0, pieces(b"begun"))
            with pytest.raises(Refused):
                await here.stores[TWO].upload_whole("a", upload, digest_of(SMALL), SMALL)
            assert await here.stores[THREE].upload_commit("a", upload, digest_of(b"begun")) == 5
            with pytest.raises(NotFound):
                await here.stores[ONE].blob_size("a", digest_of(SMALL))

    uvloop.run(body())


def test_whole_bytes_of_another_digest_make_no_blob(tmp_path: Path) -> None:
    async def body() -> None:
        async with region(tmp_path) as here:
            with pytest.raises(Refused):
                await whole(here.stores[ONE], SMALL, digest_of(b"something else"))
            for digest in (digest_of(b"something else"), digest_of(SMALL)):
                with pytest.raises(NotFound):
                    await here.stores[ONE].blob_size("a", digest)

    uvloop.run(body())


@pytest.mark.parametrize("size", [0, 1, PART_MOST, PART_MOST + 1])
def test_a_blob_begins_with_its_size_and_all_that_fits_in_one_part(tmp_path: Path, size: int) -> None:
    async def body() -> None:
        content = random.Random(size).randbytes(size)
        async with region(tmp_path) as here:
            digest = await push_blob(here.stores[ONE], "a", content)
            await here.stop(ONE)
            assert await here.stores[TWO].blob_begin("a", digest) == (size, content[:PART_MOST])
            with pytest.raises(NotFound):
                await here.stores[TWO].blob_begin("b", digest)

    uvloop.run(body())


def test_the_manifest_of_a_tag_is_that_of_its_newest_digest(tmp_path: Path) -> None:
    async def body() -> None:
        first, second = manifest("one"), manifest("two")
        async with region(tmp_path) as here:
            for one in (first, second):
                await here.stores[ONE].manifest_put("a", one, (), "")
                await here.stores[ONE].tag_set("a", "v", one.digest)
                assert await here.stores[THREE].manifest_of("a", "v") == one
            await here.stores[ONE].manifest_delete("a", second.digest)
            for tag in ("v", "never"):
                with pytest.raises(NotFound):
                    await here.stores[TWO].manifest_of("a", tag)

    uvloop.run(body())


def test_a_lie_about_a_part_is_told_by_the_whole(tmp_path: Path) -> None:
    async def body() -> None:
        first, second = manifest("one"), manifest("two")
        async with region(tmp_path) as here:
            for tag, one in (("v1", first), ("v2", second)):
                await here.stores[ONE].manifest_put("a", one, (), "")
                await here.stores[ONE].tag_set("a", tag, one.digest)
            liar = Lying(here.stores[ONE])
            assert await liar.manifest_of("a", "v1") == StoredManifest(second.digest, second.media_type, second.body)
            upload = await liar.upload_open("a")
            assert await liar.upload_whole("a", upload, digest_of(SMALL), SMALL) == -len(SMALL)
            assert await liar.blob_begin("a", digest_of(SMALL)) == (len(SMALL) - 2, SMALL[:-2])

    uvloop.run(body())
