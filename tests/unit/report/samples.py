"""A judged run for tests of what is made from it."""

from dataclasses import replace

from chaoskit.model.results import Counts, RunResults, StrikeResult
from chaoskit.model.verdict import CheckResult, Expectation, Finding, Verdict

HELD = (
    CheckResult("durability", Verdict.HELD, "214 acknowledged digests, none lost", {"lost": 0.0}),
    CheckResult("failover", Verdict.HELD, "last failed first attempt 0.41 s after the cut (target 3s)", {"seconds": 0.41}),
    CheckResult("host", Verdict.HELD, "busy 31 %, lag at most 4 ms"),
)
SERVED = CheckResult(
    "availability",
    Verdict.HELD,
    "0 of 120 regional sessions unrecovered",
    {
        "sessions": 120.0,
        "regional.sessions": 120.0,
        "regional.missed": 0.0,
        "regional.objective_lower_bound": 0.97534,
        "regional.downtime_s": 0.0,
        "regional.downtime_s.lo": 0.0,
        "regional.downtime_s.hi": 0.5,
        "regional.burn_rate": 0.0,
        "regional.budget_30_days": 0.0,
        "regional.budget_year": 0.0,
        "pinned.sessions": 118.0,
        "pinned.missed": 2.0,
        "pinned.objective_lower_bound": 0.94768179,
        "pinned.downtime_s": 12.34,
        "pinned.downtime_s.lo": 10.21,
        "pinned.downtime_s.hi": 15.0,
        "pinned.burn_rate": 20566.67,
        "pinned.budget_30_days": 0.47608,
        "pinned.budget_year": 0.0391,
    },
)
LOST = CheckResult(
    "durability",
    Verdict.VIOLATED,
    "1 of 214 acknowledged digests lost",
    {"lost": 1.0},
    (Finding("sha256:ab was acknowledged by us-south-1 and is 404 in us-south-2", (17, 203, 204, 205)),),
)
STRIKE = StrikeResult(
    fault={"kind": "zone-outage", "zone": "us-south-2", "shape": "refused"},
    zones=("us-south-2",),
    links=tuple(f"link-{number}" for number in range(11)),
    injected_s=10.0,
    effective_s=10.2,
    healed_s=25.0,
    clean_s=26.1,
    failover_s=(0.31, 0.41),
    recovery_s=(1.0, None),
    downtime_s=0.5,
    downtime_bounds_s=(0.25, 1.25),
)


def run_results(*checks: CheckResult, verdict: Verdict = Verdict.HELD, as_expected: bool = True) -> RunResults:
    return RunResults(
        experiment="zone-outage",
        experiment_sha256="ab" * 32,
        variant="refused",
        claims=("S1", "S3"),
        duty="provider",
        driver="compose",
        topology="three-zones",
        seed=7,
        expect=Expectation(),
        verdict=verdict,
        as_expected=as_expected,
        started_utc="2026-01-02T03:04:05Z",
        duration_s=61.2,
        operations={"push": Counts(40, 2, 1), "blob-get": Counts(120)},
        strikes=(STRIKE,),
        checks=checks or HELD,
        facts={"docker": "28"},
    )


def lost() -> RunResults:
    return run_results(LOST, *HELD[1:], verdict=Verdict.VIOLATED, as_expected=False)


def undecided() -> RunResults:
    starved = CheckResult("host", Verdict.VIOLATED, "CPU pressure 92 %")
    return run_results(*HELD[:2], starved, verdict=Verdict.INCONCLUSIVE, as_expected=False)


def lost_as_expected() -> RunResults:
    return replace(lost(), expect=Expectation(("durability",), (), "one zone has one copy"), as_expected=True)
