"""Conversions of what a set of streams has chosen: rows, tables, data frames, CSV."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import InvalidInput
from ...green.calls.markers import reads
from ...wire.btrdb.errors import BTRDBValueError
from .needed import needed
from .points import RawPoints

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .alignment import AlignedTable
    from .points import Points
    from .selection import Selection
    from .stream import Stream

__all__ = ["STATISTICS", "SetFrames"]

STATISTICS = ("min", "mean", "max", "count", "stddev")

Name = Callable[["Stream"], str]


class SetFrames:
    """Conversions of what `filter`, `windows` and `aligned_windows` of a set have chosen.

    In rows and tables, points with equal times stand beside each other.

    Of windows, `agg` chooses what becomes a column: "min", "mean", "max", "count" or "stddev"; "all" for all
    of them; or a list. `name_callable` names the column of a stream, "collection/name" by default.
    """

    _streams: list[Stream]
    _selection: Selection

    def _selected(self, margin: int = 0) -> Sequence[Points[Any]]:
        raise NotImplementedError

    def _points(self) -> Sequence[Points[Any]]:
        """What is chosen, moved to the instants of the sampling frequency if there is one."""
        chosen = self._selection
        period = 0 if chosen.has_windows else chosen.sampling_period
        found = self._selected(margin=period // 2)
        if not period:
            return found
        from .alignment import snap

        first, last = chosen.range
        return [snap(part, period, first, last) for part in found if isinstance(part, RawPoints)]

    def _table(self, agg: Any) -> AlignedTable:
        with needed():
            from .alignment import AlignedTable
        return AlignedTable.of(self._points(), _statistics(agg))

    def _names(self, table: AlignedTable, agg: Any, name_callable: Name | None) -> list[str]:
        """The names of the columns: the stream's, with the statistic if there may be several."""
        of_streams = self._stream_names(name_callable)
        several = not isinstance(agg, str) or agg == "all"
        return [
            f"{of_streams[column.stream]}/{column.statistic}"
            if several and column.statistic
            else of_streams[column.stream]
            for column in table.columns
        ]

    def _stream_names(self, name_callable: Name | None) -> list[str]:
        name = name_callable or (lambda stream: f"{stream.collection}/{stream.name}")
        return [name(stream) for stream in self._streams]

    @reads
    def rows(self) -> list[tuple[Any, ...]]:
        """A tuple for each time, with a point of each stream; None where a stream has none."""
        with needed():
            from .alignment import align
        parts = self._points()
        times, places = align([part.times for part in parts])
        rows: list[list[Any]] = [[None] * len(parts) for _ in range(len(times))]
        for number, (part, place) in enumerate(zip(parts, places, strict=True)):
            for row, point in zip(place.tolist(), part.points(), strict=True):
                rows[row][number] = point
        return list(map(tuple, rows))

    @reads
    def to_dict(self, agg: str = "mean", name_callable: Name | None = None) -> list[dict[str, Any]]:
        """A dict for each time, with "time" in nanoseconds and the value of each stream, None where there is
        none."""
        table = self._table(agg)
        names = ["time", *self._names(table, agg, name_callable)]
        columns = [table.times.tolist(), *(column.as_objects() for column in table.columns)]
        return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]

    @reads
    def to_array(self, agg: str = "mean") -> NDArray[Any]:
        """An array of arrays: the values of each stream, which need not have the same times."""
        import numpy as np

        column = _one(agg)
        parts = self._points()
        made = np.empty(len(parts), object)
        for number, part in enumerate(parts):
            made[number] = part.columns[1 if isinstance(part, RawPoints) else part.COLUMNS.index(column)]
        return made

    @reads
    def to_numpy(self, agg: Any = "mean") -> NDArray[Any]:
        """A two-dimensional array of float64: a row for each time, a column for each stream, NaN where a
        stream has no value."""
        import numpy as np

        table = self._table(agg)
        columns = [column.with_nan().astype("f8", copy=False) for column in table.columns]
        return np.column_stack(columns) if columns else np.empty((len(table.times), 0))

    @reads
    def to_series(
        self, datetime64_index: bool = True, agg: str = "mean", name_callable: Name | None = None
    ) -> list[Any]:
        """A pandas.Series for each stream.

        Args:
            datetime64_index: the index has datetimes in UTC; otherwise nanoseconds.
        """
        with needed():
            import pandas as pd

            from .frames import datetimes
        column, names = _one(agg), self._stream_names(name_callable)
        made = []
        for name, part in zip(names, self._points(), strict=True):
            values = part.columns[1 if isinstance(part, RawPoints) else part.COLUMNS.index(column)]
            index = pd.Index(datetimes(part.times) if datetime64_index else part.times, name="time")
            made.append(pd.Series(values, index=index, name=name))
        return made

    @reads
    def to_dataframe(
        self, agg: Any = "mean", name_callable: Name | None = None, *, datetime64_index: bool = False
    ) -> Any:
        """A pandas.DataFrame: a row for each time, a column for each stream, NaN where a stream has no value.

        Args:
            agg: with "all" the columns have the three levels collection, name and statistic, unless there is
                a `name_callable`.
            datetime64_index: the index has datetimes in UTC; otherwise nanoseconds.
        """
        with needed():
            import pandas as pd

            from .frames import datetimes
        table = self._table(agg)
        times = pd.DatetimeIndex(datetimes(table.times), tz="UTC") if datetime64_index else table.times
        columns: Any = self._names(table, agg, name_callable)
        if agg == "all" and name_callable is None and self._selection.has_windows:
            of = [(self._streams[column.stream], column.statistic) for column in table.columns]
            levels = [(stream.collection, stream.name, statistic) for stream, statistic in of]
            columns = pd.MultiIndex.from_tuples(levels)
        frame = pd.DataFrame(
            dict(enumerate(column.with_nan() for column in table.columns)),
            index=pd.Index(times, name="time"),
        )
        frame.columns = columns
        return frame

    @reads
    def to_polars(self, agg: Any = "mean", name_callable: Name | None = None) -> Any:
        """A polars.DataFrame: "time" as datetimes in UTC, and a column for each stream, with null where a
        stream has no value."""
        with needed():
            import polars as pl
        table = self._table(agg)
        names = self._names(table, agg, name_callable)
        time = pl.Series("time", table.times).cast(pl.Datetime("ns", "UTC"))
        columns = [
            pl.Series(name, column.values)
            if column.is_present is None
            else pl.select(
                pl.when(pl.Series(column.is_present)).then(pl.Series(column.values)).otherwise(None)
            )
            .to_series()
            .alias(name)
            for name, column in zip(names, table.columns, strict=True)
        ]
        return pl.DataFrame([time, *columns])

    @reads
    def to_arrow(self, agg: Any = "mean", name_callable: Name | None = None) -> Any:
        """A pyarrow.Table: "time" as timestamps in UTC, and a column for each stream, with null where a
        stream has no value."""
        with needed():
            import pyarrow as pa

            from .frames import datetimes
        table = self._table(agg)
        names = ["time", *self._names(table, agg, name_callable)]
        times = pa.array(datetimes(table.times), pa.timestamp("ns", tz="UTC"))
        columns = [
            pa.array(column.values, mask=None if column.is_present is None else ~column.is_present)
            for column in table.columns
        ]
        made = pa.Table.from_arrays([times, *columns], names=names)
        schema = self._selection.schema
        return made if schema is None else made.rename_columns(schema.names).cast(schema, safe=False)

    @reads
    def to_csv(
        self,
        fobj: Any,
        dialect: Any = None,
        fieldnames: Sequence[str] | None = None,
        agg: str = "mean",
        name_callable: Name | None = None,
    ) -> None:
        """Write a CSV file with a row for each time.

        Args:
            fobj: a path, or a file that is open for writing.
            dialect: of the module csv; "excel" by default.
            fieldnames: the columns to write; all by default.
        """
        rows = self.to_dict(agg, name_callable)
        names = ["time", *self._stream_names(name_callable)] if fieldnames is None else list(fieldnames)
        if fieldnames is None and rows:
            names = list(rows[0])
        with ExitStack() as files:
            file = fobj
            if isinstance(fobj, str | Path):
                file = files.enter_context(Path(fobj).open("w", newline="", encoding="utf-8"))
            writer = csv.DictWriter(file, names, dialect=dialect or "excel", extrasaction="ignore")
            writer.writeheader()
            writer.writerows(rows)

    # By their names in btrdb

    @reads
    def arrow_values(self) -> Any:
        """`to_arrow`, with the UUIDs of the streams as names; of windows all statistics, as "UUID/mean"."""
        return self.to_arrow("all", lambda stream: str(stream.uuid))

    @reads
    def arrow_to_arrow_table(self) -> Any:
        """The same as `arrow_values`."""
        return self.arrow_values()

    @reads
    def arrow_to_dataframe(self, agg: Any = None, name_callable: Name | None = None) -> Any:
        """`to_dataframe` with datetimes and a list of statistics, ["mean"] by default."""
        return self.to_dataframe(agg or ["mean"], name_callable, datetime64_index=True)

    @reads
    def arrow_to_polars(self, agg: Any = None, name_callable: Name | None = None) -> Any:
        """`to_polars` with a list of statistics, ["mean"] by default."""
        return self.to_polars(agg or ["mean"], name_callable)

    @reads
    def arrow_to_numpy(self, agg: Any = None) -> NDArray[Any]:
        """`to_numpy` with a list of statistics, ["mean"] by default."""
        return self.to_numpy(agg or ["mean"])

    @reads
    def arrow_to_series(self, agg: Any = None, name_callable: Name | None = None) -> list[Any]:
        """The columns of `arrow_to_dataframe`."""
        frame = self.arrow_to_dataframe(agg, name_callable)
        return [frame[name] for name in frame]

    @reads
    def arrow_to_dict(self, agg: Any = None, name_callable: Name | None = None) -> dict[Any, Any]:
        """A dict of dicts by time, from `arrow_to_dataframe`."""
        found: dict[Any, Any] = self.arrow_to_dataframe(agg, name_callable).to_dict(orient="index")
        return found


def _statistics(agg: Any) -> list[str]:
    names = [agg] if isinstance(agg, str) else list(agg)
    if "all" in names:
        return list(STATISTICS)
    for name in names:
        if name not in STATISTICS:
            raise BTRDBValueError(f"agg is {agg!r}; give one of {', '.join(STATISTICS)} or all")
    return names


def _one(agg: Any) -> str:
    names = _statistics(agg)
    if len(names) != 1:
        raise InvalidInput("here agg must be one statistic, such as 'mean'")
    return names[0]
