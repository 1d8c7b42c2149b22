"""Each seeded bug of the store can be seen by a few calls; without it the same calls are right."""

import asyncio
from pathlib import Path

import pytest
import uvloop

from chaoskit.drivers.embedded.bugs import Bug
from chaoskit.drivers.embedded.storeapi import NotFound
from tests.embedded.store.region import ZONES, Region, digest_of, manifest, pull_blob, push_blob, region, tag_or_absent, until

ONE, TWO, THREE = ZONES
OLD, NEW = digest_of(b"old"), digest_of(b"new")


async def loses_what_all_stores_acknowledged(here: Region) -> bool:
    await here.stores[ONE].tag_set("a", "v", NEW)
    await here.stop()
    here.start()
    await here.ready()
    return await tag_or_absent(here.stores[TWO], "a", "v") != NEW


async def loses_what_the_primary_acknowledged(here: Region) -> bool:
    await here.stores[ONE].tag_set("a", "v", NEW)
    await here.stop(ONE)
    await here.ready(TWO)
    return await tag_or_absent(here.stores[TWO], "a", "v") != NEW


async def reads_old_tags_after_a_rejoin(here: Region) -> bool:
    await here.stores[ONE].tag_set("a", "v", OLD)
    await here.stop(THREE)
    await here.stores[ONE].tag_set("a", "v", NEW)
    here.start(THREE)
    await here.ready(THREE)
    return await tag_or_absent(here.stores[THREE], "a", "v") != NEW


async def the_later_writer_loses(here: Region) -> bool:
    await here.stores[THREE].tag_set("a", "v", OLD)
    await here.stores[ONE].tag_set("a", "v", NEW)
    return await tag_or_absent(here.stores[TWO], "a", "v") != NEW


async def a_pushed_blob_is_missing_next_door(here: Region) -> bool:
    digest = await push_blob(here.stores[ONE], "a", b"layer")
    try:
        return await pull_blob(here.stores[TWO], "a", digest) != b"layer"
    except NotFound:
        return True


async def a_blob_of_a_slow_push_goes_away(here: Region) -> bool:
    digest = await push_blob(here.stores[ONE], "a", b"layer")
    await asyncio.sleep(2.2)
    try:
        return await here.stores[ONE].blob_size("a", digest) != 5
    except NotFound:
        return True


async def some_reads_have_wrong_bytes(here: Region) -> bool:
    digest = await push_blob(here.stores[ONE], "a", b"layer" * 100)
    got = [await pull_blob(here.stores[TWO], "a", digest) for _ in range(20)]
    return any(digest_of(body) != digest for body in got)


async def a_delete_comes_undone(here: Region) -> bool:
    image = manifest("{}")
    await here.stores[ONE].manifest_put("a", image, (), "")
    await until(lambda: everywhere(here, image.digest), "the manifest is in every zone")
    await here.stop(THREE)
    await here.stores[ONE].manifest_delete("a", image.digest)
    here.start(THREE)
    await here.ready(THREE)
    await asyncio.sleep(0.3)
    try:
        return await here.stores[THREE].manifest_get("a", image.digest) == image
    except NotFound:
        return False


async def everywhere(here: Region, digest: str) -> bool:
    for one in here.stores.values():
        await one.manifest_get("a", digest)
    return all(digest.encode() in (here.folder / zone / "log").read_bytes() for zone in ZONES)


async def a_session_reads_back_in_time(here: Region) -> bool:
    await here.stores[ONE].tag_set("a", "v", OLD)
    await asyncio.sleep(0.5)
    await here.stores[ONE].tag_set("a", "v", NEW)
    return OLD in [await tag_or_absent(here.stores[ONE], "a", "v") for _ in range(6)]


async def an_overwritten_tag_is_absent_for_a_moment(here: Region) -> bool:
    await here.stores[ONE].tag_set("a", "v", OLD)
    writing = asyncio.create_task(here.stores[ONE].tag_set("a", "v", NEW))
    seen = []
    while not writing.done():
        seen.append(await tag_or_absent(here.stores[TWO], "a", "v"))
    await writing
    return "" in seen


SEEN = {
    Bug.ACK_BEFORE_DURABLE: loses_what_all_stores_acknowledged,
    Bug.ACK_BEFORE_REPLICATION: loses_what_the_primary_acknowledged,
    Bug.LOCAL_TAG_READS: reads_old_tags_after_a_rejoin,
    Bug.LAST_WRITER_BY_CLOCK: the_later_writer_loses,
    Bug.MANIFEST_BEFORE_BLOBS: a_pushed_blob_is_missing_next_door,
    Bug.COLLECT_DURING_PUSH: a_blob_of_a_slow_push_goes_away,
    Bug.BIT_ROT: some_reads_have_wrong_bytes,
    Bug.DELETE_UNDONE: a_delete_comes_undone,
    Bug.ROUND_ROBIN_LAG: a_session_reads_back_in_time,
    Bug.TAG_REWRITTEN_IN_PLACE: an_overwritten_tag_is_absent_for_a_moment,
}


@pytest.mark.parametrize("bug", SEEN, ids=lambda bug: bug.flag)
def test_a_seeded_bug_shows(tmp_path: Path, bug: Bug) -> None:
    async def body() -> None:
        async with region(tmp_path, bug=bug) as here:
            assert await SEEN[bug](here)

    uvloop.run(body())


@pytest.mark.parametrize("bug", SEEN, ids=lambda bug: bug.flag)
def test_a_store_without_bugs_does_not_show_it(tmp_path: Path, bug: Bug) -> None:
    async def body() -> None:
        async with region(tmp_path) as here:
            assert not await SEEN[bug](here)

    uvloop.run(body())
