"""What the two sides of an exchange share: the balancer's state, what an exchange asks of its client, the balancer's own answers."""

import asyncio
import random
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Protocol

from chaoskit.drivers.embedded.balancer.limits import Limits
from chaoskit.drivers.embedded.balancer.servers import RoundRobin

_REASONS = {
    400: b"Bad Request",
    405: b"Method Not Allowed",
    408: b"Request Timeout",
    431: b"Request Header Fields Too Large",
    502: b"Bad Gateway",
    503: b"Service Unavailable",
    504: b"Gateway Timeout",
    505: b"HTTP Version Not Supported",
}


class Client(Protocol):
    """The client's side of an exchange."""

    full: bool

    def write(self, data: bytes) -> None:
        """Send to the client."""
        ...

    def unsent(self) -> int:
        """How many bytes the client has not taken yet."""
        ...

    def pause(self, paused: bool) -> None:
        """Take no more of the request for now, or take it again."""
        ...

    def ended(self, *, close: bool, linger: bool) -> None:
        """The answer is complete. `linger`: a client that still sends has to be heard out before the close."""
        ...

    def break_off(self, *, now: bool) -> None:
        """The answer stays short: close after what was written, or at once."""
        ...


@dataclass(slots=True)
class Balancer:
    """What all exchanges of a balancer share. `luck` is the seeded bug of sporadic 503s, `resends` that of re-sent requests."""

    turns: RoundRobin
    clock: Callable[[], float]
    limits: Limits
    spawn: Callable[[Coroutine[None, None, None]], asyncio.Task[None]]
    resends: bool = False
    luck: random.Random | None = None


def own_answer(status: int, text: str, *, close: bool, head_only: bool = False) -> bytes:
    """An answer of the balancer itself."""
    body = f"{status} {text}\n".encode()
    lines = [b"HTTP/1.1 %d %s" % (status, _REASONS[status]), b"Content-Type: text/plain; charset=utf-8", b"Content-Length: %d" % len(body)]
    lines += [b"Connection: close"] if close else []
    return b"\r\n".join([*lines, b"", b"" if head_only else body])
