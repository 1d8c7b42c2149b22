"""The smallest run that shows each seeded bug, and the controls that no check may fail. Pure data: experiments of the embedded region."""

from collections.abc import Mapping
from dataclasses import dataclass

from chaoskit.drivers.embedded.bugs import Bug
from chaoskit.experiment import Experiment

Yaml = Mapping[str, object]

SAFE = ("durability", "integrity", "closure", "phantom", "tags")
KEPT = (*SAFE, "deletes", "lists")
UNCOVERED: Mapping[Bug, str] = {}


@dataclass(frozen=True, slots=True)
class Trial:
    """One run of the selftest. `alone` says that its check measures time, so nothing may run beside it; `skips` is for a bug of our own.

    `decoy` is switched on in a control: a behaviour that its checks, with their parameters, must allow. `must` names the checks of which
    one has to catch the bug here, where it is not those of the bug.
    """

    name: str
    bug: Bug | None = None
    strikes: tuple[Yaml, ...] = ()
    checks: tuple[str | Yaml, ...] = SAFE
    alone: bool = False
    skips: str = ""
    decoy: Bug | None = None
    must: tuple[str, ...] = ()
    rate: str = "25/s"
    mix: str = "basic"
    steady: str = "1500ms"
    recover: str = "1500ms"
    timeout: str = "3s"
    covers: str = "untouched"

    @property
    def wanted(self) -> tuple[str, ...]:
        """The checks of which at least one has to catch the bug; none for a control."""
        return self.must or (self.bug.value.must if self.bug else ())

    def experiment(self, seed: int) -> Experiment:
        """The experiment of this trial."""
        checks = [
            {"check": name, **parameters} for name, parameters in map(_named, (*self.checks, {"coverage": {"ok_during": self.covers}}))
        ]
        guards = ("host", "effect") if self.strikes else ("host",)
        return Experiment.model_validate(
            {
                "name": "selftest",
                "hypothesis": f"what a region does with {self.name}",
                "topology": "three-zones",
                "workload": {"mix": self.mix, "rate": self.rate, "timeout": self.timeout},
                "steady": self.steady,
                "strikes": list(self.strikes),
                "recover": self.recover,
                "checks": [*checks, *({"check": name} for name in guards)],
                "seed": seed,
            }
        )


def _named(check: str | Yaml) -> tuple[str, Yaml]:
    if isinstance(check, str):
        return check, {}
    ((name, parameters),) = check.items()
    return name, dict(parameters) if isinstance(parameters, Mapping) else {}


def _strike(kind: str, *, at: str = "0s", lasts: str = "2s", **fault: object) -> Yaml:
    return {"at": at, "for": lasts, "fault": {"kind": kind, **fault}}


_ZONES = ("us-south-1", "us-south-2", "us-south-3")
_REGIONAL: Yaml = {"availability": {"unrecovered": 0}}
_PINNED: Yaml = {"availability": {"unrecovered": 0, "lane": "pinned"}}
_FAILOVER: Yaml = {"failover": {"within": "3s"}}
# The final reads follow the load without a pause: what lags then has not converged.
_LAGGING: Yaml = {"tags": {"staleness": "2s", "convergence": False}}
_OUTAGE = _strike("zone-outage", zone="us-south-2", lasts="4s")

