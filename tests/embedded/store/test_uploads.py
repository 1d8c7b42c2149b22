"""Upload sessions shared by three stores: offsets, digests, big streams, and replicas that fall behind in the middle."""

import random
from pathlib import Path

import pytest
import uvloop

from chaoskit.drivers.embedded.store.client import StoreClient
from chaoskit.drivers.embedded.storeapi import NotFound, Refused, Unavailable
from tests.embedded.store.region import ZONES, digest_of, pieces, pull_blob, push_blob, region

ONE, TWO, THREE = ZONES
BIG = random.Random(7).randbytes(16 << 20)


async def append(store: StoreClient, upload: str, offset: int, body: bytes) -> int:
    return await store.upload_append("a", upload, offset, pieces(body))


def test_sixteen_megabytes_go_in_and_come_out_of_another_zone(tmp_path: Path) -> None:
    async def body() -> None:
        async with region(tmp_path) as here:
            digest = await push_blob(here.stores[ONE], "a", BIG)
            assert await pull_blob(here.stores[THREE], "a", digest) == BIG
            middle = [chunk async for chunk in here.stores[TWO].blob_read("a", digest, 5_000_001, 700_000)]
            assert b"".join(middle) == BIG[5_000_001:5_700_001]
            assert max(map(len, middle)) <= 256 * 1024

    uvloop.run(body())


def test_a_wrong_digest_is_refused_and_makes_no_blob(tmp_path: Path) -> None:
    async def body() -> None:
        async with region(tmp_path) as here:
            store = here.stores[ONE]
            upload = await store.upload_open("a")
            await append(store, upload, 0, BIG)
            wrong = digest_of(b"something else")
            with pytest.raises(Refused):
                await store.upload_commit("a", upload, wrong)
            with pytest.raises(NotFound):
                await store.blob_size("a", wrong)
            assert await store.upload_commit("a", upload, digest_of(BIG)) == len(BIG)

    uvloop.run(body())


def test_chunks_go_through_any_zone_in_order_and_nowhere_else(tmp_path: Path) -> None:
    async def body() -> None:
        async with region(tmp_path) as here:
            one, two, three = (here.stores[zone] for zone in ZONES)
            upload = await one.upload_open("a")
            assert await one.upload_length("a", upload) == 0
            assert await append(one, upload, 0, b"abc") == 3
            assert await append(two, upload, 3, b"def") == 6
            for offset in (0, 3, 7):
                with pytest.raises(Refused):
                    await append(three, upload, offset, b"xyz")
            assert await three.upload_length("a", upload) == 6
            for stranger in ("0" * 64, "../../log", upload[:-1] + "z"):
                with pytest.raises(NotFound):
                    await append(one, stranger, 0, b"x")
            with pytest.raises(NotFound):
                await one.upload_length("b", upload)
            assert await three.upload_commit("a", upload, digest_of(b"abcdef")) == 6
            for store in (one, two, three):
                with pytest.raises(NotFound):
                    await store.upload_length("a", upload)

    uvloop.run(body())


def test_a_cancelled_session_is_gone_in_every_zone(tmp_path: Path) -> None:
    async def body() -> None:
        async with region(tmp_path) as here:
            upload = await here.stores[ONE].upload_open("a")
            await append(here.stores[ONE], upload, 0, b"abc")
            await here.stores[TWO].upload_cancel("a", upload)
            for store in here.stores.values():
                with pytest.raises(NotFound):
                    await store.upload_cancel("a", upload)

    uvloop.run(body())


def test_a_session_survives_each_store_being_away_for_a_chunk(tmp_path: Path) -> None:
    """No replica has all three chunks when the commit comes: whoever is behind is brought level."""
    chunks = (BIG[:300_000], BIG[300_000:400_000], BIG[400_000:1_000_000])

    async def body() -> None:
        async with region(tmp_path) as here:
            upload = await here.stores[ONE].upload_open("a")
            offset = 0
            for away, chunk in zip(ZONES, chunks, strict=True):
                await here.stop(away)
                asked = next(zone for zone in ZONES if zone != away)
                offset = await append(here.stores[asked], upload, offset, chunk)
                here.start(away)
                await here.ready()
            digest = digest_of(b"".join(chunks))
            assert await here.stores[THREE].upload_commit("a", upload, digest) == 1_000_000
            assert await pull_blob(here.stores[ONE], "a", digest) == BIG[:1_000_000]

    uvloop.run(body())


def test_an_upload_stops_without_a_quorum(tmp_path: Path) -> None:
    async def body() -> None:
        async with region(tmp_path) as here:
            store = here.stores[ONE]
            upload = await store.upload_open("a")
            await append(store, upload, 0, b"abc")
            await here.stop(TWO, THREE)
            with pytest.raises(Unavailable):
                await append(store, upload, 3, b"def")
            with pytest.raises(Unavailable):
                await store.upload_commit("a", upload, digest_of(b"abc"))

    uvloop.run(body())


def test_mount_gives_the_bytes_to_another_repository_only_if_the_source_has_them(tmp_path: Path) -> None:
    async def body() -> None:
        async with region(tmp_path) as here:
            digest = await push_blob(here.stores[ONE], "a", b"shared")
            assert await here.stores[TWO].blob_mount("b", digest, "a")
            assert not await here.stores[TWO].blob_mount("c", digest, "nowhere")
            await here.stores[ONE].blob_delete("a", digest)
            assert await pull_blob(here.stores[THREE], "b", digest) == b"shared"

    uvloop.run(body())


def test_the_empty_blob_is_a_blob(tmp_path: Path) -> None:
    async def body() -> None:
        async with region(tmp_path) as here:
            digest = await push_blob(here.stores[ONE], "a", b"")
            assert await here.stores[TWO].blob_size("a", digest) == 0
            assert await pull_blob(here.stores[THREE], "a", digest) == b""

    uvloop.run(body())
