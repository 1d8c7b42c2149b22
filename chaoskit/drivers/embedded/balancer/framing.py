"""Where an HTTP/1.1 message begins and ends, and nothing else of it: heads up to 16 KB, bodies by length or in chunks.

Strict: what two parsers could read in two ways (both lengths, a length twice, a folded line, a bare LF, a sloppy chunk size) is Malformed.
HTTP/1.0 requests, CONNECT and Upgrade are refused; a response may be HTTP/1.0.
"""

import re
from dataclasses import dataclass

HEAD_BYTES = 16_384
_FIELDS = 100
_LINE_BYTES = 4_096
_TRAILER_LINES = 32

_REQUEST = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]{1,32}) ([\x21-\x7e]+) (HTTP/[0-9]\.[0-9])")
_STATUS = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9][0-9])(?: [^\x00-\x08\x0a-\x1f\x7f]*)?")
_FIELD = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([^\x00-\x08\x0a-\x1f\x7f]*)")
_LENGTH = re.compile(rb"[0-9]{1,15}")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,12})[ \t]*(?:;[^\x00-\x08\x0a-\x1f\x7f]*)?")
_BARE = re.compile(rb"(?<!\r)\n|\x00")
_HOP_BY_HOP = frozenset({b"connection", b"keep-alive", b"proxy-connection", b"te", b"upgrade"})
_FRAMING = frozenset({b"content-length", b"transfer-encoding", b"host"})


class Malformed(Exception):
    """A message that is not passed on; `status` is what a client is told of its request."""

    def __init__(self, status: int, what: str) -> None:
        super().__init__(what)
        self.status = status


class Body:
    """Finds the end of one body in the bytes of a connection. `left` is None for chunks, -1 for a body that ends with the connection."""

    __slots__ = ("_expects", "_line", "_size", "_trailers", "done", "left")

    def __init__(self, left: int | None) -> None:
        self.left = left
        self.done = left == 0
        self._expects = "size"
        self._line = b""
        self._size = 0
        self._trailers = 0

    @property
    def to_the_close(self) -> bool:
        """Only the end of the connection ends it."""
        return self.left == -1

    def feed(self, data: bytes) -> int:
        """How many of these bytes are the body's; `done` tells whether they end it. Malformed for bad chunks."""
        if self.left is None:
            return self._feed_chunks(data)
        if self.left < 0:
            return len(data)
        taken = min(self.left, len(data))
        self.left -= taken
        self.done = not self.left
        return taken

    def _feed_chunks(self, data: bytes) -> int:
        at = 0
        while at < len(data) and not self.done:
            if self._size:
                taken = min(self._size, len(data) - at)
                self._size -= taken
                at += taken
                continue
            end = data.find(b"\n", at) + 1
            self._line += data[at : end or len(data)]
            if len(self._line) > _LINE_BYTES:
                raise Malformed(400, "a chunk size or trailer is too long")
            if not end:
                return len(data)
            at = end
            if not self._line.endswith(b"\r\n"):
                raise Malformed(400, "a line of a chunked body ends with a bare LF")
            line, self._line = self._line[:-2], b""
            self._take_line(line)
        return at

    def _take_line(self, line: bytes) -> None:
        if self._expects == "size":
            found = _CHUNK.fullmatch(line)
            if not found:
                raise Malformed(400, "bad chunk size")
            self._size = int(found[1], 16)
            self._expects = "chunk end" if self._size else "trailer"
        elif self._expects == "chunk end":
            if line:
                raise Malformed(400, "a chunk is longer than its size")
            self._expects = "size"
        elif not line:
            self.done = True
        else:
            self._trailers += 1
            if self._trailers > _TRAILER_LINES or not _FIELD.fullmatch(line):
                raise Malformed(400, "bad trailer")


@dataclass(slots=True)
class Request:
    """A request's head. `forward` is what the server is sent, hop-by-hop fields left out."""

    method: bytes
    target: bytes
    forward: bytes
    body: Body
    keeps_alive: bool

    @property
    def safe(self) -> bool:
        """Reads only and has no body: sending it twice does no harm."""
        return self.method in (b"GET", b"HEAD") and self.body.done


