"""The clients people have, crane, skopeo and regctl, against the embedded region: whole, and with one zone killed."""

import functools
import gzip
import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from chaoskit.drivers.base import Deployment
from chaoskit.drivers.embedded.driver import EmbeddedDriver
from chaoskit.model.topology import three_zones, zones_of
from tests.embedded.processes import wait_until

ZONES = zones_of("us-south", 3)
DEAD_ZONE = "us-south-2"
BUILT = Path.home() / ".cache/chaoskit/bin"
HOW = {
    "crane": "compose/offline/clients.sh builds it",
    "regctl": "compose/offline/clients.sh builds it",
    "skopeo": "apt-get install skopeo",
}
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
IN_A_ROW = 6  # each balancer through each registry, twice

Words = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Client:
    """What one client is told, with `{host}`, `{image}` (HOST/REPOSITORY) and folders to be filled in."""

    push: Words
    pull: Words
    copy: Words
    tags: Words
    delete: Words


CRANE = Client(
    push=("push", "{layout}", "{image}:v1"),
    pull=("pull", "--format=oci", "{image}:v1", "{out}"),
    copy=("copy", "{image}:v1", "{image}-copy:v1"),
    tags=("ls", "{image}"),
    delete=("delete", "{image}@{digest}"),
)
SKOPEO = Client(
    push=("copy", "--dest-tls-verify=false", "oci:{layout}:v1", "docker://{image}:v1"),
    pull=("copy", "--src-tls-verify=false", "docker://{image}:v1", "oci:{out}:v1"),
    copy=("copy", "--src-tls-verify=false", "--dest-tls-verify=false", "docker://{image}:v1", "docker://{image}-copy:v1"),
    tags=("list-tags", "--tls-verify=false", "docker://{image}"),
    delete=("delete", "--tls-verify=false", "docker://{image}:v1"),
)
REGCTL = Client(
    push=("image", "copy", "ocidir://{layout}:v1", "{image}:v1"),
    pull=("image", "copy", "{image}:v1", "ocidir://{out}:v1"),
    copy=("image", "copy", "{image}:v1", "{image}-copy:v1"),
    tags=("tag", "ls", "{image}"),
    delete=("manifest", "delete", "{image}@{digest}"),
)
CLIENTS = {"crane": CRANE, "skopeo": SKOPEO, "regctl": REGCTL}
ALWAYS = {"crane": ("--insecure",), "skopeo": ("--insecure-policy",), "regctl": ("--host", "reg={host},tls=disabled")}


@dataclass(frozen=True, slots=True)
class Terminal:
    """One client at one entry, with a home of its own."""

    name: str
    host: str
    image: str
    layout: Path
    digest: str
    home: Path

    def run(self, words: Sequence[str]) -> str:
        """What it printed; the test fails if it did not end well."""
        filled = [
            word.format(host=self.host, image=self.image, layout=self.layout, digest=self.digest, out=self.home / "out")
            for word in (*ALWAYS[self.name], *words)
        ]
        environment = {"PATH": os.environ["PATH"], "HOME": str(self.home), "DOCKER_CONFIG": str(self.home)}
        done = subprocess.run([program(self.name), *filled], env=environment, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, f"{self.name} {' '.join(filled)}\n{done.stdout}\n{done.stderr}"
        return done.stdout


def program(name: str) -> str:
    """Where a client is; the test is skipped if it is nowhere."""
    built = BUILT / name
    found = str(built) if built.is_file() else shutil.which(name)
    if found is None:
        pytest.skip(f"NO {name.upper()} in {BUILT} or on PATH: {HOW[name]}")
    return found


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    with EmbeddedDriver(tmp_path_factory.mktemp("healthy")).deploy(three_zones(), name="chaoskit-clients") as region:
        yield region


@pytest.fixture(scope="module")
def wounded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """One zone's balancer, registry and store are killed, and the other balancers have noticed."""
    with EmbeddedDriver(tmp_path_factory.mktemp("wounded")).deploy(three_zones(), name="chaoskit-wounded") as region:
        for component in region.topology.in_zone(DEAD_ZONE):
            region.kill(component.name)
        for zone in ZONES:
            if zone != DEAD_ZONE:
                url = f"{region.entries[zone]}/v2/"
                wait_until(functools.partial(answers, url), functools.partial(status, url), limit_s=30)
        yield region


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """An OCI image layout with one small image tagged v1, and the digest of its manifest."""
    folder = tmp_path_factory.mktemp("layout")
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)

    def put(kind: str, content: bytes) -> dict[str, object]:
        name = hashlib.sha256(content).hexdigest()
        (blobs / name).write_bytes(content)
        return {"mediaType": kind, "digest": f"sha256:{name}", "size": len(content)}

    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        entry = tarfile.TarInfo("greeting")
        entry.size = 6
        tar.addfile(entry, io.BytesIO(b"hello\n"))
    plain = archive.getvalue()
    layer = put("application/vnd.oci.image.layer.v1.tar+gzip", gzip.compress(plain, mtime=0))
    unpacked = {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(plain).hexdigest()}"]}
    platform = {"architecture": "amd64", "os": "linux"}
    config = put("application/vnd.oci.image.config.v1+json", json.dumps({**platform, "config": {}, "rootfs": unpacked}).encode())
    image = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer]}
    manifest = put(MANIFEST, json.dumps(image).encode())
    tagged = {**manifest, "platform": platform, "annotations": {"org.opencontainers.image.ref.name": "v1"}}
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [tagged]}))
    (folder / "oci-layout").write_text(json.dumps({"imageLayoutVersion": "1.0.0"}))
    return folder, str(manifest["digest"])


