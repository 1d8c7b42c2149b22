"""A registry on a socket, over any store: the front, the handlers, the health check, and the lies its configuration asks for."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from chaoskit.drivers.base import Address
from chaoskit.drivers.embedded.bugs import Bug
from chaoskit.drivers.embedded.config import ProcessConfig
from chaoskit.drivers.embedded.registry.front import Connection, Gate
from chaoskit.drivers.embedded.registry.health import watch
from chaoskit.drivers.embedded.registry.lies import lying
from chaoskit.drivers.embedded.registry.routes import dispatcher
from chaoskit.drivers.embedded.registry.site import Limits, Site
from chaoskit.drivers.embedded.storeapi import Store

_GRACE_S = 0.5
_LIMITS = Limits()


@asynccontextmanager
async def open_registry(config: ProcessConfig, store: Store, *, limits: Limits = _LIMITS) -> AsyncIterator[Address]:
    """Listen at `config.listen` (port 0: any); gives the address that was bound. The exit waits 0.5 s for requests under way."""
    loop = asyncio.get_running_loop()
    site = Site(lying(store, config), config.secret, limits, verifies_uploads=not config.has(Bug.TRUNCATED_UPLOAD))
    gate = Gate(limits, loop.time)
    server = web.Server(dispatcher(site))
    listener = await loop.create_server(lambda: Connection(server, gate, loop), config.listen.host, config.listen.port, backlog=1024)
    async with asyncio.TaskGroup() as group:
        chores = (group.create_task(watch(store, site.readiness)), group.create_task(gate.sweep()))
        try:
            host, port = listener.sockets[0].getsockname()[:2]
            yield Address(host, port)
        finally:
            listener.close()
            server.pre_shutdown()
            for chore in chores:
                chore.cancel()
            await server.shutdown(_GRACE_S)
