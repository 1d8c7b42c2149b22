"""All replicas at once, from one coordinator: its own in this process, the others over links. An answer in time, or Down; nothing raises.

Everybody is asked and the round ends at a quorum. Reads begin with the own replica and one peer, and ask the rest if that peer does not
answer within HEDGE_S: two of three are a quorum, and the third would only cost CPU.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

import msgspec

from chaoskit.drivers.embedded.store.calls import Said
from chaoskit.drivers.embedded.store.link import CALL_S, Link
from chaoskit.drivers.embedded.store.messages import Down, Request
from chaoskit.drivers.embedded.store.replica import Replica

HEDGE_S = 0.015
STRAGGLERS_MOST = 4096

Good = Callable[[Said], bool]


def answered(answer: Said) -> bool:
    """Any answer of a replica will do."""
    return not isinstance(answer, Down)


class Round:
    """One question and who answered what so far. `over` is done at `need` good answers, or when nobody is left."""

    __slots__ = ("_good", "_need", "answers", "good", "open", "over")

    def __init__(self, need: int, good: Good) -> None:
        self._need = need
        self._good = good
        self.answers: dict[str, Said] = {}
        self.good = 0
        self.open = 0
        self.over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def take(self, zone: str, answer: Said) -> None:
        """An answer came in."""
        self.answers[zone] = answer
        if self._good(answer):
            self.good += 1
        if not self.over.done() and self.enough:
            self.over.set_result(None)

    @property
    def enough(self) -> bool:
        """A quorum is there."""
        return self.good >= self._need

    def settle(self) -> None:
        """One that was asked has answered or failed: over if it was the last."""
        self.open -= 1
        if self.open == 0 and not self.over.done():
            self.over.set_result(None)


class Replicas:
    """`zone` is the own one; `links` lead to the others by zone. `need` is the quorum: a majority of all."""

    def __init__(self, zone: str, replica: Replica, links: dict[str, Link]) -> None:
        self.zone = zone
        self.replica = replica
        self._links = links
        self._tasks: set[asyncio.Task[None]] = set()
        self.zones = (zone, *sorted(links))
        self.need = len(self.zones) // 2 + 1
        # The next zone in a circle first, so that each serves as much as it asks.
        self._peers = sorted(links, key=lambda peer: (peer < zone, peer))

    @property
    def quorate(self) -> bool:
        """Enough links are up."""
        return 1 + sum(link.up for link in self._links.values()) >= self.need

    async def ask(
        self, request: Request, *, good: Good = answered, need: int = 0, zones: Sequence[str] = (), limit_s: float = CALL_S
    ) -> dict[str, Said]:
        """Ask all, or these zones; what was answered when `need` (else a quorum) good answers were there, or all had their say."""
        this = Round(need or self.need, good)
        chosen = zones or self.zones
        this.open = len(chosen)
        for zone in chosen:
            self._put(this, zone, request, limit_s)
        await this.over
        return dict(this.answers)

    async def peek(self, request: Request) -> dict[str, Said]:
        """Ask the own replica and as few peers as make a quorum; the others too if one of those is slow or down."""
        this = Round(self.need, answered)
        this.open = len(self.zones)
        first, rest = self._peers[: self.need - 1], self._peers[self.need - 1 :]
        self._put(this, self.zone, request, CALL_S)
        for peer in first:
            self._put(this, peer, request, CALL_S)
        if this.enough:
            return this.answers
        slow = asyncio.get_running_loop().call_later(HEDGE_S, self._ask_rest, this, first, rest, request)
        try:
            if any(isinstance(answer, Down) for answer in this.answers.values()):
                slow.cancel()
                self._ask_rest(this, first, rest, request)
            await this.over
        finally:
            slow.cancel()
        return dict(this.answers)

    async def one(self, zone: str, request: Request, limit_s: float = CALL_S) -> Said:
        """Ask one replica."""
        answers = await self.ask(request, need=1, zones=(zone,), limit_s=limit_s)
        return answers[zone]

    def later(self, delay_s: float, request: Request, zones: Sequence[str]) -> None:
        """Ask these after a while, and do not look at what they say: what seeded bugs call replication."""
        task = asyncio.ensure_future(self._later(delay_s, request, zones))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _later(self, delay_s: float, request: Request, zones: Sequence[str]) -> None:
        await asyncio.sleep(delay_s)
        if zones:
            await self.ask(request, zones=zones, need=len(zones))

    async def close(self) -> None:
        """Stop what is under way here."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _ask_rest(self, this: Round, first: list[str], rest: list[str], request: Request) -> None:
        for peer in first:
            if peer not in this.answers or isinstance(this.answers[peer], Down):
                self._peers.remove(peer)
                self._peers.append(peer)
        for peer in rest:
            self._put(this, peer, request, CALL_S)

    def _put(self, this: Round, zone: str, request: Request, limit_s: float) -> None:
        """Ask one; its answer goes into the round, at once where it can."""
        if zone == self.zone:
            own = self.replica.answer(request)
            if isinstance(own, msgspec.Struct):
                this.take(zone, own)
                this.settle()
            elif len(self._tasks) >= STRAGGLERS_MOST:
                this.take(zone, Down("too many calls under way"))
                this.settle()
            else:
                task = asyncio.get_running_loop().create_task(self._own(this, own))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            return
        answer = self._links[zone].ask(request, limit_s)
        if answer.done():
            this.take(zone, answer.result())
            this.settle()
        else:
            answer.add_done_callback(partial(_land, this, zone))

    async def _own(self, this: Round, own: Awaitable[Said]) -> None:
        try:
            answer = await own
        except OSError as error:
            answer = Down(f"disk: {error}")
        this.take(self.zone, answer)
        this.settle()


def _land(this: Round, zone: str, answer: "asyncio.Future[Said]") -> None:
    this.take(zone, answer.result())
    this.settle()
