"""A push: each blob by HEAD, POST, (PATCH,) PUT, then the manifest under its tag, one after the other.

A client's habits say how many HEADs there are and whether there is a PATCH; those of none are the plan's, one HEAD and now and then a
PATCH. Like docker, and unlike crane, such a push goes on where the HEAD was answered with an error; one that got no answer ends the try.
Another try of the manifest sends another manifest, whatever the client.
"""

import asyncio
from typing import assert_never

import msgspec

from chaoskit.model.history import Operation, Outcome
from chaoskit.model.workload import PlannedBlob
from chaoskit.registry.client import Answer, Upload
from chaoskit.registry.image import Blob, Manifest, blob, image_manifest
from chaoskit.registry.patience import Step
from chaoskit.workload.course import Course, Sent, Try

_LARGE_BYTES = 1024 * 1024


async def push(course: Course) -> Operation:
    """The whole push: OK or UNKNOWN as its last manifest PUT is, FAILED where it did not come to one."""
    if (refused := await course.greet()) is not None:
        return course.ended(Outcome.FAILED, refused)
    session = course.session
    planned = session.again if session.after in course.purged else session.blobs
    blobs = tuple([await _hashed(part) for part in planned])
    for part in blobs:
        upload = _Uploading(course, part)
        answer = await course.persist(upload.first, upload.send)
        if answer.outcome is not Outcome.OK:
            return course.ended(Outcome.FAILED, answer)
    sent: list[Manifest] = []

    async def put(step: Step, turn: Try) -> Sent:
        manifest = _manifest(course, blobs, turn)
        sent.append(manifest)
        return await _put(course, manifest, turn), None

    answer = await course.persist("manifest-put", put)
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


class _Uploading:
    """One blob on its way. A POST opens a session, PATCH and PUT go on in the one opened last, also after a step of it failed."""

    def __init__(self, course: Course, part: Blob) -> None:
        self._course = course
        self._part = part
        self._is_planned = course.habits.upload == "planned"
        self._is_chunked = part.planned.chunked if self._is_planned else course.habits.upload == "chunked"
        self._heads_left = course.habits.heads_of_a_blob
        self._open = Upload("")

    @property
    def first(self) -> Step:
        """The step that an upload begins with."""
        return "blob-head" if self._heads_left else "upload-post"

    async def send(self, step: Step, turn: Try) -> Sent:
        """One step, and the one that follows where it went well."""
        match step:
            case "blob-head":
                return await self._head(turn)
            case "upload-post":
                return await self._post(turn)
            case "upload-patch":
                return await self._patch(turn)
            case "upload-put" | "upload-commit":
                return await self._end(turn, has_bytes=step == "upload-put"), None
            case "ping" | "manifest-head" | "manifest-get" | "manifest-put" | "blob-get" | "delete":
                raise AssertionError(f"{step} is no step of an upload")
            case _:
                assert_never(step)

    async def _head(self, turn: Try) -> Sent:
        course, digest = self._course, self._part.digest
        answer = await course.attempt(
            course.row("blob-head", turn, digest=digest), course.client.blob_head(course.session.repository, digest)
        )
        goes_on = answer.status > 0 if self._is_planned else answer.outcome is Outcome.OK
        if answer.observed == "read-ok" or not goes_on:
            return answer, None
        self._heads_left -= 1
        return answer, "blob-head" if self._heads_left > 0 else "upload-post"

    async def _post(self, turn: Try) -> Sent:
        course = self._course
        answer = await course.attempt(
            course.row("upload-post", turn, digest=self._part.digest), course.client.upload_post(course.session.repository)
        )
        if answer.outcome is not Outcome.OK:
            return answer, None
        self._open = Upload(answer.location)
        return answer, "upload-patch" if self._is_chunked else "upload-put"

    async def _patch(self, turn: Try) -> Sent:
        course, planned = self._course, self._part.planned
        row = course.row("upload-patch", turn, digest=self._part.digest, size_bytes=planned.size_bytes)
        answer = await course.attempt(row, course.client.upload_patch(self._open, planned))
        if answer.outcome is not Outcome.OK:
            self._note(answer)
            return answer, None
        self._open = Upload(answer.location, self._open.is_doubtful)
        return answer, "upload-commit"

    async def _end(self, turn: Try, *, has_bytes: bool) -> Answer:
        course, part = self._course, self._part
        row = course.row("upload-put", turn, digest=part.digest, size_bytes=part.planned.size_bytes if has_bytes else 0)
        answer = await course.attempt(row, course.client.upload_put(self._open, part, has_bytes=has_bytes))
        self._note(answer)
        return answer

    def _note(self, answer: Answer) -> None:
        """After an unknown step nothing in this session is sure: what is refused later may be so because the step happened."""
        if answer.outcome is Outcome.UNKNOWN:
            self._open = Upload(self._open.location, is_doubtful=True)
