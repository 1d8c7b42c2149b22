"""A login: one ping, as of the many sessions in the trace that do nothing else."""

from chaoskit.model.history import Operation, Outcome
from chaoskit.workload.course import Course


async def login(course: Course) -> Operation:
    """The whole login: OK if its ping was answered."""
    answer = await course.persist("ping", course.ping)
    return course.ended(Outcome.OK if answer.outcome is Outcome.OK else Outcome.FAILED, answer)
