"""How a client persists, as data: every try is an attempt of its own in the history, the HTTP client below never retries.

What is tried again is a *unit*: one blob upload from its HEAD on, one manifest PUT (with new content), one GET. A DELETE never is.
"""

from dataclasses import dataclass

from chaoskit.model.history import Outcome

_S = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Profile:
    """`delays_ns` are the waits before the second, third... try; each goes to the next entry of the region."""

    name: str
    delays_ns: tuple[int, ...]


NONE = Profile("none", ())
BASIC = Profile("basic", (1 * _S, 3 * _S))

PROFILES = {profile.name: profile for profile in (NONE, BASIC)}

_TRY_AGAIN = frozenset({408, 429})
_TRY_UPLOAD_AGAIN = frozenset({404, 416})


def is_retried(outcome: Outcome, status: int, *, is_upload_step: bool) -> bool:
    """Whether a profile tries the unit again: whatever is not OK, except a definitive 4xx (as crane does).

    408 and 429 ask for another try; 404 and 416 on an upload step mean a lost session, and the unit begins with a new one.
    """
    if outcome is Outcome.OK:
        return False
    if 400 <= status <= 499:
        return status in _TRY_AGAIN or (is_upload_step and status in _TRY_UPLOAD_AGAIN)
    return True
