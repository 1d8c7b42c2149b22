"""Stand-ins for components: a registry that answers 200 to everything, a proxy that only forwards."""

import asyncio
from contextlib import suppress

from chaoskit.drivers.embedded.config import ProcessConfig

MODULE = "tests.embedded.standin"
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s"


async def serve(config: ProcessConfig) -> None:
    """A registry, store or fault proxy, by the kind of the component."""
    async with asyncio.TaskGroup() as group:
        for listen, upstream in config.proxies.values():
            group.create_task(_forward(listen.port, upstream.port))
        group.create_task(_answer(config))


async def _answer(config: ProcessConfig) -> None:
    said = f"{config.component} {config.incarnation} {config.secret}".encode()

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                await reader.readuntil(b"\r\n\r\n")
                print(said.decode(), flush=True)
                writer.write(ANSWER % (len(said), said))
        writer.close()

    async with await asyncio.start_server(converse, config.listen.host, config.listen.port) as server:
        await server.serve_forever()


async def _forward(port: int, upstream: int) -> None:
    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while more := await reader.read(65536):
                writer.write(more)
        writer.close()

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            other_reader, other_writer = await asyncio.open_connection("127.0.0.1", upstream)
        except OSError:
            writer.close()
            return
        await asyncio.gather(pump(reader, other_writer), pump(other_reader, writer))

    async with await asyncio.start_server(converse, "127.0.0.1", port) as server:
        await server.serve_forever()
