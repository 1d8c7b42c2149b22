"""Health checks of one registry: GET /v2/ over a fresh connection through its link, 200 or not."""

import asyncio
import re

from chaoskit.drivers.embedded.balancer.servers import Server

_ASK = b"GET /v2/ HTTP/1.1\r\nHost: balancer\r\nUser-Agent: chaoskit-balancer-check\r\nConnection: close\r\n\r\n"
_GOOD = re.compile(rb"HTTP/1\.[01] 200[ \r]")


async def watch(server: Server, *, first_s: float, connects_only: bool = False) -> None:
    """Check for ever, at a steady beat unless a check takes longer.

    `connects_only` is the seeded bug of a check that is content with a connection.
    """
    clock = asyncio.get_running_loop().time
    await asyncio.sleep(first_s)
    while True:
        due = clock() + server.limits.check_every_s
        found = await _check(server, connects_only=connects_only)
        server.checked(not found, found or "answers 200")
        await asyncio.sleep(max(due - clock(), 0))


async def _check(server: Server, *, connects_only: bool) -> str:
    """What is wrong, or ''."""
    try:
        async with asyncio.timeout(server.limits.check_s):
            reader, writer = await asyncio.open_connection(server.address.host, server.address.port, limit=4_096)
            try:
                if connects_only:
                    return ""
                writer.write(_ASK)
                line = await reader.readline()
            finally:
                writer.transport.abort()
    except TimeoutError:
        return f"no answer in {server.limits.check_s:g} s"
    except (OSError, ValueError) as error:
        return f"check failed: {error}"
    return "" if _GOOD.match(line) else f"answers {line[:40].decode(errors='replace').strip() or 'nothing'}"
