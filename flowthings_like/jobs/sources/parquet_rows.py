"""Reads Parquet. Its columns stay arrays of Arrow."""

from __future__ import annotations

from collections.abc import Generator
from typing import IO, Any

from ...errors import InvalidInput
from ...files.parquet import import_parquet, open_parquet
from ..table import Chunk, Position, Table, check_names

__all__ = ["parquet_chunks", "parquet_rows"]


def parquet_rows(file: IO[bytes]) -> int:
    """How many rows a file has."""
    return int(open_parquet(file).metadata.num_rows)


def parquet_chunks(file: IO[bytes], size: int, start: Position) -> Generator[Chunk, None, None]:
    """The rows of a file, in chunks.

    Raises:
        InvalidInput: it is damaged, or two columns have the same name.
        ConfigurationError: pyarrow is not installed.
    """
    pa, _ = import_parquet()
    source: Any = open_parquet(file)
    check_names(source.schema_arrow.names)
    groups, before = _groups_from(source.metadata, start.row)
    left_out = start.row - before
    row = start.row
    try:
        for batch in source.iter_batches(batch_size=size, row_groups=groups):
            skipped = min(left_out, batch.num_rows)
            left_out -= skipped
            found = batch.slice(skipped) if skipped else batch
            if not found.num_rows:
                continue
            numbers = range(row + 1, row + 1 + found.num_rows)
            row += found.num_rows
            columns = dict(zip(found.schema.names, found.columns, strict=True))
            yield Chunk(Table(columns, numbers), [], Position(row))
    except (pa.ArrowException, OSError) as error:
        raise InvalidInput(f"this Parquet is damaged, after row {row:,}: {error}") from None


def _groups_from(metadata: Any, row: int) -> tuple[list[int], int]:
    """The groups of rows that are not before a row, and how many rows are before them."""
    before = 0
    for group in range(metadata.num_row_groups):
        count = metadata.row_group(group).num_rows
        if row < before + count:
            return list(range(group, metadata.num_row_groups)), before
        before += count
    return [], before
