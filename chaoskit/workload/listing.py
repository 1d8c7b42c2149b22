"""A list: the tags of a repository, page after page to the last. A repository that is not there is an answer."""

from functools import partial

from chaoskit.model.history import Operation, Outcome
from chaoskit.registry.patience import Step
from chaoskit.workload.course import Course, Sent, Try


async def list_tags(course: Course) -> Operation:
    """The whole list: OK if all of its pages came, or the repository is absent. The tags stand in its attempt `tags-list`."""
    if (refused := await course.greet()) is not None:
        return course.ended(Outcome.FAILED, refused)
    answer = await course.persist("manifest-get", partial(_walk, course))
    is_answered = answer.observed in ("read-ok", "absent")
    return course.ended(Outcome.OK if is_answered else Outcome.FAILED, answer)


async def _walk(course: Course, step: Step, turn: Try) -> Sent:
    """One try of all pages; a client is as patient with it as with a manifest."""
    session = course.session
    sending = course.client.tags_list(session.repository, page_size=session.page_size)
    return await course.attempt(course.row("tags-list", turn), sending), None
