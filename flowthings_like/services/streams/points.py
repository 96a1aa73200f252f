"""Points as columns: what `values()` and `windows()` return.

points = stream.values(start, end)
points.times, points.values, points.version    # arrays of numpy, and a number
for point, version in points: ...              # RawPoint objects, which are made only now
"""

from __future__ import annotations

import time
from functools import partial
from itertools import repeat
from typing import TYPE_CHECKING, Any, ClassVar, Generic, NamedTuple, TypeVar, overload

from ...filters.target import filter_of
from ...wire.gc_paused import with_gc_paused
from .needed import needed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import numpy as np
    from numpy.typing import NDArray

    from ...wire.btrdb.points import RawColumns, StatColumns

__all__ = ["Points", "RawPoint", "RawPoints", "StatPoint", "StatPoints"]

P = TypeVar("P")

Self = TypeVar("Self", bound="Points[Any]")

_TOGETHER = 8192  # points that are made at once while iterating


class RawPoint(NamedTuple):
    """One point of a stream.

    Attributes:
        time: nanoseconds since 1970 UTC.
        value: the value.
    """

    time: int
    value: float


class StatPoint(NamedTuple):
    """What is known of the points in one window.

    Attributes:
        time: the start of the window, in nanoseconds since 1970 UTC.
        min, mean, max, stddev: of the values in the window. NaN if the server does not say.
        count: how many points the window has.
    """

    time: int
    min: float
    mean: float
    max: float
    count: int  # type: ignore[assignment]  # its name in btrdb, in place of the tuple's method
    stddev: float


# What `_make` does, without checking that each has as many members: it takes a seventh of iterating.
_raw_point: Callable[[Iterable[Any]], RawPoint] = partial(tuple.__new__, RawPoint)
_stat_point: Callable[[Iterable[Any]], StatPoint] = partial(tuple.__new__, StatPoint)


