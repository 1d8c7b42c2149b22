"""Every scripted case, which of them CI runs, and where a profile is known to differ from its client."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from tests.contract.clients.script import FOR_EVER, Act, Fault, Kind

CLIENTS = {"crane": "crane", "skopeo": "skopeo", "regctl": "regclient"}  # program: profile
STEPS: dict[tuple[str, str], tuple[Kind, ...]] = {
    ("crane", "pull"): ("ping", "manifest-get", "layer-get"),
    ("skopeo", "pull"): ("ping", "manifest-get", "layer-get"),
    ("regctl", "pull"): ("manifest-get", "layer-get"),
    ("crane", "push"): ("ping", "manifest-head", "layer-head", "upload-post", "upload-patch", "upload-put", "manifest-put"),
    ("skopeo", "push"): ("ping", "layer-head", "upload-post", "upload-patch", "upload-put", "manifest-put"),
    ("regctl", "push"): ("manifest-head", "layer-head", "upload-post", "upload-put", "manifest-put"),
}
_LOUD: tuple[Act, ...] = ("500", "503", "429", "reset")  # in CI once and for ever
_ALIKE: tuple[Act, ...] = ("502", "504", "eof")  # in CI once
_LOST: tuple[Act, ...] = ("404", "416")
_CUT: tuple[Act, ...] = ("cut-eof", "cut-reset")
_BROKEN: tuple[Act, ...] = ("reset", "eof")
_OF_MIRRORS: tuple[Act, ...] = ("refused", "500", "503", "429", "reset", "404")
_CODES: tuple[tuple[Act, str], ...] = (
    ("429", "TOOMANYREQUESTS"),
    ("404", "BLOB_UPLOAD_INVALID"),
    ("404", "BLOB_UPLOAD_UNKNOWN"),
    ("500", "UNKNOWN"),
    ("500", "DENIED"),
)


@dataclass(frozen=True, slots=True)
class Case:
    """One command of one client against one fault. `is_long`: more than about ten seconds, for the night."""

    client: str
    command: str
    kind: Kind
    act: Act
    times: int = FOR_EVER
    keeps_alive: bool = False
    names_error: str = ""
    addresses: int = 1
    is_long: bool = False

    @property
    def fault(self) -> Fault:
        return Fault(self.kind, self.act, self.times)

    def __str__(self) -> str:
        times = "for-ever" if self.times == FOR_EVER else f"x{self.times}"
        extra = ["kept"] if self.keeps_alive else []
        extra += [self.names_error] if self.names_error else []
        extra += [f"{self.addresses}-addresses"] if self.addresses > 1 else []
        return "-".join([self.client, self.command, self.kind, self.act, times, *extra])


def _of_step(plain: Case) -> Iterator[Case]:
    for act in (*_LOUD, *_ALIKE):
        yield replace(plain, act=act, times=1)
        is_slow = plain.client == "regctl" and plain.kind in ("upload-put", "layer-head", "manifest-head") and act not in ("500", "503")
        if plain.client != "skopeo" or act == "429":  # skopeo tries nothing else again: once is for ever
            yield replace(plain, act=act, is_long=act in _ALIKE or is_slow)
    yield replace(plain, act="stall", times=1, is_long=True)
    if plain.kind in ("upload-post", "upload-patch", "upload-put", "layer-get", "layer-head"):
        yield from (replace(plain, act=act, times=1) for act in _LOST)
    if plain.client == "regctl" and plain.kind == "upload-put":
        yield from (replace(plain, act=act) for act in _LOST)
    if plain.kind == "layer-get":
        yield from (replace(plain, act=act, times=times) for act in _CUT for times in (1, 2, FOR_EVER))
    if plain.kind == "manifest-get":
        yield from (replace(plain, act=act, times=1) for act in _CUT)
    if plain.client == "crane" and plain.kind in ("manifest-get", "upload-patch", "manifest-put"):
        yield from (replace(plain, act=act, times=1, names_error=code) for act, code in _CODES)


def _all() -> Iterator[Case]:
    for (client, command), kinds in STEPS.items():
        yield Case(client, command, kinds[0], "refused")
        for kind in kinds:
            yield from _of_step(Case(client, command, kind, "500"))
    for times in (1, FOR_EVER):
        for act in _BROKEN:
            yield Case("crane", "pull", "manifest-get", act, times, keeps_alive=True)
            yield Case("crane", "push", "manifest-put", act, times, keeps_alive=True)
            yield Case("skopeo", "pull", "manifest-get", act, times, keeps_alive=True)
    for act in _OF_MIRRORS:
        yield Case("regctl", "pull", "manifest-get", act, addresses=2)
        if act != "refused":
            yield Case("regctl", "pull", "layer-get", act, addresses=2)


CASES = tuple(_all())
_SHORT_MANIFEST = "regctl asks once more with a Range, which registries do not honour for a manifest, and fails all the same"
_COURTESY = "regctl looks whether the tag is there and pushes all the same after an error status; our push sends no such HEAD"
KNOWN: dict[str, str] = {
    "regctl-pull-manifest-get-cut-eof-x1": _SHORT_MANIFEST,
    "regctl-push-manifest-head-503-x1": _COURTESY,
    **{f"regctl-push-manifest-head-{status}-for-ever": _COURTESY for status in (429, 500, 502, 503, 504)},
}
"""Cases where the profile asks for something else than its client, and why that is left so."""
