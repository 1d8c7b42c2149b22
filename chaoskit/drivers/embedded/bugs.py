"""Seeded bugs: known lies of a registry that can be switched on, each naming the checks that must and may catch it.

A bug is one member here and one `if` in the component named by `where`. A region without bugs is the control. The last members are decoys:
what a correct region may do, so that no check must or may catch it.
"""

from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True, slots=True)
class Seeded:
    """`number` is that of the design's table, 0 for a decoy; at least one of `must` has to be violated (or, for guards, not held)."""

    number: int
    where: str
    must: tuple[str, ...]
    may: tuple[str, ...] = ()
    seen: str = ""


class Bug(Enum):
    """Members' names with dashes are the names on the command line."""

    ACK_BEFORE_DURABLE = Seeded(1, "store", ("durability",), ("closure", "tags"), "distribution#4489")
    ACK_BEFORE_REPLICATION = Seeded(2, "store", ("durability", "tags"), ("closure",))
    LOCAL_TAG_READS = Seeded(3, "store", ("tags",), (), "etcd stale reads")
    LAST_WRITER_BY_CLOCK = Seeded(4, "store", ("tags",), (), "Garage's Jepsen runs")
    MANIFEST_BEFORE_BLOBS = Seeded(5, "store", ("closure",), ("durability",))
    COLLECT_DURING_PUSH = Seeded(6, "store", ("closure",), ("durability",), "distribution#3045")
    STALE_BLOB_EXISTS = Seeded(7, "registry", ("deletes",), ("integrity", "closure", "durability"), "distribution#3743")
    BIT_ROT = Seeded(8, "store", ("integrity",), ())
    TRUNCATED_UPLOAD = Seeded(9, "registry", ("integrity",), ("durability",))
    ERROR_AS_404 = Seeded(10, "registry", ("tags",), ("durability", "closure", "availability"), "distribution's Stat")
    BALANCER_RESENDS = Seeded(11, "balancer", ("tags",), (), "nginx's default")
    DELETE_UNDONE = Seeded(12, "store", ("deletes",), ("tags",), "Garage's DeleteObject")
    READABLE_WHILE_TAGGED = Seeded(13, "registry", ("durability",), ("closure",), "artifact-keeper#1681")
    LIST_SKIPS = Seeded(14, "registry", ("lists",), (), "distribution 3.1.x with S3")
    LOCAL_UPLOADS = Seeded(15, "registry", ("sessions",), ("availability", "failover"), "harbor#15234")
    ROUND_ROBIN_LAG = Seeded(16, "store", ("tags",), ())
    FROZEN_LOOKS_HEALTHY = Seeded(18, "balancer", ("failover",), ("availability",), "distribution's health check")
    RESERIALISED_MANIFEST = Seeded(19, "registry", ("integrity",), ("durability",))
    SHARED_BUFFER = Seeded(20, "registry", ("phantom",), ("integrity", "durability", "closure"))
    TAG_REWRITTEN_IN_PLACE = Seeded(21, "store", ("tags",), ("availability",))
    TOXIC_IGNORED = Seeded(23, "proxy", ("effect",), ())
    LANE_SKIPS_ZONE = Seeded(24, "workload", ("coverage",), ())
    SPORADIC_503 = Seeded(25, "balancer", ("availability",), ("failover",))
    NEVER_REJOINS = Seeded(26, "balancer", ("failover",), ("availability", "coverage"))

    ERROR_AFTER_COMMIT = Seeded(0, "registry", (), (), "any 5xx of a proxy")
    DELAYED_DELETE = Seeded(0, "registry", (), (), "deletes declared eventual")
    TOO_MANY_REQUESTS = Seeded(0, "registry", (), (), "rate limits")

    @property
    def flag(self) -> str:
        """The name on the command line."""
        return self.name.lower().replace("_", "-")


def named(flag: str) -> Bug:
    """The bug of that name; KeyError if there is none."""
    return Bug[flag.upper().replace("-", "_")]
