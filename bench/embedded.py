"""What a healthy embedded region costs: CPU a request by kind of process, and the rate.

`python -m bench.embedded` drives a region of three zones with our own client through all hops. A step is a read (a manifest by tag and a
blob in turn), or, once in `--push-one-in` steps, a push of two small blobs and a manifest: seven requests. Every digest is compared.
CPU is what the kernel charged to each process between two readings of /proc: other load on the machine moves it far less than the rate.
Where the machine is shared, compare two trees by turns, and each kind with the client's figure, which is the same code in both.
`--profile FOLDER` samples every process of the region (see profiled.py) and leaves its functions by own CPU there, a file for each kind.
"""

import argparse
import asyncio
import itertools
import os
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import uvloop

from chaoskit.drivers.embedded.driver import EmbeddedDriver
from chaoskit.drivers.embedded.nursery import MODULES
from chaoskit.drivers.embedded.region import EmbeddedRegion
from chaoskit.model.history import Outcome
from chaoskit.model.topology import three_zones
from chaoskit.model.workload import PlannedBlob
from chaoskit.registry.client import Client, Upload, open_clients
from chaoskit.registry.image import blob, image_manifest

REPOSITORY = "bench/embedded"
SIZES_BYTES = (500, 2000)
TIMEOUT_NS = 10_000_000_000
TICKS_S = os.sysconf("SC_CLK_TCK")
IDLE_S = 3.0
TOP = 25


@dataclass(frozen=True, slots=True)
class Cpu:
    """Seconds of CPU of one or more processes."""

    user_s: float = 0.0
    system_s: float = 0.0

    def __add__(self, other: "Cpu") -> "Cpu":
        return Cpu(self.user_s + other.user_s, self.system_s + other.system_s)

    def __sub__(self, other: "Cpu") -> "Cpu":
        return Cpu(self.user_s - other.user_s, self.system_s - other.system_s)

    @property
    def all_s(self) -> float:
        return self.user_s + self.system_s

    @classmethod
    def of(cls, pid: int) -> "Cpu":
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
        return cls(int(fields[11]) / TICKS_S, int(fields[12]) / TICKS_S)


@dataclass(frozen=True, slots=True)
class Load:
    """How long and how hard; one step in `push_one_in` is a push."""

    seconds: float
    workers: int
    push_one_in: int


@dataclass(slots=True)
class Tally:
    """What was asked and how it was answered. `pushed` has the tag, the manifest's digest and a layer's digest of every image."""

    requests: int = 0
    wrong: Counter[str] = field(default_factory=Counter)
    pushed: list[tuple[str, str, str]] = field(default_factory=list)

    def count(self, what: str, right: bool) -> None:
        self.requests += 1
        if not right:
            self.wrong[what] += 1


async def push(client: Client, number: int, tally: Tally) -> None:
    """Seven requests: each blob is looked for, and sent in a session; then the manifest."""
    blobs = tuple(blob(PlannedBlob(number * 10 + index, size, False)) for index, size in enumerate(SIZES_BYTES))
    for one in blobs:
        tally.count("blob-head", (await client.blob_head(REPOSITORY, one.digest)).status == 404)
        opened = await client.upload_post(REPOSITORY)
        tally.count("upload-post", opened.status == 202)
        tally.count("upload-put", (await client.upload_put(Upload(opened.location), one, has_bytes=True)).status == 201)
    manifest = image_manifest(blobs[0], blobs[1:], run_id="bench", session=number, attempt=0)
    tally.count("manifest-put", (await client.manifest_put(REPOSITORY, f"v{number:08d}", manifest)).status == 201)
    tally.pushed.append((f"v{number:08d}", manifest.digest, blobs[1].digest))


async def pull(client: Client, turn: int, tally: Tally) -> None:
    """One request: a manifest by its tag, or a layer by its digest."""
    tag, manifest, layer = tally.pushed[turn * 7 % len(tally.pushed)]
    if turn % 2:
        answer, wanted = await client.manifest_get(REPOSITORY, tag), manifest
    else:
        answer, wanted = await client.blob_get(REPOSITORY, layer), layer
    tally.count("manifest-get" if turn % 2 else "blob-get", answer.outcome is Outcome.OK and answer.got == wanted)


async def drive(entries: Mapping[str, str], load: Load, tally: Tally) -> None:
    """As many sessions at a time as there are workers, each of them going through the zones in turn."""
    numbers = itertools.count(1)
    async with open_clients(entries, timeout_ns=TIMEOUT_NS, clock=time.monotonic_ns) as clients:
        zones = list(clients.values())
        await push(zones[0], 0, tally)
        end = time.monotonic() + load.seconds

        async def work(worker: int) -> None:
            for turn in itertools.count(worker * 11):
                if time.monotonic() > end:
                    return
                client = zones[turn % len(zones)]
                if turn % load.push_one_in == 0:
                    await push(client, next(numbers), tally)
                else:
                    await pull(client, turn, tally)

        async with asyncio.TaskGroup() as group:
            for worker in range(load.workers):
                group.create_task(work(worker))


