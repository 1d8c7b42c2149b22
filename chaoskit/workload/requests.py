"""The requests of a session that meets no error, from the plan alone: what the share of each method will be, before a byte is sent."""

import random
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

from chaoskit.model.workload import PlannedBlob, Session

T = TypeVar("T")


def fetched(session: Session, children: Sequence[T]) -> tuple[T, ...]:
    """The children that a pull fetches, in their order: all, or as many as the session says, drawn by its number."""
    if not 0 <= session.fetches < len(children):
        return tuple(children)
    kept = random.Random(session.number).sample(range(len(children)), session.fetches)
    return tuple(children[place] for place in sorted(kept))


def requests(session: Session, *, is_present: Callable[[PlannedBlob], bool], image: Sequence[PlannedBlob]) -> Iterator[str]:
    """The actions of its attempts, in order. `is_present` is the HEAD's answer, `image` what the tag of a pull or a delete stands for."""
    yield from ("ping",) * session.pings
    match session.action:
        case "push":
            for part in session.blobs:
                yield from ("blob-head",) if is_present(part) else ("blob-head", "upload-post", *upload(part))
            yield "manifest-put"
        case "pull":
            yield from ("manifest-get", *("blob-get" for _ in fetched(session, image)))
        case "delete":
            yield from ("manifest-get", "manifest-delete", *("blob-delete" for _ in (image if session.purges else ())))
        case "list":
            yield "tags-list"
        case _:
            yield "ping"


def upload(part: PlannedBlob) -> tuple[str, ...]:
    """What follows the POST of an upload."""
    return ("upload-patch", "upload-put") if part.chunked else ("upload-put",)
