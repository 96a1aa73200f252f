"""Runs a command whose arguments argparse parses as one of click's."""

from __future__ import annotations

import argparse
from collections.abc import Callable

import click

from .command import Command

__all__ = ["wrap"]


def wrap(
    name: str,
    purpose: str,
    configure: Callable[[argparse.ArgumentParser], None],
    run: Callable[[argparse.Namespace], int],
) -> click.Command:
    """A command that leaves all its arguments, `--help` too, to argparse.

    Args:
        configure: adds the arguments to a parser.
        run: runs the command, and returns the exit status.
    """

    def parse_and_run(arguments: tuple[str, ...]) -> int:
        parser = argparse.ArgumentParser(prog=f"flowthings-like {name}", description=purpose)
        configure(parser)
        return run(parser.parse_args(arguments))

    return Command(
        name,
        callback=parse_and_run,
        params=[click.Argument(["arguments"], nargs=-1, type=click.UNPROCESSED)],
        context_settings={"ignore_unknown_options": True, "help_option_names": []},
        add_help_option=False,
        help=purpose,
    )