def status(url: str) -> int:
    """Of one GET of an image manifest; 0 for no answer."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers={"Accept": MANIFEST}), timeout=20) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code
    except OSError:
        return 0


def answers(url: str) -> bool:
    return all(status(url) == 200 for _ in range(IN_A_ROW))


def served(entry: str, image: str) -> str:
    """Digest of the bytes an entry serves for tag v1."""
    request = urllib.request.Request(f"{entry}/v2/{image}/manifests/v1", headers={"Accept": MANIFEST})
    with urllib.request.urlopen(request, timeout=20) as answer:
        return f"sha256:{hashlib.sha256(answer.read()).hexdigest()}"


def content_of(folder: Path) -> dict[str, bytes]:
    """The blobs of a layout by the digest they have, not by their file's name."""
    return {hashlib.sha256(path.read_bytes()).hexdigest(): path.read_bytes() for path in (folder / "blobs" / "sha256").iterdir()}


def tags(printed: str) -> list[str]:
    """skopeo prints JSON, the others a line each."""
    return list(json.loads(printed)["Tags"]) if printed.startswith("{") else printed.split()


def goes_through(name: str, entry: str, others: Sequence[str], layout: tuple[Path, str], home: Path) -> None:
    """One client pushes, pulls, copies, lists and deletes at one entry; the others serve the same at once."""
    host = entry.removeprefix("http://")
    repository = f"clients/{name}-{host.rpartition(':')[2]}"
    client = CLIENTS[name]
    at = Terminal(name, host, f"{host}/{repository}", *layout, home)
    at.run(client.push)
    at.run(client.pull)
    at.run(client.copy)
    listed = tags(at.run(client.tags))
    assert content_of(home / "out") == content_of(at.layout)
    assert {served(one, image) for one in (entry, *others) for image in (repository, f"{repository}-copy")} == {at.digest}
    assert listed == ["v1"]
    at.run(client.delete)
    gone = {status(f"{one}/v2/{repository}/manifests/{ref}") for one in (entry, *others) for ref in ("v1", at.digest)}
    assert gone == {404}
    assert {served(one, f"{repository}-copy") for one in (entry, *others)} == {at.digest}, "the copy was not deleted"


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("client", CLIENTS)
def test_client_works_through_every_zone(client: str, zone: str, healthy: Deployment, layout: tuple[Path, str], tmp_path: Path) -> None:
    others = [entry for other, entry in healthy.entries.items() if other != zone]
    goes_through(client, healthy.entries[zone], others, layout, tmp_path)


@pytest.mark.parametrize("zone", [zone for zone in ZONES if zone != DEAD_ZONE])
@pytest.mark.parametrize("client", CLIENTS)
def test_client_works_with_a_zone_killed(client: str, zone: str, wounded: Deployment, layout: tuple[Path, str], tmp_path: Path) -> None:
    others = [entry for other, entry in wounded.entries.items() if other not in (zone, DEAD_ZONE)]
    goes_through(client, wounded.entries[zone], others, layout, tmp_path)
