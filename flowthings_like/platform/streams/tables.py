"""Writes rows of points, segments and rollups, many with one statement."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from .points import Points
from .removals import REMOVAL
from .segments import SEGMENT, Segment, runs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from .statistics import Statistics

__all__ = [
    "NewRemovals",
    "NewSegment",
    "delete_segments",
    "insert_columns",
    "insert_recent",
    "insert_removals",
    "insert_segments",
    "load_recent",
    "load_removals",
    "load_segments",
    "segment_rows",
]

_SEGMENT_COLUMNS: tuple[str, ...] = SEGMENT.names or ()
_REMOVAL_COLUMNS: tuple[str, ...] = REMOVAL.names or ()


class NewSegment(NamedTuple):
    """A segment with its number and that of its stream."""

    stream: int
    id: int
    segment: Segment


class NewRemovals(NamedTuple):
    """Rows of REMOVAL, and the number of their stream."""

    stream: int
    rows: NDArray[np.void]


def segment_rows(segments: Sequence[NewSegment]) -> NDArray[np.void]:
    """The rows of SEGMENT of new segments."""
    return np.array([new.segment.row(new.id) for new in segments], SEGMENT)


def insert_segments(cursor: Any, segments: Sequence[NewSegment]) -> None:
    """Write the segments with their points and rollups."""
    ids = [new.id for new in segments]
    sizes = [len(new.segment.points) for new in segments]
    points = Points.concatenate([new.segment.points for new in segments])
    insert_columns(
        cursor,
        "points",
        {
            "segment": np.repeat(np.array(ids, np.int32), sizes),
            "time": points.times,
            "value": points.values,
            "added": points.added,
        },
    )
    rollups = [(new.id, level, rows) for new in segments for level, rows in new.segment.rollups.items()]
    lengths = [len(rows) for _, _, rows in rollups]
    insert_columns(
        cursor,
        "rollups",
        {
            "segment": np.repeat(np.array([id for id, _, _ in rollups], np.int32), lengths),
            "level": np.repeat(np.array([level for _, level, _ in rollups], np.int8), lengths),
            **_columns([rows for _, _, rows in rollups]),
        },
    )
    rows = segment_rows(segments)
    insert_columns(
        cursor,
        "segments",
        {
            "id": rows["id"].astype(np.int32),
            "stream": np.array([new.stream for new in segments], np.int32),
            **{name: np.ascontiguousarray(rows[name]) for name in _SEGMENT_COLUMNS[1:]},
        },
    )


def insert_recent(cursor: Any, batches: Sequence[tuple[int, Points]]) -> None:
    """Write points that are in no segment, each batch with the number of its stream."""
    points = Points.concatenate([batch for _, batch in batches])
    streams = np.repeat(
        np.array([stream for stream, _ in batches], np.int32), [len(batch) for _, batch in batches]
    )
    columns: dict[str, NDArray[Any]] = {
        "stream": streams,
        "time": points.times,
        "value": points.values,
        "added": points.added,
    }
    insert_columns(cursor, "recent", columns)


def insert_removals(cursor: Any, new: Sequence[NewRemovals]) -> None:
    """Write removals."""
    rows = np.concatenate([found.rows for found in new])
    streams = np.repeat(
        np.array([found.stream for found in new], np.int32), [len(found.rows) for found in new]
    )
    columns: dict[str, NDArray[Any]] = {name: np.ascontiguousarray(rows[name]) for name in _REMOVAL_COLUMNS}
    insert_columns(cursor, "removals", {"stream": streams, **columns})


def delete_segments(cursor: Any, ids: NDArray[np.int64]) -> None:
    """Delete segments with their points and rollups."""
    for first, last in runs(ids):
        for table, column in (("segments", "id"), ("points", "segment"), ("rollups", "segment")):
            cursor.execute(f"delete from {table} where {column} between $1 and $2", [first, last])


def load_segments(cursor: Any, stream: int) -> NDArray[np.void]:
    """A stream's rows of SEGMENT, by the first time."""
    found = cursor.execute(
        f"select {', '.join(_SEGMENT_COLUMNS)} from segments where stream = $1 order by first, id", [stream]
    ).fetchnumpy()
    return _structured(found, SEGMENT)


def load_removals(cursor: Any, stream: int) -> NDArray[np.void]:
    """A stream's rows of REMOVAL, as they were made."""
    found = cursor.execute(
        "select version, first, until from removals where stream = $1 order by version", [stream]
    ).fetchnumpy()
    return _structured(found, REMOVAL)


def load_recent(cursor: Any, stream: int) -> Points:
    """A stream's points that are in no segment, as they came."""
    found = cursor.execute("select time, value, added from recent where stream = $1", [stream]).fetchnumpy()
    return Points(found["time"], found["value"], found["added"])


def insert_columns(cursor: Any, table: str, batch: dict[str, NDArray[Any]]) -> None:
    """Insert columns into a table. DuckDB finds the argument `batch` by its name."""
    cursor.execute(f"insert into {table} select * from batch")


def _columns(parts: Sequence[Statistics]) -> dict[str, NDArray[Any]]:
    return {
        "time": np.concatenate([part.times for part in parts]),
        "min": np.concatenate([part.mins for part in parts]),
        "mean": np.concatenate([part.means for part in parts]),
        "max": np.concatenate([part.maxes for part in parts]),
        "count": np.concatenate([part.counts for part in parts]).astype(np.int32),
        "m2": np.concatenate([part.m2s for part in parts]),
    }


def _structured(columns: dict[str, Any], dtype: np.dtype[Any]) -> NDArray[np.void]:
    names = dtype.names or ()
    found = np.empty(len(columns[names[0]]), dtype)
    for name in names:
        found[name] = columns[name]
    return found
