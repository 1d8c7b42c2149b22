"""The state that the strikes now active want together, as plain data; and why two strikes may not be active together."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import combinations
from typing import Literal

from chaoskit.errors import BadExperiment
from chaoskit.model.strike import (
    Alteration,
    Altered,
    Change,
    Collected,
    ProcessFrozen,
    ProcessKilled,
    ProcessRestarted,
    ProxyDown,
    ToxicOn,
)

Held = Literal["frozen", "dead"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What differs from a healthy region: links down, toxics by link, components not running or altered.

    Restarts and collections leave nothing to want.
    """

    down: frozenset[str] = frozenset()
    toxics: Mapping[str, tuple[ToxicOn, ...]] = field(default_factory=dict)
    processes: Mapping[str, Held] = field(default_factory=dict)
    altered: Mapping[str, Alteration] = field(default_factory=dict)


def fold(strikes: Iterable[tuple[Change, ...]]) -> Wanted:
    """The wanted state of strikes active at once, in any order. BadExperiment if two of them contradict each other."""
    active = tuple(strikes)
    for a, b in combinations(active, 2):
        if reason := contradiction(a, b):
            raise BadExperiment(reason)
    down: set[str] = set()
    toxics: dict[str, dict[str, ToxicOn]] = {}
    processes: dict[str, Held] = {}
    altered: dict[str, Alteration] = {}
    for change in (change for changes in active for change in changes):
        match change:
            case ProxyDown(link):
                down.add(link)
            case ToxicOn(link):
                toxics.setdefault(link, {})[change.name] = change
            case ProcessFrozen(component):
                processes[component] = "frozen"
            case ProcessKilled(component):
                processes[component] = "dead"
            case Altered(component, alteration):
                altered[component] = alteration
            case ProcessRestarted() | Collected():
                pass
    return Wanted(frozenset(down), {link: tuple(on[name] for name in sorted(on)) for link, on in toxics.items()}, processes, altered)


def contradiction(a: Iterable[Change], b: Iterable[Change]) -> str | None:
    """Why two sets of changes cannot be told apart where they meet, or None.

    On one link both must want the same, or only toxics that add up: latency, and bandwidth above 0, each type and stream once.
    On one component both must want the same.
    """
    of_a, of_b = _by_place(a), _by_place(b)
    for place in sorted(of_a.keys() & of_b.keys()):
        if of_a[place] != of_b[place] and not _add_up(of_a[place] | of_b[place]):
            return f"{place} cannot have both {_told(of_a[place])} and {_told(of_b[place])} at once"
    return None


def _by_place(changes: Iterable[Change]) -> dict[str, frozenset[Change]]:
    places: dict[str, set[Change]] = {}
    for change in changes:
        place = f"link {change.link!r}" if isinstance(change, ProxyDown | ToxicOn) else f"component {change.component!r}"
        places.setdefault(place, set()).add(change)
    return {place: frozenset(found) for place, found in places.items()}


def _add_up(changes: frozenset[Change]) -> bool:
    names = [change.name for change in changes if isinstance(change, ToxicOn) and _additive(change)]
    return len(names) == len(changes) == len(set(names))


def _additive(toxic: ToxicOn) -> bool:
    return toxic.type == "latency" or (toxic.type == "bandwidth" and dict(toxic.attributes)["rate"] > 0)


def _told(changes: frozenset[Change]) -> str:
    return " + ".join(sorted(told(change) for change in changes))


def told(change: Change) -> str:
    """A change in a few words, without its place."""
    match change:
        case ProxyDown():
            return "proxy down"
        case ToxicOn(_, toxic, stream, attributes):
            return f"{toxic} {stream} ({', '.join(f'{name} {value}' for name, value in attributes)})"
        case ProcessFrozen():
            return "process frozen"
        case ProcessKilled():
            return "process killed"
        case ProcessRestarted(_, turn):
            return f"process restarted, turn {turn + 1}" if turn else "process restarted"
        case Altered(_, alteration):
            return alteration
        case Collected():
            return "collector run"
