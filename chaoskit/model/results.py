"""What a run found: the content of `results.json`, which feeds console, JUnit, HTML and comparison."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from chaoskit.model.strike import Fired
from chaoskit.model.verdict import CheckResult, Expectation, Verdict, as_expected

SCHEMA_VERSION = 1
EXIT_CODES = {Verdict.HELD: 0, Verdict.VIOLATED: 1, Verdict.INCONCLUSIVE: 3}

Bounds = tuple[float, float | None]


@dataclass(frozen=True, slots=True)
class Counts:
    """Operations of one action by outcome."""

    ok: int = 0
    failed: int = 0
    unknown: int = 0


@dataclass(frozen=True, slots=True)
class ScopeResult:
    """One part of the traffic (a zone, a region, a lane, an action) in one strike: its first attempts meanwhile, and the spans in s."""

    probes: int
    failover_s: Bounds | None = None
    recovery_s: Bounds | None = None
    downtime_s: float | None = None
    downtime_bounds_s: Bounds | None = None


@dataclass(frozen=True, slots=True)
class StrikeResult:
    """One strike, in seconds of run time; None where it did not come to that.

    `failover_s` and `recovery_s` are spans: the least and the most the history allows; the upper end None is "not seen to end".
    `times` maps T0 to T5 to intervals [last contrary operation, first confirming one]: injected, first bad operation, noticed by the
    balancers (T2: always None, no history tells), last bad one at an untouched entry, healed, all entries back. `scopes` are by name,
    such as `zone us-south-1`, `region us-south`, `lane regional`, `action push`. `trigger` is what set it off, where no clock did.
    """

    fault: Mapping[str, object]
    zones: tuple[str, ...]
    links: tuple[str, ...]
    components: tuple[str, ...] = ()
    injected_s: float | None = None
    effective_s: float | None = None
    healed_s: float | None = None
    clean_s: float | None = None
    failover_s: Bounds | None = None
    recovery_s: Bounds | None = None
    downtime_s: float | None = None
    downtime_bounds_s: Bounds | None = None
    times: Mapping[str, Bounds | None] = field(default_factory=dict)
    scopes: Mapping[str, ScopeResult] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    trigger: Fired | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResults:
    """One judged run. `as_expected` is what exit code 0 says; `facts` are versions, image digests and the host."""

    schema_version: int = SCHEMA_VERSION
    experiment: str
    experiment_sha256: str
    variant: str
    claims: tuple[str, ...]
    duty: str
    driver: str
    topology: str
    seed: int
    expect: Expectation
    verdict: Verdict
    as_expected: bool
    started_utc: str
    duration_s: float
    operations: Mapping[str, Counts]
    strikes: tuple[StrikeResult, ...]
    checks: tuple[CheckResult, ...]
    facts: Mapping[str, object] = field(default_factory=dict)

    @property
    def exit_code(self) -> int:
        """0 as expected, 1 not as expected, 3 neither can be said."""
        return EXIT_CODES[as_expected(self.checks, self.expect)]
