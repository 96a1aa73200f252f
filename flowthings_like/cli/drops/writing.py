"""Writes drops to a file or a pipe, as CSV, NDJSON or Parquet.

CSV and Parquet begin with the names of all columns. Unless the elements are given, the drops are therefore
kept in a temporary file until the last one is known.
"""

from __future__ import annotations

import csv
import io
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import IO, Any

import orjson

from ...errors import InvalidInput
from ...files.compression import compressing
from ...files.formats import Format
from ...files.parquet import import_parquet
from ...files.writing import replacing
from .columns import Table, cell_text
from .text import to_json

__all__ = ["export"]

_ROWS = 10_000  # rows of a group of Parquet


def export(
    drops: Iterable[Mapping[str, Any]], path: Path | None, format: Format, elems: list[str] | None
) -> None:
    """Write drops. A file appears when it is complete.

    Args:
        path: the file; None for stdout. A suffix `.gz` or `.zst` compresses CSV and NDJSON.
        elems: the elements that get columns; None for all. NDJSON always has the whole drops.

    Raises:
        OSError: the file cannot be written.
        InvalidInput: Parquet would be written to a terminal.
        ConfigurationError: Parquet needs a package that is not installed.
    """
    write = {Format.CSV: _write_csv, Format.NDJSON: _write_ndjson, Format.PARQUET: _write_parquet}[format]
    if format is Format.PARQUET:
        import_parquet()  # before anything is read
    with _output(path, format) as file:
        write(file, drops, elems)


@contextmanager
def _output(path: Path | None, format: Format) -> Iterator[IO[bytes]]:
    if path is None:
        if format is Format.PARQUET and sys.stdout.isatty():
            raise InvalidInput("Parquet is not for a terminal; write --output FILE")
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    with replacing(path) as file:
        if format is Format.PARQUET:
            yield file
        else:
            with compressing(file, path) as compressed:
                yield compressed


def _write_ndjson(file: IO[bytes], drops: Iterable[Mapping[str, Any]], elems: list[str] | None) -> None:
    for drop in drops:
        file.write(to_json(drop).encode() + b"\n")


def _write_csv(file: IO[bytes], drops: Iterable[Mapping[str, Any]], elems: list[str] | None) -> None:
    text = io.TextIOWrapper(file, "utf-8", newline="")
    writer = csv.writer(text, lineterminator="\n")
    try:
        with _known(drops, elems, needs_types=False) as (table, rows):
            writer.writerow(table.names)
            writer.writerows(map(table.texts, rows))
        text.flush()
    finally:
        text.detach()


def _write_parquet(file: IO[bytes], drops: Iterable[Mapping[str, Any]], elems: list[str] | None) -> None:
    pa, parquet = import_parquet()
    types = {int: pa.int64(), float: pa.float64(), bool: pa.bool_(), str: pa.string()}
    with _known(drops, elems, needs_types=True) as (table, rows):
        kinds = [table.kind(column) for column in range(len(table.names) - 2)]
        columns = [pa.string(), pa.timestamp("ms", tz="UTC"), *(types[kind] for kind in kinds)]
        schema = pa.schema(list(zip(table.names, columns, strict=True)))
        casts: list[Callable[[Any], Any]] = [_same, _same, *(_cast(kind) for kind in kinds)]
        with parquet.ParquetWriter(file, schema) as writer:
            source = map(table.row, rows)
            while group := list(islice(source, _ROWS)):
                arrays = [
                    pa.array([cast(value) for value in column], type)
                    for cast, type, column in zip(casts, columns, zip(*group, strict=True), strict=True)
                ]
                writer.write_table(pa.Table.from_arrays(arrays, schema=schema))


def _same(value: Any) -> Any:
    return value


def _cast(kind: type) -> Callable[[Any], Any]:
    if kind is float:
        return lambda value: None if value is None else float(value)
    if kind is str:
        return lambda value: None if value is None else cell_text(value)
    return _same


@contextmanager
def _known(
    drops: Iterable[Mapping[str, Any]], elems: list[str] | None, *, needs_types: bool
) -> Iterator[tuple[Table, Iterable[Mapping[str, Any]]]]:
    """A table that knows the columns of all drops, and the drops, for the block."""
    table = Table(elems)
    if elems is not None and not needs_types:
        yield table, drops
        return
    with tempfile.TemporaryFile() as spool:
        for drop in drops:
            table.add(drop)
            spool.write(orjson.dumps(drop) + b"\n")
        spool.seek(0)
        yield table, map(orjson.loads, spool)
