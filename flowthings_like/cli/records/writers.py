"""Writes records to a file or a pipe, as CSV, NDJSON or Parquet."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol, TextIO

import orjson

from ...errors import InvalidInput
from ...files.compression import compressing
from ...files.formats import Format
from ...files.parquet import import_parquet
from ...files.writing import replacing, stdout
from ...services.records.record_batch import RecordBatch
from ...wire.tstorage.record import FIELDS, Record

if TYPE_CHECKING:
    from .payloads import PayloadText

__all__ = ["Writer", "make_text_writer", "open_writer"]


class Writer(Protocol):
    """Writes records in one format."""

    def write(self, records: Iterable[Record[Any]]) -> None:
        """Write records, and hand them to the operating system."""

    def close(self) -> None:
        """Write what the format has after the last record. The file stays open."""


class _CsvWriter:
    """A line of names, then a line for each record. Nothing is written before the first record or the end.

    Args:
        is_continued: whether the file has a line of names already.
    """

    def __init__(self, file: TextIO, payload: PayloadText, is_continued: bool) -> None:
        self._file = file
        self._cells = payload.cells
        self._writer = csv.writer(file, lineterminator="\n")
        self._names = None if is_continued else (*FIELDS, *payload.columns)

    def write(self, records: Iterable[Record[Any]]) -> None:
        self._write_names()
        cells = self._cells
        self._writer.writerows((*key, *cells(value)) for key, value in records)
        self._file.flush()

    def close(self) -> None:
        self._write_names()
        self._file.flush()

    def _write_names(self) -> None:
        if self._names is not None:
            self._writer.writerow(self._names)
            self._names = None


class _NdjsonWriter:
    """An object on each line."""

    def __init__(self, file: TextIO, payload: PayloadText) -> None:
        self._file = file
        self._cells = payload.cells
        self._names = (*FIELDS, *payload.columns)

    def write(self, records: Iterable[Record[Any]]) -> None:
        cells, names = self._cells, self._names
        for key, value in records:
            line = dict(zip(names, (*key, *cells(value)), strict=True))
            self._file.write(orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE).decode())
        self._file.flush()

    def close(self) -> None:
        self._file.flush()


class _ParquetWriter:
    """Columns. Bytes and text are binary columns."""

    def __init__(self, file: IO[bytes], payload: PayloadText) -> None:
        pa, parquet = import_parquet()
        self._pa = pa
        self._payload = payload
        integers = {field: pa.int32() if field in ("cid", "moid") else pa.int64() for field in FIELDS}
        types = {int: pa.int64(), float: pa.float64(), bool: pa.bool_(), bytes: pa.binary()}
        members = {
            name: pa.uint64() if payload.is_unsigned(number) else types[payload.members[number]]
            for number, name in enumerate(payload.columns)
        }
        self._schema = pa.schema(list({**integers, **members}.items()))
        self._writer = parquet.ParquetWriter(file, self._schema)

    def write(self, records: Iterable[Record[Any]]) -> None:
        if isinstance(records, RecordBatch):
            self._writer.write_table(records.to_arrow().cast(self._schema))
            return
        rows = [(*key, *self._payload.row(value)) for key, value in records]
        if not rows:
            return
        columns = [
            self._pa.array(column, field.type)
            for column, field in zip(zip(*rows, strict=True), self._schema, strict=True)
        ]
        self._writer.write_table(self._pa.Table.from_arrays(columns, schema=self._schema))

    def close(self) -> None:
        self._writer.close()


@contextmanager
def open_writer(path: Path | None, format: Format, payload: PayloadText) -> Iterator[Writer]:
    """A writer for the block. A file appears, complete, when the block has ended without an exception.

    Args:
        path: the file; None for stdout. A suffix `.gz` or `.zst` compresses it.

    Raises:
        OSError: the file cannot be written.
        ConfigurationError: Parquet needs a package that is not installed.
    """
    if path is None:
        yield from _write_to_stdout(format, payload)
        return
    with replacing(path) as file:
        if format is Format.PARQUET:
            writer: Writer = _ParquetWriter(file, payload)
            yield writer
            writer.close()
            return
        with compressing(file, path) as binary:
            text = io.TextIOWrapper(binary, "utf-8", newline="")
            writer = make_text_writer(text, format, payload)
            yield writer
            writer.close()
            text.detach()


def _write_to_stdout(format: Format, payload: PayloadText) -> Iterator[Writer]:
    if format is Format.PARQUET:
        if sys.stdout.isatty():
            raise InvalidInput("Parquet is not for a terminal; write --output FILE")
        writer: Writer = _ParquetWriter(sys.stdout.buffer, payload)
    else:
        writer = make_text_writer(stdout(), format, payload)
    yield writer
    writer.close()
    sys.stdout.buffer.flush()


def make_text_writer(
    file: TextIO, format: Format, payload: PayloadText, is_continued: bool = False
) -> Writer:
    """A writer of CSV or NDJSON.

    Args:
        is_continued: whether the file has records already, so that CSV needs no line of names.
    """
    if format is Format.NDJSON:
        return _NdjsonWriter(file, payload)
    return _CsvWriter(file, payload, is_continued)
