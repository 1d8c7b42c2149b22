"""The process of the fault proxy: every link's listener, and the control API once they all listen."""

import asyncio
import random
import resource
import time

from chaoskit.drivers.embedded.bugs import Bug
from chaoskit.drivers.embedded.config import ProcessConfig
from chaoskit.drivers.embedded.proxy.admin import Admin
from chaoskit.drivers.embedded.proxy.httpd import Server
from chaoskit.drivers.embedded.proxy.proxies import Proxy, told
from chaoskit.drivers.embedded.proxy.stage import Setting

FILES_MOST = 65_536


async def serve(config: ProcessConfig) -> None:
    """Proxy every link of `config.proxies`, answer the API at `config.listen`, until cancelled. CannotListen, OSError: a port is taken."""
    _allow_many_sockets()
    chance = random.Random()

    ignored = config.has(Bug.TOXIC_IGNORED)

    def hits(toxicity: float) -> bool:
        return not ignored and chance.random() < toxicity

    admin = Admin(Setting(asyncio.get_running_loop(), time.monotonic, chance, hits))
    server = Server(admin.answer)
    try:
        for name, (listen, upstream) in config.proxies.items():
            admin.proxies[name] = Proxy(admin.setting, name, told(listen.host, listen.port), told(upstream.host, upstream.port))
            await admin.proxies[name].start()
        await server.start(config.listen.host, config.listen.port)
        await asyncio.Event().wait()
    finally:
        for proxy in admin.proxies.values():
            proxy.stop()
        await server.close()


def _allow_many_sockets() -> None:
    """Two sockets a connection are soon more than the usual soft limit of 1024."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = FILES_MOST if hard == resource.RLIM_INFINITY else min(FILES_MOST, hard)
    if soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
