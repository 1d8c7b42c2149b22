"""A hand-written registry on loopback, an entry a zone, which misbehaves as a test tells it to."""

import asyncio
import hashlib
import itertools
import json
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

ZONES = ("z-1", "z-2", "z-3")


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as the registry read it."""

    zone: str
    method: str
    path: str
    query: dict[str, list[str]]
    body: bytes
    begins_at: int = 0  # as its Range says

    @property
    def is_manifest_put(self) -> bool:
        return self.method == "PUT" and "/manifests/" in self.path


@dataclass(slots=True)
class Registry:
    """The contents shared by all entries. `mischief` may answer a request instead: `drop`, `hang`, a status, or "" to behave; `cut` and
    `reset` send half of the answer's body, then end the connection."""

    mischief: Callable[[Asked], str] = lambda asked: ""
    blobs: dict[str, bytes] = field(default_factory=dict)
    manifests: dict[str, bytes] = field(default_factory=dict)
    uploads: dict[str, bytes] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    numbers: "itertools.count[int]" = field(default_factory=itertools.count)

    def answer(self, asked: Asked) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body."""
        repository, _, rest = asked.path.removeprefix("/v2/").rpartition("/blobs/uploads/")
        if repository:
            return self._upload(asked, repository, rest)
        kind, key = asked.path.rsplit("/", 2)[1:]
        if kind == "tags":
            return self._tags(asked)
        store = self.blobs if kind == "blobs" else self.manifests
        if asked.method == "DELETE" and key in store:
            content = store[key]
            for name in [name for name, value in store.items() if value == content]:
                del store[name]
            return 202, {}, b""
        if asked.method == "PUT":
            digest = "sha256:" + hashlib.sha256(asked.body).hexdigest()
            store[key] = store[digest] = asked.body
            return 201, {"Docker-Content-Digest": digest}, b""
        if key not in store:
            return 404, {}, b"{}"
        content, start = store[key], asked.begins_at
        return (
            (206, {"Content-Range": f"bytes {start}-{len(content) - 1}/{len(content)}"}, content[start:]) if start else (200, {}, content)
        )

    def _tags(self, asked: Asked) -> tuple[int, dict[str, str], bytes]:
        last = asked.query.get("last", [""])[0]
        tags = sorted(key for key in self.manifests if ":" not in key and key > last)
        size = int(asked.query.get("n", [str(len(tags))])[0])
        page = tags[:size]
        more = {"Link": f'<{asked.path}?last={page[-1]}&n={size}>; rel="next"'} if len(tags) > size else {}
        return 200, more, json.dumps({"name": "r", "tags": page}).encode()

    def _upload(self, asked: Asked, repository: str, upload: str) -> tuple[int, dict[str, str], bytes]:
        if asked.method == "POST":
            upload = f"u{next(self.numbers)}"
        self.uploads[upload] = self.uploads.get(upload, b"") + asked.body
        if asked.method == "PUT":
            self.blobs[asked.query["digest"][0]] = self.uploads.pop(upload)
            return 201, {}, b""
        return 202, {"Location": f"/v2/{repository}/blobs/uploads/{upload}?_state=s"}, b""

    async def serve(self, zone: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                method, target, _ = head.split(" ", 2)
                lengths = [line.split(":")[1] for line in head.splitlines() if line.lower().startswith("content-length:")]
                url = urlsplit(target)
                body = await reader.readexactly(int(lengths[0]) if lengths else 0)
                ranges = [line.split("=")[1] for line in head.splitlines() if line.lower().startswith("range:")]
                asked = Asked(zone, method, url.path, parse_qs(url.query), body, int(ranges[0].rstrip("-")) if ranges else 0)
                self.asked.append(asked)
                mischief = self.mischief(asked)
                if mischief == "drop":
                    return
                if mischief == "hang":
                    await asyncio.Event().wait()
                status, headers, content = (int(mischief), {}, b"") if mischief.isdecimal() else self.answer(asked)
                lines = [
                    f"HTTP/1.1 {status} X",
                    f"Content-Length: {len(content)}",
                    *(f"{name}: {value}" for name, value in headers.items()),
                ]
                writer.write("\r\n".join([*lines, "", ""]).encode() + (b"" if method == "HEAD" else content[: _sent(mischief, content)]))
                if mischief in ("cut", "reset"):
                    await writer.drain()
                    await _break(writer, mischief)
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


def _sent(mischief: str, content: bytes) -> int:
    return len(content) // 2 if mischief in ("cut", "reset") else len(content)


async def _break(writer: asyncio.StreamWriter, how: str) -> None:
    if how == "reset":
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.close()


@asynccontextmanager
async def listening(registry: Registry) -> AsyncIterator[dict[str, str]]:
    """An entry a zone, all of one registry."""
    tasks: set[asyncio.Task[None]] = set()
    servers: dict[str, asyncio.Server] = {}
    for zone in ZONES:

        def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, zone: str = zone) -> None:
            task = asyncio.ensure_future(registry.serve(zone, reader, writer))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

        servers[zone] = await asyncio.start_server(connected, "127.0.0.1", 0)
    try:
        yield {zone: f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}" for zone, server in servers.items()}
    finally:
        for server in servers.values():
            server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
