"""Reads drops from a file or a pipe: CSV, NDJSON or Parquet, a chunk at a time."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timezone
from itertools import islice
from pathlib import Path
from typing import IO, Any, NamedTuple

import orjson

from ...errors import InvalidInput
from ...files.formats import Format
from ...files.parquet import open_parquet
from ...files.reading import csv_chunks, opened_file, readable
from .columns import ID, PREFIX, TIME

__all__ = ["Row", "cell_value", "opened_rows"]

_WRITABLE = ("elems", TIME, "location", "fhash")
"""The members of a drop that can be created. The platform assigns the others."""


class Row(NamedTuple):
    """A row of a file.

    Attributes:
        place: where it is, such as "line 7".
        drop: what to create.
    """

    place: str
    drop: dict[str, Any]


@contextmanager
def opened_rows(path: Path | None, format: Format, *, size: int, skip: int) -> Iterator[Iterator[list[Row]]]:
    """The rows of a file, in chunks, for the block.

    An object with `elems` is a drop. In other rows each column is an element, but `creationDate` is the
    drop's, and `id` does not count. In CSV a cell is what it is as JSON, or else a text, and an empty cell is
    no element.

    Args:
        path: the file; None for stdin. A suffix `.gz` or `.zst` says that it is compressed.
        size: most rows of a chunk.
        skip: rows to leave out at the beginning.

    Raises:
        OSError: the file cannot be read.
        InvalidInput: it is not of this format.
        ConfigurationError: Parquet needs a package that is not installed.
    """
    with opened_file(path) as file:
        if format is Format.PARQUET:
            rows = _parquet(file, size)
        elif format is Format.CSV:
            rows = readable(_csv(file))
        else:
            rows = readable(_ndjson(file))
        left = islice(rows, skip, None)
        yield iter(lambda: list(islice(left, size)), [])


def cell_value(text: str) -> Any:
    """What a cell of CSV says: a value of JSON, a text, or None if it is empty."""
    if not text:
        return None
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return text


def _csv(file: IO[bytes]) -> Iterator[Row]:
    text = io.TextIOWrapper(file, "utf-8-sig", newline="")
    for chunk in csv_chunks(text, 1000, 0):
        for place, cells in zip(chunk.places, zip(*chunk.columns.values(), strict=True), strict=True):
            where = f"{chunk.unit} {place}"
            yield Row(where, _model(where, dict(zip(chunk.columns, map(cell_value, cells), strict=True))))


def _ndjson(file: IO[bytes]) -> Iterator[Row]:
    for number, line in enumerate(io.TextIOWrapper(file, "utf-8-sig"), 1):
        if not line.strip():
            continue
        where = f"line {number}"
        try:
            found = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise InvalidInput(f"{where} is not JSON: {error}") from None
        if not isinstance(found, dict):
            raise InvalidInput(f"{where} is not an object")
        yield Row(where, _model(where, found))


def _parquet(file: IO[bytes], size: int) -> Iterator[Row]:
    source = open_parquet(file)
    number = 0
    for batch in source.iter_batches(batch_size=size):
        for row in batch.to_pylist():
            number += 1
            yield Row(f"row {number}", _model(f"row {number}", row))


def _model(where: str, row: Mapping[str, Any]) -> dict[str, Any]:
    if isinstance(row.get("elems"), dict):
        return {name: row[name] for name in _WRITABLE if row.get(name) is not None}
    elems = {
        name.removeprefix(PREFIX): _plain(value)
        for name, value in row.items()
        if name not in (ID, TIME) and value is not None
    }
    model: dict[str, Any] = {"elems": elems}
    if row.get(TIME) is not None:
        model[TIME] = _milliseconds(where, row[TIME])
    return model


def _plain(value: Any) -> Any:
    return _instant(value) if isinstance(value, datetime) else value


def _milliseconds(where: str, value: Any) -> int:
    """A creation date, which is a number of milliseconds or ISO 8601; without a time zone it is UTC."""
    if isinstance(value, datetime):
        return _instant(value)
    if isinstance(value, str):
        try:
            return _instant(datetime.fromisoformat(value.replace("Z", "+00:00")))
        except ValueError:
            pass
    elif isinstance(value, int) and not isinstance(value, bool):
        return value
    raise InvalidInput(
        f"{where}: {TIME} is a time such as 2013-01-31T12:00:00Z or milliseconds since 1970, not {value!r}"
    )


def _instant(moment: datetime) -> int:
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=timezone.utc)
    since = moment - datetime(1970, 1, 1, tzinfo=timezone.utc)
    return since.days * 86_400_000 + since.seconds * 1000 + since.microseconds // 1000
