"""The one pure decision over a client profile: what does this client do after a failure.

It refuses to know connections, clocks and dice: the caller says what failed, how many addresses the client has, how worn each is, and how
the dice fell. Every try is an attempt of its own in the history; the HTTP client below never tries again.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from chaoskit.registry.outcome import Trouble
from chaoskit.registry.patience import Failover, Failure, Patience, Profile, Step, Wear

_READS: frozenset[Step] = frozenset({"ping", "manifest-head", "manifest-get", "blob-head", "blob-get"})
_PULLS: frozenset[Step] = frozenset({"ping", "manifest-get", "blob-get"})
_DIALS: frozenset[Trouble] = frozenset({"dns", "refused"})
_BROKEN: frozenset[Trouble] = frozenset({"reset", "eof"})
_LONGEST_RETRY_AFTER_NS = 60_000_000_000


@dataclass(frozen=True, slots=True)
class Retry:
    """Go on with the unit at `step` (the failed one, an earlier one, or the way around it), `delay_ns` after the failure, at `address`.

    `resume_from` is the first byte still wanted: 0, or what a GET asks for by Range.
    """

    step: Step
    delay_ns: int
    address: int
    resume_from: int = 0


@dataclass(frozen=True, slots=True)
class GiveUp:
    """The unit has failed."""


def next_step(
    profile: Profile, failures: Sequence[Failure], *, addresses: int = 1, worn: Sequence[int] = (), roll: float = 0.0
) -> Retry | GiveUp:
    """What the client does after the last of a unit's failures, oldest first.

    `worn[address]` are the wearing failures of earlier units (`wear_of`), empty for none; `roll` in [0, 1) is the dice of the jitter.
    A DELETE is never sent again.
    """
    last = failures[-1]
    if last.step == "delete":
        return GiveUp()
    if _is_resent(profile, last):
        return Retry(last.step, 0, last.address, last.offset_bytes)
    counted = [failure for failure in failures if not _is_resent(profile, failure)]
    failover = profile.pull if last.step in _PULLS else profile.push
    if failover is Failover.DIAL and last.trouble in _DIALS and _dials(counted) % addresses:
        return Retry(last.step, 0, (last.address + 1) % addresses, last.offset_bytes)
    if profile.wear:
        return _worn_step(profile, profile.wear, counted, addresses if failover is Failover.MIRRORS else 1, worn)
    again = _again(profile, counted, failover, addresses, roll)
    if again:
        return again
    if failover is Failover.HOSTS and not last.is_broken_body and last.address < addresses - 1:
        return Retry(last.step, 0, last.address + 1, last.offset_bytes)
    around = profile.goes_on.get(last.step)
    return Retry(around, 0, last.address) if around else GiveUp()


def wear_of(profile: Profile, failures: Sequence[Failure], address: int) -> int:
    """How many failures of a unit count against an address from now on."""
    if profile.wear is None:
        return 0
    return sum(_is_wearing(profile, failures[: number + 1]) for number, failure in enumerate(failures) if failure.address == address)


def spacing_ns(profile: Profile, worn: int) -> int:
    """Least time from one request to the next at an address with so many wearing failures."""
    return profile.wear.spacing_ns[min(worn, len(profile.wear.spacing_ns) - 1)] if profile.wear else 0


def _again(profile: Profile, counted: Sequence[Failure], failover: Failover, addresses: int, roll: float) -> Retry | None:
    """Another try within the patience of the failed step, if there is one."""
    last = counted[-1]
    patience = _patience(profile, last)
    if patience is None or not _is_worth(patience, counted, is_last=failover is not Failover.HOSTS or last.address == addresses - 1):
        return None
    used = _used(profile, patience, counted, addresses if failover is Failover.DIAL else 1)
    if used > len(patience.delays_ns):
        return None
    address = (last.address + 1) % addresses if failover is Failover.TRY else last.address
    if failover is Failover.HOSTS and last.is_broken_body:
        address = 0
    delay_ns = patience.delays_ns[max(used - 1, 0)]
    if patience.honours_retry_after and last.retry_after_ns:
        delay_ns = min(last.retry_after_ns, _LONGEST_RETRY_AFTER_NS)
    delay_ns += round(delay_ns * patience.jitter * roll)
    return Retry(patience.begins_at or last.step, delay_ns, address, last.offset_bytes if patience.is_resumed else 0)


def _worn_step(profile: Profile, wear: Wear, counted: Sequence[Failure], addresses: int, worn: Sequence[int]) -> Retry | GiveUp:
    """As regclient decides (Resp.next, backoffSet): by the account of each address."""
    last = counted[-1]
    of_step = [failure for failure in counted if failure.step == last.step]
    patience = _patience(profile, last)
    free = patience.free if patience else 0
    if len(of_step) <= free:
        return Retry(last.step, 0, last.address)
    if last.is_broken_body and last.trouble != "cut":
        return GiveUp()
    account = _Account(profile, wear, counted, worn)
    turns = ((last.address + turn) % addresses for turn in range(1, addresses + 1))
    left = next((address for address in turns if not account.is_dropped(address)), None)
    if left is not None and len(of_step) - free < wear.most_tries:
        return Retry(last.step, account.opens_ns(left), left, last.offset_bytes)
    around = profile.goes_on.get(last.step)
    return Retry(around, account.opens_ns(last.address), last.address) if around else GiveUp()


@dataclass(frozen=True, slots=True)
class _Account:
    """What the failures of this unit and `worn` of earlier ones did to each address."""

    profile: Profile
    wear: Wear
    failures: Sequence[Failure]
    worn: Sequence[int]

    def at(self, address: int, failures: Sequence[Failure]) -> int:
        """Wearing failures up to the last of these."""
        return (self.worn[address] if address < len(self.worn) else 0) + wear_of(self.profile, failures, address)

    def opens_ns(self, address: int) -> int:
        """When the address may be asked again, from the last failure on."""
        last = self.failures[-1]
        mine = [failure for failure in self.failures if failure.address == address]
        if not mine:
            return spacing_ns(self.profile, self.at(address, ()))
        wait_ns = mine[-1].retry_after_ns or spacing_ns(self.profile, self.at(address, self.failures))
        return max(0, mine[-1].ended_ns + wait_ns - last.ended_ns)

    def is_dropped(self, address: int) -> bool:
        """Whether this request asks there no more: what it answered is not worth it, or it failed too often."""
        step = self.failures[-1].step
        return any(
            self._is_last_there(failure, self.failures[: number + 1])
            for number, failure in enumerate(self.failures)
            if (failure.address, failure.step) == (address, step)
        )

    def _is_last_there(self, failure: Failure, so_far: Sequence[Failure]) -> bool:
        patience = _patience(self.profile, failure)
        if patience is None or not _is_worth(patience, [failure], is_last=True):
            return True
        return not failure.retry_after_ns and self.at(failure.address, so_far) >= self.wear.limit


def _patience(profile: Profile, failure: Failure) -> Patience | None:
    is_broken_blob = failure.is_broken_body and failure.step == "blob-get"
    return profile.body if is_broken_blob else profile.patience.get(failure.step)


def _is_resent(profile: Profile, failure: Failure) -> bool:
    is_unanswered = not failure.status and failure.trouble in _BROKEN
    return profile.resends_kept and failure.is_kept and failure.step in _READS and is_unanswered


def _is_wearing(profile: Profile, failures: Sequence[Failure]) -> bool:
    """Whether the last of them leaves a trace."""
    last = failures[-1]
    patience = profile.patience.get(last.step)
    if patience and sum(failure.step == last.step for failure in failures) <= patience.free:
        return False
    if last.is_broken_body:
        return last.trouble == "cut"
    return not last.retry_after_ns and last.status not in (404, 416)


def _is_worth(patience: Patience, counted: Sequence[Failure], *, is_last: bool) -> bool:
    """Whether the last failure is of a kind that is tried again."""
    last = counted[-1]
    if last.is_broken_body and last.step != "blob-get":
        return "cut" in patience.troubles
    if last.trouble:
        return last.trouble in patience.troubles
    if patience.codes is not None and last.code:
        return last.code in patience.codes
    if last.status in patience.once:
        before = counted[-2] if len(counted) > 1 else None
        is_same = before is not None and (before.step, before.status, before.address) == (last.step, last.status, last.address)
        return is_last and not is_same
    return last.status in patience.statuses


def _used(profile: Profile, patience: Patience, counted: Sequence[Failure], addresses: int) -> int:
    """Tries spent: of the unit where another try begins elsewhere, else of this step at this address; a round of dials is one."""
    last = counted[-1]
    mine = [failure for failure in counted if patience.begins_at or failure.step == last.step]
    if profile.pull is Failover.HOSTS:
        mine = [failure for failure in mine if failure.address == last.address and failure.is_broken_body == last.is_broken_body]
    if patience.progress_is_free:
        offsets = [0, *(failure.offset_bytes for failure in mine)]
        stuck = [number for number in range(1, len(offsets)) if offsets[number] > offsets[number - 1]]
        return len(mine) - (stuck[-1] if stuck else 0)
    dials = sum(failure.trouble in _DIALS for failure in mine)
    return len(mine) - dials + -(-dials // addresses)


def _dials(counted: Sequence[Failure]) -> int:
    """How many dials failed in a row up to now."""
    number = 0
    while number < len(counted) and counted[-1 - number].trouble in _DIALS:
        number += 1
    return number
