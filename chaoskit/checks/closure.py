"""What a visible manifest refers to is there. Refuses to guess about a child that nobody read: that is inconclusive."""

import re
from typing import Literal

import numpy as np

from chaoskit.checks.base import BLOB_READS, Check, capped, clean, conclude, distinct, earliest, in_phase, place_of, unanswered
from chaoskit.checks.objects import Objects, child_key, first_known, object_key, objects_of, owners
from chaoskit.checks.words import doing, ended, indices, named, seconds
from chaoskit.model.evidence import Evidence
from chaoskit.model.history import OPEN, History, Ints, Mask
from chaoskit.model.verdict import CheckResult, Finding

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_SHOWN_BLOBS = 3


class Closure(Check):
    """After a manifest was read, every child of it is found by every read that starts later, in the same zone and in the others.

    A push refused with MANIFEST_BLOB_UNKNOWN for blobs that were acknowledged before it is a violation too.
    """

    check: Literal["closure"] = "closure"

    def judge(self, evidence: Evidence) -> CheckResult:
        """Held, or which visible manifests lack a child where, and which pushes were refused for blobs that were there."""
        history = evidence.history
        objects = objects_of(history)
        owner, child = _visible(history)
        same, other = holes(history, objects)
        refused = _refused(history, objects)
        unread = _unread(evidence, objects, child, owner)
        violations = capped(same, lambda row: _missing(history, row, "same zone"), what="in the same zone")
        violations += capped(other, lambda row: _missing(history, row, "other zone"), what="in another zone")
        violations += capped(refused, lambda row: _blob_unknown(history, objects, row), what="pushes refused")
        doubts = capped(unread, lambda row: _child_unread(history, row), what="manifests")
        if not len(owner):
            doubts.append(Finding("no manifest was read, so no child was asked for"))
        manifests = len(distinct(history.got[owner]))
        numbers = {"manifests": manifests, "same_zone": len(same), "other_zone": len(other), "refused": len(refused), "unread": len(unread)}
        summary = (
            f"{manifests} manifests seen: {len(same)} reads of a child found nothing in the same zone, {len(other)} in another; "
            f"{len(refused)} pushes refused for blobs that were there"
        )
        return conclude(self.check, summary, violations=violations, doubts=doubts, numbers=numbers)


