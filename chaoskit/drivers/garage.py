"""Makes one Garage cluster of a region's stores: ids, peers through their links, layout, key and bucket.

Runs `/garage` inside the containers: their networks let nobody else reach the admin interface.
"""

import json
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import cast

from docker.models.containers import Container

from chaoskit.drivers.composefiles import listener_port, write_store_config
from chaoskit.errors import DeployFailed
from chaoskit.model.topology import Topology

_GARAGE = ("/garage", "-c", "/etc/garage.toml")
_POLL_S = 0.1


def garage(store: Container, *arguments: str) -> str:
    """One command in a store's container; its standard output. DeployFailed with what it printed if it fails."""
    code, output = store.exec_run([*_GARAGE, *arguments], demux=True)
    out, err = cast(tuple[bytes | None, bytes | None], output)
    text = (out or b"").decode(errors="replace")
    if code != 0:
        last = (err or out or b"no output").decode(errors="replace").strip().splitlines()[-1]
        raise DeployFailed(f"'garage {' '.join(arguments[:2])}' in {store.name} failed: {last}")
    return text


def _until(deadline: float, store: Container, *arguments: str) -> str:
    while True:
        try:
            return garage(store, *arguments)
        except DeployFailed as error:
            if time.monotonic() > deadline:
                raise DeployFailed(f"the store did not answer in time; last: {error}") from error
            time.sleep(_POLL_S)


def form_cluster(topology: Topology, stores: Mapping[str, Container], *, folder: Path, key: str, secret: str, deadline: float) -> None:
    """Join the stores (by zone) and make key and bucket. `deadline` is time.monotonic(); DeployFailed says what was last seen."""
    zones = tuple(stores)
    with ThreadPoolExecutor(len(stores)) as pool:
        ids = dict(zip(zones, pool.map(lambda zone: _node_id(stores[zone], deadline), zones), strict=True))
        for zone in zones:
            write_store_config(folder, topology, zone, node_ids=ids)
        list(pool.map(lambda zone: _connect(topology, stores, ids, zone, deadline), zones))
        first = stores[zones[0]]
        for zone in zones:
            garage(first, "layout", "assign", ids[zone], "-z", zone, "-c", "1G")
        garage(first, "layout", "apply", "--version", "1")
        _until(deadline, first, "key", "import", "--yes", "-n", "registry", key, secret)
        _until(deadline, first, "bucket", "create", "registry")
        _until(deadline, first, "bucket", "allow", "--read", "--write", "--owner", "registry", "--key", key)
        list(pool.map(lambda zone: wait_mesh(stores[zone], len(zones), deadline), zones))


def _node_id(store: Container, deadline: float) -> str:
    return _until(deadline, store, "node", "id", "-q").strip().partition("@")[0]


def _connect(topology: Topology, stores: Mapping[str, Container], ids: Mapping[str, str], zone: str, deadline: float) -> None:
    for link in topology.links:
        if link.source == f"store.{zone}":
            peer = f"{ids[link.target.partition('.')[2]]}@toxiproxy:{listener_port(topology, link)}"
            _until(deadline, stores[zone], "node", "connect", peer)


def ask(store: Container, endpoint: str, **arguments: str) -> Mapping[str, object]:
    """One call of the admin API. DeployFailed if it fails, or if what it printed is no JSON: a busy daemon may cut an output short."""
    text = garage(store, "json-api", endpoint, *([json.dumps(arguments)] if arguments else []))
    try:
        return cast(Mapping[str, object], json.loads(text))
    except json.JSONDecodeError as error:
        raise DeployFailed(f"'garage json-api {endpoint}' in {store.name} printed {text[:80]!r}, wanted JSON") from error


def peers_up(store: Container) -> int:
    """How many nodes of the cluster this store sees up, itself included."""
    nodes = cast(list[Mapping[str, object]], ask(store, "GetClusterStatus")["nodes"])
    return sum(bool(node.get("isUp")) for node in nodes)


def wait_mesh(store: Container, count: int, deadline: float) -> None:
    """Wait until a store sees `count` nodes up: before a strike every node must see every peer."""
    while True:
        try:
            if (seen := peers_up(store)) >= count:
                return
            last = f"{store.name} sees {seen} of {count} stores up"
        except DeployFailed as error:
            last = str(error)
        if time.monotonic() > deadline:
            raise DeployFailed(f"{last} at the end of the limit")
        time.sleep(_POLL_S)
