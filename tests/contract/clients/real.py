"""crane, skopeo and regctl run for real: one command against a script, and what it asked for."""

import functools
import json
import os
import shutil
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from tests.contract.clients.script import Asked, Script
from tests.contract.clients.scripted import serving

BUILT = Path.home() / ".cache/chaoskit/bin"
HOW = {
    "crane": "compose/offline/clients.sh builds it",
    "regctl": "compose/offline/clients.sh builds it",
    "skopeo": "apt-get install skopeo",
}
VERSIONS = {"crane": "v0.20.2", "regctl": "v0.8.2", "skopeo": "1.9.3"}  # what the profiles were made of
COMMANDS: dict[str, dict[str, tuple[str, ...]]] = {
    "crane": {
        "push": ("--insecure", "push", "{layout}", "{host}/scripted/image:v1"),
        "pull": ("--insecure", "pull", "--format=oci", "{host}/scripted/image:v1", "{out}"),
    },
    "skopeo": {
        "push": ("--insecure-policy", "copy", "--dest-tls-verify=false", "oci:{layout}:v1", "docker://{host}/scripted/image:v1"),
        "pull": ("--insecure-policy", "copy", "--src-tls-verify=false", "docker://{host}/scripted/image:v1", "oci:{out}:v1"),
    },
    "regctl": {
        "push": ("--host", "reg={host},tls=disabled", "image", "copy", "ocidir://{layout}:v1", "{host}/scripted/image:v1"),
        "pull": ("--host", "reg={host},tls=disabled", "image", "copy", "{host}/scripted/image:v1", "ocidir://{out}:v1"),
    },
}


@dataclass(frozen=True, slots=True)
class Seen:
    """`is_killed`: it was still at it after the limit. Times are monotonic ns."""

    asked: tuple[Asked, ...]
    is_ok: bool
    is_killed: bool
    started_ns: int
    ended_ns: int
    printed: str


def found(name: str) -> str | None:
    built = BUILT / name
    return str(built) if built.is_file() else shutil.which(name)


@functools.cache
def why_not(client: str) -> str | None:
    """Why a client cannot be compared here: it is not there, or it is not the version its profile was made of."""
    program = found(client)
    if program is None:
        return f"NO {client.upper()} in {BUILT} or on PATH: {HOW[client]}"
    ask = "--version" if client == "skopeo" else "version"
    told = subprocess.run([program, ask], capture_output=True, text=True, timeout=30, check=True).stdout
    return (
        None if VERSIONS[client] in told else f"{client.upper()} {VERSIONS[client]} is what its profile was made of, this is {told.strip()}"
    )


def run(client: str, command: str, script: Script, *, layout: Path, home: Path, limit_s: float, addresses: int = 1) -> Seen:
    """Run one command at the script's last address, the others being its mirrors (regctl only); killed after `limit_s`."""
    program = found(client)
    if program is None:
        raise FileNotFoundError(f"no {client} in {BUILT} or on PATH: {HOW[client]}")
    home.mkdir(parents=True, exist_ok=True)
    with serving(script, addresses=addresses) as hosts:
        if addresses > 1:
            _write_mirrors(hosts, home)
        filled = [word.format(host=hosts[-1], layout=layout, out=home / "out") for word in COMMANDS[client][command]]
        environment = {"PATH": os.environ["PATH"], "HOME": str(home), "DOCKER_CONFIG": str(home)}
        started_ns = time.monotonic_ns()
        with subprocess.Popen([program, *filled], env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
            try:
                printed, _ = process.communicate(timeout=limit_s)
                is_killed = False
            except subprocess.TimeoutExpired:
                process.kill()
                printed, _ = process.communicate()
                is_killed = True
        ended_ns = time.monotonic_ns()
    return Seen(tuple(script.asked), process.returncode == 0, is_killed, started_ns, ended_ns, printed[-2000:])


def _write_mirrors(hosts: list[str], home: Path) -> None:
    """regctl's configuration: the last host, with the others before it."""
    folder = home / ".regctl"
    folder.mkdir()
    told: dict[str, dict[str, object]] = {host: {"tls": "disabled", "hostname": host} for host in hosts}
    told[hosts[-1]]["mirrors"] = hosts[:-1]
    (folder / "config.json").write_text(json.dumps({"hosts": told}))
