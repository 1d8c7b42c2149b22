"""How findings speak of operations, times and digests: one way for all checks."""

from chaoskit.model.history import OPEN, History


def seconds(ns: int) -> str:
    """A time of the run or a span, to the millisecond."""
    return f"{ns / 1e9:.3f} s"


def short(digest: str) -> str:
    """A digest that fits a line."""
    return digest if len(digest) <= 19 else digest[:19] + "…"


def named(history: History, code: int) -> str:
    """The digest of a code, short."""
    return short(history.name(int(code)))


def target(history: History, row: int) -> str:
    """`repository:tag` or `repository@digest` of a row."""
    repository = history.name(int(history.repository[row])) or "?"
    reference, digest = history.name(int(history.reference[row])), history.name(int(history.digest[row]))
    return f"{repository}:{reference}" if reference and reference != digest else f"{repository}@{short(digest)}"


def doing(history: History, row: int) -> str:
    """Which operation, of what, where and when: the subject of a sentence."""
    action, zone = history.name(int(history.action[row])), history.name(int(history.zone[row]))
    called = int(history.called_ns[row])
    return f"{action} of {target(history, row)} at {zone} at {seconds(called)} (operation {int(history.index[row])})"


def ended(history: History, row: int) -> str:
    """When a row was answered."""
    returned = int(history.returned_ns[row])
    return "nobody saw end" if returned == OPEN else f"at {seconds(returned)}"


def indices(history: History, *rows: int) -> tuple[int, ...]:
    """Operation indices of rows, without the -1 that stands for none, each once."""
    return tuple(dict.fromkeys(int(history.index[row]) for row in rows if row >= 0))
