"""Final reads: every value ever sent, from every zone, by tag and by digest; again and again until each read was answered.

"Ever sent" includes what was never acknowledged: it may be there all the same. A 404 is an answer and is not asked again.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from chaoskit.model.history import Operation, Outcome
from chaoskit.registry.client import Answer, Client
from chaoskit.workload.recorder import Recorder

LANE = "sweep"
PHASE = "final"
CONCURRENCY = 4
_PAUSE_NS = 1_000_000_000  # between two passes over what was not answered


@dataclass(frozen=True, slots=True)
class SentValues:
    """All that was written or may have been, sorted: (repository, tag), (repository, manifest digest), (repository, blob digest)."""

    tags: tuple[tuple[str, str], ...]
    manifests: tuple[tuple[str, str], ...]
    blobs: tuple[tuple[str, str], ...]


def sent_values(operations: Iterable[Operation]) -> SentValues:
    """From the rows of attempts; open rows count."""
    tags, manifests, blobs = set[tuple[str, str]](), set[tuple[str, str]](), set[tuple[str, str]]()
    for row in operations:
        if row.action == "manifest-put":
            tags.add((row.repository, row.reference))
            manifests.add((row.repository, row.digest))
        elif row.action in ("upload-patch", "upload-put"):
            blobs.add((row.repository, row.digest))
    return SentValues(tuple(sorted(tags)), tuple(sorted(manifests)), tuple(sorted(blobs)))


@dataclass(frozen=True, slots=True)
class _Read:
    """One read to be answered: an action at a zone, with what it asks for."""

    action: str
    zone: str
    repository: str
    reference: str = ""
    digest: str = ""


async def final_reads(
    sent: SentValues, clients: Mapping[str, Client], *, recorder: Recorder, limit_ns: int, concurrency: int = CONCURRENCY
) -> int:
    """Read it all, pass after pass over what was not answered, for about `limit_ns`; how many reads never were (or never went out)."""
    end_ns = recorder.clock() + limit_ns
    waiting = tuple(_reads(sent, tuple(clients)))
    number = 0
    while True:
        ask = partial(_ask, clients, recorder, number)
        waiting = await _pass(waiting, ask, is_over=lambda: recorder.clock() >= end_ns, concurrency=concurrency)
        if not waiting or recorder.clock() + _PAUSE_NS >= end_ns:
            return len(waiting)
        await asyncio.sleep(_PAUSE_NS / 1e9)
        number += 1


def _reads(sent: SentValues, zones: tuple[str, ...]) -> Iterator[_Read]:
    """Value by value, each from every zone in a row."""
    for repository in dict.fromkeys(repository for repository, _ in (*sent.tags, *sent.blobs)):
        yield from (_Read("tags-list", zone, repository) for zone in zones)
    for repository, tag in sent.tags:
        yield from (_Read("manifest-get", zone, repository, reference=tag) for zone in zones)
    for repository, digest in sent.manifests:
        yield from (_Read("manifest-get", zone, repository, digest=digest) for zone in zones)
    for repository, digest in sent.blobs:
        yield from (_Read("blob-get", zone, repository, digest=digest) for zone in zones)


async def _pass(
    reads: tuple[_Read, ...], ask: Callable[[_Read], Awaitable[bool]], *, is_over: Callable[[], bool], concurrency: int
) -> tuple[_Read, ...]:
    """Each read once, `concurrency` at a time; those that were not answered, or not asked because time is over."""
    todo, missed = iter(reads), list[_Read]()

    async def work() -> None:
        for read in todo:
            if is_over() or not await ask(read):
                missed.append(read)

    async with asyncio.TaskGroup() as group:
        for _ in range(concurrency):
            group.create_task(work())
    return tuple(missed)


async def _ask(clients: Mapping[str, Client], recorder: Recorder, number: int, read: _Read) -> bool:
    """One read in pass `number`; whether it was answered."""
    now_ns = recorder.clock()
    row = Operation(
        index=recorder.next_index(),
        action=read.action,
        lane=LANE,
        phase=PHASE,
        region=recorder.regions[read.zone],
        zone=read.zone,
        attempt=number,
        repository=read.repository,
        reference=read.reference,
        digest=read.digest,
        intended_ns=now_ns,
        called_ns=now_ns,
    )
    answer = await recorder.attempt(row, _sending(clients[read.zone], read))
    return answer.outcome is Outcome.OK


def _sending(client: Client, read: _Read) -> Awaitable[Answer]:
    match read.action:
        case "tags-list":
            return client.tags_list(read.repository)
        case "blob-get":
            return client.blob_get(read.repository, read.digest)
        case _:
            return client.manifest_get(read.repository, read.reference or read.digest)
