"""What a scripted registry is told and what it writes down."""

import threading
from dataclasses import dataclass, field
from typing import Literal

from tests.contract.clients.image import Image

Kind = Literal[
    "ping",
    "ping-v1",
    "manifest-head",
    "manifest-get",
    "manifest-put",
    "config-head",
    "config-get",
    "layer-head",
    "layer-get",
    "upload-post",
    "upload-patch",
    "upload-put",
    "upload-status",
    "upload-cancel",
    "other",
]
Act = Literal["500", "502", "503", "504", "429", "404", "416", "reset", "eof", "cut-reset", "cut-eof", "stall", "refused"]

FOR_EVER = 1_000
RETRY_AFTER_S = 1
IDLE_S = 30.0  # of a connection, after which the server gives it up: none of the clients does before
MOST_REQUESTS = 400  # of one case
CUT_AT = 0.75  # of what was asked for


@dataclass(frozen=True, slots=True)
class Fault:
    """What happens to the first `times` requests of a kind at an address. `refused` closes the first address for the whole command."""

    kind: Kind
    act: Act
    times: int = FOR_EVER
    address: int = 0


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it came: `at_ns` monotonic, `range` the header, `address` the number of the listener."""

    kind: Kind
    at_ns: int
    range: str = ""
    address: int = 0
    is_reused: bool = False


@dataclass(slots=True)
class Script:
    """The image, what is already there, and what goes wrong. `asked` is the record; `names_error` gives a JSON error code in the body."""

    image: Image
    has_layer: bool
    faults: tuple[Fault, ...] = ()
    keeps_alive: bool = False
    names_error: str = ""
    asked: list[Asked] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    uploads: dict[str, bytes] = field(default_factory=dict)

    def note(self, asked: Asked) -> Act | None:
        """Write a request down and say what is to happen to it."""
        with self.lock:
            self.asked.append(asked)
            seen = sum(1 for other in self.asked if other.kind == asked.kind and other.address == asked.address)
            if len(self.asked) > MOST_REQUESTS:
                return "500"
        mine = (fault for fault in self.faults if (fault.kind, fault.address) == (asked.kind, asked.address))
        return next((fault.act for fault in mine if seen <= fault.times), None)


def kind_of(method: str, target: str, image: Image) -> Kind:
    path = target.partition("?")[0]
    if path == "/v2/":
        return "ping"
    if path == "/v1/_ping":
        return "ping-v1"
    if "/manifests/" in path:
        found: dict[str, Kind] = {"HEAD": "manifest-head", "GET": "manifest-get", "PUT": "manifest-put"}
        return found.get(method, "other")
    if "/blobs/uploads/" in path:
        steps: dict[str, Kind] = {
            "POST": "upload-post",
            "PATCH": "upload-patch",
            "PUT": "upload-put",
            "GET": "upload-status",
            "DELETE": "upload-cancel",
        }
        return steps.get(method, "other")
    if path.endswith(image.layer_digest):
        return "layer-head" if method == "HEAD" else "layer-get"
    if path.endswith(image.config_digest):
        return "config-head" if method == "HEAD" else "config-get"
    return "other"
