"""The console script: commands by group, and the one place where an error becomes a message and an exit code."""

import sys
import traceback
from collections.abc import Iterator

import typer

from chaoskit.cli import byhand, doctor, lists, project, runs, selftest
from chaoskit.cli.terminal import raise_on_signals, warn, worst_code
from chaoskit.errors import ChaosError

app = typer.Typer(
    name="chaoskit",
    help="Take zones away from a container registry under real pushes and pulls, and say whether anything was lost.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for group in (runs, byhand, lists, doctor, selftest, project):
    for name, command in group.COMMANDS.items():
        app.command(name)(command)


def main() -> None:
    """Run the command line; never returns."""
    raise_on_signals()
    try:
        app()
    except Exception as error:  # noqa: BLE001 - the top of the command line
        sys.exit(_ended(error))


def _ended(error: Exception) -> int:
    """Say what ended the command; its exit code. An error that is not ours is a bug: its traceback is shown."""
    leaves = list(_leaves(error))
    ours = [leaf for leaf in leaves if isinstance(leaf, ChaosError)]
    if len(ours) < len(leaves):
        traceback.print_exception(error)
        warn(f"internal error: {type(error).__name__}: {error}; this is a bug in chaoskit")
        return 4
    for leaf in ours:
        for line in f"{type(leaf).__name__}: {leaf}".splitlines():
            warn(line)
    return worst_code(leaf.exit_code for leaf in ours)


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error


if __name__ == "__main__":
    main()
