"""Listening proxies: they accept, dial the upstream for each connection and close it all when they are switched off.

Dials do not wait for each other, and a dial that does not come through in DIAL_S closes its client. A listener that cannot be bound
leaves its proxy disabled.
"""

import asyncio
import ipaddress
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from chaoskit.drivers.embedded.proxy.pipe import Connection, Side
from chaoskit.drivers.embedded.proxy.stage import Setting, Toxic

DIAL_S = 3.0
BACKLOG = 1024
CONNECTIONS_MOST = 4096


class CannotListen(Exception):
    """A listen address that is not one, or is taken; in Go's words."""


@dataclass(slots=True)
class Proxy:
    """One link. `listen` has the real port once it has listened. Toxics are in the order in which they came."""

    setting: Setting
    name: str
    listen: str
    upstream: str
    toxics: list[Toxic] = field(default_factory=list)
    _server: asyncio.Server | None = None
    _connections: set[Connection] = field(default_factory=set)
    _dials: dict[Connection, asyncio.Task[None]] = field(default_factory=dict)

    @property
    def enabled(self) -> bool:
        """It listens."""
        return self._server is not None

    async def start(self) -> None:
        """Listen. CannotListen if that fails; nothing if it listens already."""
        if self._server is None:
            listener = _bind(self.listen)
            self._server = await self.setting.loop.create_server(self._accept, sock=listener, backlog=BACKLOG)
            self.listen = told(*listener.getsockname()[:2])

    def stop(self) -> None:
        """Close the listener and every connection. Nothing if it does not listen."""
        if self._server is None:
            return
        self._server.close()
        self._server = None
        for dial in self._dials.values():
            dial.cancel()
        for connection in self._connections:
            connection.abort()

    def toxic(self, name: str) -> Toxic | None:
        """The toxic of that name."""
        return next((toxic for toxic in self.toxics if toxic.name == name), None)

    def add(self, toxic: Toxic) -> None:
        """Put a toxic on every connection, live ones included."""
        self.toxics.append(toxic)
        for connection in tuple(self._connections):
            connection.add(toxic)

    def change(self, toxic: Toxic, attributes: Mapping[str, int], toxicity: float) -> None:
        """Other attributes, for live connections too. Another toxicity throws the dice again."""
        reroll = toxicity != toxic.toxicity
        toxic.attributes, toxic.toxicity = {**toxic.attributes, **attributes}, toxicity
        for connection in tuple(self._connections):
            connection.change(toxic, reroll=reroll)

    def remove(self, toxics: Iterable[Toxic]) -> None:
        """Take toxics off every connection."""
        for toxic in tuple(toxics):
            self.toxics.remove(toxic)
            for connection in tuple(self._connections):
                connection.remove(toxic)

    def _accept(self) -> Side:
        connection = Connection(self.setting, self._lost)
        self._connections.add(connection)
        dial = self.setting.loop.create_task(self._dial(connection))
        self._dials[connection] = dial
        dial.add_done_callback(lambda _: self._dials.pop(connection))
        return connection.client

    async def _dial(self, connection: Connection) -> None:
        try:
            host, port = _parts(self.upstream)
            if len(self._connections) > CONNECTIONS_MOST:
                connection.abort()
                return
            async with asyncio.timeout(DIAL_S):
                await self.setting.loop.create_connection(lambda: connection.upstream, host or "127.0.0.1", port)
            connection.start(self.toxics)
        except (OSError, TimeoutError, CannotListen):
            connection.abort()

    def _lost(self, connection: Connection) -> None:
        self._connections.discard(connection)
        if connection in self._dials:
            self._dials[connection].cancel()


def told(host: str, port: int) -> str:
    """`host:port`, with brackets around an IPv6 address."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def resolved(listen: str) -> str:
    """The address as a listening proxy tells it. CannotListen if it is none. No host means 127.0.0.1."""
    host, port = _parts(listen)
    try:
        return told(str(ipaddress.ip_address("127.0.0.1" if host in ("", "localhost") else host)), port)
    except ValueError as error:
        raise CannotListen(f"address {listen}: wanted an IP address or localhost to listen on, found {host!r}") from error


def _parts(address: str) -> tuple[str, int]:
    host, colon, port = address.rpartition(":")
    if not colon and address:
        raise CannotListen(f"address {address}: missing port in address")
    if port and not (port.isascii() and port.isdecimal() and int(port) < 65536):
        raise CannotListen(f"address {address}: invalid port")
    return host.removeprefix("[").removesuffix("]"), int(port or 0)


def _bind(listen: str) -> socket.socket:
    try:
        address = resolved(listen)
    except CannotListen as error:
        raise CannotListen(f"listen tcp: {error}") from error
    host, port = _parts(address)
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setblocking(False)
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise CannotListen(f"listen tcp {address}: bind: {(error.strerror or str(error)).lower()}") from error
    return listener
