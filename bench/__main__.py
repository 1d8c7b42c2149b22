"""`python -m bench [BENCH] [options]`: a bench prints its tables; without a name, all of them run. Each bench is a module of its own."""

import argparse
import sys
from collections.abc import Callable, Mapping

from bench import judging


def _judge(arguments: argparse.Namespace) -> str:
    rows = tuple(arguments.rows or judging.SIZES)
    return judging.bench(rows, repeats=arguments.repeats, opens_reads=not arguments.as_real)


BENCHES: Mapping[str, Callable[[argparse.Namespace], str]] = {"judge": _judge}


def main() -> None:
    """Run the benches asked for and print what they measured."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("bench", nargs="?", choices=BENCHES, help="which; all without a name")
    parser.add_argument("--rows", type=int, action="append", help="operations of a judged run, a multiple of 100; may be repeated")
    parser.add_argument("--repeats", type=int, default=judging.REPEATS, help="runs a figure is the median of")
    parser.add_argument("--as-real", action="store_true", help="a read leaves one line, as in a real run; else every operation leaves two")
    arguments = parser.parse_args()
    for name in [arguments.bench] if arguments.bench else BENCHES:
        sys.stdout.write(f"{name}\n\n{BENCHES[name](arguments)}\n")


if __name__ == "__main__":
    main()
