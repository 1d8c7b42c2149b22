"""A login: one ping, as of the many sessions in the trace that do nothing else."""

from functools import partial

from chaoskit.model.history import Operation, Outcome
from chaoskit.registry.client import Answer
from chaoskit.workload.course import Course, Try


async def login(course: Course) -> Operation:
    """The whole login: OK if its ping was answered."""
    answer = await course.persist(partial(_ping, course))
    return course.ended(Outcome.OK if answer.outcome is Outcome.OK else Outcome.FAILED, answer)


async def _ping(course: Course, turn: Try) -> Answer:
    return await course.attempt(course.row("ping", turn), course.client.ping())
