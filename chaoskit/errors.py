"""Every error this package raises on purpose; the exit code of a command is that of the error that ended it.

ChaosError                 4   anything of ours
├── BadExperiment          2   a file, option or value that cannot be run
├── Inconclusive           3   a run that proves neither side
├── EnvironmentMissing     4   no daemon, plugin, image or port on this machine
├── DeployFailed           4   a region that did not come up
├── NotReady               4   a region that was not healthy before the first strike
├── PlaneFailed            4   Toxiproxy or a container did not do what was asked
├── HealFailed             4   a fault that is not proven gone
├── RunDirBroken           4   a run folder that cannot be read or written
└── Interrupted            130 stopped by the user, after healing
"""


class ChaosError(Exception):
    """Root of the tree."""

    exit_code = 4


class BadExperiment(ChaosError):
    """The input cannot be run: names the place, the value found and the choices."""

    exit_code = 2


class Inconclusive(ChaosError):
    """Neither held nor violated can be said."""

    exit_code = 3


class EnvironmentMissing(ChaosError):
    """This machine lacks something the driver needs."""


class DeployFailed(ChaosError):
    """The region did not come up within its limit."""


class NotReady(ChaosError):
    """The region was not healthy in the steady phase; nothing was struck."""


class PlaneFailed(ChaosError):
    """The fault plane refused, ignored or did not answer a change."""


class HealFailed(ChaosError):
    """A fault is not proven gone after its strike."""


class RunDirBroken(ChaosError):
    """A run folder is missing, truncated or of another version."""


class TimedOut(ChaosError):
    """A run took longer than --timeout allows; the region was healed first."""


class Interrupted(ChaosError):
    """The user stopped the run; the region was healed first."""

    exit_code = 130
