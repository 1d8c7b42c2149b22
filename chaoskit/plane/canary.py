"""What a peer of a link really sees: one short connection through the link's published listener. It never repeats a look; callers do.

Of a published listener only so much can be known: Docker's proxy accepts before it dials, so `refused` and `reset` both look like
accepted, then closed without an answer. A close without an answer therefore counts as whichever of the two is expected.
Every socket is closed when a look ends: a client that does not read wedges Toxiproxy when a toxic is removed.
"""

import socket
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from chaoskit.drivers.base import Address
from chaoskit.errors import PlaneFailed
from chaoskit.faults.symptom import Expected
from chaoskit.model.strike import Sample, Symptom
from chaoskit.model.topology import Link

ANSWER_S = 1.0
HOLD_S = 0.15
SHARE = 0.8
PAD_MOST = 12_000
_PAD_MS = 500
_PAD_LINE = 2_000
_HELLO_BYTES = 64
_CUT = (Symptom.REFUSED, Symptom.RESET)


@dataclass(frozen=True, slots=True)
class Probe:
    """What is sent: `first` at once; `last`, if any, after HOLD_S in which the peer must not hang up. Then a close is an answer too."""

    first: bytes
    last: bytes = b""


@dataclass(frozen=True, slots=True)
class _Heard:
    """How a look ended, how long after the last byte that had to be sent, and the bytes received."""

    end: Symptom
    took_s: float
    received: int = 0


def look_all(
    links: Iterable[Link], listeners: Mapping[str, Address], expected: Mapping[str, Expected], *, stage: str, clock: Callable[[], int]
) -> tuple[Sample, ...]:
    """One look at each link, all at once: 21 silent links take as long as one."""
    chosen = tuple(links)
    if not chosen:
        return ()
    with ThreadPoolExecutor(len(chosen)) as pool:
        looks = [pool.submit(look, link, listeners[link.name], expected[link.name], stage=stage, clock=clock) for link in chosen]
        return tuple(one.result() for one in looks)


def look(link: Link, address: Address, expected: Expected, *, stage: str, clock: Callable[[], int]) -> Sample:
    """One look. Silent is no answer within ANSWER_S, or within three times the declared delay on top of it where one is expected."""
    at_ns = clock()
    probe = probe_of(link, expected)
    heard = _ask(address, probe, _limit_s(probe, expected))
    return Sample(link.name, stage, at_ns, expected.symptom, _symptom(heard, probe, expected), round(heard.took_s * 1000, 3))


def probe_of(link: Link, expected: Expected) -> Probe:
    """The bytes for a link, by the kinds of its ends.

    Balancers and registries: GET /v2/. A store as its registry dials it: GET /. Any status line is an answer, 403 and 503 too.
    A store as its peers dial it: Garage reads a hello of 64 bytes, checks its MAC against a secret that a canary does not have, and
    hangs up (kuska-handshake, async_std/handshake.rs). So 63 bytes must leave the connection open, and the 64th must end it.
    The 64 bytes are an HTTP request all the same, for stores that speak HTTP to their peers.
    Where a silent link lets the bytes arrive nothing is sent that makes the target hang up: not the end of a hello, no Connection: close.
    A trickle is shown by a request padded to half a second of its rate (at most 12 kB); a store's peers cannot be sent more than 64.
    """
    if link.target_kind == "store" and link.source.partition(".")[0] == "store":
        head = b"GET / HTTP/1.1\r\nHost: chaoskit\r\nX: "
        hello = head + b"x" * (_HELLO_BYTES - len(head) - 4) + b"\r\n\r\n"
        return Probe(hello[:-1], b"" if expected.arrives else hello[-1:])
    path = b"/" if link.target_kind == "store" else b"/v2/"
    pad = min(expected.up_kb_s * _PAD_MS, PAD_MOST)
    lines = b"".join(b"X-Pad: " + b"x" * min(_PAD_LINE, pad - at) + b"\r\n" for at in range(0, pad, _PAD_LINE))
    head = b"GET " + path + b" HTTP/1.1\r\nHost: chaoskit\r\nUser-Agent: chaoskit-canary\r\n"
    return Probe(head + (b"" if expected.arrives else b"Connection: close\r\n") + lines + b"\r\n")


def _limit_s(probe: Probe, expected: Expected) -> float:
    return ANSWER_S + 3 * _floor_ms(probe, expected, _HELLO_BYTES * 8) / 1000


def _floor_ms(probe: Probe, expected: Expected, received: int) -> float:
    """The least time the declared fault adds: delays where bytes went, and bytes over their rate. A close comes back undelayed."""
    delay = expected.up_ms + (expected.down_ms if received else 0)
    if probe.last:
        return delay
    up = len(probe.first) / expected.up_kb_s if expected.up_kb_s else 0
    down = received / expected.down_kb_s if expected.down_kb_s else 0
    return delay + up + down


def _symptom(heard: _Heard, probe: Probe, expected: Expected) -> Symptom:
    if heard.end in _CUT and expected.symptom in _CUT:
        return expected.symptom
    if heard.end is Symptom.HEALTHY and expected.symptom in (Symptom.SLOW, Symptom.TRICKLE):
        struck = heard.took_s * 1000 >= SHARE * _floor_ms(probe, expected, heard.received)
        return expected.symptom if struck else Symptom.HEALTHY
    return heard.end


def _ask(address: Address, probe: Probe, limit_s: float) -> _Heard:
    """One conversation. The answer's time counts from the dial, or from the last byte of a probe that holds one back."""
    start = time.monotonic()
    try:
        with socket.create_connection((address.host, address.port), timeout=limit_s) as peer:
            peer.sendall(probe.first)
            if probe.last:
                if (early := _hung_up(peer)) is not None:
                    return _Heard(early, time.monotonic() - start)
                start = time.monotonic()
                peer.sendall(probe.last)
            return _hear(peer, start, limit_s, close_answers=bool(probe.last))
    except ConnectionRefusedError:
        return _Heard(Symptom.REFUSED, time.monotonic() - start)
    except (ConnectionResetError, BrokenPipeError):
        return _Heard(Symptom.RESET, time.monotonic() - start)
    except TimeoutError:
        return _Heard(Symptom.SILENT, time.monotonic() - start)
    except OSError as error:
        raise PlaneFailed(f"canary: cannot look at {address.host}:{address.port} from this host: {error}") from error


def _hung_up(peer: socket.socket) -> Symptom | None:
    """Whether the peer closed (or spoke out of turn) within HOLD_S: REFUSED, else None. ConnectionResetError if it reset."""
    peer.settimeout(HOLD_S)
    try:
        return Symptom.HEALTHY if peer.recv(1, socket.MSG_PEEK) else Symptom.REFUSED
    except TimeoutError:
        return None


def _hear(peer: socket.socket, start: float, limit_s: float, *, close_answers: bool) -> _Heard:
    """Read to the end of an HTTP head. TimeoutError when `limit_s` is over before that."""
    head = b""
    while b"\r\n\r\n" not in head:
        left_s = start + limit_s - time.monotonic()
        if left_s <= 0:
            raise TimeoutError
        peer.settimeout(left_s)
        more = peer.recv(4096)
        if not more:
            answered = close_answers or (head.startswith(b"HTTP/1.") and b"\r\n" in head)
            return _Heard(Symptom.HEALTHY if answered else Symptom.REFUSED, time.monotonic() - start, len(head))
        head += more
    return _Heard(Symptom.HEALTHY, time.monotonic() - start, len(head))
