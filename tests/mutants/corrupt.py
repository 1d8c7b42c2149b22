"""Corrupt the history of a stored run in three ways and see what `chaoskit check` says. The run itself is copied, never touched.

`python -m tests.mutants.corrupt RUN FOLDER` puts the corrupted runs into FOLDER and prints what was violated; exit code 1 if any of them
did not get its label.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from chaoskit.model.history import Operation, Outcome

HISTORY, HEADER_LINES = "history.jsonl", 1

Rows = Sequence[Operation]
Change = dict[int, Operation]


@dataclass(frozen=True)
class Corruption:
    """`apply` gives the changed rows by index; each violated check must have a finding that begins with its label, no other check any."""

    name: str
    apply: Callable[[Rows], Change]
    labels: dict[str, str]


def _is_answered(row: Operation, *actions: str) -> bool:
    return row.action in actions and row.outcome is Outcome.OK and row.status != 404


def _acknowledged(rows: Rows) -> list[Operation]:
    return [row for row in rows if _is_answered(row, "manifest-put")]


def _where(row: Operation) -> tuple[str, str, str]:
    return row.region, row.repository, row.reference


def flip_a_byte(rows: Rows) -> Change:
    """The bytes of one blob read in the final reads hash to something else."""
    read = [row for row in rows if _is_answered(row, "blob-get") and row.phase == "final"][-1]
    flipped = f"sha256:{hashlib.sha256(read.got.encode()).hexdigest()}"
    return {read.index: read.__replace__(got=flipped, observed="digest-differs")}


def drop_a_push(rows: Rows) -> Change:
    """Of the first acknowledged push, every read of the final reads finds nothing, by its digest or by its tag."""
    acknowledged = _acknowledged(rows)
    put = next(row for row in acknowledged if sum(_where(row) == _where(other) for other in acknowledged) == 1)
    reads = [row for row in rows if row.phase == "final" and _is_answered(row, "manifest-get", "manifest-head")]
    lost = [row for row in reads if row.repository == put.repository and put.digest in (row.digest, row.got, row.advertised)]
    gone = {"status": 404, "observed": "absent", "got": "", "advertised": "", "advertised_bytes": -1, "size_bytes": -1, "children": ()}
    return {row.index: row.__replace__(**gone) for row in lost}


def put_an_old_value_back(rows: Rows) -> Change:
    """The last final read of a tag returns a value that another had replaced."""
    acknowledged = _acknowledged(rows)
    for read in reversed(rows):
        if read.phase == "final" and not read.digest and _is_answered(read, "manifest-get"):
            same = [put for put in acknowledged if _where(put) == _where(read)]
            older = [put for put in same if any((put.returned_ns or 0) < other.called_ns for other in same)]
            if older:
                return {read.index: _returning(rows, read, older[0])}
    raise LookupError("no tag was pushed twice, one push after the other")


def _returning(rows: Rows, read: Operation, put: Operation) -> Operation:
    """The read as it would look had it returned what was put; sizes as in a read of that by its digest."""
    seen = next(row for row in rows if _is_answered(row, "manifest-get") and row.got == put.digest)
    sizes = {"advertised_bytes": seen.advertised_bytes, "size_bytes": seen.size_bytes}
    return read.__replace__(got=put.digest, advertised=put.digest, children=seen.children, **sizes)


CORRUPTIONS = (
    Corruption("flipped-byte", flip_a_byte, {"integrity": "blob-get of "}),
    Corruption("dropped-push", drop_a_push, {"durability": "Lost in ", "tags": "Impossible absence: "}),
    Corruption("old-tag-value", put_an_old_value_back, {"tags": "Stale read: "}),
)


def corrupted(run: Path, folder: Path, corruption: Corruption) -> Path:
    """A copy of the run whose history says something else: completions of changed operations are rewritten where they stand."""
    copy = folder / corruption.name
    shutil.copytree(run.resolve(), copy)
    lines = (copy / HISTORY).read_bytes().splitlines()
    decoder, encoder = msgspec.json.Decoder(Operation), msgspec.json.Encoder()
    line_of = {decoder.decode(line).index: number for number, line in enumerate(lines) if number >= HEADER_LINES}
    changed = corruption.apply([decoder.decode(lines[line_of[index]]) for index in sorted(line_of)])
    for index, row in changed.items():
        lines[line_of[index]] = encoder.encode(row)
    (copy / HISTORY).write_bytes(b"\n".join(lines) + b"\n")
    return copy


Findings = Mapping[str, Sequence[str]]


def fits(corruption: Corruption, findings: Findings) -> bool:
    """The checks of the labels are violated and no other, each with a finding that begins with its label."""
    begun = {check: any(text.startswith(label) for text in findings.get(check, ())) for check, label in corruption.labels.items()}
    return all(begun.values()) and set(findings) == set(corruption.labels)


def check(run: Path) -> tuple[int, Findings]:
    """Judge a run as a user does: the exit code, and the findings of each violated check."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CHAOSKIT_")}
    command = [sys.executable, "-m", "chaoskit.cli.app", "check", str(run), "--json"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    if not done.stdout.startswith("{"):
        raise RuntimeError(f"chaoskit check {run} ended with {done.returncode}: {done.stderr}")
    violated = [result for result in json.loads(done.stdout)["checks"] if result["verdict"] == "violated"]
    return done.returncode, {result["check"]: [finding["text"] for finding in result["findings"]] for result in violated}


def main(run: Path, folder: Path) -> int:
    """Print what became of each corruption; 1 if one did not get its label, or was no surprise (exit code 1)."""
    wrong = 0
    for corruption in CORRUPTIONS:
        code, findings = check(corrupted(run, folder, corruption))
        is_right = code == 1 and fits(corruption, findings)
        wrong += not is_right
        sys.stdout.write(f"{corruption.name}: {'as it should be' if is_right else 'WRONG'}, exit code {code}\n")
        sys.stdout.writelines(f"  {name}: {texts[0]}\n" for name, texts in findings.items())
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
