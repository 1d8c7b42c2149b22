"""Refusal: writes acknowledged, and things denied, while all strikes are in force."""

import random
from dataclasses import dataclass

from chaoskit.checks.refusal import Refusal
from chaoskit.model.evidence import Evidence
from chaoskit.model.history import History, Operation
from chaoskit.model.strike import Struck
from chaoskit.model.verdict import Verdict, worst

from ..histories import FAILED, OK
from . import base
from .base import Batch, Blame, ByFindings, Family, Judged, Rows, end, is_absent
from .objects import deleted, known

_ACTIONS = (
    "manifest-put",
    "manifest-put",
    "upload-put",
    "upload-post",
    "manifest-get",
    "manifest-get",
    "blob-get",
    "manifest-delete",
    "pull",
)


@dataclass(frozen=True)
class Scene:
    """Strikes as (zone, effective, healing) in ticks, None where it did not come to that, and which entries must refuse."""

    check: Refusal
    strikes: tuple[tuple[str, int | None, int | None], ...]

    def evidence(self, history: History) -> Evidence:
        """A stored run with these strikes."""
        struck = tuple(_struck(number, *strike) for number, strike in enumerate(self.strikes))
        return Evidence(history, base.TOPOLOGY, strikes=struck, phases=(), host=(), objective_ns={})

    @property
    def window(self) -> tuple[int, int] | None:
        """While every strike is effective and none is being healed: [start, end], None if there is no such time."""
        times = [tick for _, *ticks in self.strikes for tick in ticks]
        if not times or None in times:
            return None
        start = max(effective or 0 for _, effective, _ in self.strikes)
        stop = min(healing or 0 for *_, healing in self.strikes)
        return (start * base.TICK_NS, stop * base.TICK_NS) if start < stop else None


def _struck(number: int, zone: str, effective: int | None, healing: int | None) -> Struck:
    def ns(tick: int | None) -> int | None:
        return None if tick is None else tick * base.TICK_NS

    return Struck(
        number=number,
        kind="zone-outage",
        fault={},
        zones=(zone,),
        links=(),
        components=(),
        wanted_ns=0,
        effective_ns=ns(effective),
        healing_ns=ns(healing),
    )


SCENES = (
    Scene(Refusal(), (("east-1", 3, 7),)),
    Scene(Refusal(entries="struck"), (("east-1", 3, 7),)),
    Scene(Refusal(entries="struck"), (("east-1", 2, 8), ("west-2", 4, 9))),
    Scene(Refusal(), (("east-1", 0, 9), ("east-2", 2, 6))),
    Scene(Refusal(), (("east-1", 2, 4), ("east-2", 5, 9))),
    Scene(Refusal(), (("east-1", 2, 8), ("east-2", None, 8))),
    Scene(Refusal(), (("east-1", 2, 8), ("east-2", 2, None))),
    Scene(Refusal(), ()),
)


def _fields(source: random.Random, action: str, name: str) -> dict[str, object]:
    """A tag is written with a new value each time; the manifest `m` is pushed by digest, and is what deletes are about."""
    is_tag = action in ("manifest-put", "manifest-get") and source.random() < 0.6
    if action == "pull":
        return {"reference": "t", **base.absent_fields()}
    if action == "manifest-put":
        return {"reference": "t" if is_tag else "m", "digest": name if is_tag else "m", **base.write_fields(source)}
    if action in ("manifest-delete", "upload-put", "upload-post"):
        return {"digest": "m" if action == "manifest-delete" else "b", **base.write_fields(source)}
    asked: dict[str, object] = {"reference": "t"} if is_tag else {"digest": "m" if action == "manifest-get" else "b"}
    answer = source.choices(("absent", "found", "failed"), (6, 3, 1))[0]
    if answer == "found":
        return asked | {"got": asked.get("digest", name)}
    return asked | (base.absent_fields() if answer == "absent" else base.failed_read())


def generate(source: random.Random, first: int, number: int) -> list[Operation]:
    """Up to nine operations on one tag, one manifest and one blob; the scene is chosen by the number of the history."""
    rows: list[Operation] = []
    for index in range(first, first + source.randint(1, 9)):
        action = source.choice(_ACTIONS)
        fields = _fields(source, action, f"v{index - first}")
        if source.random() < 0.03:
            fields |= {"outcome": FAILED, "status": 0, "observed": "not-sent"}
        rows.append(base.row(source, index, number, action, **fields))
    return rows


def _scene(rows: Rows) -> Scene:
    return SCENES[int(rows[0].repository[1:]) % len(SCENES)]


def _judge(batch: Batch) -> tuple[Verdict, list[Blame]]:
    """Each scene is a run of its own. The verdict is the worst of them."""
    blame: dict[int, Blame] = {}
    verdicts = []
    for scene in SCENES:
        mine = [number for number, rows in enumerate(batch) if _scene(rows) is scene]
        if mine:
            verdict, found = ByFindings(scene.check, base.by_first_words(("Accepted", "False 404")), scene.evidence)(
                [batch[n] for n in mine]
            )
            verdicts.append(verdict)
            blame |= dict(zip(mine, found, strict=True))
    return worst(verdicts), [blame[number] for number in range(len(batch))]


def _is_false(rows: Rows, read: Operation) -> bool:
    """Absent, though the object was known, or a write of the tag acknowledged, before the read began; no delete began before it ended."""
    if read.digest:
        thing = (read.region, read.action == "blob-get", read.digest)
        return known(rows, thing) < read.called_ns and end(read) < deleted(rows, thing)
    writes = [row for row in rows if row.action == "manifest-put" and row.reference == read.reference and row.region == read.region]
    return any(row.outcome is OK and end(row) < read.called_ns for row in writes)


def refusal(rows: Rows) -> Judged:
    """No write acknowledged between the last effect and the first heal, and no false 404."""
    scene = _scene(rows)
    if scene.window is None:
        return base.judged(frozenset(), is_empty=True)
    start, stop = scene.window
    begun = [row for row in rows if row.action != "pull" and row.observed != "not-sent" and start <= row.called_ns <= stop]
    if scene.check.entries == "struck":
        begun = [row for row in begun if row.zone in {zone for zone, *_ in scene.strikes}]
    inside = [row for row in begun if end(row) <= stop]
    blame = {("Accepted", row.index) for row in inside if row.action in ("manifest-put", "upload-put") and row.outcome is OK}
    reads = [row for row in inside if row.action in ("manifest-get", "blob-get") and is_absent(row)]
    blame |= {("False 404", row.index) for row in reads if _is_false(rows, row)}
    tried = any(row.action in ("upload-post", "upload-put", "manifest-put") for row in begun)
    return base.judged(frozenset(blame), is_empty=not tried)


FAMILIES = (Family("refusal", generate, _judge, refusal),)
