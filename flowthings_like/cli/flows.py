"""`flowthings-like flows`: lists flows."""

from __future__ import annotations

from pathlib import Path

import click

from .data_command import DataCommand
from .drops.text import flow_line, print_line, to_json
from .place import Place, json_option, place_options

__all__ = ["cli_command"]


@click.command("flows", cls=DataCommand)
@click.argument("filter", metavar="[FILTER]", required=False)
@click.option("--limit", type=click.IntRange(min=0), metavar="N", help="most flows to list (all)")
@json_option
@place_options
def cli_command(
    filter: str | None, limit: int | None, as_json: bool, data: Path | None, profile: str | None, account: str
) -> None:
    """List the flows, or those that match FILTER, such as 'path =~ /weather/': id, capacity and path."""
    show = to_json if as_json else flow_line
    with Place(data, profile, account).opened() as api:
        for flow in api.flow.iterate(filter, order="asc", **({} if limit is None else {"limit": limit})):
            print_line(show(flow))
