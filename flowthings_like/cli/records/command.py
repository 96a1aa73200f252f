"""The commands, their arguments and their exit statuses."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import click

from ...files.formats import Format
from ..command import Group, Parsed, at_most_one, parse_seconds
from ..data_command import DataCommand
from ..files.formats import format_options, given_format
from .arguments import FollowArguments, GetArguments, PutArguments
from .connecting import server_options
from .follow import follow
from .get import get
from .key_ranges import parse_number, range_options
from .put import put

__all__ = ["cli_command"]

F = TypeVar("F", bound=Callable[..., Any])

PAYLOAD_HELP = (
    "what the payloads are: hex, bytes (written in base64), text, none, or a format of Python's struct "
    "such as '<d' (hex)"
)
_CONSTANT = "this field of all keys, if there is no such column"
_FILE = click.Path(path_type=Path)


def _count(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= 10_000_000:
        raise ValueError(f"give a number from 1 to 10,000,000, not {text!r}")
    return int(text)


def _count_or_none(text: str) -> int:
    if not text.isdecimal():
        raise ValueError(f"give a number of at least 0, not {text!r}")
    return int(text)


def _common_options(function: F) -> F:
    payload = click.option("--payload", default="hex", metavar="TYPE", help=PAYLOAD_HELP)
    return server_options(payload(function))


@click.group("records", cls=Group, subcommand_metavar="get|put|follow [OPTIONS]")
def cli_command() -> None:
    """Get, put and follow binary records, as CSV, NDJSON or Parquet."""


@cli_command.command("get", cls=DataCommand, help=get.__doc__, short_help="write the records of a range")
@_common_options
@range_options
@format_options()
@click.option(
    "--output",
    "-o",
    type=_FILE,
    metavar="FILE",
    help="the file to write, *.gz is compressed (stdout)",
)
def _get(as_json: bool, **options: Any) -> None:
    options["format"] = given_format(options["format"], as_json)
    get(GetArguments(**_one_place(options)))


@cli_command.command("put", cls=DataCommand, help=put.__doc__, short_help="store the records of a file")
@_common_options
@format_options()
@click.argument("file", type=_FILE, metavar="[FILE]", required=False)
@click.option("--cid", type=Parsed(partial(parse_number, "cid")), metavar="N", help=_CONSTANT)
@click.option("--mid", type=Parsed(partial(parse_number, "mid")), metavar="N", help=_CONSTANT)
@click.option("--moid", type=Parsed(partial(parse_number, "moid")), metavar="N", help=_CONSTANT)
@click.option("--acq", is_flag=True, help="store the column acq, too; the server assigns it unless given")
@click.option("--skip-invalid", is_flag=True, help="leave out records that cannot be stored")
@click.option(
    "--chunk", type=Parsed(_count), default=100_000, metavar="N", help="most records of one put (100000)"
)
@click.option(
    "--skip", type=Parsed(_count_or_none), default=0, metavar="N", help="leave out the first N records (0)"
)
def _put(as_json: bool, **options: Any) -> None:
    options["format"] = given_format(options["format"], as_json)
    put(PutArguments(**_one_place(options)))


@cli_command.command(
    "follow", cls=DataCommand, help=follow.__doc__, short_help="write records as they are stored"
)
@_common_options
@range_options
@format_options((Format.CSV, Format.NDJSON))
@click.option("--output", "-o", type=_FILE, metavar="FILE", help="the file to continue (stdout)")
@click.option("--acq-file", type=_FILE, metavar="FILE", help="where to keep how far it is; go on from there")
@click.option(
    "--every", type=Parsed(parse_seconds), default=1.0, metavar="S", help="seconds between two looks (1)"
)
@click.option("--once", is_flag=True, help="write what is there by now, and end")
def _follow(as_json: bool, **options: Any) -> None:
    options["format"] = given_format(options["format"], as_json)
    follow(FollowArguments(**_one_place(options)))


def _one_place(options: dict[str, Any]) -> dict[str, Any]:
    at_most_one(data=options["data"], server=options["server"], profile=options["profile"])
    return options
