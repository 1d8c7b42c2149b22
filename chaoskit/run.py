"""The conductor: deploy -> phases -> heal -> logs -> teardown -> verdict. Whatever happens on the way, the later steps are still done."""

import asyncio
import platform
import secrets
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial

from chaoskit import rundir
from chaoskit.drivers.base import Deployment, Driver
from chaoskit.errors import ChaosError, Interrupted
from chaoskit.experiment import Variant
from chaoskit.host import facts
from chaoskit.judgement import judge
from chaoskit.model.results import RunResults
from chaoskit.model.topology import Topology
from chaoskit.plane.injector import Injector
from chaoskit.plane.toxiproxy import Plane
from chaoskit.rundir import RunFolder
from chaoskit.stage import Stage, Stop, blocking
from chaoskit.workload.runner import MAX_IN_FLIGHT

FINAL_S = 180.0


async def conduct(
    variant: Variant,
    *,
    driver: Driver,
    topology: Topology,
    folder: RunFolder,
    seed: int,
    progress: Callable[[str], None],
    stop: asyncio.Event,
    timeout_s: float | None = None,
    final_s: float = FINAL_S,
    skips: str = "",
    max_in_flight: int = MAX_IN_FLIGHT,
) -> RunResults:
    """One run, from nothing to its stored and judged results.

    Setting `stop` ends it early with Interrupted, `timeout_s` with TimedOut, both after healing. NotReady if a zone answered nothing in
    the steady phase; what driver, plane and run folder raise comes through, several errors as one ExceptionGroup. The history is kept
    in every case. `final_s` bounds the final reads, which are repeated until each was answered; `skips` is a bug of our own for the
    selftest: the pinned lane leaves that zone out. Sessions due beyond `max_in_flight` are recorded as not sent.
    """
    start_ns = time.monotonic_ns()
    ending = Stop(stop, timeout_s)

    def clock() -> int:
        return time.monotonic_ns() - start_ns

    stage = Stage(variant.experiment, topology, folder, seed, clock, progress, ending, final_s, skips, max_in_flight)
    region = f"chaoskit-{variant.experiment.name}-{secrets.token_hex(3)}"
    folder.write_meta({"started_utc": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}", "region": region, "host": facts()})
    expiry = asyncio.get_running_loop().call_later(timeout_s, ending.expire) if timeout_s is not None else None
    stack = ExitStack()
    try:
        await _then(_on_region(stage, partial(stack.enter_context, driver.deploy(topology, name=region))), stack.close)
    except BaseExceptionGroup as group:
        raise _without_noise(group) from group
    finally:
        if expiry is not None:
            expiry.cancel()
        folder.write_meta({"duration_s": (time.monotonic_ns() - start_ns) / 1e9})
    results = judge(rundir.load(folder.path))
    folder.write_results(results)
    return results


async def _on_region(stage: Stage, deploy: Callable[[], Deployment]) -> None:
    deployment = await blocking(deploy)
    stage.progress(f"region {deployment.facts.get('region', '')} is up after {stage.clock() / 1e9:.1f} s")
    versions = {"python": platform.python_version(), "docker": deployment.facts.get("docker", "")}
    images = {name.removeprefix("image."): value for name, value in deployment.facts.items() if name.startswith("image.")}
    stage.folder.write_meta({"versions": versions, "images": images})
    stage.stop.check()
    injector = Injector(stage.topology, Plane(deployment.control, stage.clock), deployment, stage.clock)

    def heal() -> None:
        for struck in injector.heal_all():
            stage.folder.events.struck(stage.stamped(struck))
        injector.assert_clean()

    await _then(stage.play(deployment, injector), heal, lambda: deployment.save_logs(stage.folder.logs_dir))


async def _then(work: Awaitable[None], *steps: Callable[[], None]) -> None:
    """Await the work, then take every step on a thread whatever happened before; all errors come together."""
    errors: list[BaseException] = []
    try:
        await work
    except BaseException as error:  # noqa: BLE001 - kept and raised below
        errors.append(error)
    for step in steps:
        try:
            await blocking(step)
        except ChaosError as error:
            errors.append(error)
    if len(errors) > 1:
        raise BaseExceptionGroup("a run and its clean-up", errors)
    if errors:
        raise errors[0]


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error


def _without_noise(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """The one error, or a flat group. "Interrupted, after healing" is only said where nothing went wrong with the healing."""
    leaves = list(_leaves(group))
    kept = [leaf for leaf in leaves if not isinstance(leaf, Interrupted)] or leaves[:1]
    return kept[0] if len(kept) == 1 else BaseExceptionGroup("a run and its clean-up", kept)