class Points(Generic[P]):
    """Points of one stream, as arrays of equal lengths. Base class of RawPoints and StatPoints.

    It has a length, can be sliced, and can be given to whatever takes Arrow data (`pyarrow.table(points)`,
    `polars.DataFrame(points)`). Iterating makes a pair of a point and the version for each of them.

    Attributes:
        times: nanoseconds since 1970 UTC, an array of int64.
        version: the version of the stream that was read.
    """

    __slots__ = ("times", "version")

    COLUMNS: ClassVar[tuple[str, ...]]
    """The names of the columns, as Arrow and data frames have them."""

    times: NDArray[np.int64]
    version: int

    @property
    def columns(self) -> tuple[NDArray[Any], ...]:
        """The arrays, in the order of COLUMNS."""
        raise NotImplementedError

    def points(self) -> Iterator[P]:
        """The points as objects, without the version."""
        raise NotImplementedError

    def _of(self: Self, columns: tuple[NDArray[Any], ...]) -> Self:
        raise NotImplementedError

    def where(self: Self, where: Any) -> Self:
        """The points that match a filter, such as `mem.value > 30`, or its text.

        Points have the members `time` and `value`; windows `time`, `min`, `mean`, `max`, `count` and
        `stddev`. Times are nanoseconds. NaN counts as missing.

        Raises:
            InvalidInput: it is no filter, or it cannot be evaluated.
        """
        node = filter_of(where)
        if node is None:
            return self
        with needed():
            from ...filters.arrays import matching
        columns = dict(zip(self.COLUMNS, self.columns, strict=True))
        found = matching(node, columns, int(time.time() * 1000))
        return self if found.all() else self._of(tuple(column[found] for column in self.columns))

    def __len__(self) -> int:
        return len(self.times)

    def __iter__(self) -> Iterator[tuple[P, int]]:
        for start in range(0, len(self), _TOGETHER):
            part = self[start : start + _TOGETHER]
            yield from with_gc_paused(list, zip(part.points(), repeat(self.version)))

    @overload
    def __getitem__(self, index: int) -> tuple[P, int]: ...
    @overload
    def __getitem__(self: Self, index: slice) -> Self: ...
    def __getitem__(self, index: Any) -> Any:
        """A slice of the points, which shares their memory; or the pair of one point and the version."""
        if isinstance(index, slice):
            return self._of(tuple(column[index] for column in self.columns))
        if not -len(self) <= index < len(self):
            raise IndexError(f"there are {len(self)} points, and none at {index}")
        place = index % len(self)
        return next(iter(self[place : place + 1]))

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        assert isinstance(other, Points)
        return len(self) == len(other) and all(
            ((mine == theirs) | ((mine != mine) & (theirs != theirs))).all()
            for mine, theirs in zip(self.columns, other.columns, strict=True)
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        between = f" from {self.times[0]} to {self.times[-1]}" if len(self) else ""
        return f"<{type(self).__name__}: {len(self)}{between}, version {self.version}>"

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        """The points for any library that reads Arrow data."""
        return self.to_arrow().__arrow_c_stream__(requested_schema)

    def __arrow_c_schema__(self) -> Any:
        """The columns for any library that reads Arrow schemas."""
        return self.to_arrow().schema.__arrow_c_schema__()

    def _repr_html_(self) -> str:
        from .drawing import figure

        return figure(type(self).__name__, self.columns)

    def to_arrow(self) -> Any:
        """A pyarrow.Table. Its time is timestamp[ns, UTC], and no column has nulls. It shares the memory."""
        with needed():
            from .frames import to_arrow
        return to_arrow(self.COLUMNS, self.columns)

    def to_numpy(self) -> NDArray[Any]:
        """A structured array of numpy, a copy, with COLUMNS as its fields."""
        with needed():
            from .frames import to_structured
        return to_structured(self.COLUMNS, self.columns)

    def to_dataframe(self) -> Any:
        """A pandas.DataFrame with the times as its index, in UTC."""
        with needed():
            from .frames import to_pandas
        return to_pandas(self.COLUMNS, self.columns)

    def to_polars(self) -> Any:
        """A polars.DataFrame with COLUMNS."""
        with needed():
            from .frames import to_polars
        return to_polars(self.COLUMNS, self.columns)


class RawPoints(Points[RawPoint]):
    """Points of one stream, in the order of their times.

    Attributes:
        times: nanoseconds since 1970 UTC, an array of int64.
        values: an array of float64.
        version: the version of the stream that was read.
    """

    __slots__ = ("values",)

    COLUMNS = ("time", "value")

    def __init__(self, times: NDArray[np.int64], values: NDArray[np.float64], version: int = 0) -> None:
        self.times = times
        self.values = values
        self.version = version

    @classmethod
    def of(cls, columns: RawColumns, version: int) -> RawPoints:
        """The points in decoded columns."""
        return cls(columns.times, columns.values, version)

    @property
    def columns(self) -> tuple[NDArray[Any], ...]:
        """The arrays, in the order of COLUMNS."""
        return self.times, self.values

    def points(self) -> Iterator[RawPoint]:
        """The points as objects, without the version."""
        return map(_raw_point, zip(self.times.tolist(), self.values.tolist(), strict=True))

    def _of(self, columns: tuple[NDArray[Any], ...]) -> RawPoints:
        times, values = columns
        return RawPoints(times, values, self.version)


class StatPoints(Points[StatPoint]):
    """The windows of one stream, in the order of their times. Windows without points may be missing.

    Attributes:
        times: the start of each window, in nanoseconds since 1970 UTC, an array of int64.
        mins, means, maxes, stddevs: of the values in each window, arrays of float64.
        counts: how many points each window has, an array of uint64.
        version: the version of the stream that was read.
    """

    __slots__ = ("counts", "maxes", "means", "mins", "stddevs")

    COLUMNS = ("time", "min", "mean", "max", "count", "stddev")

    def __init__(
        self,
        times: NDArray[np.int64],
        mins: NDArray[np.float64],
        means: NDArray[np.float64],
        maxes: NDArray[np.float64],
        counts: NDArray[np.uint64],
        stddevs: NDArray[np.float64],
        version: int = 0,
    ) -> None:
        self.times = times
        self.mins = mins
        self.means = means
        self.maxes = maxes
        self.counts = counts
        self.stddevs = stddevs
        self.version = version

    @classmethod
    def of(cls, columns: StatColumns, version: int) -> StatPoints:
        """The points in decoded columns."""
        of = columns
        return cls(of.times, of.mins, of.means, of.maxes, of.counts, of.stddevs, version)

    @property
    def columns(self) -> tuple[NDArray[Any], ...]:
        """The arrays, in the order of COLUMNS."""
        return self.times, self.mins, self.means, self.maxes, self.counts, self.stddevs

    def points(self) -> Iterator[StatPoint]:
        """The points as objects, without the version."""
        return map(_stat_point, zip(*(column.tolist() for column in self.columns), strict=True))

    def _of(self, columns: tuple[NDArray[Any], ...]) -> StatPoints:
        times, mins, means, maxes, counts, stddevs = columns
        return StatPoints(times, mins, means, maxes, counts, stddevs, self.version)
