"""The options that say which format a file of rows has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import click

from ...files.formats import Format
from ..command import Choice

__all__ = ["format_options", "given_format"]

F = TypeVar("F", bound=Callable[..., Any])


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
