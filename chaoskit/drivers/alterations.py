"""What can be altered about a region of containers while it runs: the write permission of the registries' key, and a registry's secret.

The permission is a fact of the whole cluster: it is taken at one store, and looked up at each. That it was taken is noted in the region's
folder first, so that it can be given back by somebody else, and is known where no store can be asked. A secret is an environment variable:
its container is made again, with all that it had; what its log said until then is kept in the region's folder.
"""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

from docker.client import DockerClient
from docker.models.containers import Container

from chaoskit.drivers.garage import ask, garage
from chaoskit.errors import DeployFailed, PlaneFailed

SECRET = "REGISTRY_HTTP_SECRET"
PERMISSION_S = 60.0
_POLL_S = 0.1


def is_read_only(folder: Path) -> bool:
    """The permission was taken, or half taken, and not given back."""
    return _note(folder).exists()


def set_writing(stores: Sequence[Container], key: str, folder: Path, *, allowed: bool) -> None:
    """Give or take the key's permission to write; returns when every store says so. PlaneFailed after PERMISSION_S.

    It is tried again until then: stores that were just started have no quorum yet.
    """
    if not allowed:
        _note(folder).touch()
    deadline = time.monotonic() + PERMISSION_S
    while True:
        try:
            garage(stores[0], "bucket", "allow" if allowed else "deny", "--write", "registry", "--key", key)
            wrong = [str(store.name) for store in stores if _may_write(store, key) is not allowed]
        except DeployFailed as error:
            wrong = [str(error)]
        if not wrong:
            break
        if time.monotonic() > deadline:
            word = "given back" if allowed else "taken"
            raise PlaneFailed(f"the permission to write could not be {word} within {PERMISSION_S:g} s; not yet so at: {', '.join(wrong)}")
        time.sleep(_POLL_S)
    if allowed:
        _note(folder).unlink(missing_ok=True)


def _note(folder: Path) -> Path:
    return folder / "read-only"


def _may_write(store: Container, key: str) -> bool:
    keys = cast(list[Mapping[str, object]], ask(store, "GetBucketInfo", globalAlias="registry")["keys"])
    permissions = [cast(Mapping[str, bool], one["permissions"]) for one in keys if one["accessKeyId"] == key]
    return any(one["write"] for one in permissions)


def secret_of(client: DockerClient, container: Container) -> str:
    """The secret a registry's container was made with."""
    environment = _environment(_inspect(client, container))
    return environment[SECRET]


def with_secret(client: DockerClient, container: Container, secret: str, *, folder: Path) -> Container:
    """The same container with another secret, started; the old one is gone and its log appended to `folder/NAME.past`."""
    found = _inspect(client, container)
    config, name = cast(dict[str, object], found["Config"]), str(found["Name"]).lstrip("/")
    networks = cast(Mapping[str, Mapping[str, Mapping[str, object]]], found["NetworkSettings"])["Networks"]
    short = str(found["Id"])[:12]
    ends = {net: {"Aliases": [a for a in cast(list[str], end["Aliases"]) or () if a != short]} for net, end in networks.items()}
    environment = {**_environment(found), SECRET: secret}
    wanted = {
        **{key: value for key, value in config.items() if key != "Hostname"},
        "Env": [f"{key}={value}" for key, value in environment.items()],
        "HostConfig": found["HostConfig"],
        "NetworkingConfig": {"EndpointsConfig": ends},
    }
    container.stop(timeout=1)
    with past_log(folder, container.labels["io.chaoskit.component"]).open("ab") as past:
        past.write(container.logs(timestamps=True))
    container.remove(force=True)
    made = cast(Mapping[str, object], client.api.create_container_from_config(wanted, name=name))  # type: ignore[no-untyped-call]
    again = client.containers.get(str(made["Id"]))
    again.start()
    return again


def past_log(folder: Path, component: str) -> Path:
    """What a component's earlier containers said."""
    return folder / f"{component}.past"


def collect(registry: Container) -> str:
    """Run distribution's collector of garbage in the registry's container, to its end. PlaneFailed with its last words if it fails."""
    code, output = registry.exec_run(["/bin/registry", "garbage-collect", "/etc/distribution/config.yml"])
    lines = cast(bytes, output).decode(errors="replace").strip().splitlines()
    if code != 0:
        raise PlaneFailed(f"'registry garbage-collect' in {registry.name} ended with {code}: {lines[-1] if lines else 'no output'}")
    return next((line.strip() for line in reversed(lines) if "eligible for deletion" in line), "nothing of blobs")


def _inspect(client: DockerClient, container: Container) -> Mapping[str, object]:
    return cast(Mapping[str, object], client.api.inspect_container(container.id or container.name or ""))


def _environment(found: Mapping[str, object]) -> dict[str, str]:
    lines = cast(list[str], cast(Mapping[str, object], found["Config"])["Env"])
    return {name: value for name, _, value in (line.partition("=") for line in lines)}
