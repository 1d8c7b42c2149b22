"""The API's errors: a code and a status for each thing that goes wrong, in the JSON that every client of a registry reads.

Details name validated digests and tags only: nothing a client sent comes back unparsed.
"""

from collections.abc import Mapping
from types import MappingProxyType

import msgspec
from aiohttp import web

API = {"Docker-Distribution-Api-Version": "registry/2.0"}
JSON = {**API, "Content-Type": "application/json"}
_NO_HEADERS: Mapping[str, str] = MappingProxyType({})

MESSAGES = {
    "BLOB_UNKNOWN": "blob unknown to registry",
    "BLOB_UPLOAD_INVALID": "blob upload invalid",
    "BLOB_UPLOAD_UNKNOWN": "blob upload unknown to registry",
    "DIGEST_INVALID": "provided digest did not match uploaded content",
    "MANIFEST_BLOB_UNKNOWN": "manifest references a manifest or blob unknown to registry",
    "MANIFEST_INVALID": "manifest invalid",
    "MANIFEST_UNKNOWN": "manifest unknown",
    "NAME_INVALID": "invalid repository name",
    "NAME_UNKNOWN": "repository name not known to registry",
    "PAGINATION_NUMBER_INVALID": "invalid number of results requested",
    "RANGE_INVALID": "invalid content range",
    "SIZE_INVALID": "provided length did not match content length",
    "TAG_INVALID": "invalid tag",
    "TOOMANYREQUESTS": "too many requests",
    "UNAVAILABLE": "service unavailable",
    "UNKNOWN": "unknown error",
    "UNSUPPORTED": "the operation is unsupported",
}

# What a store's NotFound means, by the kind of path that was asked for.
ABSENT = {
    "blobs": "BLOB_UNKNOWN",
    "uploads": "BLOB_UPLOAD_UNKNOWN",
    "manifests": "MANIFEST_UNKNOWN",
    "tags": "NAME_UNKNOWN",
    "referrers": "NAME_UNKNOWN",
}


class Rejected(Exception):
    """The request is answered with an error: one entry of `code` for each detail, or one without a detail."""

    def __init__(self, status: int, code: str, *details: str, headers: Mapping[str, str] = _NO_HEADERS) -> None:
        super().__init__(status, code, *details)
        self.status, self.code, self.details, self.headers = status, code, details, headers


class Gone(Exception):
    """The client hung up before its body was complete: nobody reads the answer."""


def error_body(code: str, *details: str) -> bytes:
    """The JSON document of an error."""
    entry = {"code": code, "message": MESSAGES[code]}
    return msgspec.json.encode({"errors": [{**entry, "detail": detail} for detail in details] or [entry]})


def refusal(rejected: Rejected) -> web.Response:
    """The answer that carries an error."""
    body = error_body(rejected.code, *rejected.details)
    return web.Response(status=rejected.status, body=body, headers={**JSON, **rejected.headers})
