"""Three stores in one loop: what holds with all, with two and with one of them, over restarts and after a rejoin."""

import asyncio
import contextlib
import random
import time
from pathlib import Path

import pytest
import uvloop

from chaoskit.drivers.base import Address
from chaoskit.drivers.embedded.store.client import StoreClient
from chaoskit.drivers.embedded.storeapi import NotFound, Refused, Unavailable
from tests.embedded.store.region import (
    ZONES,
    digest_of,
    free_port,
    manifest,
    pieces,
    pull_blob,
    push_blob,
    region,
    tag_or_absent,
    until,
)

ONE, TWO, THREE = ZONES
D = [digest_of(bytes([number])) for number in range(100)]


def test_what_one_zone_wrote_every_zone_reads(tmp_path: Path) -> None:
    async def body() -> None:
        async with region(tmp_path) as here:
            blob = await push_blob(here.stores[ONE], "a/b", b"x" * 1000)
            image = manifest("{}")
            await here.stores[ONE].manifest_put("a/b", image, (blob,), D[1])
            await here.stores[ONE].tag_set("a/b", "v1", image.digest)
            for store in here.stores.values():
                assert await store.tag_get("a/b", "v1") == image.digest
                assert await store.manifest_get("a/b", image.digest) == image
                assert await store.referrers("a/b", D[1]) == (image,)
                assert await store.tags("a/b") == ("v1",)
                assert await pull_blob(store, "a/b", blob) == b"x" * 1000
                with pytest.raises(NotFound):
                    await store.blob_size("other", blob)

    uvloop.run(body())


def test_tags_go_on_with_one_store_down_and_stop_with_two(tmp_path: Path) -> None:
    async def body() -> None:
        async with region(tmp_path) as here:
            store = here.stores[ONE]
            await store.tag_set("a", "v", D[1])
            await here.stop(TWO)
            await store.tag_set("a", "v", D[2])
            assert await store.tag_get("a", "v") == D[2]
            await here.stop(THREE)
            for call in (store.tag_get("a", "v"), store.tag_set("a", "v", D[3]), store.tag_get("a", "none"), store.blob_size("a", D[1])):
                with pytest.raises(Unavailable):
                    await call
            here.start(TWO, THREE)
            await here.ready()
            assert await here.stores[TWO].tag_get("a", "v") in (D[2], D[3])

    uvloop.run(body())


def test_a_store_that_was_away_reads_right_at_once_and_has_everything_soon(tmp_path: Path) -> None:
    big = random.Random(1).randbytes(300_000)

    async def body() -> None:
        async with region(tmp_path) as here:
            store = here.stores[ONE]
            await store.tag_set("a", "v", D[1])
            await here.stop(THREE)
            image = manifest("{1}")
            small = await push_blob(store, "a", b"small")
            large = await push_blob(store, "a", big)
            await store.manifest_put("a", image, (small, large), "")
            await store.tag_set("a", "v", image.digest)
            here.start(THREE)
            await here.ready(THREE)
            back = here.stores[THREE]
            assert await back.tag_get("a", "v") == image.digest
            assert await back.manifest_get("a", image.digest) == image
            assert await pull_blob(back, "a", large) == big
            await until(lambda: holds(large), "the blob's file is in the zone that was away")
            await here.stop(ONE)
            assert await pull_blob(back, "a", small) == b"small"
            assert await back.tags("a") == ("v",)

    async def holds(digest: str) -> bool:
        return (tmp_path / THREE / "blobs" / digest).exists()

    uvloop.run(body())


def test_a_store_that_was_away_does_not_bring_back_what_was_deleted(tmp_path: Path) -> None:
    async def body() -> None:
        async with region(tmp_path) as here:
            store = here.stores[ONE]
            blob = await push_blob(store, "a", b"small")
            image, other = manifest("{1}"), manifest("{2}")
            for pushed in (image, other):
                await store.manifest_put("a", pushed, (blob,), "")
            await store.tag_set("a", "v", image.digest)
            await store.tag_set("a", "w", image.digest)
            await store.tag_set("a", "x", other.digest)
            await here.stop(THREE)
            await store.manifest_delete("a", image.digest)
            await store.blob_delete("a", blob)
            here.start(THREE)
            await here.ready(THREE)
            await here.stop(TWO)
            back = here.stores[THREE]
            for one in (store, back):
                with pytest.raises(NotFound):
                    await one.manifest_get("a", image.digest)
                with pytest.raises(NotFound):
                    await one.blob_size("a", blob)
                assert await one.tags("a") == ("x",)
            with pytest.raises(NotFound):
                await back.tag_delete("a", "v")
            assert await push_blob(back, "a", b"small") == blob
            assert await store.blob_size("a", blob) == 5

    uvloop.run(body())


def test_all_stores_restarted_have_what_they_acknowledged(tmp_path: Path) -> None:
    async def body() -> None:
        async with region(tmp_path) as here:
            store = here.stores[ONE]
            big = b"y" * 200_000
            blob, image = await push_blob(store, "a", big), manifest("{}")
            await store.manifest_put("a", image, (blob,), D[5])
            await store.tag_set("a", "v", image.digest)
            upload = await store.upload_open("a")
            await store.upload_append("a", upload, 0, pieces(b"half "))
            await here.stop()
            here.start()
            await here.ready()
            back = here.stores[TWO]
            assert await back.tag_get("a", "v") == image.digest
            assert await back.referrers("a", D[5]) == (image,)
            assert await pull_blob(back, "a", blob) == big
            assert await back.upload_append("a", upload, 5, pieces(b"and half")) == 13
            assert await back.upload_commit("a", upload, digest_of(b"half and half")) == 13

    uvloop.run(body())


