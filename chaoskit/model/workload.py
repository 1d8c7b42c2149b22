"""What is asked of a region, as data: the specification of the load and the plan made from it."""

from collections.abc import Mapping
from dataclasses import dataclass

ACTIONS = ("push", "pull", "delete", "list", "login")
TRACED = ("registry", "push-heavy", "read-only", "large-layers")  # mixes that follow the published trace


@dataclass(frozen=True, slots=True)
class WorkloadSpec:
    """`rate` is pushes and pulls a second over all lanes; a mix may add other sessions to them. Times are ns.

    `scale` multiplies the published sizes and `tenants` is how many share the registry, where a mix follows the trace.
    """

    mix: str
    rate: float
    timeout_ns: int
    objective_ns: Mapping[str, int]
    scale: float = 0.01
    tenants: int = 6


@dataclass(frozen=True, slots=True)
class PlannedBlob:
    """A blob by its seed: the bytes are made when they are sent and never stored. `chunked`: by POST, PATCH, PUT; else by POST, PUT."""

    seed: int
    size_bytes: int
    chunked: bool


@dataclass(frozen=True, slots=True)
class Session:
    """One session, after `pings` of the registry, due `due_ns` after the load starts. `number` is unique in a plan, no order.

    `lane` is `pinned` or `regional`; `entry` is the zone tried first. The first blob of a push is its config; other sessions have none.
    A list has no tag and asks for `page_size` tags a page (0: as many as the registry gives). A delete that `purges` goes on to the image's
    blobs. A push with `after` sends the blobs `again` instead of its own if that session, a purge, was acknowledged to its end.
    A pull fetches so many of the image's blobs (-1: all), that many at once. A login is one ping and has no repository.
    """

    number: int
    due_ns: int
    lane: str
    entry: str
    action: str
    repository: str
    tag: str
    blobs: tuple[PlannedBlob, ...] = ()
    pings: int = 0
    page_size: int = 0
    purges: bool = False
    after: int = -1
    again: tuple[PlannedBlob, ...] = ()
    fetches: int = -1
    at_once: int = 1
