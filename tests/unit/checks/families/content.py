"""Integrity and phantom: answers with digests, lengths and sizes that may contradict one another, or belong elsewhere."""

import random

from chaoskit.checks.integrity import Integrity
from chaoskit.checks.phantom import Phantom
from chaoskit.model.history import Operation
from chaoskit.model.verdict import Finding

from ..histories import FAILED, OK
from . import base
from .base import Blame, ByFindings, Family, Judged, Rows, end, is_absent, is_clean

READS = ("manifest-get", "manifest-head", "blob-get", "blob-head")
WRITES = ("manifest-put", "upload-put", "upload-patch", "upload-post")
TAGS = ("t", "u")
_ACTIONS = (*READS, "manifest-get", "manifest-get", "blob-get", "manifest-put", "manifest-put", "manifest-put", "upload-put", "tags-list")


def _values(number: int) -> tuple[str, ...]:
    """Two manifests, a blob and bytes nobody sent. A digest is the same content wherever it stands, so those of a history are its own."""
    return f"h{number}.m0", f"h{number}.m1", f"h{number}.b0", f"h{number}.nobody"


def _answer(source: random.Random, action: str, value: str, values: tuple[str, ...]) -> dict[str, object]:
    """What a read that was answered returned: mostly the value, at times another, at times what nobody sent."""
    lengths = (7, 7, 7, 7, 8, 0, -1)
    fields: dict[str, object] = {"advertised_bytes": source.choice(lengths)}
    shown = value if source.random() < 0.85 else source.choice(values)
    if source.random() < 0.7:
        fields["advertised"] = shown if source.random() < 0.9 else source.choice(values)
    if action.endswith("-get") and source.random() < 0.9:
        fields |= {"got": shown, "size_bytes": source.choice(lengths)}
        fields["status"] = 206 if source.random() < 0.1 else 200
    fields["observed"] = source.choices(("read-ok", "digest-differs", "unparsable"), (20, 2, 1))[0]
    return fields


def _fields(source: random.Random, action: str, values: tuple[str, ...]) -> dict[str, object]:
    value = source.choice(values[2:3] if action.startswith(("blob", "upload")) else values[:2])
    if action in WRITES:
        fields: dict[str, object] = {"digest": value} | base.write_fields(source)
        if action == "manifest-put":
            fields["reference"] = source.choice((*TAGS, value))  # by tag, or by its digest
        if fields["outcome"] is OK and source.random() < 0.5:
            fields["advertised"] = value if source.random() < 0.8 else source.choice(values)
        return fields
    if source.random() < 0.1:
        return base.failed_read() | {"digest": value}
    if action == "tags-list":
        entries = tuple(source.sample((*TAGS, "ghost"), source.choice((0, 1, 1, 2))))
        return {"entries": entries, "observed": source.choice(("read-ok", "read-ok", "read-ok", "unparsable"))}
    is_tag = action.startswith("manifest") and source.random() < 0.5
    asked: dict[str, object] = {"reference": source.choice(TAGS)} if is_tag else {"digest": value}
    return asked | (base.absent_fields() if source.random() < 0.1 else _answer(source, action, value, values))


def generate(source: random.Random, first: int, number: int) -> list[Operation]:
    """Up to eight operations on two tags, two manifests and a blob; a part of the histories has no write that could explain a read."""
    rows: list[Operation] = []
    values = _values(number)
    if source.random() < 0.8:
        for value in values[:3]:
            action = "upload-put" if value == values[2] else "manifest-put"
            more = {} if action == "upload-put" else {"reference": source.choice(TAGS)}
            begun = source.choice((0, 0, 0, 4)) * base.TICK_NS
            fields = {"digest": value, "called_ns": begun, "returned_ns": begun + base.TICK_NS, **more}
            rows.append(base.row(source, first + len(rows), number, action, **fields))
    for _ in range(source.randint(1, 5)):
        action = source.choice(_ACTIONS)
        rows.append(base.row(source, first + len(rows), number, action, **_fields(source, action, values)))
    return rows


def _answered(rows: Rows) -> list[Operation]:
    return [row for row in rows if row.action in (*READS, "tags-list") and row.outcome is OK and not is_absent(row)]


def _is_body_wrong(row: Operation) -> bool:
    """A whole body that hashes to something else than the digest asked."""
    return row.status != 206 and row.got not in ("", row.digest or row.got)


def _is_header_wrong(row: Operation) -> bool:
    """Docker-Content-Digest differs from the content: of a whole body its hash, else the digest asked or sent."""
    content = row.got if row.got and row.status != 206 else "" if row.got else row.digest
    return "" not in (row.advertised, content) and row.advertised != content


