"""FileSource: the rows of a file, or of a pipe."""

from __future__ import annotations

import os
from collections.abc import Generator
from contextlib import closing
from pathlib import Path
from typing import IO, Any

from ...errors import ConfigurationError, InvalidInput
from ...files.formats import Format, compression_of, format_of
from ...files.parquet import open_parquet
from ...files.reading import opened_file, readable
from ..table import Chunk, Position
from .base import Part, Source
from .csv_rows import csv_chunks, csv_positions
from .ndjson_rows import ndjson_chunks, ndjson_positions
from .parquet_rows import parquet_chunks

__all__ = ["FileSource"]


class FileSource(Source):
    """A file of CSV, NDJSON or Parquet. CSV and NDJSON may be compressed with gzip or Zstandard.

    Row 1 of CSV is the one after the line of names. Empty lines are no rows.

    Args:
        path: the file; "-" for stdin.
        format: "csv", "ndjson" or "parquet"; by the file's name unless given, CSV for a pipe.
        delimiter: what is between the cells of CSV.

    Raises:
        InvalidInput: an argument cannot be used.
    """

    def __init__(
        self, path: str | os.PathLike[str], format: str | None = None, *, delimiter: str = ","
    ) -> None:
        self._path = None if str(path) == "-" else Path(path)
        try:
            self._format = format_of(self._path, format)
        except ValueError:
            raise InvalidInput(f"the format is {format!r}; the formats are csv, ndjson, parquet") from None
        if len(delimiter) != 1 or delimiter in '"\r\n\0':
            raise InvalidInput(
                f"the delimiter is {delimiter!r}; give one character, and no quote or end of line"
            )
        self._delimiter = delimiter
        self.is_text = self._format is Format.CSV
        self._is_seekable = self._path is not None and compression_of(self._path) is None
        self._file: Any = None
        self._size = 0
        self._rows = self._row = 0  # of Parquet, which says how many rows it has

    def settings(self) -> dict[str, Any]:
        found: dict[str, Any] = {"format": self._format.value, "delimiter": self._delimiter}
        if self._path is None:
            return {"file": "-", **found}
        about = self._path.stat()
        return {
            "file": str(self._path.resolve()),
            "bytes": about.st_size,
            "modified": about.st_mtime_ns,
            **found,
        }

    def chunks(self, size: int, start: Position) -> Generator[Chunk, None, None]:
        with opened_file(self._path) as file:
            self._watch(file)
            with closing(self._read(file, size, start)) as found:
                for chunk in found:
                    self._row = chunk.end.row
                    yield chunk

    def _read(self, file: IO[bytes], size: int, start: Position) -> Generator[Chunk, None, None]:
        if self._format is Format.PARQUET:
            source = open_parquet(file)
            self._rows = source.metadata.num_rows
            yield from parquet_chunks(source, size, start)
        elif self._format is Format.CSV:
            yield from readable(csv_chunks(file, size, start, self._delimiter, self._is_seekable))
        else:
            yield from readable(ndjson_chunks(file, size, start, self._is_seekable))

    def _watch(self, file: IO[bytes]) -> None:
        """Remember the file on disk, whose position says how much was read."""
        raw = file
        while (inner := getattr(raw, "fileobj", None) or getattr(raw, "compressed", None)) is not None:
            raw = inner
        self._file = raw
        self._size = 0 if self._path is None else self._path.stat().st_size

    def fraction(self) -> float | None:
        if self._rows:
            return self._row / self._rows
        file = self._file
        if not self._size or file is None or file.closed:
            return None
        try:
            return min(1.0, float(file.tell()) / self._size)
        except (OSError, ValueError):
            return None

    def parts(self, rows: int) -> list[Part]:
        """Cut it into parts of so many rows. The file is read once, to find out where they begin.

        Raises:
            ConfigurationError: it is a pipe.
            OSError, InvalidInput: it cannot be read.
        """
        if self._path is None:
            raise ConfigurationError("a pipe cannot be cut into parts; give a file")
        with opened_file(self._path) as file:
            if self._format is Format.PARQUET:
                count = open_parquet(file).metadata.num_rows
                starts = [Position(first) for first in range(0, count, rows)]
            else:
                find = csv_positions if self._format is Format.CSV else ndjson_positions
                *starts, end = readable(find(file, rows, self._delimiter, self._is_seekable))
                count = end.row
        return [Part(start, min(rows, count - start.row)) for start in starts]
