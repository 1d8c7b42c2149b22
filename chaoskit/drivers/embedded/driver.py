"""The embedded driver: a region of our own processes on this machine's loopback, up in under two seconds, no Docker.

One process for each component, one for the fault proxy, one that starts them. All of them go with this process, however it ends.
"""

import platform
import secrets
import shutil
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

from chaoskit.drivers.base import Deployment
from chaoskit.drivers.embedded.bugs import Bug
from chaoskit.drivers.embedded.layout import lay_out, process_configs
from chaoskit.drivers.embedded.nurse import Nurse
from chaoskit.drivers.embedded.nursery import MODULES
from chaoskit.drivers.embedded.region import EmbeddedRegion
from chaoskit.errors import DeployFailed, EnvironmentMissing, PlaneFailed
from chaoskit.model.topology import Topology


@dataclass(frozen=True, slots=True)
class EmbeddedDriver:
    """Deploys any topology of balancers, registries and stores. Regions keep their state in `root`, or where temporary files go.

    `bugs` are switched on in every process that has them. `modules` says what serves each kind of component.
    """

    root: Path | None = None
    bugs: tuple[Bug, ...] = ()
    modules: Mapping[str, str] = field(default_factory=lambda: MODULES)
    name: str = "embedded"

    def preflight(self, topology: Topology) -> None:
        """Linux, for PDEATHSIG and /proc; and a component for every end of a link."""
        if sys.platform != "linux" or not Path("/proc/self/stat").exists():
            raise EnvironmentMissing(f"driver 'embedded' needs Linux with /proc, this is {sys.platform}; use --driver compose")
        unknown = sorted({component.kind for component in topology.components} - self.modules.keys())
        if unknown:
            raise EnvironmentMissing(f"driver 'embedded' has no component of kind {unknown[0]!r} for topology '{topology.name}'")

    @contextmanager
    def deploy(self, topology: Topology, *, name: str) -> Iterator[Deployment]:
        """Up, ready, and away again whatever happens; a start that fails has cleaned up after itself."""
        self.preflight(topology)
        with ExitStack() as stack:
            folder = (self.root or Path(tempfile.gettempdir())) / f"{name}-{secrets.token_hex(4)}"
            stack.callback(_remove, folder)  # the nursery makes it and takes it away, unless it is killed
            nurse = Nurse()
            stack.callback(nurse.close)
            layout = lay_out(topology, stack)
            configs = process_configs(topology, layout, folder=folder, secret=secrets.token_hex(32), bugs=self.bugs)
            region = EmbeddedRegion(topology, layout, configs, self._facts(folder.name), nurse)
            try:
                nurse.begin(folder, self.modules)
                region.come_up()
            except PlaneFailed as error:
                raise DeployFailed(f"region '{name}' did not come up: {error}") from error
            yield region

    def _facts(self, region: str) -> dict[str, str]:
        return {
            "region": region,
            "chaoskit": version("chaoskit"),
            "python": platform.python_version(),
            "kernel": platform.release(),
            **{package: version(package) for package in ("uvloop", "aiohttp", "msgspec")},
            **({"bugs": ", ".join(bug.flag for bug in self.bugs)} if self.bugs else {}),
        }


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)
