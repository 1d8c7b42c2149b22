"""Upload URLs that any replica of the region can continue: session and offset, signed with the region's secret. Pure."""

import hashlib
import hmac

from chaoskit.drivers.embedded.registry.errors import Rejected


def upload_url(secret: str, repository: str, upload: str, offset: int) -> str:
    """Where a session goes on: a relative URL with a `_state` that says how many bytes it has."""
    return f"/v2/{repository}/blobs/uploads/{upload}?_state={offset}.{_signature(secret, repository, upload, offset)}"


def signed_offset(secret: str, repository: str, upload: str, state: str) -> int:
    """The offset a `_state` speaks of. Rejected if it was not signed for this session with this secret."""
    offset, _, signature = state.partition(".")
    if not (offset.isascii() and offset.isdecimal() and len(offset) < 20 and signature.isascii()):
        raise Rejected(404, "BLOB_UPLOAD_INVALID", "no valid _state")
    if not hmac.compare_digest(signature, _signature(secret, repository, upload, int(offset))):
        raise Rejected(404, "BLOB_UPLOAD_INVALID", "the signature of _state is wrong")
    return int(offset)


def _signature(secret: str, repository: str, upload: str, offset: int) -> str:
    return hmac.digest(secret.encode(), f"{repository}\n{upload}\n{offset}".encode(), hashlib.sha256).hex()
