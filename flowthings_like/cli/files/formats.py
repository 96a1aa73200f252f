"""The formats of files of rows, and which one a file has."""

from __future__ import annotations

import enum
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from ..command import Choice

__all__ = ["Format", "format_of", "format_options", "given_format"]

F = TypeVar("F", bound=Callable[..., Any])


class Format(enum.Enum):
    """A format of files of rows.

    CSV has a line of names, then a line for each row. NDJSON has an object on each line.
    """

    CSV = "csv"
    NDJSON = "ndjson"
    PARQUET = "parquet"


_BY_SUFFIX = {
    ".csv": Format.CSV,
    ".ndjson": Format.NDJSON,
    ".jsonl": Format.NDJSON,
    ".parquet": Format.PARQUET,
}


def format_options(formats: tuple[Format, ...] = tuple(Format)) -> Callable[[F], F]:
    """A decorator that adds `--format` and `--json`, which the function gets as `format` and `as_json`."""
    given = click.option(
        "--format",
        type=Choice([format.value for format in formats]),
        help="format of the file; by its name unless given, CSV for a pipe",
    )
    as_json = click.option(
        "--json", "as_json", is_flag=True, help="the same as --format ndjson: an object on each line"
    )
    return lambda function: given(as_json(function))


def given_format(format: str | None, as_json: bool) -> str | None:
    """What `--format` and `--json` say together. With both it is wrong usage."""
    if as_json and format is not None:
        raise click.UsageError("give --json or --format, not both")
    return Format.NDJSON.value if as_json else format


def format_of(path: Path | None, given: str | None) -> Format:
    """The format of a file: what was given, else what its name says, else CSV.

    Args:
        path: the file; None for a pipe. A last suffix `.gz` does not count.
        given: the value of `--format`.
    """
    if given is not None:
        return Format(given)
    if path is None:
        return Format.CSV
    name = path.with_suffix("") if path.suffix == ".gz" else path
    return _BY_SUFFIX.get(name.suffix, Format.CSV)
