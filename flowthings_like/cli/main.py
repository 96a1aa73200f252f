"""`flowthings-like`: runs one of the commands, each of which is a module that is imported when it is used.

The module of a command has a `cli_command`, made with click, whose result is the exit status. Imports are
this late because `serve` has to patch the interpreter before anything else is imported, and because a command
should start fast.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence

import click
from click.shell_completion import CompletionItem

from ..about import VERSION
from .command import Group, print_usage_error

NAME = "flowthings-like"
COMPLETE = "_FLOWTHINGS_LIKE_COMPLETE"
"""The environment variable with which a shell asks for completions."""

COMMANDS = {
    "flows": "list flows",
    "find": "find drops of a flow",
    "export": "write the drops of a flow to a file, as CSV, NDJSON or Parquet",
    "get": "print a flow or a drop with all its members",
    "put": "create drops in a flow, one or those of a file",
    "load": "load the rows of a file, a query or a flow, and go on after a crash",
    "tail": "print the last drops of a flow, and those that come",
    "serve": "serve the embedded platform to other processes",
    "migrate": "make the tables of a platform on PostgreSQL, or bring them up to date",
    "backup": "copy the folder of an embedded platform while it is in use",
    "restore": "make a folder of a backup",
    "doctor": "find mistakes in how a program patches for green threads, and say how to fix them",
    "plot": "draw a stream of points to a PNG file",
    "plan": "pull, push and compare the flows, tracks and tasks beneath a path, as one file",
    "records": "get, put and follow binary records, as CSV, NDJSON or Parquet",
    "demo": "load a year of real weather, search it and draw it",
}


class Commands(Group):
    """The commands of `COMMANDS`. Help and completion do not import them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"flowthings_like.cli.{cmd_name}")
        found: click.Command = module.cli_command
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        found = [
            CompletionItem(name, help=purpose)
            for name, purpose in COMMANDS.items()
            if name.startswith(incomplete)
        ]
        return [*found, *click.Command.shell_complete(self, ctx, incomplete)]


@click.group(
    cls=Commands,
    help="Live data in blocking style.",
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(VERSION, prog_name=NAME, message="%(prog)s %(version)s")
def commands() -> None:
    pass


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        argv: the arguments without the program's name; None for those of the process.

    Returns:
        The exit status: 0 for success, 1 for a failure that was explained, 2 for wrong usage, 130 for Ctrl-C.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        if COMPLETE in os.environ:
            commands.main(arguments, NAME, COMPLETE)  # prints completions, and ends the process
        with commands.make_context(NAME, arguments) as context:
            return int(commands.invoke(context) or 0)
    except click.UsageError as error:
        print_usage_error(error)
        return error.exit_code
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    raise SystemExit(main())
