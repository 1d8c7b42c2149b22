"""Components moved from what the driver shows to what is wanted, and read back."""

import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor

from chaoskit.drivers.base import ComponentState, Deployment, State
from chaoskit.errors import ChaosError, PlaneFailed
from chaoskit.faults.fold import Held
from chaoskit.model.strike import Alteration

READ_BACK_S = 5.0
_POLL_S = 0.05


def move(deployment: Deployment, wanted: Mapping[str, Held], *, clock: Callable[[], int]) -> Mapping[str, int]:
    """Freeze, thaw, kill and start until every component is as wanted (running unless named); when each was done, by component.

    All components are tried even if one fails. Idempotent. PlaneFailed if one is not as wanted READ_BACK_S later.
    """
    found = deployment.states()
    if unknown := sorted(wanted.keys() - found.keys()):
        raise PlaneFailed(f"the driver has no component {unknown[0]!r}; it has {', '.join(sorted(found))}")
    steps = {name: _steps(deployment, state.state, wanted.get(name, "running")) for name, state in found.items()}
    done = _side_by_side({name: todo for name, todo in steps.items() if todo}, clock)
    if done:
        _read_back(deployment, lambda states: [_told(n, s, wanted.get(n, "running")) for n, s in states.items()])
    return done


def restart(deployment: Deployment, components: Iterable[str], *, clock: Callable[[], int]) -> Mapping[str, int]:
    """Restart each component once; when each was done. PlaneFailed if one does not run as a new process READ_BACK_S later."""
    before = deployment.states()
    chosen = tuple(components)
    done = _side_by_side(dict.fromkeys(chosen, (deployment.restart,)), clock)
    if chosen:
        _read_back(deployment, lambda states: [_told_start(name, before[name], states[name]) for name in chosen])
    return done


def alter(deployment: Deployment, wanted: Mapping[str, Alteration], *, clock: Callable[[], int]) -> Mapping[str, int]:
    """Alter and restore until every component is as wanted (unaltered unless named); when each was done, by component.

    One after the other, and all are tried even if one fails. Idempotent. PlaneFailed if the region then does not show what is wanted.
    """
    found = deployment.alterations()
    done: dict[str, int] = {}
    errors: list[ChaosError] = []
    for name in sorted(found.keys() | wanted.keys()):
        before, after = found.get(name), wanted.get(name)
        if before == after:
            continue
        try:
            if before is not None:
                deployment.restore(name, before)
            if after is not None:
                deployment.alter(name, after)
            done[name] = clock()
        except ChaosError as error:
            errors.append(error)
    if errors:
        raise PlaneFailed(f"{len(errors)} components could not be altered; first: {errors[0]}") from ExceptionGroup("components", errors)
    if done and (left := dict(deployment.alterations())) != dict(wanted):
        raise PlaneFailed(f"altered are {left}, wanted {dict(wanted)}")
    return done


def collect(deployment: Deployment, registries: Iterable[str], *, clock: Callable[[], int]) -> tuple[str, ...]:
    """Run each registry's collector to its end, one after the other; what each said last. PlaneFailed if one fails."""
    notes = []
    for name in registries:
        start_ns = clock()
        told = deployment.collect(name)
        notes.append(f"the collector of {name} ran for {(clock() - start_ns) / 1e9:.1f} s and said last: {told}")
    return tuple(notes)


_Step = Callable[[str], None]


def _steps(deployment: Deployment, found: State, wanted: State) -> tuple[_Step, ...]:
    match found, wanted:
        case ("running", "frozen"):
            return (deployment.freeze,)
        case ("running" | "frozen", "dead"):
            return (deployment.kill,)
        case ("frozen", "running"):
            return (deployment.thaw,)
        case ("dead", "running"):
            return (deployment.start,)
        case ("dead", "frozen"):
            return (deployment.start, deployment.freeze)
        case _:
            return ()


def _side_by_side(steps: Mapping[str, tuple[_Step, ...]], clock: Callable[[], int]) -> Mapping[str, int]:
    def take(name: str, todo: tuple[_Step, ...]) -> int:
        for step in todo:
            step(name)
        return clock()

    if not steps:
        return {}
    done: dict[str, int] = {}
    errors: list[ChaosError] = []
    with ThreadPoolExecutor(len(steps)) as pool:
        for name, taken in [(name, pool.submit(take, name, todo)) for name, todo in steps.items()]:
            try:
                done[name] = taken.result()
            except ChaosError as error:
                errors.append(error)
    if errors:
        raise PlaneFailed(f"{len(errors)} of {len(steps)} components could not be moved; first: {errors[0]}") from ExceptionGroup(
            "components", errors
        )
    return done


def _read_back(deployment: Deployment, wrong_of: Callable[[Mapping[str, ComponentState]], list[str]]) -> None:
    """Until nothing is wrong, for at most READ_BACK_S: drivers report a state a moment after the call returned."""
    end = time.monotonic() + READ_BACK_S
    while wrong := [told for told in wrong_of(deployment.states()) if told]:
        if time.monotonic() > end:
            raise PlaneFailed(f"{'; '.join(wrong)}, {READ_BACK_S:g} s after the change")
        time.sleep(_POLL_S)


def _told(name: str, state: ComponentState, wanted: State) -> str:
    return "" if state.state == wanted else f"component {name!r} is {state.state}, wanted {wanted}"


def _told_start(name: str, before: ComponentState, now: ComponentState) -> str:
    if now.state == "running" and now.started != before.started:
        return ""
    return f"component {name!r} is {now.state} since {now.started!r}, wanted a start after {before.started!r}"
