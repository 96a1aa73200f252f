"""Reads NDJSON: an object on each line."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from itertools import islice
from typing import IO, Any

import orjson

from ..table import Chunk, Position, Refusal, Table
from .lines import Lines

__all__ = ["ndjson_chunks", "ndjson_positions"]


def ndjson_chunks(
    file: IO[bytes], size: int, start: Position, is_seekable: bool
) -> Generator[Chunk, None, None]:
    """The objects of a file, in chunks. A line that is no object is refused."""
    lines = Lines(file)
    row = start.row
    if is_seekable and start.mark is not None:
        lines.go_to(start.mark)
        left = _rows(lines)
    else:
        left = _rows(lines)
        row = sum(1 for _ in islice(left, start.row))
    while texts := list(islice(left, size)):
        rows: list[dict[str, Any]] = []
        numbers: list[int] = []
        refusals: list[Refusal] = []
        for text in texts:
            row += 1
            try:
                found = orjson.loads(text)
            except orjson.JSONDecodeError as error:
                refusals.append(Refusal(row, f"it is not JSON: {error}", text.rstrip("\n")))
                continue
            if isinstance(found, dict):
                rows.append(found)
                numbers.append(row)
            else:
                refusals.append(Refusal(row, "it is not an object", found))
        end = Position(row, lines.end if is_seekable else None)
        yield Chunk(Table.of_dicts(rows, numbers), refusals, end)


def ndjson_positions(
    file: IO[bytes], rows: int, _delimiter: str, is_seekable: bool
) -> Generator[Position, None, None]:
    """The positions of every `rows`-th row from the first one on, and that after the last row."""
    lines = Lines(file)
    left = _rows(lines)
    row = 0
    while True:
        here = Position(row, lines.end if is_seekable else None)
        count = sum(1 for _ in islice(left, rows))
        if count:
            yield here
        row += count
        if count < rows:
            yield Position(row, lines.end if is_seekable else None)
            return


def _rows(lines: Lines) -> Iterator[str]:
    return (line for line in lines if line.strip())
