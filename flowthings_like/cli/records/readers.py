"""Reads records from a file or a pipe: CSV, NDJSON or Parquet, a chunk at a time."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import islice
from operator import index
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import orjson

from ...errors import InvalidInput
from ...files.formats import Format
from ...files.parquet import import_parquet, open_parquet
from ...files.reading import Chunk, csv_chunks, opened_file, readable
from ...services.records.timestamp import EPOCH_NS
from ...wire.gc_paused import with_gc_paused
from ...wire.tstorage.record import FIELDS, Key, Record
from .key_ranges import parse_number

if TYPE_CHECKING:
    from .payloads import PayloadText

__all__ = ["RecordsFile", "open_records"]

_new_key = partial(tuple.__new__, Key)
_new_record = partial(tuple.__new__, Record)


class RecordsFile:
    """The records of a file.

    Args:
        chunks: the file's rows.
        payload: what the columns of the payload mean.
        constants: numbers for fields of the key that the file has no column for.
        with_acq: whether the column `acq` counts. If not, acq is 0.
    """

    def __init__(
        self,
        chunks: Iterator[Chunk],
        payload: PayloadText,
        constants: Mapping[str, int],
        with_acq: bool,
    ) -> None:
        self._chunks = chunks
        self._payload = payload
        self._constants = dict(constants) if with_acq else {**constants, "acq": 0}
        self._fields = [field for field in FIELDS if field != "acq" or with_acq]

    def __iter__(self) -> Iterator[list[Record[Any]]]:
        """The records of each chunk.

        Raises:
            InvalidInput: a column is missing, or a row has what is no number or no payload.
        """
        for chunk in self._chunks:
            yield with_gc_paused(self._records, chunk)  # none of the new objects is garbage

    def _records(self, chunk: Chunk) -> list[Record[Any]]:
        keys = map(_new_key, zip(*(self._numbers(chunk, field) for field in FIELDS), strict=True))
        return list(map(_new_record, zip(keys, self._values(chunk), strict=True)))

    def _numbers(self, chunk: Chunk, field: str) -> Sequence[int]:
        column = chunk.columns.get(field) if field in self._fields else None
        if column is None:
            if field not in self._constants:
                raise InvalidInput(f"there is no column {field}; the columns are {', '.join(chunk.columns)}")
            return [self._constants[field]] * chunk.rows
        try:
            return list(map(int if isinstance(column[0], str) else index, column))  # most files have no more
        except (TypeError, ValueError):
            return self._each(chunk, column, lambda cell: _to_number(field, cell))

    def _values(self, chunk: Chunk) -> Sequence[Any]:
        names = self._payload.columns
        missing = [name for name in names if name not in chunk.columns]
        if missing:
            raise InvalidInput(
                f"there is no column {missing[0]}; the columns are {', '.join(chunk.columns)}, "
                f"and the payload needs {', '.join(names)}"
            )
        if not names:
            return [()] * chunk.rows
        columns = [chunk.columns[name] for name in names]
        try:
            return self._payload.values(columns)
        except (TypeError, ValueError):
            rows = zip(*columns, strict=True)  # again, to find the place
            found = self._each(chunk, rows, lambda row: self._payload.values([[cell] for cell in row]))
            return [value for (value,) in found]

    def _each(self, chunk: Chunk, cells: Iterable[Any], convert: Callable[[Any], Any]) -> list[Any]:
        found = []
        for number, cell in enumerate(cells):
            try:
                found.append(convert(cell))
            except (TypeError, ValueError) as error:
                raise InvalidInput(f"{chunk.unit} {chunk.places[number]}: {error}") from None
        return found


def _to_number(field: str, cell: Any) -> int:
    return parse_number(field, cell) if isinstance(cell, str) else index(cell)


@contextmanager
def open_records(
    path: Path | None,
    format: Format,
    payload: PayloadText,
    constants: Mapping[str, int],
    *,
    with_acq: bool,
    size: int,
    skip: int = 0,
) -> Iterator[RecordsFile]:
    """The records of a file, for the block.

    Args:
        path: the file; None for stdin. A suffix `.gz` or `.zst` says that it is compressed.
        size: most records of a chunk.
        skip: rows to leave out at the beginning.

    Raises:
        OSError: the file cannot be read.
        InvalidInput: it is not UTF-8, or the end of a compressed file is missing.
        ConfigurationError: Parquet needs a package that is not installed.
    """
    with opened_file(path) as file:
        if format is Format.PARQUET:
            chunks = _parquet(file, size, skip)
        else:
            text = io.TextIOWrapper(file, "utf-8-sig", newline="")
            chunks = readable((csv_chunks if format is Format.CSV else _ndjson)(text, size, skip))
        yield RecordsFile(chunks, payload, constants, with_acq)


def _ndjson(file: io.TextIOWrapper, size: int, skip: int) -> Iterator[Chunk]:
    numbered = ((number, line) for number, line in enumerate(file, 1) if line.strip())
    next(islice(numbered, skip, skip), None)
    while chunk := list(islice(numbered, size)):
        objects: list[dict[str, Any]] = []
        for number, line in chunk:
            try:
                found = orjson.loads(line)
            except orjson.JSONDecodeError as error:
                raise InvalidInput(f"line {number} is not JSON: {error}") from None
            if not isinstance(found, dict) or (objects and found.keys() != objects[0].keys()):
                wanted = f" with {', '.join(objects[0])}" if objects else ""
                raise InvalidInput(f"line {number} is not an object{wanted}")
            objects.append(found)
        columns = {name: [each[name] for each in objects] for name in objects[0]}
        yield Chunk(columns, len(chunk), "line", [number for number, _ in chunk])


def _parquet(file: IO[bytes], size: int, skip: int) -> Iterator[Chunk]:
    pa, _ = import_parquet()
    source = open_parquet(file)
    row = 0
    for batch in source.iter_batches(batch_size=size):
        left_out = min(max(skip - row, 0), batch.num_rows)
        first = row + left_out
        row += batch.num_rows
        batch = batch.slice(left_out)
        if not batch.num_rows:
            continue
        columns = {
            name: _plain(pa, column) for name, column in zip(batch.schema.names, batch.columns, strict=False)
        }
        yield Chunk(columns, batch.num_rows, "row", range(first + 1, row + 1))


def _plain(pa: Any, column: Any) -> Sequence[Any]:
    """A column as Python values; times as nanoseconds since 2001."""
    if pa.types.is_timestamp(column.type):
        stamps = column.cast(pa.timestamp("ns", tz=column.type.tz)).cast(pa.int64()).to_pylist()
        return [stamp if stamp is None else stamp - EPOCH_NS for stamp in stamps]
    found: Sequence[Any] = column.to_pylist()
    return found
