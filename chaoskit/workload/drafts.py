"""Streams, and sessions as far as one stream knows them: numbers, times, lanes, entries. What is asked for is for the mixes to say."""

import hashlib
import random
from dataclasses import dataclass
from typing import Literal

from chaoskit.model.workload import Session

STREAM_NUMBERS = 1_000_000  # of sessions a stream; a tag shows stream and number in eight digits
CHUNKED_SHARE = 0.66  # of the uploads; the rest are one PUT

Kind = Literal["push-pull", "delete", "list", "push-again", "trace", "storm"]


@dataclass(frozen=True, slots=True)
class Stream:
    """Sessions of one lane, about one an interval, the first `offset_ns` after the load starts; `entries`: where they begin, in turn.

    `moving_share` of its pushes overwrite one of the few moving tags. Where there is nothing for a session to delete, list or push
    again yet, the plan goes without it.
    """

    number: int
    lane: str
    entries: tuple[str, ...]
    interval_ns: int
    offset_ns: int
    moving_share: float = 1 / 3
    kind: Kind = "push-pull"


@dataclass(frozen=True, slots=True)
class Draft:
    """A session but for what is decided with the other streams in sight, such as which tag a pull asks for; `made` if nothing is."""

    stream: Stream
    sequence: int
    due_ns: int
    is_push: bool
    source: random.Random
    made: Session | None = None

    @property
    def number(self) -> int:
        """Of the session, unique in the plan."""
        return self.stream.number * STREAM_NUMBERS + self.sequence

    def session(self, action: str, repository: str, tag: str, *, pings: int) -> Session:
        """The session of this draft. Entries rotate after every pair, so that each sees pushes and pulls, however many there are."""
        entries = self.stream.entries
        entry = entries[self.sequence // 2 % len(entries)]
        return Session(self.number, self.due_ns, self.stream.lane, entry, action, repository, tag, pings=pings)


def source_of(stream: Stream, seed: int, sequence: int) -> random.Random:
    """The random source of one session: no other draws from it."""
    return random.Random(f"{seed}/{stream.lane}/{stream.number}/{sequence}")


def blob_seed(slug: str, owner: int | str, part: int) -> int:
    """Unique to the run: a blob that an earlier run left behind would make a lost one look safe."""
    return int.from_bytes(hashlib.sha256(f"{slug}/{owner}/{part}".encode()).digest()[:8], "big")
