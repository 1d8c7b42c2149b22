"""Stored runs of any size whose shape is known: three pushes and nine pulls a tag, spread over the load, then the final reads.

Final reads are of every value ever sent from every zone, and of tags in turn until the run has exactly its rows.
Seeded: the same rows for the same arguments.
"""

import random
from collections.abc import Generator, Iterator
from datetime import UTC, datetime
from itertools import cycle
from pathlib import Path

import msgspec

from bench.region import STRUCK_ZONE, ZONES, Client, Plan, Region
from chaoskit import rundir
from chaoskit.experiment import Variant
from chaoskit.model.evidence import HostSample, PhaseWindow
from chaoskit.model.history import Operation
from chaoskit.model.strike import Sample, Struck
from chaoskit.model.topology import three_zones

ROWS_PER_TAG = 100
PATTERN = ("push", "pull", "pull", "pull") * 3
REPOSITORIES = 4
GAP_NS = 500_000
LEAST_LOAD_NS = 30_000_000_000
_BLOCK_BYTES = 4 * 2**20


def write_run(root: Path, variant: Variant, *, rows: int, seed: int, opens_reads: bool) -> Path:
    """A run folder under `root` with so many operations (a multiple of `ROWS_PER_TAG`) over a hundredth as many tags; its path."""
    tags = rows // ROWS_PER_TAG
    load = max(LEAST_LOAD_NS, tags * len(PATTERN) * GAP_NS)
    plan = Plan(load // 5, load * 3 // 5, load)
    with rundir.create(root, variant, topology=three_zones(), seed=seed, now=datetime.now(UTC)) as folder:
        end = _write_history(folder.path / "history.jsonl", plan, tags=tags, seed=seed, opens_reads=opens_reads)
        _write_events(folder.events, plan, end)
    return folder.path


def _write_history(path: Path, plan: Plan, *, tags: int, seed: int, opens_reads: bool) -> int:
    """Rows as `HistoryRows` would append them, in blocks; when the last one ended."""
    encode, block = msgspec.json.Encoder().encode_into, bytearray()
    with path.open("ab") as stream:

        def record(row: Operation) -> None:
            encode(row, block, -1)
            block.append(10)
            if len(block) > _BLOCK_BYTES:
                stream.write(block)
                block.clear()

        source = random.Random(seed)
        region = Region(plan, source, record, opens_reads=opens_reads)
        _load(region, source, tags)
        _sweep(region, tags)
        stream.write(block)
    return region.now


def _load(region: Region, source: random.Random, tags: int) -> None:
    order = [tag for tag in range(tags) for _ in PATTERN]
    source.shuffle(order)
    met = [0] * tags
    gap = region.plan.recover // len(order)
    for number, tag in enumerate(order):
        region.run(number * gap)
        lane = "pinned" if (number // len(ZONES)) % 2 else "regional"
        client = Client(region, number, _repository(tag), _name(tag), lane, number % len(ZONES))
        region.start(getattr(client, PATTERN[met[tag]])())
        met[tag] += 1
    region.drain()


def _sweep(region: Region, tags: int) -> None:
    region.run(max(region.now, region.plan.recover) + GAP_NS)
    for fields in _final_reads(region.sent, tags):
        if region.rows == tags * ROWS_PER_TAG:
            break
        region.start(_read(region, fields))
        region.run(region.now + GAP_NS)
    region.drain()


def _final_reads(sent: list[tuple[str, str, str]], tags: int) -> Iterator[dict[str, str]]:
    for repository, action, digest in sent:
        for zone in ZONES:
            yield {"repository": repository, "action": action, "digest": digest, "zone": zone}
    for tag in cycle(range(tags)):
        for zone in ZONES:
            yield {"repository": _repository(tag), "action": "manifest-get", "reference": _name(tag), "zone": zone}


def _read(region: Region, fields: dict[str, str]) -> Generator[Operation, Operation, None]:
    yield region.row(lane="sweep", **fields)


def _repository(tag: int) -> str:
    return f"chaos/bench/r{tag % REPOSITORIES}"


def _name(tag: int) -> str:
    return f"v{tag:08d}"


def _write_events(events: rundir.EventRows, plan: Plan, end: int) -> None:
    starts = {"steady": 0, "strike": plan.steady, "recover": plan.strike, "final": plan.recover}
    for (name, start), until in zip(starts.items(), (plan.steady, plan.strike, plan.recover, end), strict=True):
        events.phase(PhaseWindow(name, start, until))
    link = f"client->lb.{STRUCK_ZONE}"
    before, during, after = plan.steady, (plan.steady + plan.strike) // 2, plan.recover
    looks = (("before", before, "healthy"), ("during", during, "refused"), ("after", after, "healthy"))
    struck = Struck(
        number=0,
        kind="zone-outage",
        fault={"kind": "zone-outage", "zone": STRUCK_ZONE},
        zones=(STRUCK_ZONE,),
        links=(link,),
        components=(),
        wanted_ns=plan.steady,
        injected_ns=plan.steady,
        effective_ns=plan.steady,
        healing_ns=plan.strike,
        healed_ns=plan.strike,
        clean_ns=plan.strike,
        cut_ns={link: plan.steady},
        samples=tuple(Sample(link, stage, at, seen, seen, 1.0) for stage, at, seen in looks),
    )
    events.struck(struck)
    events.host(HostSample(end, 0.5, 0.0, 0.1, 2.0))
