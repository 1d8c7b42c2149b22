"""Laws of the housekeeping checks: a correct region is never blamed, a lie gets its label, and fewer reads blame no more."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from chaoskit.checks.base import Check
from chaoskit.checks.deletes import Deletes
from chaoskit.checks.lists import Lists
from chaoskit.model.history import Operation, Outcome
from chaoskit.model.verdict import Verdict

from .families.base import Rows
from .fuzz import FAMILIES, alone
from .histories import FAILED, OK, UNKNOWN, ZONES, Story, texts

RUNS = 100
TAGS = ("a", "b", "c")
VALUES = tuple(f"sha256:v{number}" for number in range(4))
BLOB = "sha256:b"
READS = ("manifest-get", "blob-get", "tags-list")


@dataclass
class Store:
    """The truth of one repository: what each tag points at, and which manifests and blobs are there."""

    tags: dict[str, str] = field(default_factory=dict)
    there: set[str] = field(default_factory=set)

    def apply(self, row: Operation) -> Operation:
        """Carry out one operation at this moment; a read's row with what it saw."""
        match row.action:
            case "manifest-put":
                self.tags[row.reference] = row.digest
                self.there.add(row.digest)
            case "upload-put":
                self.there.add(row.digest)
            case "manifest-delete" | "blob-delete":
                self.there.discard(row.digest)
                self.tags = {tag: value for tag, value in self.tags.items() if row.reference != tag and row.digest != value}
            case "tags-list":
                entries = tuple(sorted(self.tags))
                return row.__replace__(entries=entries, status=200, observed="read-ok")
            case _:
                value = row.digest if row.digest in self.there else self.tags.get(row.reference, "") if not row.digest else ""
                seen = {"status": 200, "observed": "read-ok"} if value else {"status": 404, "observed": "absent"}
                return row.__replace__(got=value, advertised=value, **seen)
        return row


def _row(source: random.Random, index: int, start: int, point: int) -> Operation:
    """One operation called at `start` that may happen at `point`, not yet carried out."""
    action = source.choice(("manifest-put",) * 4 + ("manifest-delete",) * 2 + ("upload-put", "blob-delete") + READS * 2)
    is_read = action in READS
    outcome: Outcome = source.choices((OK, FAILED, FAILED if is_read else UNKNOWN), (8, 1, 1 if is_read else 2))[0]
    digest = BLOB if action.startswith(("blob", "upload")) else "" if action == "tags-list" else source.choice(VALUES)
    tag = (
        source.choice(TAGS) if action == "manifest-put" or (action in ("manifest-get", "manifest-delete") and source.random() < 0.4) else ""
    )
    return Operation(
        index=index,
        action=action,
        lane="pinned",
        phase="steady",
        region="us-south",
        zone=source.choice(ZONES),
        repository="r",
        intended_ns=start,
        called_ns=start,
        returned_ns=None if outcome is UNKNOWN and source.random() < 0.5 else point + source.randrange(4),
        reference=tag,
        digest="" if tag and action != "manifest-put" else digest,
        outcome=outcome,
        status=202 if outcome is OK else 0,
        observed="write-ok" if outcome is OK else "maybe-sent-timeout" if outcome is UNKNOWN else "connect-refused",
    )


def correct_run(seed: int) -> list[Operation]:
    """Forty operations on one atomic repository, each at a moment inside its interval, unknown ones then, later or never; and a sweep."""
    source = random.Random(seed)
    moments: list[tuple[int, float, Operation]] = []
    for index in range(40):
        start = source.randrange(60)
        point = start + source.randrange(4)
        row = _row(source, index, start, point)
        late = source.choice((0, 0, 5, 60, 10**6)) if row.outcome is UNKNOWN else 0
        moments.append((point + source.randrange(late + 1), source.random(), row))
    asked = [{"digest": value} for value in (*VALUES, BLOB)] + [{"reference": tag} for tag in TAGS] + [{}]
    for zone in ZONES:
        for what in asked:
            at = 200 + source.randrange(50)
            action = "blob-get" if BLOB in what.values() else "manifest-get" if what else "tags-list"
            row = _row(source, len(moments), at, at).__replace__(
                action=action, zone=zone, outcome=OK, phase="final", reference="", digest=""
            )
            moments.append((at, source.random(), row.__replace__(returned_ns=at + source.randrange(3), **what)))
    store, rows = Store(), dict[int, Operation]()
    for _, _, row in sorted(moments, key=lambda moment: moment[:2]):
        rows[row.index] = store.apply(row) if row.outcome is OK or (row.outcome is UNKNOWN and row.action not in READS) else row
    return [rows[index] for index in sorted(rows)]


