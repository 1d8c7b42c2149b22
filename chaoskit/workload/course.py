"""One session under way: where its next step goes, what is tried again, and the rows all that leaves.

A client stays with the entry that served it last and moves to the next one when a try fails. A step is due when the one before it ended,
a further try after the profile's delay.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

import msgspec

from chaoskit.model.history import Operation, Outcome
from chaoskit.model.workload import Session
from chaoskit.registry.client import Answer, Client
from chaoskit.registry.profiles import BASIC, NONE, Profile, is_retried
from chaoskit.registry.wire import Reading
from chaoskit.workload.recorder import Recorder

LANE_PROFILES: Mapping[str, Profile] = {"pinned": NONE, "regional": BASIC}


@dataclass(frozen=True, slots=True)
class Setting:
    """What sessions run with: a client a zone (in the order in which a profile moves on), where rows go, and how each lane persists.

    `purged` is the one thing that sessions tell each other: numbers of deletes that were acknowledged to their last blob. Whoever sends
    the same blobs again must know it: after a delete that may still land, not even a correct registry can promise that they stay.
    """

    clients: Mapping[str, Client]
    recorder: Recorder
    run_id: str
    profiles: Mapping[str, Profile]
    purged: set[int] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Try:
    """One try of a unit: which, and when it, or its present step, was due."""

    number: int
    due_ns: int


class Course:
    """Where one session stands; `whole` is the row of the whole push or pull, still open."""

    def __init__(self, session: Session, setting: Setting, *, due_ns: int) -> None:
        self.session = session
        self.run_id = setting.run_id
        self.purged = setting.purged
        self._recorder = setting.recorder
        self._clients = setting.clients
        self._profile = setting.profiles[session.lane]
        self._zones = tuple(setting.clients)
        self._at = self._zones.index(session.entry)
        self._due_ns = due_ns
        self.whole = self.row(session.action, Try(0, due_ns), reference=session.tag)

    @property
    def client(self) -> Client:
        """The client of the entry in use."""
        return self._clients[self._zones[self._at]]

    def row(self, action: str, turn: Try, *, reference: str = "", digest: str = "", size_bytes: int = -1) -> Operation:
        """An open row of this session at the entry in use, to be recorded now."""
        zone = self._zones[self._at]
        return Operation(
            index=self._recorder.next_index(),
            parent=-1 if action == self.session.action else self.whole.index,
            session=self.session.number,
            action=action,
            lane=self.session.lane,
            phase=self._recorder.phase(),
            region=self._recorder.regions[zone],
            zone=zone,
            profile=self._profile.name,
            attempt=turn.number,
            repository=self.session.repository,
            reference=reference,
            digest=digest,
            size_bytes=size_bytes,
            intended_ns=turn.due_ns,
            called_ns=self._recorder.clock(),
        )

    async def attempt(self, row: Operation, sending: Awaitable[Answer]) -> Answer:
        """Send once and record."""
        return await self._recorder.attempt(row, sending)

    def reading(self, row: Operation) -> Reading | None:
        """What has to be told how far the blob of this row has come, if anything."""
        return self._recorder.triggers.reading(row)

    def next_step(self, turn: Try) -> Try:
        """The same try, a step further: due now."""
        return Try(turn.number, self._recorder.clock())

    async def persist(self, unit: Callable[[Try], Awaitable[Answer]], *, is_upload: bool = False) -> Answer:
        """Try a unit as often as the profile does, each further try at the next entry; the last answer."""
        turn = Try(0, self._due_ns)
        for delay_ns in self._profile.delays_ns:
            answer = await unit(turn)
            if not is_retried(answer.outcome, answer.status, is_upload_step=is_upload):
                break
            turn = Try(turn.number + 1, self._recorder.clock() + delay_ns)
            await asyncio.sleep(delay_ns / 1e9)
            self._at = (self._at + 1) % len(self._zones)
        else:
            answer = await unit(turn)
        self._due_ns = self._recorder.clock()
        return answer

    async def once(self, unit: Callable[[Try], Awaitable[Answer]]) -> Answer:
        """Try a unit a single time whatever the profile does: a DELETE that may have happened must not meet what came after it."""
        answer = await unit(Try(0, self._due_ns))
        self._due_ns = self._recorder.clock()
        return answer

    async def greet(self) -> Answer | None:
        """The pings a session begins with; the answer of the first that did not succeed."""
        for _ in range(self.session.pings):
            answer = await self.persist(self._ping)
            if answer.outcome is not Outcome.OK:
                return answer
        return None

    async def _ping(self, turn: Try) -> Answer:
        return await self.attempt(self.row("ping", turn), self.client.ping())

    def ended(self, outcome: Outcome, last: Answer) -> Operation:
        """The whole row, ended now the way its last step did."""
        return msgspec.structs.replace(
            self.whole,
            returned_ns=self._recorder.clock(),
            outcome=outcome,
            observed=last.observed,
            status=last.status,
            detail=last.detail,
        )
