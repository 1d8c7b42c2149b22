"""Sessions: histories of one or two uploads, step by step, with two strikes; and what is lost, wrong or short, by the rule's own words."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import groupby

from chaoskit.checks.sessions import Sessions
from chaoskit.model.evidence import Evidence
from chaoskit.model.history import History, Operation
from chaoskit.model.strike import Struck

from ..histories import FAILED, OK, UNKNOWN
from . import base
from .base import Blame, ByFindings, Family, Judged, Rows, end, is_clean

STRIKES = ((("east-1",), 2, 4), ((), 7, 8))  # zones (none: the whole region), from and to, in ticks
_FORGOTTEN = (404, 409, 416)


def struck(number: int) -> Struck:
    zones, start, stop = STRIKES[number]
    start, stop = start * base.TICK_NS, stop * base.TICK_NS
    return Struck(number, "zone-outage", {}, zones, (), (), start, injected_ns=start, healed_ns=stop)


def evidence(strikes: tuple[int, ...], history: History) -> Evidence:
    return Evidence(history, base.TOPOLOGY, tuple(struck(number) for number in strikes), phases=(), host=(), objective_ns={})


def _answer(source: random.Random) -> dict[str, object]:
    """How a step ended: mostly well, else unknown, unsent, or refused."""
    if source.random() < 0.6:
        return {"outcome": OK, "status": 202, "observed": "write-ok"}
    if source.random() < 0.4:
        status = source.choice((400, *_FORGOTTEN, 404))
        return {"outcome": FAILED, "status": status, "observed": "upload-lost" if status == 404 else "http-4xx"}
    return base.write_fields(source)


def _step(source: random.Random, action: str, digest: str) -> dict[str, object]:
    fields = _answer(source) | {"digest": digest}
    if action == "upload-patch":
        fields["size_bytes"] = source.choice((0, 9, 9))
    if action == "upload-put":
        fields["size_bytes"] = source.choice((0, 0, 9))
        if source.random() < 0.3:
            fields["advertised"] = source.choice((digest, digest, base.NOBODY))
    return fields


def generate(source: random.Random, first: int, number: int) -> list[Operation]:
    """Tries of one or two blobs of one or two pushes: a POST, mostly, then up to three steps; and reads of the blobs."""
    rows: list[Operation] = []
    for push in range(source.randint(1, 2)):
        now, region = source.randrange(4), source.choice(("east", "east", "east", "west"))
        zone, digest = source.choice(base.TOPOLOGY.regions[region]), source.choice(("b0", "b1"))
        alike = {"session": source.choice((0, push)), "attempt": source.choice((0, 0, 1)), "region": region, "zone": zone}
        for action in (
            *(("upload-post",) * source.choices((0, 1, 2), (1, 18, 1))[0]),
            *source.choice((("upload-put",), ("upload-patch", "upload-put"), ("upload-patch", "upload-patch", "upload-put"), ())),
        ):
            stop = now + source.choice((0, 1, 1, 2))
            times: dict[str, object] = {"called_ns": now * base.TICK_NS, "returned_ns": stop * base.TICK_NS}
            fields = {"reference": "", **alike, **times, **_step(source, action, digest)}
            rows.append(base.row(source, first + len(rows), number, action, **fields))
            now = stop + source.choice((0, 0, 1, 2))
    for _ in range(source.randint(0, 2)):
        digest = source.choice(("b0", "b1"))
        got = {"got": base.NOBODY, "observed": "digest-differs"} if source.random() < 0.3 else {"got": digest}
        answer = source.choices((got, base.absent_fields(), base.failed_read()), (6, 2, 1))[0]
        rows.append(base.row(source, first + len(rows), number, "blob-get", digest=digest, **answer))
    return rows


@dataclass(frozen=True)
class Upload:
    """One upload: its POST, answered, and the steps after it."""

    post: Operation
    steps: tuple[Operation, ...]

    @property
    def stop(self) -> int:
        """The end of the last step."""
        return end(self.steps[-1])


def _uploads(rows: Rows) -> list[Upload]:
    def whose(row: Operation) -> tuple[str, str, int, int]:
        return row.region, row.digest, row.session, row.attempt

    steps = sorted([row for row in rows if row.action.startswith("upload")], key=lambda row: (whose(row), row.called_ns, row.index))
    found: list[Upload] = []
    for _, several in groupby(steps, whose):
        post, following = None, list[Operation]()
        for row in [*several, None]:
            if row is None or row.action == "upload-post":
                found += [Upload(post, tuple(following))] if post is not None and is_clean(post) else []
                post, following = row, []
            else:
                following.append(row)
    return found


def _is_excused(row: Operation, tolerated: str, strikes: tuple[int, ...]) -> bool:
    for zones, start, stop in (STRIKES[number] for number in strikes):
        inside = row.called_ns <= stop * base.TICK_NS and end(row) >= start * base.TICK_NS
        if inside and (tolerated == "all" or (tolerated == "struck" and (not zones or row.zone in zones))):
            return True
    return False


def _lost(upload: Upload, is_excused: Callable[[Operation], bool]) -> Blame:
    blame = set()
    for number, row in enumerate(upload.steps):
        is_sure = all(step.outcome is not UNKNOWN for step in upload.steps[:number])
        if row.outcome is FAILED and row.status in _FORGOTTEN and is_sure and not is_excused(row):
            blame.add(("Forgotten", row.index))
    return frozenset(blame)


def _short(upload: Upload) -> Blame:
    blame = set()
    for number, row in enumerate(upload.steps):
        patches = [step for step in upload.steps[:number] if step.action == "upload-patch"]
        is_bare = row.action == "upload-put" and is_clean(row) and not row.size_bytes
        if is_bare and patches and patches[-1].outcome is FAILED and patches[-1].size_bytes:
            blame.add(("Bytes missing", row.index))
    return frozenset(blame)


def _wrong(rows: Rows, put: Operation) -> bool:
    reads = [row for row in rows if row.action == "blob-get" and row.outcome is OK and row.got not in ("", put.digest)]
    return put.advertised not in ("", put.digest) or any(
        (row.region, row.digest) == (put.region, put.digest) and row.called_ns > end(put) for row in reads
    )


def sessions(tolerated: str, strikes: tuple[int, ...], rows: Rows) -> Judged:
    """No upload is forgotten but where a strike excuses it, none ends with other bytes or fewer; one lived through each strike."""
    uploads = _uploads(rows)
    puts = [row for row in rows if row.action == "upload-put" and is_clean(row)]
    blame = frozenset(("Wrong digest", put.index) for put in puts if _wrong(rows, put))
    for upload in uploads:
        blame |= _lost(upload, partial(_is_excused, tolerated=tolerated, strikes=strikes)) | _short(upload)
    lived = [(end(upload.post), upload.stop) for upload in uploads if upload.steps]
    spans = [(start * base.TICK_NS, stop * base.TICK_NS) for _, start, stop in (STRIKES[number] for number in strikes)]
    is_proven = all(any(begun <= stop and over >= start for begun, over in lived) for start, stop in spans)
    return base.judged(blame, is_empty=not uploads or not is_proven)


def _family(tolerated: str, strikes: tuple[int, ...]) -> Family:
    tell = base.by_first_words(("Forgotten", "Wrong digest", "Bytes missing"))
    check = Sessions.model_validate({"tolerated": tolerated})
    name = f"sessions, {tolerated} tolerated, {len(strikes)} strikes"
    return Family(name, generate, ByFindings(check, tell, partial(evidence, strikes)), partial(sessions, tolerated, strikes))


FAMILIES = (_family("struck", (0, 1)), _family("struck", (0,)), _family("all", (0,)), _family("none", ()))
