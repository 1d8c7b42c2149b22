"""Frames on the wire: length, call number, msgpack. An answer carries the number of its request, so calls overlap on one connection.

A frame is never longer than FRAME_MOST. The first four bytes of an HTTP request read as a length are far above that: that tells them apart.
"""

import struct

import msgspec

from chaoskit.drivers.embedded.store.calls import Asked, Said

FRAME_MOST = 5 << 20
_HEAD = struct.Struct(">II")
_ENCODER = msgspec.msgpack.Encoder()
_ASKED: msgspec.msgpack.Decoder[Asked] = msgspec.msgpack.Decoder(Asked)
_SAID: msgspec.msgpack.Decoder[Said] = msgspec.msgpack.Decoder(Said)


class BadFrame(Exception):
    """The peer does not speak this protocol: the connection is of no more use."""


def frame(call: int, message: Asked | Said) -> bytes:
    """The bytes of one frame. BadFrame if it were too long to be read."""
    body = _ENCODER.encode(message)
    if len(body) > FRAME_MOST:
        raise BadFrame(f"a {type(message).__name__} of {len(body)} bytes is longer than the {FRAME_MOST} bytes of a frame")
    return _HEAD.pack(len(body), call) + body


def asked(body: bytes) -> Asked:
    """A request from a frame's body. BadFrame."""
    try:
        return _ASKED.decode(body)
    except msgspec.DecodeError as error:
        raise BadFrame(f"not a request: {error}") from error


def said(body: bytes) -> Said:
    """An answer from a frame's body. BadFrame."""
    try:
        return _SAID.decode(body)
    except msgspec.DecodeError as error:
        raise BadFrame(f"not an answer: {error}") from error


class Splitter:
    """Cuts a stream into frames; keeps what is not complete yet."""

    __slots__ = ("_kept", "_need")

    def __init__(self) -> None:
        self._kept = bytearray()
        self._need = _HEAD.size

    def feed(self, received: bytes) -> list[tuple[int, bytes]]:
        """Number and body of every frame that is complete now. BadFrame for a length out of bounds."""
        if not self._kept and len(received) >= _HEAD.size:
            size, call = _HEAD.unpack_from(received)
            if size <= FRAME_MOST and len(received) == _HEAD.size + size:  # as nearly always: one whole frame, not copied twice
                return [(call, received[_HEAD.size :])]
        self._kept += received
        kept = self._kept
        if len(kept) < self._need:
            return []
        frames = []
        at = 0
        self._need = _HEAD.size
        with memoryview(kept) as view:
            while len(kept) - at >= _HEAD.size:
                size, call = _HEAD.unpack_from(kept, at)
                if size > FRAME_MOST:
                    raise BadFrame(f"a frame of {size} bytes, longer than {FRAME_MOST}")
                end = at + _HEAD.size + size
                if end > len(kept):
                    self._need = end - at
                    break
                frames.append((call, bytes(view[at + _HEAD.size : end])))
                at = end
        del kept[:at]
        return frames
