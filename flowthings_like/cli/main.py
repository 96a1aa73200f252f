"""`flowthings-like`: the commands, each in a module of its own that is imported only when it is asked for.

Each command module has `configure(parser)`, which adds its arguments, and `run(arguments) -> int`, whose
result is the exit status. Imports stay this late because `serve` must patch the interpreter before anything
else is loaded.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence

from ..about import VERSION

COMMANDS = {
    "serve": "run the embedded platform for other processes to talk to",
    "doctor": "say what is wrong with how a program runs green threads, and what to write instead",
    "demo": "load a year of real weather and look at it: the tour in one command",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: the arguments without the program's name; those of the process if None.

    Returns:
        The exit status: 0 for success, 1 for a failure that was explained, 2 for wrong usage.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(prog="flowthings-like", description="Live data in blocking style.")
    parser.add_argument("--version", action="version", version=f"flowthings-like {VERSION}")
    commands = parser.add_subparsers(dest="command", metavar="command", required=True)
    for name, purpose in COMMANDS.items():
        command = commands.add_parser(name, help=purpose, description=purpose)
        if arguments[:1] == [name]:
            importlib.import_module(f"flowthings_like.cli.{name}").configure(command)
    parsed = parser.parse_args(arguments)
    run = importlib.import_module(f"flowthings_like.cli.{parsed.command}").run
    try:
        return int(run(parsed))
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    raise SystemExit(main())
