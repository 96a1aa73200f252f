"""Ranges of keys on the command line: `--cid 7 --cap 2013-01-01..2013-02-01`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ...errors import FlowThingsError
from ...services.records.timestamp import from_unix_ns
from ...services.streams.times import to_nanoseconds
from ...wire.tstorage.record import FIELDS, Key
from ..command import Parsed

if TYPE_CHECKING:
    from .arguments import RangeArguments

__all__ = ["key_range", "parse_number", "range_options"]

F = TypeVar("F", bound=Callable[..., Any])

_TIMES = ("cap", "acq")
_NOUNS = {
    "cid": "clients",
    "mid": "meters",
    "moid": "quantities",
    "cap": "times of measurement",
    "acq": "times of storage",
}


def range_options(function: F) -> F:
    """Add an option for each field of a key."""
    for field in reversed(FIELDS):
        noun = _NOUNS[field]
        form = "ISO 8601, or nanoseconds since 2001" if field in _TIMES else "numbers"
        option = click.option(
            f"--{field}",
            type=Parsed(partial(_parse_bounds, field)),
            metavar="N|FROM..TO",
            help=f"which {noun}: {form}; TO is not included, and either may be left out (all)",
        )
        function = option(function)
    return function


def key_range(arguments: RangeArguments) -> tuple[Key, Key]:
    """The lower and the upper key of the range that the options have."""
    bounds = [getattr(arguments, field) or FIELDS[field] for field in FIELDS]
    return Key(*(low for low, _ in bounds)), Key(*(high for _, high in bounds))


def parse_number(field: str, text: str) -> int:
    """The number of a key's field: an integer, or for a time ISO 8601, too. Without a time zone it is UTC.

    Raises:
        ValueError: it is no number, or out of the range of the field.
    """
    lowest, highest = FIELDS[field]
    try:
        number = int(text)
    except ValueError:
        number = _parse_time(field, text)
    if not lowest <= number <= highest:
        raise ValueError(f"{field} is a number from {lowest} to {highest}, not {text}")
    return number


def _parse_time(field: str, text: str) -> int:
    if field not in _TIMES:
        raise ValueError(f"{field} is a whole number, not {text!r}")
    try:
        return from_unix_ns(to_nanoseconds(text, field))
    except (FlowThingsError, ValueError):
        message = f"{field} is a time such as 2013-01-31T12:00:00Z or nanoseconds since 2001, not {text!r}"
        raise ValueError(message) from None


def _parse_bounds(field: str, text: str) -> tuple[int, int]:
    lowest, highest = FIELDS[field]
    first, dots, last = text.partition("..")
    if not dots:
        only = parse_number(field, text)
        return only, min(only + 1, highest)
    low = parse_number(field, first) if first else lowest
    high = parse_number(field, last) if last else highest
    if low >= high:
        raise ValueError(f"the range {text} of {field} is empty")
    return low, high
