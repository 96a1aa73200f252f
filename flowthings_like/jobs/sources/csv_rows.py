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
        InvalidInput: the first line has no names, two columns have the same name, a quote is not closed, or
            a cell is too large.
    """
    lines = Lines(file)
    reader = _reader(lines, delimiter)
    row = start.row
    try:
        names = _names(reader)
        check_names(names)
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
        raise _not_csv(error, row) from None


def csv_positions(
    file: IO[bytes], rows: int, delimiter: str, is_seekable: bool
) -> Generator[Position, None, None]:
    """The positions of every `rows`-th row from the first one on, and that after the last row."""
    lines = Lines(file)
    reader = _reader(lines, delimiter)
    row = 0
    try:
        _names(reader)
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
        raise _not_csv(error, row) from None


def _names(reader: Iterator[list[str]]) -> list[str]:
    names = next(reader, None)
    if names is None:
        raise InvalidInput("the file is empty; the first line of CSV has the names of the columns")
    if not names:
        raise InvalidInput("the first line is empty; that of CSV has the names of the columns")
    return names


def _not_csv(error: csv.Error, row: int) -> InvalidInput:
    if "field limit" in str(error):
        most = csv.field_size_limit()
        return InvalidInput(
            f"after row {row:,}: a cell of CSV has more than {most:,} characters; is a quote not closed? "
            "csv.field_size_limit sets another limit, and NDJSON has none"
        )
    return InvalidInput(f"this is not CSV, after row {row:,}: {error}")


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
