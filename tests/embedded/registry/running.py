"""Registries of the tests: each in a thread with a uvloop of its own, so that tests speak to it over blocking sockets."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvloop

from chaoskit.drivers.base import Address
from chaoskit.drivers.embedded.bugs import Bug
from chaoskit.drivers.embedded.config import ProcessConfig
from chaoskit.drivers.embedded.registry.listening import open_registry
from chaoskit.drivers.embedded.registry.site import Limits
from chaoskit.drivers.embedded.storeapi import Store
from tests.embedded.registry.talk import Talk

START_LIMIT_S = 5.0


def config(*bugs: Bug, secret: str = "s3cret") -> ProcessConfig:
    return ProcessConfig(
        component="registry.us-south-1",
        listen=Address("127.0.0.1", 0),
        dials={},
        folder="",
        secret=secret,
        bugs=tuple(bug.flag for bug in bugs),
    )


@contextmanager
def running(store: Store, *bugs: Bug, limits: Limits | None = None, secret: str = "s3cret") -> Iterator[Address]:
    """A registry over `store`, ready unless the store is not; stopped and its thread joined at the exit."""
    started, stop = threading.Event(), asyncio.Event()
    found: list[tuple[Address, asyncio.AbstractEventLoop]] = []

    async def serve() -> None:
        async with open_registry(config(*bugs, secret=secret), store, limits=limits or Limits()) as address:
            await asyncio.sleep(0)  # the first health check
            found.append((address, asyncio.get_running_loop()))
            started.set()
            await stop.wait()

    thread = threading.Thread(target=lambda: uvloop.run(serve()))
    thread.start()
    try:
        assert started.wait(START_LIMIT_S), f"no registry within {START_LIMIT_S} s"
        yield found[0][0]
    finally:
        if found:
            found[0][1].call_soon_threadsafe(stop.set)
        thread.join(START_LIMIT_S)
        assert not thread.is_alive(), f"the registry did not stop within {START_LIMIT_S} s"


@contextmanager
def talking(store: Store, *bugs: Bug) -> Iterator[Talk]:
    """A registry and somebody who speaks to it."""
    with running(store, *bugs) as address, Talk.to(address) as talk:
        yield talk