TRIALS: tuple[Trial, ...] = (
    Trial(
        "ack-before-durable",
        Bug.ACK_BEFORE_DURABLE,
        tuple(_strike("zone-kill", zone=zone, at="1s", lasts="1s") for zone in _ZONES),
        covers="none",
        recover="3s",
    ),
    Trial("ack-before-replication", Bug.ACK_BEFORE_REPLICATION, (_strike("zone-kill", zone="us-south-1", at="500ms", lasts="3s"),)),
    Trial(
        "local-tag-reads",
        Bug.LOCAL_TAG_READS,
        # Only what others tell it: were it cut both ways, it would say that it has no quorum, and the balancers would leave it out.
        (_strike("link-cut", link="store.*->store.us-south-2", lasts="5s"),),
        rate="60/s",
        mix="tag-race",
    ),
    Trial("last-writer-by-clock", Bug.LAST_WRITER_BY_CLOCK, mix="tag-race"),
    Trial("manifest-before-blobs", Bug.MANIFEST_BEFORE_BLOBS),
    Trial(
        "collect-during-push",
        Bug.COLLECT_DURING_PUSH,
        (_strike("latency", link="client->lb.*", latency="300ms", lasts="4s"),),
        recover="2s",
    ),
    Trial("stale-blob-exists", Bug.STALE_BLOB_EXISTS, checks=KEPT, mix="housekeeping", steady="5s"),
    Trial("bit-rot", Bug.BIT_ROT),
    Trial(
        "truncated-upload",
        Bug.TRUNCATED_UPLOAD,
        (
            _strike("bandwidth", link="client->lb.*", rate_kb_s=20, lasts="5s"),
            *(_strike("link-cut", link="lb.*->registry.*", at=f"{at}ms", lasts="300ms") for at in range(800, 5_000, 800)),
        ),
        rate="40/s",
        recover="2s",
        covers="none",
    ),
    Trial(
        "error-as-404: every store out of reach",
        Bug.ERROR_AS_404,
        tuple(_strike("link-cut", link=f"registry.{zone}->store.{zone}", shape="refused", lasts="3s") for zone in _ZONES),
        checks=("refusal",),
        must=("refusal",),
        rate="60/s",
        covers="none",
        recover="2s",
    ),
    Trial(
        "error-as-404", Bug.ERROR_AS_404, (_strike("link-cut", link="registry.us-south-2->store.us-south-2", shape="refused"),), rate="60/s"
    ),
    Trial(
        "balancer-resends",
        Bug.BALANCER_RESENDS,
        (_strike("latency", link="registry.us-south-2->store.us-south-2", latency="600ms", lasts="5s"),),
        rate="40/s",
        mix="tag-race",
        recover="3s",
        covers="none",
    ),
    Trial(
        "delete-undone",
        Bug.DELETE_UNDONE,
        (
            _strike("link-cut", link="store.*->store.us-south-3", lasts="3s"),
            _strike("link-cut", link="store.us-south-3->store.*", lasts="3s"),
        ),
        checks=KEPT,
        mix="housekeeping",
        steady="2500ms",
        recover="2s",
    ),
    Trial("list-skips", Bug.LIST_SKIPS, checks=KEPT, mix="housekeeping", steady="3s"),
    Trial("readable-while-tagged", Bug.READABLE_WHILE_TAGGED),
    Trial("local-uploads", Bug.LOCAL_UPLOADS, checks=(*SAFE, "sessions", _PINNED)),
    Trial("round-robin-lag", Bug.ROUND_ROBIN_LAG, rate="40/s", mix="tag-race"),
    Trial(
        "frozen-looks-healthy",
        Bug.FROZEN_LOOKS_HEALTHY,
        (_strike("process-freeze", component="registry.us-south-2", lasts="6s"),),
        checks=(_FAILOVER,),
        alone=True,
        timeout="2s",
    ),
    Trial("reserialised-manifest", Bug.RESERIALISED_MANIFEST),
    Trial("shared-buffer", Bug.SHARED_BUFFER, rate="60/s"),
    Trial("tag-rewritten-in-place", Bug.TAG_REWRITTEN_IN_PLACE, rate="60/s", mix="tag-race", recover="3s"),
    Trial("toxic-ignored", Bug.TOXIC_IGNORED, (_strike("latency", link="lb.*->registry.us-south-2", latency="500ms"),)),
    Trial("lane-skips-zone", Bug.LANE_SKIPS_ZONE, skips="us-south-3"),
    Trial("sporadic-503", Bug.SPORADIC_503, checks=(*SAFE, _PINNED)),
    Trial("never-rejoins", Bug.NEVER_REJOINS, (_OUTAGE,), checks=(_FAILOVER,), alone=True, recover="3s"),
)

CONTROLS: tuple[Trial, ...] = (
    Trial("control: quiet", checks=(*SAFE, _REGIONAL)),
    Trial("control: housekeeping", checks=(*KEPT, _REGIONAL), mix="housekeeping", steady="3s"),
    Trial("control: outage", None, (_OUTAGE,), checks=(*SAFE, _REGIONAL, _FAILOVER), alone=True, recover="3s"),
    Trial(
        "control: freeze",
        None,
        (_strike("zone-freeze", zone="us-south-2", lasts="4s"),),
        checks=(*SAFE, _FAILOVER),
        alone=True,
        recover="3s",
    ),
    Trial(
        "decoy: writes land late",
        None,
        (_strike("latency", link="registry.*->store.*", latency="900ms", lasts="3s"),),
        timeout="600ms",
        covers="none",
    ),
    Trial("decoy: pushes race for a tag", mix="tag-race", checks=(*SAFE, _REGIONAL)),
    Trial("decoy: errors after the commit", decoy=Bug.ERROR_AFTER_COMMIT, checks=KEPT, mix="housekeeping", steady="3s"),
    Trial("decoy: requests are throttled", decoy=Bug.TOO_MANY_REQUESTS, checks=KEPT, mix="housekeeping", steady="3s"),
    Trial("decoy: reads lag inside the bound", decoy=Bug.ROUND_ROBIN_LAG, checks=(*SAFE[:-1], _LAGGING)),
    Trial(
        "decoy: deletes come late inside the bound",
        decoy=Bug.DELAYED_DELETE,
        checks=(*SAFE[:-1], _LAGGING, {"deletes": {"within": "2s"}}, "lists"),
        mix="housekeeping",
        steady="3s",
    ),
    Trial(
        "decoy: all zones killed and back",
        None,
        tuple(_strike("zone-kill", zone=zone, at="1s", lasts="1s") for zone in _ZONES),
        covers="none",
        recover="3s",
    ),
)
