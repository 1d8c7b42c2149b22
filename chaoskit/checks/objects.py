"""Manifests and blobs by digest: when each was known, and which reads say that one is not there.

An object is known from its acknowledgement (manifest PUT, or the PUT that ends an upload) or its first sighting, whichever is earlier,
until the call of a delete that may have happened. A read that failed says nothing.
"""

from dataclasses import dataclass

import numpy as np

from chaoskit.checks.base import BLOB_READS, MANIFEST_READS, Earliest, absent, by_digest, clean, derived, earliest, ok, scoped
from chaoskit.model.history import Codes, History, Ints, Mask, Outcome


@dataclass(frozen=True, slots=True)
class Objects:
    """Per row of the history: `key` names the object (region, repository, digest, manifest or blob); the masks say what the row is."""

    key: Ints
    acknowledged: Mask
    read: Mask
    absent: Mask
    present: Mask
    known: Earliest
    deleted: Earliest

    def gone(self, history: History) -> Mask:
        """Reads that answer absent for an object known before they began, and not deleted before they ended."""
        rows = np.flatnonzero(self.absent)
        known, deleted = self.known.of(self.key[rows]), self.deleted.of(self.key[rows])
        gone = np.zeros(len(history), np.bool_)
        gone[rows] = (known < history.called_ns[rows]) & (history.returned_ns[rows] < deleted)
        return gone


def object_key(history: History, digests: Codes, is_blob: Mask | bool) -> Ints:
    """The key of the object with each row's region and repository and these digests."""
    return scoped(history, digests) * 2 + np.asarray(is_blob, np.int64)


@derived
def objects_of(history: History) -> Objects:
    """Read the history as objects."""
    is_blob = history.is_action(*BLOB_READS, "upload-put", "upload-post", "upload-patch", "blob-delete")
    key = object_key(history, history.digest, is_blob)
    acknowledged = history.is_action("manifest-put", "upload-put") & clean(history) & (history.digest != 0)
    asked = by_digest(history)
    read, gone, present = asked & ok(history), asked & absent(history), asked & clean(history)
    tagged = history.is_action(*MANIFEST_READS) & (history.digest == 0) & clean(history) & (history.got != 0)
    sighted_key = object_key(history, history.got, False)
    known = earliest(
        np.concatenate([key[acknowledged | present], sighted_key[tagged]]),
        np.concatenate([history.returned_ns[acknowledged | present], history.returned_ns[tagged]]),
    )
    deletes = history.is_action("manifest-delete", "blob-delete") & (history.outcome != Outcome.FAILED) & (history.digest != 0)
    deleted = earliest(key[deletes], history.called_ns[deletes])
    return Objects(key, acknowledged, read, gone, present, known, deleted)


def first_known(history: History, objects: Objects, key: int) -> int:
    """The row that made an object known: of its acknowledgements and sightings, by digest or by tag, the first to end; -1 if none did."""
    sighted = history.is_action(*MANIFEST_READS) & (history.digest == 0) & (object_key(history, history.got, False) == key)
    same = (objects.key == key) & (objects.acknowledged | objects.present)
    rows = np.flatnonzero(same | (sighted & clean(history)))
    return int(rows[np.argmin(history.returned_ns[rows])]) if len(rows) else -1


@derived
def owners(history: History) -> Ints:
    """The row that names each entry of `history.children`."""
    return np.repeat(np.arange(len(history)), np.diff(history.children_at))


@derived
def child_key(history: History) -> Ints:
    """The key of each entry of `history.children` as a manifest of its owner's repository; one more is its key as a blob."""
    row = owners(history)
    return (scoped(history, np.zeros(len(history), np.int64))[row] + history.children) * 2
