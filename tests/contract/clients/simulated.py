"""A profile played against the same script: `next_step` decides, a virtual clock waits, and what it would have asked for comes out.

The order in which a client does two things at once is not played: every unit (ping, manifest, config, layer) has a sequence of its own.
"""

from collections import Counter
from dataclasses import dataclass, field, replace

from chaoskit.registry.outcome import Trouble
from chaoskit.registry.patience import Failure, Profile, Step
from chaoskit.registry.persistence import GiveUp, Retry, next_step, spacing_ns, wear_of
from tests.contract.clients.script import CUT_AT, IDLE_S, RETRY_AFTER_S, Act, Kind, Script

UNIT_OF: dict[Kind, str] = {
    "ping": "ping",
    "manifest-head": "manifest-head",
    "manifest-get": "manifest-get",
    "manifest-put": "manifest-put",
    "config-head": "config",
    "config-get": "config",
    "layer-head": "layer",
    "layer-get": "layer",
    "upload-post": "layer",
    "upload-patch": "layer",
    "upload-put": "layer",
}
_TROUBLES: dict[Act, Trouble] = {
    "reset": "reset",
    "eof": "eof",
    "stall": "eof",
    "cut-reset": "reset",
    "cut-eof": "cut",
    "refused": "refused",
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """One request a profile makes. `gap_ns` is the least time since the one before it in its unit."""

    kind: Kind
    gap_ns: int
    address: int = 0
    resume_from: int = 0


@dataclass(slots=True)
class Simulation:
    """One command of a profile; `is_ok` and `units` (by unit, what is asked for) are the result."""

    profile: Profile
    script: Script
    addresses: int = 1
    now_ns: int = 0
    is_ok: bool = True
    units: dict[str, list[Wanted]] = field(default_factory=dict)
    _seen: Counter[tuple[Kind, int]] = field(default_factory=Counter)
    _worn: list[int] = field(default_factory=list)
    _released_ns: dict[int, int] = field(default_factory=dict)
    _asked_ns: dict[str, int] = field(default_factory=dict)

    def run(self, command: str) -> "Simulation":
        """Play a push or a pull to its end."""
        habits = self.profile.habits
        self._worn = [0] * self.addresses
        steps: list[tuple[tuple[Step, ...], str]] = [(("ping",), "") for _ in range(habits.pings)]
        if command == "pull":
            steps += [(("manifest-head",), "")] if habits.heads_manifest_on_pull else []
            steps += [(("manifest-get",), ""), (("blob-get",), "layer"), (("blob-get",), "config")]
        else:
            steps += [(("manifest-head",), "")] if habits.heads_manifest_on_push else []
            steps += [(self._upload(), "layer"), (("blob-head",), "config"), (("manifest-put",), "")]
        for unit, part in steps:
            self.is_ok = self.is_ok and self._unit(unit, part)
        return self

    def _upload(self) -> tuple[Step, ...]:
        """The steps of an upload that goes well."""
        habits = self.profile.habits
        heads: list[Step] = ["blob-head" for _ in range(habits.heads_of_a_blob)]
        if habits.upload == "monolithic":
            return (*heads, "upload-post", "upload-put")
        return (*heads, "upload-post", "upload-patch", "upload-commit")

    def _unit(self, steps: tuple[Step, ...], part: str) -> bool:
        failures: list[Failure] = []
        at, address, resume_from = 0, 0, 0
        is_kept = self.script.keeps_alive and self.profile.resends_kept and steps[0] != "ping"
        while at < len(steps):
            worn = self._worn[address] + wear_of(self.profile, failures, address)
            self._wait_for(address, spacing_ns(self.profile, worn))
            failure = self._attempt(steps[at], part, address, resume_from)
            if failure is None:
                at += 1
                continue
            failures.append(replace(failure, is_kept=is_kept))
            is_kept = False
            decided = next_step(self.profile, failures, addresses=self.addresses, worn=self._worn)
            if isinstance(decided, GiveUp):
                self._keep_account(failures)
                return False
            self.now_ns += decided.delay_ns
            address, resume_from = decided.address, decided.resume_from
            at, steps = self._go_on(steps, at, decided)
        self._keep_account(failures)
        return True

    def _go_on(self, steps: tuple[Step, ...], at: int, decided: Retry) -> tuple[int, tuple[Step, ...]]:
        if decided.step == steps[at]:
            return at, steps
        if decided.step == "upload-patch" and "upload-patch" not in steps:  # the way around a PUT
            number = -(-len(self.script.image.layer) // self.profile.habits.chunk_bytes)
            chunks: list[Step] = ["upload-patch" for _ in range(number)]
            steps = (*steps[: at + 1], *chunks, "upload-commit")
        return steps.index(decided.step), steps

    def _keep_account(self, failures: list[Failure]) -> None:
        for address in range(self.addresses):
            self._worn[address] += wear_of(self.profile, failures, address)

    def _wait_for(self, address: int, spacing: int) -> None:
        """Until so long after the last request there."""
        self.now_ns = max(self.now_ns, self._released_ns.get(address, self.now_ns - spacing) + spacing)

    def _attempt(self, step: Step, part: str, address: int, resume_from: int) -> Failure | None:
        kind = kind_of(step, part)
        unit = UNIT_OF[kind]
        gap_ns = self.now_ns - self._asked_ns.get(unit, self.now_ns)
        self._asked_ns[unit] = self._released_ns[address] = self.now_ns
        self.units.setdefault(unit, []).append(Wanted(kind, gap_ns, address, resume_from))
        if any(fault.act == "refused" for fault in self.script.faults) and address == 0:
            return Failure(step, trouble="refused", address=address, ended_ns=self.now_ns)
        self._seen[kind, address] += 1
        act = next(
            (
                fault.act
                for fault in self.script.faults
                if (fault.kind, fault.address) == (kind, address) and self._seen[kind, address] <= fault.times
            ),
            None,
        )
        return self._failed(step, act, address, resume_from) if act else None

    def _failed(self, step: Step, act: Act, address: int, resume_from: int) -> Failure | None:
        if act == "stall":
            self.now_ns += round(IDLE_S * 1e9)
        failure = Failure(step, address=address, ended_ns=self.now_ns, offset_bytes=resume_from)
        if act in ("cut-reset", "cut-eof"):
            body = self.script.image.layer if step == "blob-get" else self.script.image.manifest
            got = resume_from + int((len(body) - resume_from) * CUT_AT)
            return replace(failure, status=200, trouble=_TROUBLES[act], offset_bytes=got)
        if act in _TROUBLES:
            return replace(failure, trouble=_TROUBLES[act])
        if act == "404" and step in ("blob-head", "manifest-head"):
            return None  # an answer: it is not there
        code = "" if step.endswith("head") else self.script.names_error
        return replace(failure, status=int(act), code=code, retry_after_ns=round(RETRY_AFTER_S * 1e9) if act == "429" else 0)


def kind_of(step: Step, part: str) -> Kind:
    """What the script calls a step."""
    match step:
        case "blob-get":
            return "layer-get" if part == "layer" else "config-get"
        case "blob-head":
            return "layer-head" if part == "layer" else "config-head"
        case "upload-commit":
            return "upload-put"
        case "delete":
            raise ValueError("no command here deletes")
        case _:
            return step
