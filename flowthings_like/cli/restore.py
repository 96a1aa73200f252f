"""`flowthings-like restore`: a folder of what `flowthings-like backup` has made."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from .command import Command

__all__ = ["cli_command"]


@click.command("restore", cls=Command)
@click.argument("source", metavar="SOURCE")
@click.argument("place", metavar="PLACE")
@click.option(
    "--replace", is_flag=True, help="put it in the place of a folder with data, which is kept beside it"
)
def cli_command(source: str, place: str, replace: bool) -> int:
    """Make the folder PLACE of the backup SOURCE, after all of its checksums were compared.

    A folder that a process has open is not replaced.
    """
    from ..errors import ConfigurationError

    try:
        from ..platform.backup.restore import restore

        restored = restore(Path(source), Path(place), replace=replace)
    except (ConfigurationError, OSError) as error:  # such as a full disk
        print(f"flowthings-like: {error}", file=sys.stderr)
        return 1
    print(f"restored: {place}")
    print(f"as of: {restored.manifest.created}")
    if restored.former is not None:
        print(f"before: {restored.former}")
    return 0
