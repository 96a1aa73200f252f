"""The class of commands that talk to a platform: their errors and exit statuses."""

from __future__ import annotations

import io
import os
import sys
import warnings
from typing import TYPE_CHECKING, TextIO

from ..errors import FlowThingsError
from .command import Command

if TYPE_CHECKING:
    import click

__all__ = ["DataCommand"]

BROKEN_PIPE = 141
"""The exit status of a program that SIGPIPE has ended: the reader of the output has stopped."""


class DataCommand(Command):
    """A command that talks to a platform. Its function returns the exit status, or None for 0.

    Attributes:
        failure_status: the exit status after an error, which is printed.
    """

    failure_status = 1

    def invoke(self, ctx: click.Context) -> int:
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")  # a terminal may not have every character
        try:
            with warnings.catch_warnings():
                warnings.showwarning = _show
                status: int | None = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            # What is still buffered cannot be written, and must not be tried when the interpreter ends.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return BROKEN_PIPE
        except (FlowThingsError, OSError) as error:
            print(f"flowthings-like: {error}", file=sys.stderr)
            return self.failure_status
        return status or 0


def _show(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Print a warning as a user of the command should see it, without a place in this program."""
    print(f"flowthings-like: warning: {message}", file=sys.stderr)
