"""Reads Parquet. Its columns stay arrays of Arrow."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any

from ...errors import InvalidInput
from ...files.parquet import import_parquet
from ..table import Chunk, Position, Table, check_names

__all__ = ["parquet_chunks"]


_BATCHES = 10  # of one reader, at least


def parquet_chunks(source: Any, size: int, start: Position) -> Generator[Chunk, None, None]:
    """The rows of a file, in chunks.

    Args:
        source: what `open_parquet` returns. A pipe can be opened only once.

    Raises:
        InvalidInput: it is damaged, or two columns have the same name.
    """
    pa, _ = import_parquet()
    check_names(source.schema_arrow.names)
    groups, before = _groups_from(source.metadata, start.row)
    row = start.row
    try:
        batches = _batches(source, groups, size)
        for found in _of_size(pa, _without_first(batches, start.row - before), size):
            numbers = range(row + 1, row + 1 + found.num_rows)
            row += found.num_rows
            columns = dict(zip(found.schema.names, found.columns, strict=True))
            yield Chunk(Table(columns, numbers), [], Position(row))
    except (pa.ArrowException, OSError) as error:
        raise InvalidInput(f"this Parquet is damaged, after row {row:,}: {error}") from None


def _without_first(batches: Iterator[Any], rows: int) -> Iterator[Any]:
    for batch in batches:
        skipped = min(rows, batch.num_rows)
        rows -= skipped
        if skipped < batch.num_rows:
            yield batch.slice(skipped)


def _of_size(pa: Any, batches: Iterator[Any], size: int) -> Iterator[Any]:
    """The same rows, `size` at a time.

    A load that goes on in the middle of a file has to have the same batches as the one before it, by which
    sinks know what is stored. The reader's own batches end where its groups of rows do.
    """
    waiting: list[Any] = []
    rows = 0
    for batch in batches:
        waiting.append(batch)
        rows += batch.num_rows
        while rows >= size:
            whole = waiting[0] if len(waiting) == 1 else _joined(pa, waiting)
            yield whole.slice(0, size)
            rows -= size
            waiting = [whole.slice(size)] if rows else []
    if waiting:
        yield _joined(pa, waiting)


def _joined(pa: Any, batches: list[Any]) -> Any:
    (found,) = pa.Table.from_batches(batches).combine_chunks().to_batches()
    return found


def _batches(source: Any, groups: list[int], size: int) -> Iterator[Any]:
    """The batches of some groups of rows.

    A reader keeps what it has read of all its groups, so it gets some of them at a time: as few as have many
    batches, because the last batch of a reader is a short one.
    """
    some: list[int] = []
    rows = 0
    for group in groups:
        some.append(group)
        rows += source.metadata.row_group(group).num_rows
        if rows >= size * _BATCHES:
            yield from source.iter_batches(batch_size=size, row_groups=some)
            some, rows = [], 0
    if some:
        yield from source.iter_batches(batch_size=size, row_groups=some)


def _groups_from(metadata: Any, row: int) -> tuple[list[int], int]:
    """The groups of rows that are not before a row, and how many rows are before them."""
    before = 0
    for group in range(metadata.num_row_groups):
        count = metadata.row_group(group).num_rows
        if row < before + count:
            return list(range(group, metadata.num_row_groups)), before
        before += count
    return [], before
