"""Bytes are what their digest says, and every answer agrees with every other about an object's size and digest."""

from typing import Literal

import numpy as np

from chaoskit.checks.base import BLOB_READS, MANIFEST_READS, Check, absent, capped, conclude, is_observed, ok
from chaoskit.checks.words import doing, indices, named
from chaoskit.model.evidence import Evidence
from chaoskit.model.history import History, Ints, Mask
from chaoskit.model.verdict import CheckResult, Finding

_PARTIAL = 206


class Integrity(Check):
    """Every byte read hashes to the digest asked; Docker-Content-Digest, Content-Length, HEAD and GET agree; what should parse does."""

    check: Literal["integrity"] = "integrity"

    def judge(self, evidence: Evidence) -> CheckResult:
        """Held, or which answers contradict their own digest, length, or another answer about the same content."""
        history = evidence.history
        read = history.is_action(*MANIFEST_READS, *BLOB_READS, "tags-list") & ok(history) & ~absent(history)
        whole = read & (history.status != _PARTIAL)
        hashed = whole & (history.got != 0)
        body = hashed & (history.digest != 0) & (history.got != history.digest)
        header = hashed & (history.advertised != 0) & (history.advertised != history.got)
        unread = (read & (history.got == 0)) | (history.is_action("manifest-put", "upload-put") & ok(history))
        promise = unread & (history.digest != 0) & (history.advertised != 0) & (history.advertised != history.digest)
        differs = read & is_observed(history, "digest-differs") & ~body & ~header
        garbled = read & is_observed(history, "unparsable")
        length = hashed & (history.advertised_bytes >= 0) & (history.size_bytes >= 0) & (history.advertised_bytes != history.size_bytes)
        first, other = _sizes_that_differ(history, whole & ~body & ~header & ~length)
        violations: list[Finding] = []
        for kind, tell in (
            (body, lambda row: _body(history, row)),
            (header | promise, lambda row: _header(history, row)),
            (differs, lambda row: _said(history, row, "returned bytes that do not hash to their digest")),
            (garbled, lambda row: _said(history, row, "returned something that is not the JSON or list it should be")),
            (length, lambda row: _length(history, row)),
        ):
            violations += capped(np.flatnonzero(kind), tell, what="like these")
        witness = dict(zip(other.tolist(), first.tolist(), strict=True))
        violations += capped(other, lambda row: _size(history, witness[row], row), what="sizes that differ")
        broken = body | header | promise | differs | garbled | length
        total = int(broken.sum()) + len(other)
        numbers = {"read": int(read.sum()), "hashed": int(hashed.sum()), "broken": total}
        doubts = [] if hashed.any() else [Finding("no content was read, so nothing could be compared")]
        summary = f"{int(hashed.sum())} bodies hashed, {int(read.sum())} answers compared: {total} contradict their digest or one another"
        return conclude(self.check, summary, violations=violations, doubts=doubts, numbers=numbers)


def _sizes_that_differ(history: History, rows: Mask) -> tuple[Ints, Ints]:
    """Pairs of rows about the same content whose sizes differ: HEAD against GET, or zone against zone."""
    is_head = history.is_action("manifest-head", "blob-head")
    size = np.where(is_head | (history.size_bytes < 0), history.advertised_bytes, history.size_bytes)
    content = np.where(history.got != 0, history.got, np.where(history.digest != 0, history.digest, history.advertised))
    usable = np.flatnonzero(rows & (size >= 0) & (content != 0))
    usable = usable[np.lexsort((size[usable], content[usable]))]
    same = content[usable][1:] == content[usable][:-1]
    differ = np.flatnonzero(same & (size[usable][1:] != size[usable][:-1]))
    return usable[differ], usable[differ + 1]


def _said(history: History, row: int, what: str) -> Finding:
    return Finding(f"{doing(history, row)} {what}.", indices(history, row))


def _body(history: History, row: int) -> Finding:
    return _said(history, row, f"returned bytes that hash to {named(history, history.got[row])}")


def _header(history: History, row: int) -> Finding:
    content = named(history, int(history.got[row] or history.digest[row]))
    return _said(history, row, f"advertised {named(history, history.advertised[row])}, but the content is {content}")


def _length(history: History, row: int) -> Finding:
    return _said(history, row, f"advertised {history.advertised_bytes[row]} bytes and sent {history.size_bytes[row]}")


def _size(history: History, first: int, other: int) -> Finding:
    def size(row: int) -> int:
        is_head = history.name(int(history.action[row])).endswith("-head")
        return int(history.advertised_bytes[row] if is_head or history.size_bytes[row] < 0 else history.size_bytes[row])

    text = f"{doing(history, other)} says {size(other)} bytes, {doing(history, first)} says {size(first)} of the same content."
    return Finding(text, indices(history, first, other))
