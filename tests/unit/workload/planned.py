"""A plan as it would be sent to a region that answers at once and forgets nothing."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from chaoskit.model.workload import PlannedBlob, Session, WorkloadSpec
from chaoskit.workload.plan import sessions
from chaoskit.workload.requests import fetched, requests

S = 1_000_000_000
ZONES = ("us-south-1", "us-south-2", "us-south-3")
METHODS = {
    "ping": "GET",
    "manifest-get": "GET",
    "blob-get": "GET",
    "tags-list": "GET",
    "blob-head": "HEAD",
    "upload-post": "POST",
    "upload-patch": "PATCH",
    "upload-put": "PUT",
    "manifest-put": "PUT",
    "manifest-delete": "DELETE",
    "blob-delete": "DELETE",
}


def plan(
    mix: str = "registry",
    *,
    rate: float = 20.0,
    zones: tuple[str, ...] = ZONES,
    seed: int = 1,
    seconds: float = 3_600.0,
    scale: float = 0.01,
    tenants: int = 6,
    run_id: str = "r1",
) -> Iterator[Session]:
    spec = WorkloadSpec(mix, rate, 10 * S, {}, scale, tenants)
    return sessions(spec, zones, run_id=run_id, seed=seed, duration_ns=round(seconds * S))


@dataclass(slots=True)
class Sent:
    """What was asked of the region so far: requests by action, when (s), and what of."""

    step_s: float
    actions: "Counter[str]" = field(default_factory=Counter)
    sessions: "Counter[str]" = field(default_factory=Counter)
    by_tenant: "Counter[str]" = field(default_factory=Counter)
    pulls: "Counter[tuple[str, str]]" = field(default_factory=Counter)
    fetches: "Counter[int]" = field(default_factory=Counter)
    times_s: list[float] = field(default_factory=list)
    images: dict[tuple[str, str], tuple[PlannedBlob, ...]] = field(default_factory=dict)
    present: set[tuple[str, int]] = field(default_factory=set)
    sizes: dict[int, int] = field(default_factory=dict)
    found: int = 0

    def send(self, session: Session) -> list[str]:
        """One session; its actions."""
        name = (session.repository, session.tag)
        image = self.images.get(name, ())
        sent = list(requests(session, is_present=lambda part: (session.repository, part.seed) in self.present, image=image))
        self.actions.update(sent)
        self.sessions[session.action] += 1
        self.times_s += [session.due_ns / S + self.step_s * number for number in range(len(sent))]
        if session.repository:
            self.by_tenant[session.repository.split("/")[2]] += len(sent)
        if session.action == "pull":
            self.pulls[name] += 1
            self.fetches.update(part.seed for part in fetched(session, image))
        if session.action == "push":
            self.images[name] = session.blobs
            self.sizes.update({part.seed: part.size_bytes for part in session.blobs})
            keys = {(session.repository, part.seed) for part in session.blobs}
            self.found += len(keys & self.present)
            self.present |= keys
        return sent


def sent(plan: Iterator[Session], *, requests: int, step_s: float = 0.0) -> Sent:
    """The sessions of a plan until so many requests are sent; each `step_s` after the one before it in its session."""
    made = Sent(step_s)
    for session in plan:
        made.send(session)
        if made.actions.total() >= requests:
            break
    return made
