"""From the state a plane shows to the state that is wanted, as plain steps; and how two states differ, in words. Pure.

Toxics leave the gentlest way known not to wedge Toxiproxy (tests/contract/test_toxiproxy.py): latency is set to 0, what it
holds drains, then it is deleted; the others are deleted directly, while the proxy is up. Only `timeout` closes connections by that.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from chaoskit.errors import PlaneFailed
from chaoskit.faults.fold import Wanted
from chaoskit.model.strike import ToxicOn

DRAIN_SPARE_MS = 200
_LONGEST_MS = 3_600_000
_RANGES: Mapping[str, Mapping[str, tuple[int, int]]] = {
    "latency": {"jitter": (0, _LONGEST_MS), "latency": (0, _LONGEST_MS)},
    "bandwidth": {"rate": (0, 1_000_000)},
    "timeout": {"timeout": (0, 0)},
    "reset_peer": {"timeout": (0, 0)},
}


@dataclass(frozen=True, slots=True)
class ToxicState:
    """A toxic as Toxiproxy echoes it."""

    name: str
    type: str
    stream: str
    attributes: tuple[tuple[str, int], ...]
    toxicity: float = 1.0

    def is_wanted(self, toxic: ToxicOn) -> bool:
        """Equal in everything, to the last attribute."""
        return self == ToxicState(toxic.name, toxic.type, toxic.stream, toxic.attributes)

    @property
    def holds_ms(self) -> int:
        """The longest time it can hold a byte; only of latency."""
        return sum(value for name, value in self.attributes if name in ("latency", "jitter"))


@dataclass(frozen=True, slots=True)
class LinkState:
    """A proxy as Toxiproxy shows it; toxics sorted by name."""

    enabled: bool = True
    toxics: tuple[ToxicState, ...] = ()


@dataclass(frozen=True, slots=True)
class Switch:
    """Enable or disable the proxy."""

    enabled: bool


@dataclass(frozen=True, slots=True)
class Add:
    """Add a toxic."""

    toxic: ToxicOn


@dataclass(frozen=True, slots=True)
class Calm:
    """Set a latency toxic to 0."""

    name: str


@dataclass(frozen=True, slots=True)
class Remove:
    """Delete a toxic; `closes` if that closes the connections it sits on."""

    name: str
    closes: bool


Step = Switch | Add | Calm | Remove


@dataclass(frozen=True, slots=True)
class Move:
    """Steps of one link: `now`, then, when `drain_ms` have passed, `later`."""

    now: tuple[Step, ...]
    drain_ms: int = 0
    later: tuple[Step, ...] = field(default=())


def moves(found: Mapping[str, LinkState], wanted: Wanted) -> Mapping[str, Move]:
    """The steps by link, only of links that are not as wanted. PlaneFailed for a link the plane lacks or a value out of range."""
    check_links(found, wanted)
    for toxic in (toxic for on in wanted.toxics.values() for toxic in on):
        check_range(toxic)
    planned = {name: _move(state, name not in wanted.down, wanted.toxics.get(name, ())) for name, state in found.items()}
    return {name: move for name, move in planned.items() if move.now or move.later}


def _move(state: LinkState, up: bool, toxics: Iterable[ToxicOn]) -> Move:
    """Down before anything, up after everything, new toxics when the old ones are gone."""
    by_name = {toxic.name: toxic for toxic in toxics}
    stale = [t for t in state.toxics if t.name not in by_name or not t.is_wanted(by_name[t.name])]
    kept = {t.name for t in state.toxics} - {t.name for t in stale}
    held = [t for t in stale if t.type == "latency"]
    first: list[Step] = [Switch(False)] if state.enabled and not up else []
    first += [Calm(t.name) for t in held]
    first += [Remove(t.name, closes=t.type == "timeout") for t in stale if t not in held]
    last: list[Step] = [Remove(t.name, closes=False) for t in held]
    last += [Add(toxic) for toxic in by_name.values() if toxic.name not in kept]
    last += [Switch(True)] if up and not state.enabled else []
    if not held:
        return Move((*first, *last))
    return Move(tuple(first), max(t.holds_ms for t in held) + DRAIN_SPARE_MS, tuple(last))


def check_links(found: Mapping[str, LinkState], wanted: Wanted) -> None:
    """PlaneFailed if a wanted link has no proxy."""
    missing = sorted((wanted.down | wanted.toxics.keys()) - found.keys())
    if missing:
        raise PlaneFailed(f"Toxiproxy has no proxy {missing[0]!r} ({len(missing)} of the wanted links are missing, {len(found)} are there)")


def check_range(toxic: ToxicOn) -> None:
    """PlaneFailed for what Toxiproxy would accept and ignore (unknown attributes) or die of (negative rates)."""
    ranges = _RANGES.get(toxic.type)
    values = dict(toxic.attributes)
    if ranges is None or values.keys() != ranges.keys():
        choices = "; ".join(f"{name}({', '.join(of)})" for name, of in _RANGES.items())
        raise PlaneFailed(f"proxy {toxic.link!r}: toxic {toxic.type}({', '.join(values)}) is not one of {choices}")
    for name, (least, most) in ranges.items():
        if not least <= values[name] <= most:
            raise PlaneFailed(f"proxy {toxic.link!r}: toxic {toxic.type} wants {name} {values[name]}, which is outside {least}..{most}")


def differences(found: Mapping[str, LinkState], wanted: Wanted) -> tuple[str, ...]:
    """What is not as wanted, one sentence each, by proxy; empty if all is."""
    return tuple(sentence for name in sorted(found) for sentence in _differences(name, found[name], wanted))


def _differences(name: str, state: LinkState, wanted: Wanted) -> list[str]:
    up = name not in wanted.down
    told = [f"proxy {name!r} is {'enabled' if state.enabled else 'disabled'}"] if state.enabled is not up else []
    by_name = {toxic.name: toxic for toxic in wanted.toxics.get(name, ())}
    for toxic in state.toxics:
        on = by_name.pop(toxic.name, None)
        if on is None:
            told.append(f"proxy {name!r} still has toxic {toxic.type!r}")
        elif not toxic.is_wanted(on):
            told.append(f"proxy {name!r}: wanted {on.type} {on.stream} {dict(on.attributes)}, found {_told(toxic)}")
    return [*told, *(f"proxy {name!r} lacks toxic {toxic.type!r} {toxic.stream}" for toxic in by_name.values())]


def _told(toxic: ToxicState) -> str:
    return f"{toxic.type} {toxic.stream} {dict(toxic.attributes)} with toxicity {toxic.toxicity:g}"
