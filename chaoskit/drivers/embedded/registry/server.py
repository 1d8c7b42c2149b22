"""The registry process of a zone: told by its configuration where its store is, serves until it is cancelled."""

import asyncio

from chaoskit.drivers.embedded.config import ProcessConfig
from chaoskit.drivers.embedded.registry.listening import open_registry
from chaoskit.drivers.embedded.store.client import StoreClient


async def serve(config: ProcessConfig) -> None:
    """Serve the zone's registry until cancelled."""
    zone = config.zone
    async with StoreClient(config.dials[f"registry.{zone}->store.{zone}"]) as store, open_registry(config, store):
        await asyncio.Event().wait()
