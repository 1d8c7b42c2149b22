"""`python -m tests.embedded.lonely ROOT`: deploys a region of stand-ins, freezes a component, says so, and waits to be killed."""

import json
import sys
import time
from pathlib import Path

from chaoskit.drivers.embedded.driver import EmbeddedDriver
from chaoskit.model.topology import three_zones
from tests.embedded.processes import STANDINS

with EmbeddedDriver(Path(sys.argv[1]), modules=STANDINS).deploy(three_zones(), name="lonely") as region:
    region.freeze("registry.us-south-2")
    print(json.dumps([at.port for at in region.listeners.values()]), flush=True)
    time.sleep(600)
