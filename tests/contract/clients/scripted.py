"""A registry of one image that misbehaves at one kind of request, and writes down every request it gets.

It keeps no connection open after an answer unless told to: Go's HTTP transport sends a GET again by itself when a *kept* connection breaks,
which would hide what the client does. At a refused address nothing listens, so nothing is written down: only how long the client took.
"""

import contextlib
import re
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.contract.clients.image import MANIFEST_TYPE, digest_of
from tests.contract.clients.script import CUT_AT, IDLE_S, RETRY_AFTER_S, Asked, Kind, Script, kind_of

_HEAD_LIMIT = 64 * 1024
_BODY = b'{"errors":[{"code":"%s","message":"scripted"}]}'


@dataclass(frozen=True, slots=True)
class _Request:
    method: str
    target: str
    headers: dict[str, str]
    body: bytes


class _Gone(Exception):
    """The other side closed, or the connection is at its end."""


class _Connection:
    def __init__(self, script: Script, conn: socket.socket, address: int) -> None:
        self.script, self.conn, self.address, self.count = script, conn, address, 0
        self.buffer = b""
        conn.settimeout(IDLE_S)

    def serve(self) -> None:
        with contextlib.suppress(_Gone, OSError), self.conn:
            if self.conn.recv(1, socket.MSG_PEEK) == b"\x16":  # TLS: answer as Go's server does
                self.conn.recv(4096)
                self.conn.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n")
                return
            while self._exchange() and self.script.keeps_alive:
                pass

    def _more(self) -> None:
        chunk = self.conn.recv(65536)
        if not chunk:
            raise _Gone
        self.buffer += chunk

    def _head(self) -> tuple[str, str, dict[str, str]]:
        while b"\r\n\r\n" not in self.buffer:
            if len(self.buffer) > _HEAD_LIMIT:
                raise _Gone
            self._more()
        head, _, self.buffer = self.buffer.partition(b"\r\n\r\n")
        first, *lines = head.decode().split("\r\n")
        method, target, _ = first.split(" ", 2)
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        return method, target, headers

    def _body(self, headers: dict[str, str]) -> bytes:
        if headers.get("transfer-encoding") == "chunked":
            return self._chunks()
        return self._exactly(int(headers.get("content-length", "0")))

    def _exactly(self, size: int) -> bytes:
        while len(self.buffer) < size:
            self._more()
        body, self.buffer = self.buffer[:size], self.buffer[size:]
        return body

    def _chunks(self) -> bytes:
        parts = []
        while True:
            while b"\r\n" not in self.buffer:
                self._more()
            size, _, self.buffer = self.buffer.partition(b"\r\n")
            parts.append(self._exactly(int(size, 16)))
            self._exactly(2)
            if not parts[-1]:
                return b"".join(parts)

    def _exchange(self) -> bool:
        """One request and its answer; False where the connection is at its end."""
        method, target, headers = self._head()
        asked = Asked(
            kind_of(method, target, self.script.image),
            time.monotonic_ns(),
            headers.get("range", ""),
            self.address,
            self.count > 0,
        )
        self.count += 1
        act = self.script.note(asked)
        if act in ("reset", "eof", "stall"):
            return self._no_answer(act)
        request = _Request(method, target, headers, self._body(headers))
        if act is not None and act.isdigit():
            body = _BODY % (self.script.names_error.encode() or b"NONE") if self.script.names_error else b""
            extra = {"Retry-After": str(RETRY_AFTER_S)} if act == "429" else {}
            self._answer(int(act), extra, body, method)
            return True
        status, extra, body = self._behave(request, asked.kind)
        if act in ("cut-reset", "cut-eof"):
            self._answer(status, extra, body, method, cut=int(len(body) * CUT_AT))
            return self._no_answer("reset" if act == "cut-reset" else "eof")
        self._answer(status, extra, body, method)
        return True

    def _no_answer(self, act: str) -> bool:
        if act == "reset":
            self.conn.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif act == "eof":
            self.conn.shutdown(socket.SHUT_WR)
            with contextlib.suppress(OSError):  # what still comes is read, or the close would be a reset
                while self.conn.recv(65536):
                    pass
        else:
            with contextlib.suppress(OSError):
                while self.conn.recv(65536):
                    pass
        return False

    def _answer(self, status: int, extra: dict[str, str], body: bytes, method: str, cut: int | None = None) -> None:
        length = extra.pop("Content-Length", str(len(body)))
        ends = {} if self.script.keeps_alive else {"Connection": "close"}
        fields = {"Content-Length": length, "Docker-Distribution-API-Version": "registry/2.0", **ends, **extra}
        head = "".join([f"HTTP/1.1 {status} X\r\n", *(f"{name}: {value}\r\n" for name, value in fields.items()), "\r\n"])
        self.conn.sendall(head.encode() + (b"" if method == "HEAD" else body[:cut]))

    def _behave(self, request: _Request, kind: Kind) -> tuple[int, dict[str, str], bytes]:
        image = self.script.image
        match kind:
            case "ping":
                return 200, {}, b"{}"
            case "manifest-head" | "manifest-get":
                if not self.script.has_layer:
                    return 404, {}, b""
                return 200, {"Content-Type": MANIFEST_TYPE, "Docker-Content-Digest": digest_of(image.manifest)}, image.manifest
            case "manifest-put":
                return 201, {"Docker-Content-Digest": digest_of(request.body), "Location": request.target}, b""
            case "config-head" | "config-get":
                return self._blob(image.config, request)
            case "layer-head" | "layer-get":
                return self._blob(image.layer, request) if self.script.has_layer else (404, {}, b"")
            case _:
                return self._upload(request, kind)

    def _blob(self, content: bytes, request: _Request) -> tuple[int, dict[str, str], bytes]:
        kind = {"Content-Type": "application/octet-stream"}
        asked = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("range", ""))
        if asked is None:
            return 200, kind, content
        first, last = int(asked[1]), min(int(asked[2] or len(content) - 1), len(content) - 1)
        return 206, {**kind, "Content-Range": f"bytes {first}-{last}/{len(content)}"}, content[first : last + 1]

    def _upload(self, request: _Request, kind: Kind) -> tuple[int, dict[str, str], bytes]:
        path = request.target.partition("?")[0]
        with self.script.lock:
            if kind == "upload-post":
                path += f"u{len(self.script.uploads)}"
                self.script.uploads[path] = b""
                return 202, {"Location": f"{path}?_state=0", "Range": "0-0"}, b""
            if path not in self.script.uploads:
                return 404, {}, b""
            if kind == "upload-cancel":
                del self.script.uploads[path]
                return 204, {}, b""
            self.script.uploads[path] += request.body
            size = len(self.script.uploads[path])
            if kind == "upload-put":
                return 201, {"Location": path, "Docker-Content-Digest": digest_of(self.script.uploads[path])}, b""
            status = 202 if kind == "upload-patch" else 204
            return status, {"Location": f"{path}?_state={size}", "Range": f"0-{max(size - 1, 0)}"}, b""


@contextmanager
def serving(script: Script, *, addresses: int = 1) -> Iterator[list[str]]:
    """`host:port` of each address; one that is refused stays closed for the whole command."""
    refused = any(fault.act == "refused" for fault in script.faults)
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(addresses)]
    hosts = [f"127.0.0.1:{listener.getsockname()[1]}" for listener in listeners]
    if refused:
        listeners[0].close()
    threads = [
        threading.Thread(target=_accept, args=(script, listener, number), daemon=True)
        for number, listener in enumerate(listeners)
        if not (refused and number == 0)
    ]
    for thread in threads:
        thread.start()
    try:
        yield hosts
    finally:
        for listener in listeners:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        for thread in threads:
            thread.join(5)


def _accept(script: Script, listener: socket.socket, number: int) -> None:
    while True:
        try:
            conn, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_Connection(script, conn, number).serve, daemon=True).start()
