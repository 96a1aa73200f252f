"""`flowthings-like tail`: prints the last drops of a flow, and those that come."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .data_command import DataCommand
from .drops.text import drop_line, print_line, to_json
from .flow_argument import flow_argument
from .place import Place, json_option, place_options

if TYPE_CHECKING:
    from ..services.rest.drop import DropService

__all__ = ["cli_command"]

MOST = 10_000
"""The most drops to begin with. Their ids are in memory."""


@click.command("tail", cls=DataCommand)
@flow_argument
@click.argument("filter", metavar="[FILTER]", required=False)
@click.option("--follow", "-f", is_flag=True, help="go on with the drops that are created, until Ctrl-C")
@click.option(
    "--lines",
    "-n",
    type=click.IntRange(0, MOST),
    default=10,
    metavar="N",
    help="how many drops to begin with (10)",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0),
    metavar="S",
    help="end when no drop has come for so many seconds",
)
@json_option
@place_options
def cli_command(
    flow: str,
    filter: str | None,
    follow: bool,
    lines: int,
    timeout: float | None,
    as_json: bool,
    data: Path | None,
    profile: str | None,
    account: str,
) -> None:
    """Print the last drops of the flow PATH, the newest last. With -f, go on with those that are created.

    With a FILTER, such as 'elems.temp > 90', only those that match. Each drop comes once, without a gap, also
    if the connection is lost.
    """
    if timeout is not None and not follow:
        raise click.UsageError("--timeout needs --follow")
    show = to_json if as_json else drop_line
    filters = [] if filter is None else [filter]
    with Place(data, profile, account).opened() as api:
        drops = api.drop(flow)
        # The follower is first: what is created before it is found, and what is created later comes.
        with _followed(drops, filters, follow, timeout) as follower:
            newest = (
                drops.find_many(*filters, limit=lines, sort="creationDate", order="desc") if lines else []
            )
            shown = set()
            for drop in reversed(newest):
                shown.add(drop["id"])
                print_line(show(drop))
            for drop in follower:
                if drop["id"] in shown:
                    shown.remove(drop["id"])  # it was created while both were under way, and comes once more
                else:
                    print_line(show(drop))


@contextmanager
def _followed(
    drops: DropService, filters: list[str], follow: bool, timeout: float | None
) -> Iterator[Iterator[Any]]:
    if not follow:
        yield iter(())
        return
    with drops.follow(*filters, timeout=timeout) as follower:
        yield follower