def kinds_of(region: EmbeddedRegion) -> Mapping[str, tuple[int, ...]]:
    """Pids by kind of process, this process's own among them."""
    kinds: dict[str, tuple[int, ...]] = {}
    for name, life in region.lives.items():
        kind = name.partition(".")[0]
        kinds[kind] = (*kinds.get(kind, ()), life.pid)
    return {**kinds, "client": (os.getpid(),)}


def read_cpu(kinds: Mapping[str, tuple[int, ...]]) -> dict[str, Cpu]:
    """What each kind has used until now."""
    return {kind: sum((Cpu.of(pid) for pid in pids), Cpu()) for kind, pids in kinds.items()}


def idle_ms(region: EmbeddedRegion) -> float:
    """CPU of the region in ms for each second in which nobody asks anything: health checks and pings."""
    kinds = {kind: pids for kind, pids in kinds_of(region).items() if kind != "client"}
    before, began = read_cpu(kinds), time.monotonic()
    time.sleep(IDLE_S)
    used = sum((now - before[kind] for kind, now in read_cpu(kinds).items()), Cpu())
    return used.all_s / (time.monotonic() - began) * 1e3


def measure(region: EmbeddedRegion, load: Load, tally: Tally) -> dict[str, float]:
    """Drive the region and print the rate and the CPU of each kind of process; microseconds a request by kind."""
    kinds = kinds_of(region)
    before, began = read_cpu(kinds), time.monotonic()
    uvloop.run(drive(region.entries, load, tally))
    took, after = time.monotonic() - began, read_cpu(kinds)
    used = {kind: after[kind] - before[kind] for kind in sorted(kinds)}
    print(f"{tally.requests} requests in {took:.1f} s: {tally.requests / took:.0f}/s; wrong answers: {dict(tally.wrong) or 'none'}")
    in_all = sum(used.values(), Cpu())
    for kind, cpu in (*used.items(), ("region", in_all - used["client"]), ("in all", in_all)):
        user_us, system_us = (part / tally.requests * 1e6 for part in (cpu.user_s, cpu.system_s))
        print(f"  {kind:10} {user_us + system_us:6.0f} us a request: {user_us:5.0f} user, {system_us:5.0f} system")
    return {kind: cpu.all_s / tally.requests * 1e6 for kind, cpu in used.items()}


@contextmanager
def up(root: Path, *, profiled: bool) -> Iterator[EmbeddedRegion]:
    """A region of three zones, with its processes under cProfile if that is wanted."""
    modules = dict.fromkeys(MODULES, "bench.profiled") if profiled else MODULES
    with EmbeddedDriver(root, modules=modules).deploy(three_zones(), name="bench") as region:
        if not isinstance(region, EmbeddedRegion):
            raise TypeError(f"the embedded driver gave a {type(region).__name__}")
        yield region
        if profiled:
            for life in region.lives.values():
                os.kill(life.pid, signal.SIGTERM)
            _wait_for(root, count=len(region.lives))


def _wait_for(root: Path, *, count: int) -> None:
    end = time.monotonic() + 20
    while len(found := list(root.glob("*.samples"))) < count:
        if time.monotonic() > end:
            raise TimeoutError(f"{len(found)} of {count} processes left a profile within 20 s of SIGTERM")
        time.sleep(0.05)


def tell_profiles(root: Path, folder: Path, kinds: Mapping[str, float]) -> None:
    """One file for each kind of process: its functions by own CPU, in microseconds a request of those `kinds` says it used."""
    folder.mkdir(parents=True, exist_ok=True)
    for kind in MODULES:
        own, called = Counter[str](), Counter[str]()
        for file in root.glob(f"{kind}*.samples"):
            for line in file.read_text().splitlines():
                name, of_own, of_all = line.split("\t")
                own[name] += int(of_own)
                called[name] += int(of_all)
        each_us = kinds[kind] / max(own.total(), 1)
        rows = [f"{own[name] * each_us:7.1f} {called[name] * each_us:7.1f}  {name}\n" for name, _ in own.most_common(TOP)]
        (folder / f"{kind}.txt").write_text(f"{kind}: {own.total()} samples; us a request: own, with callees\n{''.join(rows)}")


def main(argv: list[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--workers", type=int, default=24)
    parser.add_argument("--push-one-in", type=int, default=20, metavar="STEPS")
    parser.add_argument("--profile", type=Path, metavar="FOLDER")
    told, tally = parser.parse_args(argv), Tally()
    with tempfile.TemporaryDirectory(prefix="chaoskit-bench-") as root:
        with up(Path(root), profiled=told.profile is not None) as region:
            print(f"nobody asks: {idle_ms(region):.0f} ms of CPU a second")
            kinds = measure(region, Load(told.seconds, told.workers, told.push_one_in), tally)
        if told.profile is not None:
            tell_profiles(Path(root), told.profile, kinds)
    if tally.wrong:
        raise SystemExit(f"wrong answers: {dict(tally.wrong)}")


if __name__ == "__main__":
    main()
