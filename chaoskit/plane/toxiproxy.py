"""The links of a region, through toxiproxy-python: read, moved to what is wanted, read back. It keeps no state: what is there is read."""

import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import repeat
from typing import Protocol, assert_never, cast

from toxiproxy import Toxiproxy
from toxiproxy.proxy import Proxy

from chaoskit.drivers.base import Address
from chaoskit.errors import PlaneFailed
from chaoskit.faults.fold import Wanted
from chaoskit.model.strike import Window
from chaoskit.plane.consumer import BoundedConsumer, PlaneWedged, Wire, bound, wire
from chaoskit.plane.moves import Add, Calm, LinkState, Move, Remove, Step, Switch, ToxicState, differences, moves

WORKERS = 4


class _LibraryProxy(Protocol):
    """A proxy of the library: the part of it that is used."""

    def add_toxic(self, **toxic: object) -> None: ...
    def destroy_toxic(self, toxic_name: str) -> bool: ...
    def enable(self) -> None: ...
    def disable(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Applied:
    """When each moved link was as wanted for its peers (ns of the plane's clock), and when the harness itself closed connections."""

    acknowledged_ns: Mapping[str, int]
    disturbed: tuple[Window, ...] = ()


@dataclass(frozen=True, slots=True)
class _Done:
    """What became of one link's steps: when they ended, when they closed connections, and why they failed."""

    at_ns: int
    closed: tuple[Window, ...] = ()
    error: PlaneFailed | None = None


class Plane:
    """One Toxiproxy. Every method raises PlaneWedged if the API does not answer within 3 s a call, PlaneFailed for any other trouble."""

    def __init__(self, address: Address, clock: Callable[[], int]) -> None:
        self._address = address
        self._clock = clock

    def read(self) -> Mapping[str, LinkState]:
        """Every proxy by name, in one call."""
        with wire(self._address, 1) as to:
            return _read(to)

    def create(self, name: str, *, listen: str, upstream: str) -> None:
        """A new proxy. PlaneFailed if the name or the port is taken."""
        if "/" in name:
            raise PlaneFailed(f"proxy {name!r}: a name with a slash cannot be addressed in Toxiproxy's API")
        with wire(self._address, 1) as to, bound(to):
            if name in _read(to):
                raise PlaneFailed(f"proxy {name!r} exists already at {self._address.host}:{self._address.port}")
            Toxiproxy().create(upstream=upstream, name=name, listen=listen)

    def apply(self, wanted: Wanted) -> Applied:
        """Move every link to what is wanted, side by side, then read back. All links are tried even if one fails. Idempotent."""
        with wire(self._address, WORKERS) as to, ThreadPoolExecutor(WORKERS) as pool:
            planned = moves(_read(to), wanted)
            now = dict(zip(planned, pool.map(self._take, repeat(to), planned, [move.now for move in planned.values()]), strict=True))
            drained = {name: move for name, move in planned.items() if move.drain_ms and now[name].error is None}
            time.sleep(max((move.drain_ms for move in drained.values()), default=0) / 1000)
            later = dict(zip(drained, pool.map(self._take, repeat(to), drained, [move.later for move in drained.values()]), strict=True))
            _raise_failed([*now.values(), *later.values()], len(planned))
            if wrong := differences(_read(to), wanted):
                raise PlaneFailed(f"Toxiproxy does not show what was asked: {'; '.join(wrong)}")
        acknowledged = {name: _acknowledged(move, now[name], later.get(name)) for name, move in planned.items()}
        closed = [window for done in now.values() for window in done.closed]
        return Applied(acknowledged, _span(closed))

    def _take(self, to: Wire, name: str, steps: Iterable[Step]) -> _Done:
        closed: list[Window] = []
        proxy = cast("_LibraryProxy", Proxy(name=name, upstream="", enabled=True, listen=""))
        try:
            with bound(to):
                for step in steps:
                    start_ns = self._clock()
                    _take(proxy, name, step)
                    if isinstance(step, Remove) and step.closes:
                        closed.append(Window(start_ns, self._clock()))
        except PlaneFailed as error:
            return _Done(self._clock(), tuple(closed), error)
        return _Done(self._clock(), tuple(closed))


def _take(proxy: _LibraryProxy, name: str, step: Step) -> None:
    match step:
        case Switch(enabled):
            if enabled:
                proxy.enable()
            else:
                proxy.disable()
        case Add(toxic):
            proxy.add_toxic(name=toxic.name, type=toxic.type, stream=toxic.stream, attributes=dict(toxic.attributes))
        case Calm(toxic_name):  # the library cannot update a toxic
            BoundedConsumer.post(f"/proxies/{name}/toxics/{toxic_name}", json={"attributes": {"latency": 0, "jitter": 0}})
        case Remove(toxic_name):
            proxy.destroy_toxic(toxic_name)
        case _:
            assert_never(step)


def _read(to: Wire) -> Mapping[str, LinkState]:
    with bound(to):
        response = BoundedConsumer.get("/proxies")
    try:
        return {name: _state(echo) for name, echo in response.json().items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise PlaneFailed(f"GET /proxies: not a Toxiproxy answer: {response.text[:200]!r}") from error


def _state(echo: Mapping[str, object]) -> LinkState:
    toxics = cast("list[dict[str, object]]", echo["toxics"])
    return LinkState(enabled=bool(echo["enabled"]), toxics=tuple(sorted((_toxic(t) for t in toxics), key=lambda t: t.name)))


def _toxic(echo: Mapping[str, object]) -> ToxicState:
    attributes = cast("dict[str, int]", echo["attributes"])
    return ToxicState(
        name=str(echo["name"]),
        type=str(echo["type"]),
        stream=str(echo["stream"]),
        attributes=tuple(sorted(attributes.items())),
        toxicity=float(cast("float", echo["toxicity"])),
    )


def _raise_failed(done: Iterable[_Done], moved: int) -> None:
    errors = [one.error for one in done if one.error is not None]
    if errors:
        wedged = next((error for error in errors if isinstance(error, PlaneWedged)), None)
        kind = PlaneWedged if wedged else PlaneFailed
        raise kind(f"{len(errors)} of {moved} links could not be moved; first: {wedged or errors[0]}") from ExceptionGroup("links", errors)


def _acknowledged(move: Move, now: _Done, later: _Done | None) -> int:
    """A calmed latency is over for the peers; only what is added or switched after its drain ends later."""
    end = later if later is not None and any(isinstance(step, Add | Switch) for step in move.later) else now
    return end.at_ns


def _span(windows: list[Window]) -> tuple[Window, ...]:
    return (Window(min(w.start_ns for w in windows), max(w.end_ns for w in windows)),) if windows else ()
