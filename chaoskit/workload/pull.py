"""A pull: the manifest of a tag, then every child it names, bytes verified against digests. A tag that is not there is an answer.

Where a child is not there the tag is asked for once more: if it is gone too, the image was deleted under the pull, and that is an answer.
"""

from functools import partial

import msgspec

from chaoskit.model.history import Operation, Outcome
from chaoskit.registry.client import Answer
from chaoskit.workload.course import Course, Try


async def pull(course: Course) -> Operation:
    """The whole pull: OK with the manifest's digest, OK and absent, or FAILED where something is missing, wrong or did not come."""
    if (refused := await course.greet()) is not None:
        return course.ended(Outcome.FAILED, refused)
    manifest = await course.persist(partial(read_tag, course))
    if manifest.observed == "absent":
        return course.ended(Outcome.OK, manifest)
    if manifest.observed != "read-ok":
        return course.ended(Outcome.FAILED, manifest)
    size_bytes = manifest.size_bytes
    for digest in manifest.children:
        child = await course.persist(partial(_blob, course, digest))
        if child.observed == "absent":
            again = await course.persist(partial(read_tag, course))
            if again.observed == "absent":
                return course.ended(Outcome.OK, again)
        if child.observed != "read-ok":
            ended = course.ended(Outcome.FAILED, child)
            return msgspec.structs.replace(ended, got=manifest.got, children=manifest.children, detail=f"{child.observed}: {digest}")
        size_bytes += child.size_bytes
    ended = course.ended(Outcome.OK, manifest)
    return msgspec.structs.replace(ended, got=manifest.got, children=manifest.children, size_bytes=size_bytes)


async def read_tag(course: Course, turn: Try) -> Answer:
    """One try of the manifest of the session's tag."""
    session = course.session
    row = course.row("manifest-get", turn, reference=session.tag)
    return await course.attempt(row, course.client.manifest_get(session.repository, session.tag))


async def _blob(course: Course, digest: str, turn: Try) -> Answer:
    row = course.row("blob-get", turn, digest=digest)
    return await course.attempt(row, course.client.blob_get(course.session.repository, digest, reading=course.reading(row)))
