"""Where everything of an embedded region listens, and what each of its processes is told: a pure function of topology and ports.

Ports lie outside the kernel's ephemeral range: there a dial to a component that was killed could get the dead port as its own and connect
to itself. They are held for the region's life by sockets that are bound with SO_REUSEADDR and never listen: the components may listen on
them, again and again; another region that looks for a free port (bound without it) may not.
"""

import random
import socket
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from chaoskit.drivers.base import Address
from chaoskit.drivers.embedded.bugs import Bug
from chaoskit.drivers.embedded.config import ProcessConfig
from chaoskit.errors import EnvironmentMissing
from chaoskit.model.topology import Topology

HOST = "127.0.0.1"
PROXY = "proxy"
_EPHEMERAL = Path("/proc/sys/net/ipv4/ip_local_port_range")
_LOWEST = 10_000
_ENOUGH = 4_000


@dataclass(frozen=True, slots=True)
class Layout:
    """`serving` is where components listen, `listeners` where the fault proxy does for each link, `control` where its API answers."""

    control: Address
    listeners: Mapping[str, Address]
    serving: Mapping[str, Address]

    @property
    def entries(self) -> dict[str, str]:
        """Base URL of each zone's entry: the listener of the link from clients to its balancer."""
        found = {name.removeprefix("client->lb."): at for name, at in self.listeners.items() if name.startswith("client->lb.")}
        return {zone: f"http://{at.host}:{at.port}" for zone, at in found.items()}


def lay_out(topology: Topology, held: ExitStack) -> Layout:
    """Hold a port for everything that listens until `held` is closed. EnvironmentMissing if there are not enough."""
    links = [link.name for link in topology.links]
    components = [component.name for component in topology.components]
    control, *addresses = hold_ports(1 + len(links) + len(components), held)
    return Layout(
        control=control,
        listeners=dict(zip(links, addresses, strict=False)),
        serving=dict(zip(components, addresses[len(links) :], strict=True)),
    )


def process_configs(
    topology: Topology, layout: Layout, *, folder: Path, secret: str = "", bugs: tuple[Bug, ...] = ()
) -> dict[str, ProcessConfig]:
    """What each component and the fault proxy is told, by name. Each has a folder of its own inside `folder`."""
    flags = tuple(bug.flag for bug in bugs)
    configs = {
        name: ProcessConfig(
            component=name,
            listen=at,
            dials={link.name: layout.listeners[link.name] for link in topology.links if link.source == name},
            folder=str(folder / name),
            secret=secret,
            bugs=flags,
        )
        for name, at in layout.serving.items()
    }
    proxies = {link.name: (layout.listeners[link.name], layout.serving[link.target]) for link in topology.links}
    configs[PROXY] = ProcessConfig(PROXY, layout.control, {}, str(folder / PROXY), bugs=flags, proxies=proxies)
    return configs


def hold_ports(count: int, held: ExitStack) -> list[Address]:
    """`count` loopback addresses that nobody uses, and nobody who looks for a free port gets, until `held` is closed."""
    low, high = (int(word) for word in _EPHEMERAL.read_text().split())
    found: list[Address] = []
    candidates = list(_candidates(low, high))
    random.SystemRandom().shuffle(candidates)
    for port in candidates:
        if len(found) == count:
            return found
        holder = socket.socket()
        try:
            holder.bind((HOST, port))
        except OSError:
            holder.close()
            continue
        held.enter_context(holder)
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.append(Address(HOST, port))
    raise EnvironmentMissing(f"found {len(found)} free loopback ports of the {count} this region needs; stop other regions first")


def _candidates(low: int, high: int) -> range:
    """Ports outside the ephemeral range [low, high], or any if it leaves too few."""
    if low - _LOWEST >= _ENOUGH:
        return range(_LOWEST, low)
    if 65_535 - high >= _ENOUGH:
        return range(high + 1, 65_536)
    return range(_LOWEST, 60_000)
