"""Reads CSV: a line of names, then a row for each line, whose cells may have several lines."""

from __future__ import annotations

import csv
from collections.abc import Generator, Iterator
from itertools import islice
from typing import IO, Any

from ...errors import InvalidInput
from ...wire.gc_paused import with_gc_paused
from ..table import Chunk, Position, Refusal, Table, check_names
from .lines import Lines

__all__ = ["csv_chunks", "csv_positions"]


def csv_chunks(
    file: IO[bytes], size: int, start: Position, delimiter: str, is_seekable: bool
) -> Generator[Chunk, None, None]:
    """The rows of a file, in chunks. A row with too many or too few cells is refused.

    Raises:
        InvalidInput: the file is empty, two columns have the same name, or a quote is not closed.
    """
    lines = Lines(file)
    reader = _reader(lines, delimiter)
    try:
        names = next(reader, None)
        if not names:
            raise InvalidInput("the file is empty; the first line of CSV has the names of the columns")
        check_names(names)
        row = start.row
        if is_seekable and start.mark is not None:
            lines.go_to(start.mark)
            reader = _reader(lines, delimiter)
        else:
            row = sum(1 for _ in islice(filter(None, reader), start.row))
        while True:
            # It may wait for a pipe, but nothing else runs in this thread.
            found: list[list[str]] = with_gc_paused(list, islice(filter(None, reader), size))
            if not found:
                return
            numbers: Any = range(row + 1, row + 1 + len(found))
            row += len(found)
            end = Position(row, lines.end if is_seekable else None)
            refusals: list[Refusal] = []
            if set(map(len, found)) - {len(names)}:
                found, numbers = _without_misfits(found, numbers, len(names), refusals)
            cells = map(list, zip(*found, strict=True)) if found else ([] for _ in names)
            yield Chunk(Table(dict(zip(names, cells, strict=True)), numbers), refusals, end)
    except csv.Error as error:
        raise InvalidInput(f"this is not CSV, after row {row:,}: {error}") from None


def csv_positions(
    file: IO[bytes], rows: int, delimiter: str, is_seekable: bool
) -> Generator[Position, None, None]:
    """The positions of every `rows`-th row from the first one on, and that after the last row."""
    lines = Lines(file)
    reader = _reader(lines, delimiter)
    row = 0
    try:
        if next(reader, None) is None:
            raise InvalidInput("the file is empty; the first line of CSV has the names of the columns")
        left: Iterator[Any] = filter(None, reader)
        while True:
            here = Position(row, lines.end if is_seekable else None)
            count = sum(1 for _ in islice(left, rows))
            if count:
                yield here
            row += count
            if count < rows:
                yield Position(row, lines.end if is_seekable else None)
                return
    except csv.Error as error:
        raise InvalidInput(f"this is not CSV, after row {row:,}: {error}") from None


def _reader(lines: Lines, delimiter: str) -> Iterator[list[str]]:
    return csv.reader(iter(lines), delimiter=delimiter, strict=True)


def _without_misfits(
    found: list[list[str]], numbers: range, width: int, refusals: list[Refusal]
) -> tuple[list[list[str]], list[int]]:
    fitting, their_numbers = [], []
    for number, row in zip(numbers, found, strict=True):
        if len(row) == width:
            fitting.append(row)
            their_numbers.append(number)
        else:
            reason = f"it has {len(row)} cells, and the line of names has {width}"
            refusals.append(Refusal(number, reason, row))
    return fitting, their_numbers
