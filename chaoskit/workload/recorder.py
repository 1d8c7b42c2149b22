"""Turns what the client does into rows of the history. It decides nothing and keeps nothing: rows go to `record` as they come.

Every write is recorded twice, an open row before its first byte and a completion with the same index after; so a prefix of the history
knows all that may have been written. A read is recorded once, when it ends. A write that is cancelled stays open.
"""

import inspect
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from itertools import count

import msgspec

from chaoskit.model.history import Operation
from chaoskit.registry.client import WRITES, Answer
from chaoskit.workload.triggers import Triggers


@dataclass(slots=True)
class Recorder:
    """Where rows go and what they are stamped with. `clock` is ns of run time, `phase` the phase now, `regions` the region of each zone.

    `triggers` are told of every row before its first byte and after its last.
    """

    record: Callable[[Operation], None]
    clock: Callable[[], int]
    phase: Callable[[], str]
    regions: Mapping[str, str]
    triggers: Triggers = field(init=False)
    _indexes: "count[int]" = field(default_factory=count)

    def __post_init__(self) -> None:
        self.triggers = Triggers(self.clock)

    def next_index(self) -> int:
        """An index no other row of this recorder has."""
        return next(self._indexes)

    async def attempt(self, row: Operation, send: Awaitable[Answer]) -> Answer:
        """One HTTP attempt under the row's index, recorded before (a write) and after."""
        try:
            row = await self.triggers.before(row)
        except BaseException:
            if inspect.iscoroutine(send):
                send.close()  # nothing was sent, and nobody will await it
            raise
        if row.action in WRITES:
            self.record(row)
        answer = await send
        ended = _ended(row, answer)
        self.record(ended)
        self.triggers.after(ended)
        return answer


def _ended(row: Operation, answer: Answer) -> Operation:
    return msgspec.structs.replace(
        row,
        called_ns=answer.called_ns,
        returned_ns=answer.returned_ns,
        outcome=answer.outcome,
        observed=answer.observed,
        status=answer.status,
        got=answer.got,
        advertised=answer.advertised,
        advertised_bytes=answer.advertised_bytes,
        size_bytes=row.size_bytes if row.action in WRITES else answer.size_bytes,
        children=row.children or answer.children,
        entries=answer.entries,
        detail=answer.detail,
    )
