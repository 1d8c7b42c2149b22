"""The composition root: topologies, drivers and reporters by name. The only module that names a concrete driver."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from chaoskit.drivers.base import Driver
from chaoskit.errors import BadExperiment
from chaoskit.model.results import RunResults
from chaoskit.model.topology import Topology, one_zone, three_zones, three_zones_impatient
from chaoskit.report import console

if TYPE_CHECKING:
    from chaoskit.drivers.compose import ComposeDriver

DEFAULT_DRIVER = "compose"
DEFAULT_ENDPOINT = "unix:///var/run/docker.sock"


def compose(environment: Mapping[str, str]) -> "ComposeDriver":
    """The Compose driver for an environment: DOCKER_HOST, CHAOSKIT_STATE (where regions are noted), CHAOSKIT_IMAGE_*."""
    from chaoskit.drivers.compose import ComposeDriver  # Docker's client takes long to import, and `plan` needs none of it

    return ComposeDriver(environment.get("DOCKER_HOST") or DEFAULT_ENDPOINT, environment, _state(environment), TOPOLOGIES)


def images(environment: Mapping[str, str]) -> Mapping[str, str]:
    """The images of the Compose driver by the variable that overrides each."""
    from chaoskit.drivers import composefiles

    return composefiles.images(environment)


def _embedded(environment: Mapping[str, str]) -> Driver:
    raise BadExperiment("driver 'embedded' is not part of this version; use --driver compose")


def _state(environment: Mapping[str, str]) -> Path:
    own = environment.get("CHAOSKIT_STATE")
    base = environment.get("XDG_STATE_HOME") or str(Path(environment.get("HOME") or Path.home()) / ".local/state")
    return Path(own) if own else Path(base) / "chaoskit" / "regions"


TOPOLOGIES: Mapping[str, Callable[[], Topology]] = {
    "three-zones": three_zones,
    "three-zones-impatient": three_zones_impatient,
    "one-zone": one_zone,
}
DRIVERS: Mapping[str, Callable[[Mapping[str, str]], Driver]] = {"embedded": _embedded, "compose": compose}
BY_HAND: "Mapping[str, Callable[[Mapping[str, str]], ComposeDriver]]" = {"compose": compose}
REPORTERS: Mapping[str, Callable[[RunResults, Path], str]] = {"console": console.render}
