"""Paths of the API: which kind of thing in which repository is asked for, with names, tags and digests checked. Pure."""

import re
from dataclasses import dataclass
from urllib.parse import unquote

from chaoskit.drivers.embedded.registry.errors import Rejected

NAME_LIMIT = 255
_NAME = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")
_UPLOAD = re.compile(r"[A-Za-z0-9_-]{1,128}")
_KINDS = frozenset({"blobs", "uploads", "manifests", "tags", "referrers"})


@dataclass(frozen=True, slots=True)
class Target:
    """`reference` is a digest, a tag, an upload session's id, or empty for a new session and for a list."""

    kind: str
    repository: str
    reference: str


def is_name(text: str) -> bool:
    """A repository name."""
    return len(text) <= NAME_LIMIT and _NAME.fullmatch(text) is not None


def is_digest(text: str) -> bool:
    """A digest of an algorithm that is verified here."""
    return _DIGEST.fullmatch(text) is not None


def target_of(raw_path: str) -> Target:
    """What a path below `/v2/` names. Rejected: 404 for a path that the API has not, 400 for a name, tag or digest that cannot be."""
    path = unquote(raw_path) if "%" in raw_path else raw_path
    head, _, reference = path.removeprefix("/v2/").rpartition("/")
    repository, _, kind = head.rpartition("/")
    if (kind, reference) == ("blobs", "uploads"):
        kind, reference = "uploads", ""
    elif kind == "uploads":
        repository, _, above = repository.rpartition("/")
        kind = kind if above == "blobs" else ""
    elif kind == "tags":
        kind, reference = (kind if reference == "list" else ""), ""
    if not path.startswith("/v2/") or kind not in _KINDS:
        raise Rejected(404, "UNSUPPORTED", "no such path")
    if not is_name(repository):
        raise Rejected(400, "NAME_INVALID")
    _check_reference(kind, reference)
    return Target(kind, repository, reference)


def _check_reference(kind: str, reference: str) -> None:
    match kind:
        case "uploads" if reference and not _UPLOAD.fullmatch(reference):
            raise Rejected(404, "BLOB_UPLOAD_UNKNOWN")
        case "blobs" | "referrers" if not is_digest(reference):
            raise Rejected(400, "DIGEST_INVALID", "not a digest")
        case "manifests" if ":" in reference and not is_digest(reference):
            raise Rejected(400, "DIGEST_INVALID", "not a digest")
        case "manifests" if ":" not in reference and not _TAG.fullmatch(reference):
            raise Rejected(400, "TAG_INVALID")
