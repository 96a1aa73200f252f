"""The command, its arguments and its exit statuses."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

from ...errors import ConfigurationError, FlowThingsError, InvalidInput
from ...wire.tstorage.record import FIELDS
from ..files.formats import Format, add_format_options
from .connecting import add_server_options
from .follow import follow
from .get import get
from .key_ranges import add_range_options, parse_number
from .put import put

__all__ = ["configure", "run"]

PAYLOAD_HELP = (
    "what the payloads are: hex, bytes (written in base64), text, none, or a format of Python's struct "
    "such as '<d' (hex)"
)
BROKEN_PIPE = 141
"""The exit status of a program that SIGPIPE has ended: whoever reads the output has stopped."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    actions = parser.add_subparsers(dest="action", metavar="get|put|follow", required=True)

    getting = actions.add_parser("get", help="write the records of a range", description=get.__doc__)
    getting.set_defaults(do=get)
    _add_common_options(getting)
    add_range_options(getting)
    add_format_options(getting)
    getting.add_argument(
        "--output", "-o", type=Path, metavar="FILE", help="the file to write, *.gz is compressed (stdout)"
    )

    putting = actions.add_parser("put", help="store the records of a file", description=put.__doc__)
    putting.set_defaults(do=put)
    _add_common_options(putting)
    add_format_options(putting)
    add = putting.add_argument
    add("file", type=Path, nargs="?", metavar="FILE", help="the file to read, *.gz is compressed (stdin)")
    for field in ("cid", "mid", "moid"):
        add(
            f"--{field}", type=_number_of(field), metavar="N", help=f"the {field}, if there is no such column"
        )
    add("--acq", action="store_true", help="store the column acq, too; the server assigns it unless given")
    add("--skip-invalid", action="store_true", help="leave out records that cannot be stored")
    add("--chunk", type=_count, default=100_000, metavar="N", help="most records of one put (100000)")
    add("--skip", type=_count_or_none, default=0, metavar="N", help="leave out the first N records (0)")

    following = actions.add_parser(
        "follow", help="write records as they are stored", description=follow.__doc__
    )
    following.set_defaults(do=follow)
    _add_common_options(following)
    add_range_options(following)
    add_format_options(following, (Format.CSV, Format.NDJSON))
    add = following.add_argument
    add("--output", "-o", type=Path, metavar="FILE", help="the file to continue (stdout)")
    add("--acq-file", type=Path, metavar="FILE", help="where to keep how far it is; go on from there")
    add("--every", type=_seconds, default=1.0, metavar="S", help="seconds between two looks (1)")
    add("--once", action="store_true", help="write what is there by now, and end")


def run(arguments: argparse.Namespace) -> int:
    """Get, put or follow.

    Returns:
        The exit status: 0 if all of it was done, 1 if not, 2 for wrong usage, 141 if whoever reads the
        output has stopped.
    """
    do: Callable[[argparse.Namespace], None] = arguments.do
    try:
        do(arguments)
    except BrokenPipeError:
        # What is still buffered cannot be written, and must not be tried when the interpreter ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except (ConfigurationError, InvalidInput, FlowThingsError, OSError) as error:
        print(f"flowthings-like: {error}", file=sys.stderr)
        return 1
    return 0


def _add_common_options(parser: argparse.ArgumentParser) -> None:
    add_server_options(parser)
    parser.add_argument("--payload", default="hex", metavar="TYPE", help=PAYLOAD_HELP)


def _number_of(field: str) -> Callable[[str], int]:
    assert field in FIELDS

    def parse(text: str) -> int:
        try:
            return parse_number(field, text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return parse


def _count(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= 10_000_000:
        raise argparse.ArgumentTypeError(f"give a number from 1 to 10,000,000, not {text!r}")
    return int(text)


def _count_or_none(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"give a number of at least 0, not {text!r}")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= 86_400:
        raise argparse.ArgumentTypeError(f"seconds are a number from 0 to 86400, not {text!r}")
    return seconds
