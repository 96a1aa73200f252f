"""The formats of files of rows, and which one a file has."""

from __future__ import annotations

import argparse
import enum
from pathlib import Path

__all__ = ["INSTALL_PYARROW", "Format", "add_format_options", "format_of"]

INSTALL_PYARROW = "pip install pyarrow"


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


def add_format_options(parser: argparse.ArgumentParser, formats: tuple[Format, ...] = tuple(Format)) -> None:
    """Add `--format` and `--json`."""
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--format",
        choices=[format.value for format in formats],
        help="format of the file; by its name unless given, CSV for a pipe",
    )
    which.add_argument(
        "--json",
        action="store_const",
        const=Format.NDJSON.value,
        dest="format",
        help="the same as --format ndjson: an object on each line",
    )


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
