"""`flowthings-like get`: prints a flow or a drop with all its members."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ..errors import FlowThingsNotFound
from ..filters.build import mem
from .data_command import DataCommand
from .drops.text import print_line, to_json
from .flow_argument import flow_argument
from .place import Place, json_option, place_options

__all__ = ["cli_command"]


@click.command("get", cls=DataCommand)
@flow_argument
@click.argument("drop", metavar="[ID]", required=False)
@json_option
@place_options
def cli_command(
    flow: str, drop: str | None, as_json: bool, data: Path | None, profile: str | None, account: str
) -> None:
    """Print the flow PATH, or its drop ID, with all members.

    PATH may be the id of the flow. The exit status is 1 if there is none.
    """
    with Place(data, profile, account).opened() as api:
        found: Any
        if drop is not None:
            found = api.drop(flow).read(drop)
        elif flow.startswith("/"):
            flows = api.flow.find_many(mem.path == flow, limit=1)
            if not flows:
                raise FlowThingsNotFound(f"there is no flow {flow}")
            found = flows[0]
        else:
            found = api.flow.read(flow)
    print_line(to_json(found, indent=not as_json))
