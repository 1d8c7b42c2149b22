"""A delete, as crane and regctl do it: ask what the tag points at, DELETE that manifest by digest, then, if it purges, its blobs.

No DELETE is ever sent twice, whatever the profile. Blobs go only after the manifest's delete was acknowledged, one after the other, and the
first step that is not OK ends the session: so whoever finds a blob gone can know that its manifest went before.
"""

from functools import partial

import msgspec

from chaoskit.model.history import Operation, Outcome
from chaoskit.registry.client import Answer
from chaoskit.workload.course import Course, Try
from chaoskit.workload.pull import read_tag


async def delete(course: Course) -> Operation:
    """The whole delete: as its last DELETE was answered; OK and absent where the tag is not there, FAILED where that is not known."""
    if (refused := await course.greet()) is not None:
        return course.ended(Outcome.FAILED, refused)
    manifest = await course.persist("manifest-get", partial(read_tag, course))
    if manifest.observed == "absent":
        return course.ended(Outcome.OK, manifest)
    if manifest.observed != "read-ok":
        return course.ended(Outcome.FAILED, manifest)
    answer = await course.once(partial(_manifest, course, manifest.got))
    for digest in manifest.children if course.session.purges else ():
        if answer.outcome is not Outcome.OK:
            break
        answer = await course.once(partial(_blob, course, digest))
    if answer.outcome is Outcome.OK and course.session.purges:
        course.purged.add(course.session.number)
    return msgspec.structs.replace(course.ended(answer.outcome, answer), digest=manifest.got)


async def _manifest(course: Course, digest: str, turn: Try) -> Answer:
    row = course.row("manifest-delete", turn, digest=digest)
    return await course.attempt(row, course.client.manifest_delete(course.session.repository, digest))


async def _blob(course: Course, digest: str, turn: Try) -> Answer:
    row = course.row("blob-delete", turn, digest=digest)
    return await course.attempt(row, course.client.blob_delete(course.session.repository, digest))
