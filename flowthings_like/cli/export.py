"""`flowthings-like export`: writes the drops of a flow to a file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import click

from ..files.formats import format_of
from .data_command import DataCommand
from .drops.writing import export
from .files.formats import format_options, given_format
from .flow_argument import flow_argument
from .place import Place, place_options
from .progress import Progress

__all__ = ["cli_command"]

_PAGE = 1000
"""Drops that are fetched in one request."""


@click.command("export", cls=DataCommand)
@flow_argument
@click.argument("filter", metavar="[FILTER]", required=False)
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="the file to write, *.gz is compressed (stdout)",
)
@format_options()
@click.option(
    "--elem",
    "elems",
    multiple=True,
    metavar="NAME",
    help="an element that gets a column (all); may be repeated",
)
@click.option("--limit", type=click.IntRange(min=0), metavar="N", help="most drops to write (all)")
@place_options
def cli_command(
    flow: str,
    filter: str | None,
    output: Path | None,
    format: str | None,
    as_json: bool,
    elems: tuple[str, ...],
    limit: int | None,
    data: Path | None,
    profile: str | None,
    account: str,
) -> None:
    """Write the drops of the flow PATH, or those that match FILTER, oldest first.

    CSV and Parquet have the columns id, creationDate and one for each element. NDJSON has whole drops. A file
    appears when it is complete.
    """
    chosen = format_of(output, given_format(format, as_json))
    options: dict[str, Any] = {} if limit is None else {"limit": limit}
    with Place(data, profile, account).opened() as api, Progress("exported", "drops") as progress:
        drops = api.drop(flow).iterate(filter, page=_PAGE, order="asc", **options)
        export(_counted(drops, progress), output, chosen, list(elems) or None)


def _counted(drops: Iterable[Any], progress: Progress) -> Iterator[Any]:
    for drop in drops:
        yield drop
        progress.add(1)
