"""What a client profile is made of: what is tried again and when, how it moves between addresses, and what a failure shows of itself.

Data only; `persistence` decides over it and `profiles` fills it in.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from chaoskit.registry.outcome import Trouble

Step = Literal[
    "ping",
    "manifest-head",
    "manifest-get",
    "manifest-put",
    "blob-head",
    "blob-get",
    "upload-post",
    "upload-patch",
    "upload-put",
    "upload-commit",
    "delete",
]


class Failover(StrEnum):
    """How a client with several addresses moves on.

    `none`: the first only. `dial`: one name with several addresses, the next where a dial fails, inside one try. `try`: each further try
    at the next. `hosts`: a list, the next where one host's tries are spent. `mirrors`: the next at every failure; a host whose answer is
    not worth another try is left out for this request.
    """

    NONE = "none"
    DIAL = "dial"
    TRY = "try"
    HOSTS = "hosts"
    MIRRORS = "mirrors"


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed attempt of a unit (one ping, GET, blob upload or manifest PUT); `upload-put` carries the bytes, `upload-commit` none.

    `code` is the first error code of the answer's JSON body. `retry_after_ns` is 0 without the header. `offset_bytes` is how much of the
    blob is held by now. A body that broke off has the status of its head and a trouble, `cut` for an early end. `is_kept`: the connection
    had served a request before.
    """

    step: Step
    status: int = 0
    trouble: Trouble = ""
    code: str = ""
    retry_after_ns: int = 0
    offset_bytes: int = 0
    address: int = 0
    is_kept: bool = False
    ended_ns: int = 0

    @property
    def is_broken_body(self) -> bool:
        """The answer began well and ended early."""
        return 200 <= self.status <= 299 and bool(self.trouble)


@dataclass(frozen=True, slots=True)
class Patience:
    """What is tried again, and the waits before the second, third... try, each longer by up to `jitter` of itself.

    `once`: statuses tried again at the last host only, and only if the try before was not answered the same. `codes` decide instead of the
    status where the body has one; None: the body is not read. `begins_at`: the step another try begins with, None for the failed one.
    `free`: so many first failures are neither waited for nor counted. `progress_is_free`: tries that got further do not count.
    """

    delays_ns: tuple[int, ...]
    statuses: frozenset[int] = frozenset()
    troubles: frozenset[Trouble] = frozenset()
    once: frozenset[int] = frozenset()
    codes: frozenset[str] | None = None
    begins_at: Step | None = None
    free: int = 0
    jitter: float = 0.0
    honours_retry_after: bool = False
    is_resumed: bool = False
    progress_is_free: bool = False


@dataclass(frozen=True, slots=True)
class Wear:
    """An account of failures for each address, kept over all requests of a session (regclient).

    `spacing_ns[n]` is the least time between two requests at an address that failed n times. From `limit` failures on each failure is a
    request's last there; `most_tries` bounds one request over all addresses. Retry-After, 404 and 416 leave no trace.
    """

    spacing_ns: tuple[int, ...]
    limit: int
    most_tries: int


@dataclass(frozen=True, slots=True)
class Habits:
    """What a client sends though nothing fails. `blobs_down` and `blobs_up` are how many at once, 0 for all; `chunk_bytes` of a PATCH, 0 is
    the whole blob."""

    pings: int = 1
    heads_manifest_on_pull: bool = False
    heads_manifest_on_push: bool = False
    heads_of_a_blob: int = 1
    upload: Literal["planned", "chunked", "monolithic"] = "planned"
    chunk_bytes: int = 0
    blobs_down: int = 1
    blobs_up: int = 1


@dataclass(frozen=True, slots=True)
class Profile:
    """One client. `patience` is by step, `body` for a body that broke off.

    `goes_on`: the step that follows one given up, where that does not end the unit. `resends_kept`: Go's transport sends a GET or HEAD
    again, at once and uncounted, where a kept connection broke before the answer.
    """

    name: str
    patience: Mapping[Step, Patience] = field(default_factory=dict)
    body: Patience | None = None
    pull: Failover = Failover.NONE
    push: Failover = Failover.NONE
    goes_on: Mapping[Step, Step] = field(default_factory=dict)
    wear: Wear | None = None
    resends_kept: bool = False
    habits: Habits = field(default_factory=Habits)