def holes(history: History, objects: Objects) -> tuple[Ints, Ints]:
    """Rows that found no child of a manifest read before they began: in the zone of such a read, and in other zones only."""
    owner, child = _visible(history)
    seen = history.returned_ns[owner]
    denied = np.flatnonzero(objects.absent)
    denied = denied[history.returned_ns[denied] < objects.deleted.of(objects.key[denied])]
    broken = denied[earliest(child, seen).of(objects.key[denied] // 2) < history.called_ns[denied]]
    seen_here = earliest(_in_zone(history, child, child, history.zone[owner]), seen)
    is_same = seen_here.of(_in_zone(history, child, objects.key[broken] // 2, history.zone[broken])) < history.called_ns[broken]
    return broken[is_same], broken[~is_same]


def _visible(history: History) -> tuple[Ints, Ints]:
    """Of all children of manifests that were read: the row of the read, and the child's key without its kind."""
    owner = owners(history)
    visible = (history.is_action("manifest-get") & clean(history))[owner]
    return owner[visible], child_key(history)[visible] // 2


def _in_zone(history: History, child: Ints, keys: Ints, zones: Ints) -> Ints:
    """Keys with a zone, ranked among the children so that they fit 64 bits; -1 for what is nobody's child."""
    at = place_of(distinct(child), keys)
    return np.where(at >= 0, at * len(history.names) + zones, -1)


def _refused(history: History, objects: Objects) -> Ints:
    """Manifest PUTs answered MANIFEST_BLOB_UNKNOWN though every blob it can mean was acknowledged or seen before."""
    puts = np.flatnonzero(history.is_action("manifest-put") & np.isin(history.status, (400, 404)))
    found = [row for row in puts if "MANIFEST_BLOB_UNKNOWN" in history.details[row] and _had_all(history, objects, int(row))]
    return np.array(found, np.int64)


def _meant(history: History, objects: Objects, row: int) -> Ints:
    """The keys as manifests of the children a refusal names, of all children if it names none."""
    children = history.children[history.children_at[row] : history.children_at[row + 1]]
    named = [history.code(digest) for digest in _DIGEST.findall(history.details[row])]
    meant = children[np.isin(children, named)] if np.isin(children, named).any() else children
    return (int(objects.key[row] // 2 - history.digest[row]) + meant) * 2


def _had_all(history: History, objects: Objects, row: int) -> bool:
    as_manifest = _meant(history, objects, row)
    if not len(as_manifest):
        return False
    as_blob = as_manifest + 1
    known = np.minimum(objects.known.of(as_blob), objects.known.of(as_manifest))
    deleted = np.minimum(objects.deleted.of(as_blob), objects.deleted.of(as_manifest))
    return bool(np.all((known < history.called_ns[row]) & (history.returned_ns[row] < deleted)))


def _unread(evidence: Evidence, objects: Objects, child: Ints, owner: Ints) -> Ints:
    """First reads of visible manifests with a child that some zone did not answer for in the final reads."""
    history = evidence.history
    deleted = np.minimum(objects.deleted.of(child * 2), objects.deleted.of(child * 2 + 1)) != OPEN
    child, owner = child[~deleted], owner[~deleted]
    unique, first = np.unique(child, return_index=True)
    answers: Mask = objects.read & in_phase(history, "final")
    missing = unanswered(evidence, unique, history.region[owner[first]], (objects.key[answers] // 2, history.zone[answers]))
    rows = distinct(owner[place_of(unique[missing], child) >= 0])
    _, once = np.unique(object_key(history, history.got, False)[rows], return_index=True)
    return rows[np.sort(once)]


def _first_sight(history: History, row: int, scope: str) -> int:
    """The manifest read that made the child of this row due: the first to end, in the zone of the row if that is the scope."""
    owner = owners(history)
    same = (history.children == history.digest[row]) & (history.repository[owner] == history.repository[row])
    rows = owner[same & (history.region[owner] == history.region[row]) & (history.is_action("manifest-get") & clean(history))[owner]]
    if scope == "same zone":
        rows = rows[history.zone[rows] == history.zone[row]]
    return int(rows[np.argmin(history.returned_ns[rows])])


def _missing(history: History, row: int, scope: str) -> Finding:
    sight = _first_sight(history, row, scope)
    later = seconds(int(history.called_ns[row] - history.returned_ns[sight]))
    kind = "blob" if history.name(int(history.action[row])) in BLOB_READS else "manifest"
    text = (
        f"Hole, {scope}: manifest {named(history, history.got[sight])} was read by {doing(history, sight)}, answered "
        f"{ended(history, sight)}; its {kind} should be there from then on, but {doing(history, row)} found nothing, {later} later."
    )
    return Finding(text, indices(history, sight, row))


def _blob_unknown(history: History, objects: Objects, row: int) -> Finding:
    keys = _meant(history, objects, row)[:_SHOWN_BLOBS].tolist()
    blobs = [(first_known(history, objects, key + 1), key) for key in keys]
    known = [blob if blob >= 0 else first_known(history, objects, key) for blob, key in blobs]
    told = "; ".join(f"{doing(history, there)}, answered {ended(history, there)}" for there in known)
    text = f"{doing(history, row)} was refused with MANIFEST_BLOB_UNKNOWN, though what it refers to had been there before it began: {told}."
    return Finding(text, indices(history, *known, row))


def _child_unread(history: History, row: int) -> Finding:
    manifest = named(history, history.got[row])
    text = f"{doing(history, row)} returned {manifest}, but not every zone answered for its children in the end."
    return Finding(text, indices(history, row))
