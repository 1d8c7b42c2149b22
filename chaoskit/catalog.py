"""The composition root: topologies, drivers and reporters by name. The only module that names a concrete driver."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from chaoskit.drivers.base import Driver
from chaoskit.model.results import RunResults
from chaoskit.model.topology import Topology, one_zone, three_zones, three_zones_impatient
from chaoskit.report import console

if TYPE_CHECKING:
    from chaoskit.drivers.compose import ComposeDriver
    from chaoskit.drivers.embedded.bugs import Bug

DEFAULT_DRIVER = "embedded"
DEFAULT_ENDPOINT = "unix:///var/run/docker.sock"


def compose(environment: Mapping[str, str]) -> "ComposeDriver":
    """The Compose driver for an environment: DOCKER_HOST, CHAOSKIT_STATE (where regions are noted), CHAOSKIT_IMAGE_*."""
    from chaoskit.drivers.compose import ComposeDriver  # Docker's client takes long to import, and `plan` needs none of it

    return ComposeDriver(environment.get("DOCKER_HOST") or DEFAULT_ENDPOINT, environment, _state(environment), TOPOLOGIES)


def with_bugs(bugs: "tuple[Bug, ...]") -> Driver:
    """The embedded driver with seeded bugs switched on: for `selftest` alone."""
    from chaoskit.drivers.embedded.driver import EmbeddedDriver

    return EmbeddedDriver(bugs=bugs)


def images(environment: Mapping[str, str]) -> Mapping[str, str]:
    """The images of the Compose driver by the variable that overrides each."""
    from chaoskit.drivers import composefiles

    return composefiles.images(environment)


def embedded(environment: Mapping[str, str]) -> Driver:
    """The driver of our own processes; nothing of the environment matters to it."""
    from chaoskit.drivers.embedded.driver import EmbeddedDriver

    return EmbeddedDriver()


def _state(environment: Mapping[str, str]) -> Path:
    own = environment.get("CHAOSKIT_STATE")
    base = environment.get("XDG_STATE_HOME") or str(Path(environment.get("HOME") or Path.home()) / ".local/state")
    return Path(own) if own else Path(base) / "chaoskit" / "regions"


TOPOLOGIES: Mapping[str, Callable[[], Topology]] = {
    "three-zones": three_zones,
    "three-zones-impatient": three_zones_impatient,
    "one-zone": one_zone,
}
DRIVERS: Mapping[str, Callable[[Mapping[str, str]], Driver]] = {"embedded": embedded, "compose": compose}
BY_HAND: "Mapping[str, Callable[[Mapping[str, str]], ComposeDriver]]" = {"compose": compose}
REPORTERS: Mapping[str, Callable[[RunResults, Path], str]] = {"console": console.render}
