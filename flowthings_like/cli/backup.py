"""`flowthings-like backup`: a copy of an embedded platform's folder, taken while it is in use."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from .command import Command

__all__ = ["cli_command"]


@click.command("backup", cls=Command)
@click.argument("place", metavar="PLACE")
@click.argument("target", metavar="TARGET")
def cli_command(place: str, target: str) -> int:
    """Copy the folder PLACE to TARGET, also while other processes use it.

    TARGET is a new folder, or a new file that ends with .tar, .tar.gz or .tgz. It appears when it is
    complete.
    """
    from ..errors import ConfigurationError

    if "://" in place:
        print(
            "flowthings-like: a backup is made of a folder; for a database server use its own program, "
            "such as pg_dump",
            file=sys.stderr,
        )
        return 1
    try:
        from ..platform.backup.backup import back_up

        made = back_up(Path(place), Path(target))
    except (ConfigurationError, OSError) as error:  # such as a full disk
        print(f"flowthings-like: {error}", file=sys.stderr)
        return 1
    size = sum(file.size for file in made.manifest.files)
    print(f"backup: {target}")
    print(f"as of: {made.manifest.created}")
    print(f"size: {size:,} bytes in {len(made.manifest.files)} files")
    print(f"writers of streams and records waited: {made.held:.3f} s")
    return 0
