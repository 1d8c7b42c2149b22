"""The run folder: made, appended to and read here; no other module knows its file names.

`history.jsonl` and `events.jsonl` get one row a write, so that a SIGKILL costs at most a torn last line. Judges nothing.
"""

import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import msgspec

from chaoskit import experiment as experiments
from chaoskit.errors import BadExperiment, RunDirBroken
from chaoskit.experiment import Variant
from chaoskit.model.evidence import Evidence, HostSample, PhaseWindow
from chaoskit.model.history import OPEN, Columns, Operation
from chaoskit.model.results import RunResults
from chaoskit.model.strike import Struck
from chaoskit.model.topology import Topology
from chaoskit.rows import SCHEMA_VERSION, Rows, read_rows, reading, replace, writing

LOW_DISK_BYTES = 2 * 1024**3
FINAL_PHASE = "final"

_EXPERIMENT, _META, _RESULTS = "experiment.yaml", "run.json", "results.json"
_HISTORY, _EVENTS, _LOGS = "history.jsonl", "events.jsonl", "logs"

T = TypeVar("T")


class HistoryRows(Rows):
    """`history.jsonl`: an invoke row before the first byte of an operation, its completion after; of one index the last counts."""

    def append(self, operation: Operation) -> None:
        """One row, on disk when this returns."""
        self.write(operation)


class EventRows(Rows):
    """`events.jsonl`: phases, strikes, samples of the host, notes."""

    def phase(self, window: PhaseWindow) -> None:
        """A phase that ended. The one called `final` makes the run complete; of one name the last counts."""
        self.write({"event": "phase", **asdict(window)})

    def struck(self, struck: Struck) -> None:
        """A strike as far as it got; of one number the last counts."""
        self.write({"event": "struck", **asdict(struck)})

    def host(self, sample: HostSample) -> None:
        """The machine at one moment."""
        self.write({"event": "host", **asdict(sample)})

    def note(self, text: str, at_ns: int) -> None:
        """A sentence for a reader; no check looks at it."""
        self.write({"event": "note", "text": text, "at_ns": at_ns})


class RunFolder:
    """A new run folder, open for writing; as a context manager it closes its files."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.history = HistoryRows(path / _HISTORY, "history")
        self.events = EventRows(path / _EVENTS, "events")
        self._meta: dict[str, object] = {"schema_version": SCHEMA_VERSION}

    @property
    def logs_dir(self) -> Path:
        """Where component logs go; made when asked for."""
        folder = self.path / _LOGS
        with writing(folder):
            folder.mkdir(exist_ok=True)
        return folder

    def write_experiment(self, variant: Variant, seed: int) -> None:
        """The resolved experiment with the seed of this run, as a file that can be run again."""
        resolved = variant.experiment.model_copy(update={"seed": seed})
        replace(self.path / _EXPERIMENT, experiments.dump(resolved).encode())

    def write_meta(self, meta: Mapping[str, object]) -> None:
        """Add to `run.json` what the caller knows of the run (argv, driver, versions, host facts), and the rows written so far.

        May be called again. A folder with fewer rows than the last call saw has lost some, and is read as a prefix.
        """
        self._meta |= {**meta, "rows": {"history": self.history.written, "events": self.events.written}}
        replace(self.path / _META, _pretty(self._meta))

    def write_results(self, results: RunResults) -> None:
        """`results.json`, whole or not at all."""
        replace(self.path / _RESULTS, encode_results(results) + b"\n")

    def close(self) -> None:
        """Close the appended files. Idempotent."""
        self.history.close()
        self.events.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A run folder, read. `results` is None for a run that was not judged."""

    path: Path
    variant: Variant
    evidence: Evidence
    meta: Mapping[str, object]
    notes: tuple[str, ...]
    results: RunResults | None


def create(root: Path, variant: Variant, *, topology: Topology, seed: int, now: datetime) -> RunFolder:
    """A folder `ROOT/<experiment>/<utc>-<variant>-<seed>` that nobody else has, and `latest` pointing at it.

    The experiment and the first part of `run.json` are in it when this returns.
    """
    started = now.astimezone(UTC)
    parent = root / variant.experiment.name
    with writing(parent):
        parent.mkdir(parents=True, exist_ok=True)
        path = _exclusive(parent, f"{started:%Y%m%dT%H%M%SZ}-{variant.name}-{seed}")
        fresh = parent / f".latest-{os.getpid()}-{path.name}"
        fresh.symlink_to(path.name)
        fresh.replace(parent / "latest")
    folder = RunFolder(path)
    folder.write_experiment(variant, seed)
    own: dict[str, object] = {"variant": variant.name, "experiment_sha256": variant.experiment_sha256, "seed": seed}
    folder.write_meta({**own, "created_utc": f"{started:%Y-%m-%dT%H:%M:%SZ}", "topology": topology})
    return folder


