"""`flowthings-like find`: finds drops of a flow."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import click

from ..wire.rest import LARGEST_LIMIT
from .command import Choice
from .data_command import DataCommand
from .drops.text import drop_line, print_line, to_json
from .flow_argument import flow_argument
from .place import Place, json_option, place_options

__all__ = ["cli_command"]


@click.command("find", cls=DataCommand)
@flow_argument
@click.argument("filter", metavar="[FILTER]", required=False)
@click.option(
    "--limit",
    "-n",
    type=click.IntRange(0, LARGEST_LIMIT),
    default=20,
    metavar="N",
    help="most drops to print (20)",
)
@click.option("--sort", default="creationDate", metavar="MEMBER", help="what to sort by (creationDate)")
@click.option(
    "--order", type=Choice(["asc", "desc"]), default="desc", help="smallest or greatest first (desc)"
)
@json_option
@place_options
def cli_command(
    flow: str,
    filter: str | None,
    limit: int,
    sort: str,
    order: Literal["asc", "desc"],
    as_json: bool,
    data: Path | None,
    profile: str | None,
    account: str,
) -> None:
    """Print the newest drops of the flow PATH, or those that match FILTER, such as 'elems.temp > 90'.

    PATH may be the id of the flow.
    """
    show = to_json if as_json else drop_line
    filters = [] if filter is None else [filter]
    with Place(data, profile, account).opened() as api:
        for drop in api.drop(flow).find_many(*filters, limit=limit, sort=sort, order=order):
            print_line(show(drop))
