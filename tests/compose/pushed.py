"""`python -m tests.compose.pushed REGION STATE`: lets the workload push to a region for some seconds, prints what was acknowledged."""

import asyncio
import json
import sys
import time
from pathlib import Path

from chaoskit.drivers.compose import ComposeDriver
from chaoskit.model.history import Operation, Outcome
from chaoskit.model.topology import three_zones
from chaoskit.model.workload import WorkloadSpec
from chaoskit.registry.client import open_clients
from chaoskit.workload.course import Setting, lane_profiles
from chaoskit.workload.plan import sessions
from chaoskit.workload.recorder import Recorder
from chaoskit.workload.runner import Runner

TIMEOUT_NS = 10_000_000_000
DURATION_NS = 6_000_000_000


async def pushed(name: str, state: Path) -> None:
    region = ComposeDriver("unix:///var/run/docker.sock", {}, state, {"three-zones": three_zones}).attach(name)
    rows: list[Operation] = []
    spec = WorkloadSpec("basic", 2.0, TIMEOUT_NS, {})
    async with open_clients(region.entries, timeout_ns=TIMEOUT_NS, clock=time.monotonic_ns) as clients:
        recorder = Recorder(rows.append, time.monotonic_ns, lambda: "steady", dict.fromkeys(region.entries, "us-south"))
        plan = sessions(spec, tuple(region.entries), run_id="by-hand", seed=1, duration_ns=DURATION_NS)
        await Runner(plan, Setting(clients, recorder, "by-hand", lane_profiles("basic"))).run()
    region.close()
    for row in rows:
        if row.action == "push" and row.outcome is Outcome.OK:
            image = {"zone": row.zone, "entry": region.entries[row.zone], "repository": row.repository, "digest": row.digest}
            print(json.dumps(image | {"children": row.children}))


asyncio.run(pushed(sys.argv[1], Path(sys.argv[2])))
