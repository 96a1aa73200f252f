"""The formats of files of rows, and which one a file has."""

from __future__ import annotations

import enum
from pathlib import Path

__all__ = ["COMPRESSED", "Format", "compression_of", "format_of"]

COMPRESSED = (".gz", ".zst")
"""Suffixes of files that are decompressed while they are read."""


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
    ".json": Format.NDJSON,
    ".parquet": Format.PARQUET,
}


def format_of(path: Path | None, given: str | None) -> Format:
    """The format of a file: what was given, else what its name says, else CSV.

    Args:
        path: the file; None for a pipe. A last suffix `.gz` or `.zst` does not count.
        given: the name of a format.
    """
    if given is not None:
        return Format(given)
    if path is None:
        return Format.CSV
    name = path.with_suffix("") if compression_of(path) else path
    return _BY_SUFFIX.get(name.suffix.lower(), Format.CSV)


def compression_of(path: Path) -> str | None:
    """How a file is compressed, by its name: ".gz", ".zst"; None if it is not."""
    suffix = path.suffix.lower()
    return suffix if suffix in COMPRESSED else None
