"""One session under way: where its next step goes, what is tried again, and the rows all that leaves.

What comes after a failure is the profile's to say (`registry.persistence`); this carries it out, one request at a time. The session's own
entry is the first of its client's addresses, the others follow in the order of the zones. `basic` stays with the entry that served it
last; every other client begins each unit (a ping, a manifest, a blob) at the first. A step is due when the one before it ended, a further
try after the profile's delay.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace

import msgspec

from chaoskit.model.history import Operation, Outcome
from chaoskit.model.workload import Session
from chaoskit.registry.client import Answer, Client
from chaoskit.registry.patience import Failover, Failure, Habits, Profile, Step
from chaoskit.registry.persistence import GiveUp, next_step, spacing_ns, wear_of
from chaoskit.registry.profiles import NONE, PROFILES
from chaoskit.registry.wire import Held, Reading
from chaoskit.workload.recorder import Recorder


def lane_profiles(regional: str) -> Mapping[str, Profile]:
    """How each lane persists, where the regional lane is of the client with this name."""
    return {"pinned": NONE, "regional": PROFILES[regional]}


@dataclass(frozen=True, slots=True)
class Setting:
    """What sessions run with: a client a zone (in the order in which a profile moves on), where rows go, how each lane persists.

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
    """One try of a unit: which, when it, or its present step, was due, and what is held of the body it asks for."""

    number: int
    due_ns: int
    held: Held | None = None


Sent = tuple[Answer, Step | None]
"""An answer and the step that comes after it; None: the unit is over, well unless the answer is a failure."""
Send = Callable[[Step, Try], Awaitable[Sent]]


class Course:
    """Where one session stands; `whole` is the row of the whole push or pull, still open."""

    def __init__(self, session: Session, setting: Setting, *, due_ns: int) -> None:
        self.session = session
        self.run_id = setting.run_id
        self.purged = setting.purged
        self._recorder = setting.recorder
        self._clients = setting.clients
        self._profile = setting.profiles[session.lane]
        zones = tuple(setting.clients)
        first = zones.index(session.entry)
        self._zones = zones[first:] + zones[:first]
        self._at = 0
        self._worn = [0] * len(zones)
        self._released_ns = [0] * len(zones)
        self._spoken: set[int] = set()
        self._fallen = 0
        self._due_ns = due_ns
        self.whole = self.row(session.action, Try(0, due_ns), reference=session.tag)

    @property
    def client(self) -> Client:
        """The client of the entry in use."""
        return self._clients[self._zones[self._at]]

    @property
    def habits(self) -> Habits:
        """What the client in use sends."""
        return self._profile.habits

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
        answer = await self._recorder.attempt(row, sending)
        if not answer.trouble:
            self._spoken.add(self._at)
        return answer

    def reading(self, row: Operation) -> Reading | None:
        """What has to be told how far the blob of this row has come, if anything."""
        return self._recorder.triggers.reading(row)

    def next_step(self, turn: Try) -> Try:
        """The same try, a step further: due now."""
        return Try(turn.number, self._recorder.clock())

    async def persist(self, step: Step, send: Send) -> Answer:
        """A unit from its first step on, tried as often, when and where the profile says; the last answer."""
        failures: list[Failure] = []
        turn = Try(0, self._due_ns)
        if self._profile.pull is not Failover.TRY:
            self._at = 0
        while True:
            turn = replace(turn, due_ns=max(turn.due_ns, self._opens_ns(failures)))
            await self._reach(turn.due_ns)
            self._released_ns[self._at] = self._recorder.clock()
            answer, following = await send(step, turn)
            if following is not None:
                step, turn = following, self.next_step(turn)
            elif not _is_failure(step, answer):
                break
            else:
                failures.append(self._failure(step, turn, answer))
                after = next_step(self._profile, failures, addresses=len(self._zones), worn=self._worn, roll=self._roll())
                if isinstance(after, GiveUp):
                    break
                held = (answer.held or turn.held) if after.resume_from else None
                turn = Try(turn.number + 1, self._recorder.clock() + after.delay_ns, held)
                step, self._at = after.step, after.address
        self._worn = [worn + wear_of(self._profile, failures, address) for address, worn in enumerate(self._worn)]
        self._due_ns = self._recorder.clock()
        return answer

    def _failure(self, step: Step, turn: Try, answer: Answer) -> Failure:
        """What the profile is told. A connection counts as kept only where this session had used one: they are shared here."""
        held = answer.held or turn.held
        is_kept = answer.is_kept and self._at in self._spoken
        if answer.trouble:
            self._spoken.discard(self._at)
        return Failure(
            step,
            answer.status,
            answer.trouble,
            answer.code,
            answer.retry_after_ns,
            offset_bytes=held.size_bytes if held else 0,
            address=self._at,
            is_kept=is_kept,
            ended_ns=answer.returned_ns,
        )

    def _opens_ns(self, failures: list[Failure]) -> int:
        """When the address in use may be asked: so long after its last request as the profile keeps them apart, 0 where it does not."""
        if self._profile.wear is None:
            return 0
        worn = self._worn[self._at] + wear_of(self._profile, failures, self._at)
        return self._released_ns[self._at] + spacing_ns(self._profile, worn)

    async def _reach(self, at_ns: int) -> None:
        wait_ns = at_ns - self._recorder.clock()
        if wait_ns > 0:
            await asyncio.sleep(wait_ns / 1e9)

    def _roll(self) -> float:
        """The dice of the jitter, from the session and how often it was thrown."""
        self._fallen += 1
        return random.Random(f"{self.run_id}/{self.session.number}/{self._fallen}").random()

    async def once(self, unit: Callable[[Try], Awaitable[Answer]]) -> Answer:
        """Try a unit a single time whatever the profile does: a DELETE that may have happened must not meet what came after it."""
        answer = await unit(Try(0, self._due_ns))
        self._due_ns = self._recorder.clock()
        return answer

    async def greet(self) -> Answer | None:
        """The pings a session begins with, of a real client its own; the answer of the first that did not succeed."""
        for _ in range(self.session.pings if self.habits.upload == "planned" else self.habits.pings):
            answer = await self.persist("ping", self.ping)
            if answer.outcome is not Outcome.OK:
                return answer
        return None

    async def ping(self, step: Step, turn: Try) -> Sent:
        """One try of a ping."""
        return await self.attempt(self.row("ping", turn), self.client.ping()), None

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


def _is_failure(step: Step, answer: Answer) -> bool:
    """Whether the client asks its profile. A GET answered 404 is an answer to us, and to a client that has other hosts to ask a failure."""
    is_get = step in ("manifest-get", "blob-get")
    return answer.outcome is not Outcome.OK or (is_get and answer.observed == "absent")
