"""A push: each blob by HEAD, POST, (PATCH,) PUT, then the manifest under its tag, one after the other.

An upload whose step is UNKNOWN is given up; another try begins with a new HEAD. Another try of the manifest sends another manifest.
Like docker, and unlike crane, a push goes on where the HEAD was answered with an error; one that got no answer ends the try.
"""

import asyncio
from functools import partial

import msgspec

from chaoskit.model.history import Operation, Outcome
from chaoskit.model.workload import PlannedBlob
from chaoskit.registry.client import Answer, Upload
from chaoskit.registry.image import Blob, Manifest, blob, image_manifest
from chaoskit.workload.course import Course, Try

_LARGE_BYTES = 1024 * 1024


async def push(course: Course) -> Operation:
    """The whole push: OK or UNKNOWN as its last manifest PUT is, FAILED where it did not come to one."""
    if (refused := await course.greet()) is not None:
        return course.ended(Outcome.FAILED, refused)
    session = course.session
    planned = session.again if session.after in course.purged else session.blobs
    blobs = tuple([await _hashed(part) for part in planned])
    for part in blobs:
        answer = await course.persist(partial(_upload, course, part), is_upload=True)
        if answer.outcome is not Outcome.OK:
            return course.ended(Outcome.FAILED, answer)
    sent: list[Manifest] = []

    async def put(turn: Try) -> Answer:
        manifest = _manifest(course, blobs, turn)
        sent.append(manifest)
        return await _put(course, manifest, turn)

    answer = await course.persist(put)
    size_bytes = sum(part.planned.size_bytes for part in blobs) + len(sent[-1].body)
    ended = course.ended(answer.outcome, answer)
    return msgspec.structs.replace(ended, digest=sent[-1].digest, children=sent[-1].children, size_bytes=size_bytes)


async def _hashed(planned: PlannedBlob) -> Blob:
    """Large ones beside the event loop: 32 MiB take half a second, in which nothing else would be sent."""
    return await asyncio.to_thread(blob, planned) if planned.size_bytes >= _LARGE_BYTES else blob(planned)


def _manifest(course: Course, blobs: tuple[Blob, ...], turn: Try) -> Manifest:
    return image_manifest(blobs[0], blobs[1:], run_id=course.run_id, session=course.session.number, attempt=turn.number)


async def _put(course: Course, manifest: Manifest, turn: Try) -> Answer:
    session = course.session
    row = course.row("manifest-put", turn, reference=session.tag, digest=manifest.digest, size_bytes=len(manifest.body))
    row = msgspec.structs.replace(row, children=manifest.children)
    return await course.attempt(row, course.client.manifest_put(session.repository, session.tag, manifest))


async def _upload(course: Course, part: Blob, turn: Try) -> Answer:
    """One blob, from its HEAD on, until it is there or a step is not OK. A HEAD answered with an error says nothing: it is sent then."""
    repository, digest, planned = course.session.repository, part.digest, part.planned
    client = course.client
    answer = await course.attempt(course.row("blob-head", turn, digest=digest), client.blob_head(repository, digest))
    if answer.observed == "read-ok" or not answer.status:
        return answer
    row = course.row("upload-post", course.next_step(turn), digest=digest)
    answer = await course.attempt(row, client.upload_post(repository))
    if answer.outcome is Outcome.OK and planned.chunked:
        row = course.row("upload-patch", course.next_step(turn), digest=digest, size_bytes=planned.size_bytes)
        answer = await course.attempt(row, client.upload_patch(Upload(answer.location), planned))
    if answer.outcome is not Outcome.OK:
        return answer
    row = course.row("upload-put", course.next_step(turn), digest=digest, size_bytes=0 if planned.chunked else planned.size_bytes)
    return await course.attempt(row, client.upload_put(Upload(answer.location), part, has_bytes=not planned.chunked))
