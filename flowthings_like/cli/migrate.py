"""`flowthings-like migrate`: makes the tables of a platform on PostgreSQL, or brings them up to date."""

from __future__ import annotations

import sys

import click

from .command import Command, Parsed
from .store_option import store_option, without_password

INSTALL = "pip install 'flowthings_like[embedded,postgresql]'"


def _partitions(text: str) -> int:
    count = int(text) if text.isdecimal() else 0
    if not 1 <= count <= 1024:
        raise ValueError(f"partitions must be a number from 1 to 1024, not {text!r}")
    return count


@click.command("migrate", cls=Command)
@store_option
@click.option(
    "--partitions",
    type=Parsed(_partitions),
    metavar="N",
    help="cut the tables that grow into so many parts, by a hash of the flow; new databases only",
)
def cli_command(store: str | None, partitions: int | None) -> int:
    """Make the tables of a platform on PostgreSQL, or bring them up to date.

    A server makes the tables by itself, but does not change those of an earlier version, because servers of
    that version may use them. Stop them all before.
    """
    from ..errors import ConfigurationError

    try:
        from ..platform.store.migrate import migrate
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("flowthings_like"):
            raise
        package = error.name.partition(".")[0]
        print(f"flowthings-like: a platform's tables need {package}: {INSTALL}", file=sys.stderr)
        return 1
    if store is None:
        print("flowthings-like: give --store", file=sys.stderr)
        return 2
    try:
        outcome = migrate(store, partitions or 0)
    except ConfigurationError as error:
        print(f"flowthings-like: {error}", file=sys.stderr)
        return 1
    print(f"{without_password(store)}: {outcome}")
    return 0
