"""Turns whatever holds points into two arrays, and refuses what is no point before anything is sent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ...transport.outgoing_values import resolve
from ...wire.btrdb.errors import BadValue, BTRDBTypeError, InvalidTimeRange
from ...wire.btrdb.points import RawColumns
from ...wire.numpy_values import is_missing
from .needed import needed
from .points import RawPoint, RawPoints
from .times import MAXIMUM_TIME, MINIMUM_TIME, to_nanoseconds

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["to_columns"]

LATEST = MAXIMUM_TIME - 1
"""The latest time of a point."""

_FORMS = (
    "give a list of (time, value) pairs, a pair of arrays (times, values), a mapping or a table with the "
    "columns time and value, or a pandas.Series with a DatetimeIndex"
)
_UNITS = {"W": 604_800 * 10**9, "D": 86_400 * 10**9, "h": 3600 * 10**9, "m": 60 * 10**9, "s": 10**9}
_UNITS |= {"ms": 10**6, "us": 1000, "ns": 1}


def to_columns(data: Any) -> RawColumns:
    """The points in data, in their order.

    Args:
        data: an iterable of (time, value) pairs; a pair of arrays (times, values); a mapping or a structured
            array of numpy with "time" and "value"; a pandas.DataFrame or Series; a table of Arrow or polars;
            RawPoints. Times are whatever `to_nanoseconds` takes.

    Raises:
        BadValue: a value is None, NaN or infinite.
        InvalidTimeRange: a time is none, or too early or too late.
        BTRDBTypeError: the data are something else.
    """
    times, values = _split(resolve(data))
    if len(times) != len(values):
        raise BTRDBTypeError(f"there are {len(times)} times and {len(values)} values")
    _check(times, values)
    return RawColumns(times, values)


def _split(data: Any) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    if isinstance(data, RawPoints):
        return data.times, data.values
    library = type(data).__module__.partition(".")[0]
    if library == "pandas":
        return _from_pandas(data)
    if hasattr(data, "__arrow_c_stream__"):
        return _from_arrow(data)
    if isinstance(data, np.ndarray):
        if data.dtype.names is not None:
            _check_names(data.dtype.names)
            return _times(data["time"]), _values(data["value"])
        if data.ndim != 2 or data.shape[1] != 2:
            raise BTRDBTypeError(f"an array of shape {data.shape} is no list of points; {_FORMS}")
        return _times(data[:, 0]), _values(data[:, 1])
    if isinstance(data, Mapping):
        _check_names(data)
        return _times(data["time"]), _values(data["value"])
    if isinstance(data, tuple) and len(data) == 2 and all(map(_is_column, data)):
        return _times(data[0]), _values(data[1])
    if isinstance(data, str | bytes) or not isinstance(data, Iterable):
        raise BTRDBTypeError(f"{type(data).__name__} holds no points; {_FORMS}")
    return _from_pairs(list(data))


def _from_pairs(pairs: list[Any]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    try:
        times, values = [time for time, _ in pairs], [value for _, value in pairs]
    except (TypeError, ValueError):
        for index, pair in enumerate(map(resolve, pairs)):
            if not isinstance(pair, Iterable) or isinstance(pair, str | bytes) or len(list(pair)) != 2:
                raise BTRDBTypeError(f"point {index} is no pair of a time and a value; {_FORMS}") from None
        times, values = ([resolve(pair)[part] for pair in pairs] for part in (0, 1))
    if times and isinstance(times[0], RawPoint):  # what iterating over `values()` gives
        values = [point.value for point in times]
        times = [point.time for point in times]
    return _times_of_list(times), _values_of_list(values)


def _from_pandas(data: Any) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    if hasattr(data, "columns"):
        if "value" not in data.columns:
            raise BTRDBTypeError(f"the DataFrame has no column 'value'; {_FORMS}")
        return _times(data["time"] if "time" in data.columns else data.index), _values(data["value"])
    return _times(data.index), _values(data)


def _from_arrow(data: Any) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    with needed():
        import pyarrow as pa
    table = pa.table(data)
    if {"time", "value"} <= set(table.column_names):
        table = table.select(["time", "value"])
    if table.num_columns != 2:
        raise BTRDBTypeError(f"the table has {table.num_columns} columns, and not time and value; {_FORMS}")
    for column, kind in zip(table.columns, (InvalidTimeRange, BadValue), strict=True):
        if column.null_count:
            raise kind(f"the table has {column.null_count} nulls; leave those points out")
    times, values = (column.combine_chunks() for column in table.columns)
    if pa.types.is_timestamp(times.type):
        times = times.cast(pa.timestamp(times.type.unit))  # the same instants, without the time zone
    return _times(times.to_numpy(zero_copy_only=False)), _values(values.to_numpy(zero_copy_only=False))


def _times(column: Any) -> NDArray[np.int64]:
    """A column of times, as nanoseconds."""
    if type(column).__module__.partition(".")[0] == "pandas":
        if str(column.dtype).startswith("datetime64["):
            zone = getattr(column.dtype, "tz", None)
            if zone is not None:
                column = column.dt.tz_convert(None) if hasattr(column, "dt") else column.tz_convert(None)
        column = column.to_numpy()
    if not isinstance(column, np.ndarray):
        return _times_of_list(list(column))
    if column.dtype.kind == "M":
        return _from_datetimes(column)
    if column.dtype.kind == "f":
        if not (column == np.floor(column)).all() or (np.abs(column) >= 2**63).any():
            raise InvalidTimeRange("the times are floats, and not all of them are whole nanoseconds")
        return column.astype("i8")
    if column.dtype.kind == "u" and column.size and int(column.max()) > LATEST:
        raise _out_of_range(int(column.argmax()), int(column.max()))
    if column.dtype.kind in "iu":
        return np.ascontiguousarray(column, "i8")
    return _times_of_list(column.tolist())


def _from_datetimes(column: NDArray[Any]) -> NDArray[np.int64]:
    missing = np.isnat(column)
    if missing.any():
        raise InvalidTimeRange(f"point {int(missing.argmax())} has no time (NaT)")
    unit, step = np.datetime_data(column.dtype)
    if unit not in _UNITS:
        return _times_of_list(list(column))
    counts, size = column.view("i8"), _UNITS[unit] * step
    # Beyond this a time is out of range, and multiplying it could overflow.
    outside = np.abs(counts) > -MINIMUM_TIME * 4 // size
    if outside.any():
        index = int(outside.argmax())
        raise _out_of_range(index, int(counts[index]) * size)
    return np.ascontiguousarray(counts * size if size > 1 else counts)


def _times_of_list(times: list[Any]) -> NDArray[np.int64]:
    if set(map(type, times)) - {int}:
        times = [to_nanoseconds(time, f"the time of point {index}") for index, time in enumerate(times)]
    try:
        return np.array(times, "i8")
    except OverflowError:
        index, time = next(pair for pair in enumerate(times) if not MINIMUM_TIME <= pair[1] <= LATEST)
        raise _out_of_range(index, time) from None


def _values(column: Any) -> NDArray[np.float64]:
    """A column of values."""
    if type(column).__module__.partition(".")[0] == "pandas":
        column = column.to_numpy(dtype=object if column.dtype.kind == "O" else None)
    if not isinstance(column, np.ndarray):
        return _values_of_list(list(column))
    if column.dtype.kind in "fiu":
        return np.ascontiguousarray(column, "f8")
    return _values_of_list(column.tolist())


def _values_of_list(values: list[Any]) -> NDArray[np.float64]:
    if not set(map(type, values)) - {int, float}:
        try:
            return np.array(values, "f8")
        except OverflowError:
            pass
    return np.array([_value(value, index) for index, value in enumerate(values)], "f8")


def _value(value: Any, index: int) -> float:
    value = resolve(value)
    if value is None or is_missing(value):
        raise BadValue(f"the value of point {index} is {value}; leave the point out")
    if isinstance(value, str | bytes | bool) or not hasattr(value, "__float__"):
        raise BadValue(f"the value of point {index} is a {type(value).__name__}, not a number")
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        raise BadValue(f"the value of point {index} does not fit a float of 64 bits") from None


def _check(times: NDArray[np.int64], values: NDArray[np.float64]) -> None:
    if not len(times):
        return
    if int(times.min()) < MINIMUM_TIME or int(times.max()) > LATEST:
        index = int(((times < MINIMUM_TIME) | (times > LATEST)).argmax())
        raise _out_of_range(index, int(times[index]))
    finite = np.isfinite(values)
    if not finite.all():
        index = int(finite.argmin())
        raise BadValue(f"the value of point {index} is {values[index]}; leave the point out")


def _out_of_range(index: int, time: int) -> InvalidTimeRange:
    return InvalidTimeRange(
        f"the time of point {index} is {time}, outside the times that a stream can have: {MINIMUM_TIME} to "
        f"{LATEST} nanoseconds since 1970, which is 1933 to 2079"
    )


def _check_names(names: Iterable[Any]) -> None:
    missing = [name for name in ("time", "value") if name not in names]
    if missing:
        raise BTRDBTypeError(f"there is no column {' and no column '.join(map(repr, missing))}; {_FORMS}")


def _is_column(value: Any) -> bool:
    """Whether it is an array, rather than a point of a list that has two."""
    return isinstance(value, np.ndarray) or (
        type(value).__module__.partition(".")[0] == "pandas" and hasattr(value, "to_numpy")
    )
