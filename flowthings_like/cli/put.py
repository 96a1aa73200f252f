"""`flowthings-like put`: creates drops in a flow."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import ConnectionFailed, DeadlineExceeded, FlowThingsError
from ..files.formats import Format, format_of
from ..filters.build import mem
from .command import Choice
from .data_command import DataCommand
from .drops.reading import cell_value, opened_rows
from .drops.text import print_line, to_json
from .files.stopped import stopped
from .flow_argument import flow_argument
from .place import Place, json_option, place_options
from .progress import Progress

if TYPE_CHECKING:
    from ..api import API

__all__ = ["cli_command"]


@click.command("put", cls=DataCommand)
@flow_argument
@click.argument("elems", metavar="[NAME=VALUE]...", nargs=-1)
@click.option(
    "--input",
    "-i",
    "file",
    type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
    metavar="FILE",
    help="a file with many drops, *.gz is compressed; - for stdin",
)
@click.option(
    "--format",
    type=Choice([format.value for format in Format]),
    help="format of the file; by its name unless given, CSV for a pipe",
)
@click.option("--create", is_flag=True, help="create the flow if there is none")
@click.option(
    "--capacity", type=click.IntRange(min=0), metavar="N", help="how many drops the created flow keeps (1000)"
)
@click.option(
    "--chunk", type=click.IntRange(1, 10_000), default=1000, metavar="N", help="drops of one request (1000)"
)
@click.option(
    "--skip", type=click.IntRange(min=0), default=0, metavar="N", help="leave out the first N drops (0)"
)
@json_option
@place_options
def cli_command(
    flow: str,
    elems: tuple[str, ...],
    file: Path | None,
    format: str | None,
    create: bool,
    capacity: int | None,
    chunk: int,
    skip: int,
    as_json: bool,
    data: Path | None,
    profile: str | None,
    account: str,
) -> None:
    """Create a drop with these elements in the flow PATH, or the drops of a file.

    A VALUE is JSON, or else a text. The rows of a file are drops: each column is an element, but the column
    creationDate is that of the drop, and id does not count. An NDJSON object with elems is a whole drop, as
    export writes it. The drops of a file are stored in requests of --chunk drops, each one whole or not at
    all. If one fails, the message says how many are stored, for --skip.
    """
    if bool(elems) == (file is not None):
        raise click.UsageError("give NAME=VALUE or --input FILE")
    if capacity is not None and not create:
        raise click.UsageError("--capacity needs --create")
    model = {"elems": dict(map(_elem, elems))}
    with Place(data, profile, account).opened() as api:
        if create:
            _create_flow(api, flow, capacity)
        if file is None:
            drop = api.drop(flow).create(model)
            print_line(to_json(drop) if as_json else str(drop["id"]))
            return
        path = None if str(file) == "-" else file
        count = _load(api, flow, path, format_of(path, format), chunk, skip)
        print_line(to_json({"stored": count}) if as_json else f"drops put: {count:,}")


def _elem(text: str) -> tuple[str, Any]:
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise click.BadParameter(f"an element is NAME=VALUE, not {text!r}")
    return name, cell_value(value) if value else ""


def _create_flow(api: API, path: str, capacity: int | None) -> None:
    if not path.startswith("/"):
        raise click.UsageError("--create needs a path, such as /acme/weather")
    if not api.flow.find_many(mem.path == path, limit=1):
        api.flow.create({"path": path, **({} if capacity is None else {"capacity": capacity})})


def _load(api: API, flow: str, path: Path | None, format: Format, size: int, skip: int) -> int:
    """Store the drops of a file. Returns how many were stored."""
    drops = api.drop(flow)
    done, sent = skip, 0
    with opened_rows(path, format, size=size, skip=skip) as chunks, Progress("put", "drops") as progress:
        try:
            for rows in chunks:
                sent = len(rows)
                drops.create_many([row.drop for row in rows])
                done += sent
                progress.add(sent)
                sent = 0
        except (FlowThingsError, OSError) as error:
            is_unknown = isinstance(error, (ConnectionFailed, DeadlineExceeded))
            cause = FlowThingsError(f"{rows[0].place} to {rows[-1].place}: {error}") if sent else error
            raise FlowThingsError(stopped(cause, done, sent if is_unknown else 0, "drops")) from error
    return progress.count