@dataclass(slots=True)
class Response:
    """A response's head. `forward` lacks the final empty line, so that a `Connection` field can be added."""

    status: int
    forward: bytes
    body: Body
    keeps_alive: bool


def split_head(buffer: bytearray) -> bytes | None:
    """Take the head off the front of a buffer, without its empty line; None if it is not there yet. Malformed if it cannot become one."""
    end = buffer.find(b"\r\n\r\n")
    if end > HEAD_BYTES or (end < 0 and len(buffer) > HEAD_BYTES):
        raise Malformed(431, f"a head of more than {HEAD_BYTES} bytes")
    if end < 0:
        if _BARE.search(buffer):
            raise Malformed(400, "not HTTP")
        return None
    head = bytes(buffer[:end])
    del buffer[: end + 4]
    return head


def parse_request(head: bytes) -> Request:
    """A request's head as split_head gives it. Malformed."""
    lines = head.split(b"\r\n")
    found = _REQUEST.fullmatch(lines[0])
    if not found:
        raise Malformed(400, "bad request line")
    if found[3] != b"HTTP/1.1":
        raise Malformed(505, "only HTTP/1.1 is spoken here")
    if found[1] == b"CONNECT":
        raise Malformed(405, "CONNECT is not for balancers")
    fields = _Fields(lines)
    if fields.hosts != 1:
        raise Malformed(400, "a request has one Host field")
    return Request(
        method=found[1],
        target=found[2],
        forward=b"\r\n".join([lines[0], *fields.kept, b"", b""]),
        body=Body(None if fields.chunked else fields.length or 0),
        keeps_alive=b"close" not in fields.connection,
    )


def parse_response(head: bytes, *, method: bytes) -> Response:
    """The head of a response to a request of that method. Malformed."""
    lines = head.split(b"\r\n")
    found = _STATUS.fullmatch(lines[0])
    if not found:
        raise Malformed(502, "bad status line")
    fields = _Fields(lines)
    status = int(found[2])
    if status == 101:
        raise Malformed(502, "a switch of protocols nobody asked for")
    if method == b"HEAD" or status < 200 or status in (204, 304):
        body = Body(0)
    elif fields.chunked:
        body = Body(None)
    else:
        body = Body(-1 if fields.length is None else fields.length)
    lines[0] = b"HTTP/1.1" + lines[0][8:]
    return Response(
        status=status,
        forward=b"\r\n".join([lines[0], *fields.kept, b""]),
        body=body,
        keeps_alive=found[1] == b"1" and b"close" not in fields.connection and not body.to_the_close,
    )


class _Fields:
    """The fields of a head: those that are passed on as they came, and what the framing ones say."""

    __slots__ = ("chunked", "connection", "hosts", "kept", "length")

    def __init__(self, lines: list[bytes]) -> None:
        self.kept: list[bytes] = []
        self.length: int | None = None
        self.chunked = False
        self.connection: frozenset[bytes] = frozenset()
        self.hosts = 0
        if len(lines) - 1 > _FIELDS:
            raise Malformed(431, f"more than {_FIELDS} fields")
        for line in lines[1:]:
            found = _FIELD.fullmatch(line)
            if not found:
                raise Malformed(400, "bad field")
            name = found[1].lower()
            if name in _HOP_BY_HOP:
                if name == b"connection":
                    self.connection |= {option.strip() for option in found[2].lower().split(b",")}
                continue
            if name in _FRAMING:
                self._frame(name, found[2].rstrip(b" \t"))
            self.kept.append(line)
        if self.chunked and self.length is not None:
            raise Malformed(400, "both Content-Length and Transfer-Encoding")
        named = self.connection - _FRAMING - {b"close", b""}
        if named:
            self.kept = [line for line in self.kept if line.partition(b":")[0].lower() not in named]

    def _frame(self, name: bytes, value: bytes) -> None:
        if name == b"host":
            self.hosts += 1
        elif name == b"content-length":
            if self.length is not None or not _LENGTH.fullmatch(value):
                raise Malformed(400, "bad Content-Length")
            self.length = int(value)
        else:
            if self.chunked or value.lower() != b"chunked":
                raise Malformed(400, "Transfer-Encoding is not 'chunked'")
            self.chunked = True
