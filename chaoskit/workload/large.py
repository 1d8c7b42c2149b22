"""An image with one large layer beside a plan: pushed once, pulled again and again through every entry in turn. Pure and seeded."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from heapq import merge
from itertools import count

from chaoskit.model.workload import PlannedBlob, Session

_STREAM = 99  # no mix has so many streams that it would be one of theirs
_CONFIG_BYTES = 1_000
_FIRST_PULL_NS = 2_500_000_000
_EVERY_NS = 1_000_000_000
_EVERY_SESSIONS = 8


def with_large_image(plan: Iterator[Session], zones: Sequence[str], *, run_id: str, rate: float, layer_bytes: int) -> Iterator[Session]:
    """The plan, and between its sessions a pinned push, then regional pulls: one for every 8 sessions, at most one a second."""
    slug = "".join(letter if letter.isalnum() else "-" for letter in run_id.lower())
    blobs = (PlannedBlob(_seed(slug, 0), _CONFIG_BYTES, chunked=True), PlannedBlob(_seed(slug, 1), layer_bytes, chunked=True))
    number = _STREAM * 1_000_000
    push = Session(number, 0, "pinned", zones[0], "push", f"chaos/{slug}/large", f"v{number:08d}", blobs)
    every_ns = max(_EVERY_NS, round(_EVERY_SESSIONS * 1e9 / rate))
    pulls = (
        replace(push, number=number + turn, due_ns=_FIRST_PULL_NS + turn * every_ns, lane="regional", entry=entry, action="pull", blobs=())
        for turn, entry in ((turn, zones[turn % len(zones)]) for turn in count(1))
    )
    return merge(plan, iter((push,)), pulls, key=lambda session: (session.due_ns, session.number))


def _seed(slug: str, part: int) -> int:
    return int.from_bytes(hashlib.sha256(f"{slug}/large/{part}".encode()).digest()[:8], "big")
