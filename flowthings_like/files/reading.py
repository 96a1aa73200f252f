"""Opens files of rows, which may be compressed, and reads CSV in chunks."""

from __future__ import annotations

import csv
import gzip
import io
import sys
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from ..errors import InvalidInput
from ..wire.gc_paused import with_gc_paused
from .compression import decompressing

__all__ = ["Chunk", "csv_chunks", "opened_file", "readable"]

T = TypeVar("T")


class Chunk(NamedTuple):
    """Some rows of a file, as columns.

    Attributes:
        columns: by name.
        rows: how many there are.
        unit: what is counted in the file: lines, or rows.
        places: where each row is in the file, counted from 1.
    """

    columns: Mapping[str, Sequence[Any]]
    rows: int
    unit: str
    places: Sequence[int]


def readable(chunks: Iterator[T]) -> Iterator[T]:
    """The same, with errors that say why a file is no text.

    Raises:
        InvalidInput: it is not UTF-8, or a compressed file is damaged.
    """
    try:
        yield from chunks
    except UnicodeDecodeError as error:
        raise InvalidInput(f"the file is not UTF-8: {error}") from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InvalidInput(f"the compressed file is damaged: {error}") from None


@contextmanager
def opened_file(path: Path | None) -> Iterator[Any]:
    """The bytes of a file, for the block; of stdin if the path is None. `*.gz` and `*.zst` are decompressed.

    Raises:
        OSError: the file cannot be read.
        ConfigurationError: the package that decompresses it is not installed.
    """
    if path is None:
        yield sys.stdin.buffer
        return
    with path.open("rb") as file:
        yield decompressing(file, path)


def csv_chunks(file: io.TextIOWrapper, size: int, skip: int) -> Iterator[Chunk]:
    """The rows of a CSV file whose first line has the names, in chunks.

    Args:
        size: most rows of a chunk.
        skip: rows to leave out at the beginning.
    """
    reader = csv.reader(file)
    try:
        names = next(reader, [])
        row = skip
        for _ in islice(filter(None, reader), skip):
            pass
        while True:
            before = reader.line_num
            # It may wait for a pipe, but nothing else runs in this process.
            found: list[list[str]] = with_gc_paused(list, islice(reader, size))
            if not found:
                return
            rows = list(filter(None, found))  # without empty lines
            if reader.line_num - before == len(found) == len(rows):
                unit, first = "line", before + 1
            else:  # a cell has several lines, or a line is empty
                unit, first = "row", row + 1
            row += len(rows)
            places = range(first, first + len(rows))
            if len(set(map(len, rows)) - {len(names)}):
                _refuse_widths(rows, len(names), unit, places)
            if rows:
                columns = dict(zip(names, zip(*rows, strict=True), strict=True))
                yield Chunk(columns, len(rows), unit, places)
    except csv.Error as error:
        raise InvalidInput(f"line {reader.line_num}: {error}") from None


def _refuse_widths(rows: list[list[str]], width: int, unit: str, places: Sequence[int]) -> None:
    for place, row in zip(places, rows, strict=True):
        if len(row) != width:
            raise InvalidInput(f"{unit} {place} has {len(row)} cells, and the first line has {width}")
