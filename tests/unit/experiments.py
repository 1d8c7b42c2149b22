"""An experiment file for tests: a valid one as text, and a way to break it."""

from collections.abc import Sequence
from pathlib import Path

from chaoskit.catalog import DRIVERS, TOPOLOGIES
from chaoskit.experiment import Variant, load

VALID = """\
name: zone-outage
claims: [S1, S3]
duty: provider
hypothesis: Losing one of three zones costs no acknowledged push.
topology: three-zones
workload:
  mix: basic
  rate: {embedded: 40/s, compose: 2/s}
  timeout: 10s
  objective: {push: 5s, pull: 2s, manifest: 1s}
steady: {embedded: 3s, compose: 10s}
strikes:
  - at: 0s
    for: {embedded: 5s, compose: 15s}
    fault: {kind: zone-outage, zone: us-south-2, shape: refused}
recover: {embedded: 4s, compose: 30s}
checks:
  - durability
  - tags: {staleness: 0s}
  - availability: {unrecovered: 0}
  - failover: {within: 3s}
"""


def changed(old: str, new: str) -> str:
    """The valid file with one piece replaced; the piece must be there."""
    assert old in VALID, old
    return VALID.replace(old, new)


def load_text(folder: Path, text: str, *, driver: str = "compose", sets: Sequence[str] = ()) -> tuple[Variant, ...]:
    """Load a file with this text."""
    path = folder / "x.yaml"
    path.write_text(text)
    return load(path, driver=driver, drivers=DRIVERS, topologies=TOPOLOGIES, sets=sets)
