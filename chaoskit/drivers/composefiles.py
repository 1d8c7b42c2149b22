"""What Docker Compose reads: the compose files shipped with the package, and one region's folder with its env file and store configuration.

A region's folder holds the ports it reserved and its secrets; it exists as long as the region does. Two regions on one host never
share a port: ports are chosen under a lock, and those of every existing folder are taken.
"""

import fcntl
import secrets
import shutil
import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

from chaoskit.errors import DeployFailed, EnvironmentMissing
from chaoskit.model.topology import Link, Topology

CONTROL_PORT = 8474
IMAGES = ("HAPROXY", "REGISTRY", "GARAGE", "TOXIPROXY")
SECRETS = ("CHAOSKIT_RPC_SECRET", "CHAOSKIT_S3_SECRET", "CHAOSKIT_HTTP_SECRET")
RPC_TIMEOUT_MS = {"three-zones-impatient": 1_000}  # how long a store waits for a peer; 10 s where not named
_KIND_DIGIT = {"client": 0, "lb": 1, "registry": 2, "store": 3}


def compose_folder() -> Path:
    """The folder of compose files: in a checkout at its top, in an installed package inside it."""
    package = Path(__file__).resolve().parent.parent
    for folder in (package.parent / "compose", package / "_compose"):
        if (folder / "images.env").is_file():
            return folder
    raise EnvironmentMissing(f"no compose files beside {package}; install chaoskit again")


def listener_port(topology: Topology, link: Link) -> int:
    """The port of a link inside the Toxiproxy container: 1KRXY with kind K, region R, zones X and Y (0 where both ends are one zone's)."""
    region = topology.region_of(link.zones[0])
    zones = topology.regions[region]
    kind = link.source.partition(".")[0]
    ends = [zones.index(end.partition(".")[2]) + 1 for end in (link.source, link.target) if "." in end]
    y = 0 if kind in ("client", "registry") else ends[-1]
    return 10000 + 1000 * _KIND_DIGIT[kind] + 100 * (list(topology.regions).index(region) + 1) + 10 * ends[0] + y


def parse_env(text: str) -> dict[str, str]:
    """`NAME=value` lines; comments and blank lines are skipped."""
    lines = (line.partition("=") for line in text.splitlines() if "=" in line and not line.startswith("#"))
    return {name.strip(): value.strip() for name, _, value in lines}


def images(environment: Mapping[str, str]) -> dict[str, str]:
    """The image references in force: compose/images.env, overridden by environment variables of the same names."""
    pinned = parse_env((compose_folder() / "images.env").read_text())
    return {name: environment.get(name) or pinned[name] for name in (f"CHAOSKIT_IMAGE_{image}" for image in IMAGES)}


@contextmanager
def _locked(root: Path) -> Iterator[None]:
    root.mkdir(parents=True, exist_ok=True)
    with (root / "ports.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def reserved_ports(root: Path) -> set[int]:
    """Ports of all regions that have a folder on this host."""
    texts = (path.read_text() for path in root.glob("*/region.env"))
    return {int(value) for text in texts for name, value in parse_env(text).items() if name.startswith("CHAOSKIT_PORT_")}


def free_ports(count: int, taken: set[int]) -> list[int]:
    """`count` loopback ports nobody listens on and no other region has reserved."""
    found: list[int] = []
    with ExitStack() as held:
        for _ in range(20 * count):
            probe = held.enter_context(socket.socket())
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
            if port not in taken:
                found.append(port)
            if len(found) == count:
                return found
    raise EnvironmentMissing(f"found {len(found)} free loopback ports of the {count} this region needs; stop other regions first")


def create_region(root: Path, project: str, topology: Topology, *, images: Mapping[str, str], personal: bool) -> Path:
    """Make the region's folder: ports reserved, secrets drawn, store files without peers. DeployFailed if the name is in use."""
    folder = root / project
    listeners = [CONTROL_PORT, *(listener_port(topology, link) for link in topology.links)]
    with _locked(root):
        taken = reserved_ports(root)
        try:
            folder.mkdir(mode=0o700)
        except FileExistsError as error:
            raise DeployFailed(
                f"a region called '{project}' exists; run 'chaoskit down --name {project}' or choose another name"
            ) from error
        values = {
            "COMPOSE_PROJECT_NAME": project,
            "CHAOSKIT_TOPOLOGY": topology.name,
            "CHAOSKIT_PERSONAL": "true" if personal else "false",
            "CHAOSKIT_REGION_DIR": str(folder),
            "CHAOSKIT_S3_KEY": "GK" + secrets.token_hex(12),
            # A leading letter keeps YAML from reading an all-digit secret as a number.
            **{name: "c" + secrets.token_hex(32)[1:] for name in SECRETS},
            **images,
            **{f"CHAOSKIT_PORT_{listener}": str(port) for listener, port in zip(listeners, free_ports(len(listeners), taken), strict=True)},
        }
        (folder / "region.env").write_text("".join(f"{name}={value}\n" for name, value in values.items()))
    for component in topology.components:
        if component.kind == "store":
            write_store_config(folder, topology, component.zone, node_ids={})
    return folder


def write_store_config(folder: Path, topology: Topology, zone: str, *, node_ids: Mapping[str, str]) -> None:
    """Write a store's configuration in place (the container sees the same file); peers are those of `node_ids`, by zone."""
    peers = [
        f'"{node_ids[peer]}@toxiproxy:{listener_port(topology, link)}"'
        for link in topology.links
        if link.source == f"store.{zone}" and (peer := link.target.partition(".")[2]) in node_ids
    ]
    text = (compose_folder() / "config" / "store.toml").read_text()
    replicas = min(3, sum(component.kind == "store" for component in topology.components))
    timeout_ms = RPC_TIMEOUT_MS.get(topology.name, 10_000)
    for name, value in (("REPLICATION", str(replicas)), ("RPC_TIMEOUT_MS", str(timeout_ms)), ("PEERS", ", ".join(peers))):
        text = text.replace(f"@{name}@", value)
    (folder / f"store.{zone}.toml").write_text(text)


def region_values(root: Path, project: str) -> dict[str, str]:
    """The env file of a region. DeployFailed if there is no such region."""
    try:
        return parse_env((root / project / "region.env").read_text())
    except FileNotFoundError as error:
        known = ", ".join(sorted(path.parent.name for path in root.glob("*/region.env"))) or "none"
        raise DeployFailed(f"no region called '{project}' on this host; there are: {known}") from error


def remove_region(root: Path, project: str) -> None:
    """Remove the folder and so free the ports; nothing happens if it is gone."""
    folder = root / project
    if folder.exists():
        shutil.rmtree(folder)
