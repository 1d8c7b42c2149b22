"""The registry's health is its store's: asked twice a second, unhealthy after two failures in a row, healthy after one answer."""

import asyncio

from chaoskit.drivers.embedded.registry.site import Readiness
from chaoskit.drivers.embedded.storeapi import Store, Unavailable

INTERVAL_S = 0.5
FIRST_S = 0.05  # until the store has answered once
LIMIT_S = 1.0
FAILURES = 2


async def watch(store: Store, readiness: Readiness, *, interval_s: float = INTERVAL_S, limit_s: float = LIMIT_S) -> None:
    """Ask for ever; a process is not ready before the store has answered once."""
    failures, has_answered = 0, False
    while True:
        try:
            async with asyncio.timeout(limit_s):
                is_well = await store.ready()
        except (TimeoutError, Unavailable):
            is_well = False
        failures = 0 if is_well else failures + 1
        if is_well or failures >= FAILURES:
            readiness.is_ready = is_well
        has_answered = has_answered or is_well
        await asyncio.sleep(interval_s if has_answered else min(FIRST_S, interval_s))
