"""The faults and the checks there are: the unions an experiment is validated against, and the same by name."""

from typing import Annotated

from pydantic import Field

from chaoskit.checks.availability import Availability
from chaoskit.checks.base import Check
from chaoskit.checks.closure import Closure
from chaoskit.checks.coverage import Coverage
from chaoskit.checks.deletes import Deletes
from chaoskit.checks.durability import Durability
from chaoskit.checks.effect import Effect
from chaoskit.checks.failover import Failover
from chaoskit.checks.host import Host
from chaoskit.checks.integrity import Integrity
from chaoskit.checks.lists import Lists
from chaoskit.checks.phantom import Phantom
from chaoskit.checks.recoverability import Recoverability
from chaoskit.checks.refusal import Refusal
from chaoskit.checks.sessions import Sessions
from chaoskit.checks.tags import Tags
from chaoskit.faults.base import Fault
from chaoskit.faults.link import Bandwidth, Latency, LinkCut
from chaoskit.faults.operation import Collection, WritePermission, WrongSecret
from chaoskit.faults.process import ProcessFreeze, ProcessKill, ProcessRestart, RollingRestart
from chaoskit.faults.zone import ZoneFreeze, ZoneKill, ZoneOutage, ZonePartition

Outages = ZoneOutage | ZonePartition | ZoneFreeze | ZoneKill | LinkCut | Latency | Bandwidth | ProcessKill | ProcessFreeze | ProcessRestart
Operations = RollingRestart | WritePermission | WrongSecret | Collection
AnyFault = Annotated[Outages | Operations, Field(discriminator="kind")]

Safety = Durability | Integrity | Closure | Phantom | Tags | Lists | Deletes | Sessions | Refusal | Recoverability
Service = Availability | Failover
Guards = Effect | Coverage | Host
AnyCheck = Annotated[Safety | Service | Guards, Field(discriminator="check")]

_FAULTS: tuple[type[Fault], ...] = (
    ZoneOutage,
    ZonePartition,
    ZoneFreeze,
    ZoneKill,
    LinkCut,
    Latency,
    Bandwidth,
    ProcessKill,
    ProcessFreeze,
    ProcessRestart,
    RollingRestart,
    WritePermission,
    WrongSecret,
    Collection,
)
_CHECKS: tuple[type[Check], ...] = (
    Durability,
    Integrity,
    Closure,
    Phantom,
    Tags,
    Lists,
    Deletes,
    Sessions,
    Refusal,
    Recoverability,
    Availability,
    Failover,
    Effect,
    Coverage,
    Host,
)

FAULTS = {str(fault.model_fields["kind"].default): fault for fault in _FAULTS}
CHECKS = {str(check.model_fields["check"].default): check for check in _CHECKS}