def _is_length_wrong(row: Operation) -> bool:
    return (
        bool(row.got) and row.status != 206 and -1 not in (row.advertised_bytes, row.size_bytes) and row.advertised_bytes != row.size_bytes
    )


def _sizes(rows: Rows) -> Blame:
    """Of each content the answers, smallest size first; the first answer of every further size contradicts those before."""
    sizes: dict[str, dict[int, int]] = {}
    for row in rows:
        if row.status == 206 or _is_body_wrong(row) or (row.got and _is_header_wrong(row)) or _is_length_wrong(row):
            continue
        size = row.advertised_bytes if row.action.endswith("-head") or row.size_bytes < 0 else row.size_bytes
        content = row.got or row.digest or row.advertised
        if size >= 0 and content:
            sizes.setdefault(content, {}).setdefault(size, row.index)
    return frozenset(("says", found[size]) for found in sizes.values() for size in sorted(found)[1:])


def integrity(rows: Rows) -> Judged:
    """Bytes hash to the digest asked; digest header, length, HEAD and GET agree; what should parse does."""
    answered = _answered(rows)
    acknowledged = [row for row in rows if row.action in ("manifest-put", "upload-put") and row.outcome is OK]
    blame: set[tuple[str, int]] = set()
    for row in (*answered, *acknowledged):
        if row.action not in WRITES and _is_body_wrong(row):
            blame.add(("hash to", row.index))
        if _is_header_wrong(row):
            blame.add(("but the content is", row.index))
        if row.observed == "digest-differs" and not _is_body_wrong(row) and not (row.got and _is_header_wrong(row)):
            blame.add(("do not hash to", row.index))
        if row.observed == "unparsable":
            blame.add(("not the JSON", row.index))
        if row.action not in WRITES and _is_length_wrong(row):
            blame.add(("and sent", row.index))
    is_empty = not any(row.got and row.status != 206 for row in answered)
    return base.judged(frozenset(blame) | _sizes(answered), is_empty=is_empty)


_SAID = ("do not hash to", "hash to", "but the content is", "not the JSON", "and sent", "says")


def _place(row: Operation) -> tuple[str, str]:
    return row.region, row.reference


def _is_tag_write(row: Operation) -> bool:
    return row.action == "manifest-put" and row.outcome is not FAILED and row.reference != row.digest


def _may_be_under_tag(rows: Rows, read: Operation, value: str) -> bool:
    writes = [row for row in rows if _is_tag_write(row) and _place(row) == _place(read) and row.digest == value]
    return any(row.called_ns <= end(read) for row in writes)


def _may_be_stored(rows: Rows, read: Operation) -> bool:
    kinds = WRITES[1:] if read.action.startswith("blob") else WRITES[:1]
    writes = [row for row in rows if row.action in kinds and row.outcome is not FAILED and row.region == read.region]
    return any(row.digest == read.digest and row.called_ns <= end(read) for row in writes)


def _is_phantom(rows: Rows, read: Operation) -> bool:
    """A value that cannot be there. Corrupt bytes that nobody sent are for integrity; corrupt bytes that are another's are not."""
    sent = {row.digest for row in rows if row.action in WRITES}
    if read.digest:
        return (is_clean(read) and not _may_be_stored(rows, read)) or (read.got in sent and read.got != read.digest)
    value = read.got or read.advertised
    if not value or not read.reference:
        return False
    return (is_clean(read) or read.got in sent) and not _may_be_under_tag(rows, read, value)


def phantom(rows: Rows) -> Judged:
    """No value nobody wrote, no failed value, no value of another key, none before its write began; the same of tags in lists."""
    answered = [row for row in _answered(rows) if row.action != "tags-list"]
    blame = {("value", row.index) for row in answered if _is_phantom(rows, row)}
    for listed in (row for row in rows if row.action == "tags-list" and is_clean(row)):
        for tag in listed.entries:
            writes = [row for row in rows if _is_tag_write(row) and _place(row) == (listed.region, tag)]
            if not any(row.called_ns <= end(listed) for row in writes):
                blame.add(("list", listed.index))
    is_empty = not any(is_clean(row) and (row.digest or row.got or row.advertised) for row in answered)
    return base.judged(frozenset(blame), is_empty=is_empty)


def _tell_phantom(finding: Finding) -> tuple[str, int]:
    return "list" if "names a tag" in finding.text else "value", finding.operations[-1]


FAMILIES = (
    Family("integrity", generate, ByFindings(Integrity(), base.by_words(_SAID)), integrity),
    Family("phantom", generate, ByFindings(Phantom(), _tell_phantom), phantom),
)
