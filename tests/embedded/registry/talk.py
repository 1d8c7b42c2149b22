"""How the OCI tests speak: plain HTTP on one connection, answers as they came, and short ways to push what a test needs."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Self

from chaoskit.drivers.base import Address

OCI = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
DOCKER = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_LIST = "application/vnd.docker.distribution.manifest.list.v2+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"
CONFIG = "application/vnd.oci.image.config.v1+json"
ACCEPT = {"Accept": ", ".join((OCI, INDEX, DOCKER, DOCKER_LIST))}
BINARY = {"Content-Type": "application/octet-stream"}
ABSENT = "sha256:" + "0" * 64


def digest_of(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def descriptor(content: bytes, media_type: str) -> dict[str, object]:
    return {"mediaType": media_type, "digest": digest_of(content), "size": len(content)}


def image(config: bytes, *layers: bytes, media_type: str = OCI, **more: object) -> bytes:
    """A manifest whose bytes are no JSON library's own: any round trip changes them."""
    parts = {"config": descriptor(config, CONFIG), "layers": [descriptor(layer, LAYER) for layer in layers]}
    return b" " + json.dumps({"schemaVersion": 2, "mediaType": media_type, **parts, **more}, indent=1).encode() + b"\n"


def index(*manifests: bytes, media_type: str = INDEX, **more: object) -> bytes:
    platform = {"platform": {"architecture": "amd64", "os": "linux"}}
    entries = [{**descriptor(manifest, OCI), **platform} for manifest in manifests]
    return json.dumps({"schemaVersion": 2, "mediaType": media_type, "manifests": entries, **more}).encode()


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer; header names in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def codes(self) -> list[str]:
        """The codes of the spec's error document."""
        return [error["code"] for error in json.loads(self.body)["errors"]]


class Talk:
    """One keep-alive connection."""

    def __init__(self, connection: HTTPConnection) -> None:
        self.connection = connection

    @classmethod
    @contextmanager
    def to(cls, address: Address) -> Iterator[Self]:
        with closing(HTTPConnection(address.host, address.port, timeout=10)) as connection:
            yield cls(connection)

    def ask(self, method: str, target: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> Reply:
        self.connection.request(method, target, body, dict(headers or {}))
        with self.connection.getresponse() as response:
            content = response.read()
            return Reply(response.status, {name.lower(): value for name, value in response.getheaders()}, content)

    def open(self, repository: str) -> str:
        reply = self.ask("POST", f"/v2/{repository}/blobs/uploads/")
        assert reply.status == 202, reply
        return reply.headers["location"]

    def push_blob(self, repository: str, content: bytes) -> str:
        digest = digest_of(content)
        reply = self.ask("PUT", f"{self.open(repository)}&digest={digest}", content, BINARY)
        assert reply.status == 201, reply
        return digest

    def put(self, repository: str, reference: str, manifest: bytes, media_type: str = OCI) -> Reply:
        return self.ask("PUT", f"/v2/{repository}/manifests/{reference}", manifest, {"Content-Type": media_type})

    def get(self, repository: str, reference: str) -> Reply:
        return self.ask("GET", f"/v2/{repository}/manifests/{reference}", None, ACCEPT)

    def push_image(self, repository: str, tag: str, content: bytes = b"content") -> bytes:
        """Push an image whose config and only layer are `content`; the manifest's bytes."""
        self.push_blob(repository, content)
        manifest = image(content, content)
        reply = self.put(repository, tag, manifest)
        assert reply.status == 201, reply
        return manifest