@pytest.mark.parametrize("check", [Deletes(), Lists()], ids=["deletes", "lists"])
def test_correct_region_is_never_violated_and_mostly_held(check: Check) -> None:
    verdicts = []
    for seed in range(RUNS):
        result = check.judge(Story(rows=correct_run(seed)).evidence())
        assert result.verdict is not Verdict.VIOLATED, (seed, texts(result))
        verdicts.append(result.verdict)

    assert verdicts.count(Verdict.HELD) > RUNS / 2


def _must_be_gone(rows: Rows, read: Operation) -> bool:
    """Whether a delete was acknowledged before the read and every write of the object had ended well before that delete was called."""
    writes = [row for row in rows if row.action.endswith("-put") and row.digest == read.digest and row.outcome is not FAILED]
    deletes = [row for row in rows if row.action.endswith("-delete") and row.digest == read.digest and row.outcome is OK]
    ends = [10**9 if row.outcome is UNKNOWN else row.returned_ns or 0 for row in writes]
    return any((row.returned_ns or 0) < read.called_ns and row.called_ns > max(ends, default=10**9) for row in deletes)


def resurrect(rows: Rows, source: random.Random) -> Operation | None:
    """A read of something deleted finds it."""
    gone = [row for row in rows if row.status == 404 and row.digest and _must_be_gone(rows, row)]
    read = source.choice(gone) if gone else None
    return read and read.__replace__(got=read.digest, advertised=read.digest, status=200, observed="read-ok")


def leave_out(rows: Rows, source: random.Random) -> Operation | None:
    """A list lacks a tag that a write acknowledged before it, and after all deletes, had set."""
    may_delete = [row for row in rows if row.action == "manifest-delete" and row.outcome is not FAILED]
    last = max([10**9 if row.outcome is UNKNOWN else row.returned_ns or 0 for row in may_delete], default=0)
    found = []
    for row in rows:
        if row.action == "tags-list" and row.outcome is OK:
            puts = [put for put in rows if put.action == "manifest-put" and put.outcome is OK and put.called_ns > last]
            sure = [put.reference for put in puts if (put.returned_ns or 0) < row.called_ns]
            found += [row.__replace__(entries=tuple(name for name in row.entries if name != tag)) for tag in sure]
    return source.choice(found) if found else None


def invent(rows: Rows, source: random.Random) -> Operation | None:
    """A list has a tag more that nobody wrote."""
    lists = [row for row in rows if row.action == "tags-list" and row.outcome is OK]
    row = source.choice(lists)
    return row.__replace__(entries=(*row.entries, "d"))


def repeat(rows: Rows, source: random.Random) -> Operation | None:
    """A list has its first tag twice."""
    lists = [row for row in rows if row.action == "tags-list" and row.entries]
    row = source.choice(lists) if lists else None
    return row and row.__replace__(entries=(row.entries[0], *row.entries))


def turn_round(rows: Rows, source: random.Random) -> Operation | None:
    """A list is in the opposite order."""
    lists = [row for row in rows if row.action == "tags-list" and len(row.entries) > 1]
    row = source.choice(lists) if lists else None
    return row and row.__replace__(entries=row.entries[::-1])


LIES: dict[str, tuple[Callable[[Rows, random.Random], Operation | None], Check, str]] = {
    "deleted value found": (resurrect, Deletes(), "Not gone"),
    "tag left out": (leave_out, Lists(), "Skipped"),
    "tag invented": (invent, Lists(), "Invented"),
    "tag twice": (repeat, Lists(), "Twice"),
    "order turned round": (turn_round, Lists(), "Out of order"),
}


@pytest.mark.parametrize("lie", LIES)
def test_one_lie_in_a_correct_history_gets_its_label_and_names_its_operation(lie: str) -> None:
    tell, check, label = LIES[lie]
    told = 0
    for seed in range(RUNS):
        rows = correct_run(seed)
        changed = tell(rows, random.Random(seed))
        if changed is None:
            continue
        told += 1
        rows[changed.index] = changed
        findings = check.judge(Story(rows=rows).evidence()).findings
        assert any(finding.text.startswith(label) and finding.operations[-1] == changed.index for finding in findings), (seed, changed)

    assert told > RUNS / 20


@pytest.mark.parametrize("name", [name for name in FAMILIES if name.split(",")[0] in ("deletes", "lists", "sessions", "recoverability")])
def test_fewer_reads_never_make_a_violation(name: str) -> None:
    family, source = FAMILIES[name], random.Random(name)
    dropped = 0
    for number in range(150):
        rows = family.generate(source, 0, number)
        kept = [row for row in rows if not row.action.endswith(("get", "head", "list")) or source.random() < 0.6]
        if alone(family, rows).verdict is not Verdict.VIOLATED and len(kept) < len(rows):
            dropped += 1
            assert not kept or alone(family, kept).verdict is not Verdict.VIOLATED

    assert dropped > 20
