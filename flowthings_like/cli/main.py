"""`flowthings-like`: runs one of the commands, each of which is a module that is imported when it is used.

The module of a command has `configure(parser)`, which adds the arguments, and `run(arguments) -> int`, which
returns the exit status. Imports are this late because `serve` has to patch the interpreter before anything
else is imported.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence

from ..about import VERSION

COMMANDS = {
    "serve": "serve the embedded platform to other processes",
    "doctor": "find mistakes in how a program patches for green threads, and say how to fix them",
    "plot": "draw a stream of points to a PNG file",
    "plan": "pull, push and compare the flows, tracks and tasks beneath a path, as one file",
    "records": "get, put and follow binary records, as CSV, NDJSON or Parquet",
    "demo": "load a year of real weather, search it and draw it",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: the arguments without the program's name; None for those of the process.

    Returns:
        The exit status: 0 for success, 1 for a failure that was explained, 2 for wrong usage, 130 for Ctrl-C.
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
