"""A pull: the manifest of a tag, then the blobs it names, bytes verified against digests. A tag that is not there is an answer.

Where a child is not there the tag is asked for once more: if it is gone too, the image was deleted under the pull, and that is an answer.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from copy import copy
from functools import partial

import msgspec

from chaoskit.model.history import Operation, Outcome
from chaoskit.registry.client import Answer
from chaoskit.registry.patience import Step
from chaoskit.workload.course import Course, Sent, Try
from chaoskit.workload.requests import fetched

_WHOLE = ("read-ok", "rest-ok")


async def pull(course: Course) -> Operation:
    """The whole pull: OK with the manifest's digest, OK and absent, or FAILED where something is missing, wrong or did not come."""
    if (refused := await course.greet()) is not None:
        return course.ended(Outcome.FAILED, refused)
    manifest = await course.persist("manifest-get", partial(read_tag, course))
    if manifest.observed == "absent":
        return course.ended(Outcome.OK, manifest)
    if manifest.observed != "read-ok":
        return course.ended(Outcome.FAILED, manifest)
    size_bytes = manifest.size_bytes
    for digest, child in await _blobs(course, fetched(course.session, manifest.children)):
        if child.observed == "absent":
            again = await course.persist("manifest-get", partial(read_tag, course))
            if again.observed == "absent":
                return course.ended(Outcome.OK, again)
        if child.observed not in _WHOLE:
            ended = course.ended(Outcome.FAILED, child)
            return msgspec.structs.replace(ended, got=manifest.got, children=manifest.children, detail=f"{child.observed}: {digest}")
        size_bytes += child.size_bytes
    ended = course.ended(Outcome.OK, manifest)
    return msgspec.structs.replace(ended, got=manifest.got, children=manifest.children, size_bytes=size_bytes)


async def read_tag(course: Course, step: Step, turn: Try) -> Sent:
    """One try of the manifest of the session's tag."""
    session = course.session
    row = course.row("manifest-get", turn, reference=session.tag)
    return await course.attempt(row, course.client.manifest_get(session.repository, session.tag)), None


async def _blobs(course: Course, digests: Sequence[str]) -> Sequence[tuple[str, Answer]]:
    """Blobs and their answers, in order, as many at once as the session says; none is begun after one that was not read.

    Each tries again by itself: were all to move on together, three failures at once would lead back to the entry they began at.
    """
    answers = dict[str, Answer]()
    waiting = iter(digests)

    async def fetch(own: Course) -> None:
        for digest in waiting:
            answers[digest] = await own.persist("blob-get", partial(_blob, own, digest))
            if answers[digest].observed not in _WHOLE:
                deque(waiting, maxlen=0)

    courses = (course, *(copy(course) for _ in digests[1 : course.session.at_once]))
    async with asyncio.TaskGroup() as group:
        for each in courses:
            group.create_task(fetch(each))
    return [(digest, answers[digest]) for digest in digests if digest in answers]


async def _blob(course: Course, digest: str, step: Step, turn: Try) -> Sent:
    """A try of a child: all of it, or the rest of what the try before left."""
    row = course.row("blob-get", turn, digest=digest)
    sending = course.client.blob_get(course.session.repository, digest, held=turn.held, reading=course.reading(row))
    return await course.attempt(row, sending), None