def low_disk(root: Path) -> str | None:
    """A warning if the disk under `root` may not hold a run, else None."""
    existing = next(folder for folder in (root.absolute(), *root.absolute().parents) if folder.exists())
    free = shutil.disk_usage(existing).free
    if free >= LOW_DISK_BYTES:
        return None
    return f"only {free / 1024**3:.1f} GiB free under {existing}; a run may need {LOW_DISK_BYTES / 1024**3:.0f} GiB"


def encode_results(results: RunResults) -> bytes:
    """The content of `results.json`, without the newline at its end."""
    return _pretty(results)


def is_run(path: Path) -> bool:
    """The path is a run folder (or a link to one) rather than an experiment file."""
    return (path / _META).is_file()


def experiment_file(path: Path) -> Path:
    """The experiment of a run folder, to run it again."""
    return path / _EXPERIMENT


def stored_variant(path: Path) -> Variant:
    """What a run folder ran, without reading its history. RunDirBroken as for `load`."""
    return _variant(path, _versioned(path / _META))


def load(path: Path) -> StoredRun:
    """Read a run folder or a link to one. RunDirBroken names the file and line of what is missing, of another version or garbage."""
    if not path.is_dir():
        raise RunDirBroken(f"{path}: is not a run folder; give runs/<experiment>/<run> or runs/<experiment>/latest")
    path = path.resolve()
    meta = _versioned(path / _META)
    variant = _variant(path, meta)
    topology = _converted(meta.get("topology"), Topology, path / _META)
    columns, events = Columns(), _Events()
    read = {
        "history": read_rows(path / _HISTORY, "history", Operation, columns.add),
        "events": read_rows(path / _EVENTS, "events", dict[str, object], events.add),
    }
    written = _converted(meta.get("rows", {}), dict[str, int], path / _META)
    is_whole = all(whole and rows >= written.get(name, 0) for name, (rows, whole) in read.items())
    final = events.phases.get(FINAL_PHASE)
    evidence = Evidence(
        history=columns.history(),
        topology=topology,
        strikes=tuple(events.strikes[number] for number in sorted(events.strikes)),
        phases=tuple(events.phases.values()),
        host=tuple(events.host),
        objective_ns=variant.experiment.workload.objective_ns,
        complete=is_whole and final is not None and final.end_ns < OPEN,
    )
    results = _converted(_versioned(path / _RESULTS), RunResults, path / _RESULTS) if (path / _RESULTS).exists() else None
    return StoredRun(path, variant, evidence, meta, tuple(events.notes), results)


class _Events:
    """The rows of `events.jsonl`, by kind."""

    def __init__(self) -> None:
        self.phases: dict[str, PhaseWindow] = {}
        self.strikes: dict[int, Struck] = {}
        self.host: list[HostSample] = []
        self.notes: list[str] = []

    def add(self, rows: list[dict[str, object]]) -> None:
        for row in rows:
            self._add(row)

    def _add(self, row: dict[str, object]) -> None:
        match row.get("event"):
            case "phase":
                window = msgspec.convert(row, PhaseWindow)
                self.phases[window.name] = window
            case "struck":
                struck = msgspec.convert(row, Struck)
                self.strikes[struck.number] = struck
            case "host":
                self.host.append(msgspec.convert(row, HostSample))
            case "note":
                self.notes.append(msgspec.convert(row.get("text"), str))
            case other:
                raise msgspec.ValidationError(f"{other!r} is not an event of this version")


def _versioned(path: Path) -> dict[str, object]:
    with reading(path):
        raw = path.read_bytes()
    try:
        fields = msgspec.json.decode(raw, type=dict[str, object])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RunDirBroken(f"{path}: is not JSON as written by a run: {error}") from error
    if fields.get("schema_version") != SCHEMA_VERSION:
        found = fields.get("schema_version")
        raise RunDirBroken(f"{path}: has schema_version {found!r}; this chaoskit reads {SCHEMA_VERSION}")
    return fields


def _variant(path: Path, meta: Mapping[str, object]) -> Variant:
    file = path / _EXPERIMENT
    with reading(file):
        raw = file.read_bytes()
    try:
        experiment = experiments.restore(raw.decode(), str(file))
    except (BadExperiment, UnicodeDecodeError) as error:
        raise RunDirBroken(f"the experiment of {path} cannot be read: {error}") from error
    own = {key: _converted(meta.get(key), str, path / _META) for key in ("variant", "experiment_sha256")}
    return Variant(own["variant"], experiment, own["experiment_sha256"])


def _converted(value: object, wanted: type[T], path: Path) -> T:
    try:
        return msgspec.convert(value, wanted)
    except msgspec.ValidationError as error:
        raise RunDirBroken(f"{path}: is not as a run writes it: {error}") from error


def _exclusive(parent: Path, stem: str) -> Path:
    for suffix in ("", *(f".{number}" for number in range(2, 100))):
        path = parent / f"{stem}{suffix}"
        try:
            path.mkdir()
        except FileExistsError:
            continue
        return path
    raise RunDirBroken(f"{parent}/{stem} and 98 more of that name exist; remove some, or choose another --out")


def _pretty(content: object) -> bytes:
    return msgspec.json.format(msgspec.json.encode(content), indent=2)
