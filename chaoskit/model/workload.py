"""What is asked of a region, as data: the specification of the load and the plan made from it."""

from collections.abc import Mapping
from dataclasses import dataclass

ACTIONS = ("push", "pull")


@dataclass(frozen=True, slots=True)
class WorkloadSpec:
    """`rate` is sessions a second over all lanes; times are ns."""

    mix: str
    rate: float
    timeout_ns: int
    objective_ns: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class PlannedBlob:
    """A blob by its seed: the bytes are made when they are sent and never stored. `chunked`: by POST, PATCH, PUT; else by POST, PUT."""

    seed: int
    size_bytes: int
    chunked: bool


@dataclass(frozen=True, slots=True)
class Session:
    """One push or one pull after `pings` of the registry, due `due_ns` after the load starts. `number` is unique in a plan, no order.

    `lane` is `pinned` or `regional`; `entry` is the zone tried first. The first blob of a push is its config; a pull has none.
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
