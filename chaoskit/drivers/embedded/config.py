"""What a process of the embedded region is told when it starts: one frozen value, sent as JSON. Nothing is read from the environment."""

from dataclasses import dataclass, field
from pathlib import Path

from chaoskit.drivers.base import Address
from chaoskit.drivers.embedded.bugs import Bug, named

READ_ONLY = "read-only"  # a store with this in its folder refuses what registries want to write
COLLECTED = "collected"  # where a store's collector says what it did, each time it was told to run


@dataclass(frozen=True, slots=True)
class ProcessConfig:
    """`component` is `lb.us-south-1`, `registry...`, `store...` or `proxy`; `listen` is where it serves.

    `dials` has the address of every link whose source it is, by link name: always a listener of the fault proxy, never the peer itself.
    `folder` is its own, kept over restarts. `incarnation` counts its starts. `secret` signs upload sessions and is the region's.
    """

    component: str
    listen: Address
    dials: dict[str, Address]
    folder: str
    incarnation: int = 1
    secret: str = ""
    bugs: tuple[str, ...] = ()
    proxies: dict[str, tuple[Address, Address]] = field(default_factory=dict)  # the proxy's own: link -> (listen, upstream)

    @property
    def zone(self) -> str:
        """The zone part of the component's name."""
        return self.component.partition(".")[2]

    @property
    def path(self) -> Path:
        """The folder as a path."""
        return Path(self.folder)

    def has(self, bug: Bug) -> bool:
        """The bug is switched on in this process."""
        return bug in {named(flag) for flag in self.bugs}
