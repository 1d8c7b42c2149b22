"""One small image: a config and one layer of 2 MiB that does not compress, as an OCI layout and as the bytes a registry serves."""

import functools
import gzip
import hashlib
import io
import json
import random
import tarfile
from dataclasses import dataclass
from pathlib import Path

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
LAYER_BYTES = 2 * 1024 * 1024


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@dataclass(frozen=True)
class Image:
    config: bytes
    layer: bytes
    manifest: bytes

    @functools.cached_property
    def layer_digest(self) -> str:
        return digest_of(self.layer)

    @functools.cached_property
    def config_digest(self) -> str:
        return digest_of(self.config)


def _described(kind: str, content: bytes) -> dict[str, object]:
    return {"mediaType": kind, "digest": digest_of(content), "size": len(content)}


@functools.cache
def an_image() -> Image:
    """The same one every time."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        entry = tarfile.TarInfo("noise")
        entry.size = LAYER_BYTES
        tar.addfile(entry, io.BytesIO(random.Random(1).randbytes(LAYER_BYTES)))
    plain = archive.getvalue()
    layer = gzip.compress(plain, compresslevel=1, mtime=0)
    unpacked = {"type": "layers", "diff_ids": [digest_of(plain)]}
    config = json.dumps({"architecture": "amd64", "os": "linux", "config": {}, "rootfs": unpacked}).encode()
    manifest = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": _described("application/vnd.oci.image.config.v1+json", config),
        "layers": [_described("application/vnd.oci.image.layer.v1.tar+gzip", layer)],
    }
    return Image(config, layer, json.dumps(manifest).encode())


def write_layout(image: Image, folder: Path) -> None:
    """An OCI image layout with the image tagged v1."""
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    for content in (image.config, image.layer, image.manifest):
        (blobs / hashlib.sha256(content).hexdigest()).write_bytes(content)
    platform = {"architecture": "amd64", "os": "linux"}
    tagged = {
        **_described(MANIFEST_TYPE, image.manifest),
        "platform": platform,
        "annotations": {"org.opencontainers.image.ref.name": "v1"},
    }
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [tagged]}))
    (folder / "oci-layout").write_text(json.dumps({"imageLayoutVersion": "1.0.0"}))
