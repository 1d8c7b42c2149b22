"""A list: the tags of a repository, page after page to the last. A repository that is not there is an answer."""

from functools import partial

from chaoskit.model.history import Operation, Outcome
from chaoskit.registry.client import Answer
from chaoskit.workload.course import Course, Try


async def list_tags(course: Course) -> Operation:
    """The whole list: OK if all of its pages came, or the repository is absent. The tags stand in its attempt `tags-list`."""
    if (refused := await course.greet()) is not None:
        return course.ended(Outcome.FAILED, refused)
    answer = await course.persist(partial(_walk, course))
    is_answered = answer.observed in ("read-ok", "absent")
    return course.ended(Outcome.OK if is_answered else Outcome.FAILED, answer)


async def _walk(course: Course, turn: Try) -> Answer:
    """One try of all pages."""
    session = course.session
    return await course.attempt(course.row("tags-list", turn), course.client.tags_list(session.repository, page_size=session.page_size))