def test_one_store_alone_is_a_quorum_of_its_topology(tmp_path: Path) -> None:
    async def body() -> None:
        async with region(tmp_path, zones=(ONE,)) as here:
            blob = await push_blob(here.stores[ONE], "a", b"z")
            await here.stores[ONE].tag_set("a", "v", D[0])
            assert await here.stores[ONE].tag_get("a", "v") == D[0]
            assert await pull_blob(here.stores[ONE], "a", blob) == b"z"

    uvloop.run(body())


def test_lists_of_thousands_of_tags_come_whole_and_in_order(tmp_path: Path) -> None:
    names = [f"t{number:05}" for number in range(2500)]

    async def body() -> None:
        async with region(tmp_path, zones=(ONE,)) as here:
            for start in range(0, len(names), 500):
                await asyncio.gather(*(here.stores[ONE].tag_set("a", name, D[0]) for name in names[start : start + 500]))
            assert await here.stores[ONE].tags("a") == tuple(names)
            with pytest.raises(NotFound):
                await here.stores[ONE].tags("b")

    uvloop.run(body())


def test_no_read_goes_back_in_time_under_concurrent_writers(tmp_path: Path) -> None:
    """Writers of all zones on one tag; a read that begins after another one ended never sees a value whose write ended before the
    other's value was written."""

    async def body() -> None:
        async with region(tmp_path) as here:
            writes: dict[str, tuple[float, float]] = {}
            reads: list[tuple[float, float, str]] = []

            async def writer(zone: str) -> None:
                for number in range(30):
                    value = digest_of(f"{zone} {number}".encode())
                    started = time.monotonic()
                    await here.stores[zone].tag_set("a", "v", value)
                    writes[value] = (started, time.monotonic())

            async def reader(zone: str) -> None:
                while len(writes) < 3 * 30:
                    started = time.monotonic()
                    value = await tag_or_absent(here.stores[zone], "a", "v")
                    reads.append((started, time.monotonic(), value))

            await asyncio.gather(*(writer(zone) for zone in ZONES), *(reader(zone) for zone in ZONES))
            assert len({value for _, _, value in reads}) > 10
            before = (float("-inf"), float("-inf"))
            for started, ended, value in reads:
                at = writes.get(value, before)
                newer = [w for w in writes.values() if w[1] < started and at[1] < w[0]]
                newer += [writes[seen] for _, gone, seen in reads if gone < started and seen and at[1] < writes[seen][0]]
                assert not newer, f"read of [{started}, {ended}] gave a value of {at}, after {newer[0]}"

    uvloop.run(body())


def test_plain_http_is_answered_also_when_its_last_byte_is_late(tmp_path: Path) -> None:
    async def body() -> None:
        async with region(tmp_path, zones=(ONE,)) as here:
            address = here.addresses[ONE]
            for request in (b"GET / HTTP/1.1\r\nHost: chaoskit\r\n\r\n", b"GET / HTTP/1.1\r\nX: " + b"x" * 12_000 + b"\r\n\r\n"):
                reader, writer = await asyncio.open_connection(address.host, address.port)
                writer.write(request[:-1])
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(reader.read(1), 0.15)
                writer.write(request[-1:])
                assert (await asyncio.wait_for(reader.read(), 1)).startswith(b"HTTP/1.1 200 OK\r\n")
                writer.close()

    uvloop.run(body())


@pytest.mark.parametrize("noise", [b"\xff" * 64, b"\x00\x00\x00\x03\x00\x00\x00\x01abc", b"POST / HTTP/1.1\r\n\r\n"])
def test_noise_ends_its_own_connection_only(tmp_path: Path, noise: bytes) -> None:
    async def body() -> None:
        async with region(tmp_path, zones=(ONE,)) as here:
            address = here.addresses[ONE]
            reader, writer = await asyncio.open_connection(address.host, address.port)
            writer.write(noise)
            with contextlib.suppress(ConnectionResetError):
                assert await asyncio.wait_for(reader.read(1), 1) == b""
            writer.close()
            assert await here.stores[ONE].ready()

    uvloop.run(body())


def test_calls_to_a_store_that_is_not_there_fail_at_once(tmp_path: Path) -> None:
    async def body() -> None:
        async with StoreClient(Address("127.0.0.1", free_port())) as store:
            with pytest.raises(Unavailable):
                await asyncio.wait_for(store.ready(), 0.5)
            with pytest.raises(Unavailable):
                await store.upload_commit("a", "b", D[0])

    uvloop.run(body())


def test_refused_is_told_from_unavailable(tmp_path: Path) -> None:
    async def body() -> None:
        async with region(tmp_path, zones=(ONE,)) as here:
            huge = manifest("x" * (6 << 20))
            with pytest.raises(Refused):
                await here.stores[ONE].manifest_put("a", huge, (), "")

    uvloop.run(body())


def test_a_peer_that_accepts_and_says_nothing_stalls_nobody(tmp_path: Path) -> None:
    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async def body() -> None:
        async with region(tmp_path) as here:
            await here.stop(TWO)
            async with await asyncio.start_server(swallow, here.addresses[TWO].host, here.addresses[TWO].port):
                for number in range(20):
                    async with asyncio.timeout(0.5):
                        await here.stores[ONE].tag_set("a", "v", D[number])
                        assert await here.stores[THREE].tag_get("a", "v") == D[number]

    uvloop.run(body())
