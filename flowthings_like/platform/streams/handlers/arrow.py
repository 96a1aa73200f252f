"""Calls that move points as Arrow tables. They need pyarrow, which is imported when the first one is made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ....green.backends.choice import native
from ....wire.btrdb import v5api
from ..multi import Grid, Joined
from ..problems import Code, StreamProblem
from .call import uuid_of
from .points import check_depth, policy_of, rounded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray

    from ..points import Points
    from ..statistics import Statistics
    from .call import Call

__all__ = ["aligned_windows", "insert", "multi_values", "raw_values", "windows"]

_ROWS_AT_ONCE = 100_000
"""Rows of a table in one answer."""

_MOST_STREAMS = 1_000


def insert(call: Call) -> Any:
    """Add the points of a table, whose first two columns are times and values."""
    params = call.parse(v5api.ArrowInsertParams)
    times, values = native(_columns, params.arrowBytes)
    version = call.store.insert(
        call.account, uuid_of(params.uuid), times, rounded(values, params), policy_of(params.merge_policy)
    )
    return v5api.InsertResponse(versionMajor=version)


def raw_values(call: Call) -> Iterator[bytes]:
    """The points of a range."""
    params = call.parse(v5api.ArrowRawValuesParams)
    template = _schema(params.templateBytes)
    version, parts = call.store.values(
        call.account, uuid_of(params.uuid), params.start, params.end, params.versionMajor
    )
    for data in _encoded(parts, _raw_table, template):
        yield v5api.ArrowRawValuesResponse(versionMajor=version, arrowBytes=data).SerializeToString()


def aligned_windows(call: Call) -> Iterator[bytes]:
    """Statistics of windows whose width is a power of two."""
    params = call.parse(v5api.AlignedWindowsParams)
    version, parts = call.store.aligned_windows(
        call.account, uuid_of(params.uuid), params.start, params.end, params.pointWidth, params.versionMajor
    )
    for data in _encoded(parts, _statistics_table, None):
        yield v5api.ArrowAlignedWindowsResponse(versionMajor=version, arrowBytes=data).SerializeToString()


def windows(call: Call) -> Iterator[bytes]:
    """Statistics of windows of any width."""
    params = call.parse(v5api.WindowsParams)
    check_depth(params.depth)
    version, parts = call.store.windows(
        call.account, uuid_of(params.uuid), params.start, params.end, params.width, params.versionMajor
    )
    for data in _encoded(parts, _statistics_table, None):
        yield v5api.ArrowWindowsResponse(versionMajor=version, arrowBytes=data).SerializeToString()


def multi_values(call: Call) -> Iterator[bytes]:
    """The points of several streams, as a column for each beside the times of all."""
    params = call.parse(v5api.ArrowMultiValuesParams)
    uuids = [uuid_of(uuid) for uuid in params.uuid]
    versions = list(params.versionMajor) or [0] * len(uuids)
    if not uuids or len(uuids) > _MOST_STREAMS or len(versions) != len(uuids):
        raise StreamProblem(
            Code.WRONG_ARGUMENTS, f"give 1 to {_MOST_STREAMS:,} streams, and as many versions or none"
        )
    if params.snapPeriodNs < 0:
        raise StreamProblem(Code.WRONG_ARGUMENTS, "the period to snap to is 0 or more")
    template = _schema(params.templateBytes)
    names = [str(uuid) for uuid in uuids]
    parts = call.store.multi_values(
        call.account,
        list(zip(uuids, versions, strict=True)),
        Grid(params.snapPeriodNs, params.start, params.end),
    )
    for data in _encoded(parts, lambda part: _joined_table(names, part), template):
        yield v5api.ArrowMultiValuesResponse(arrowBytes=data).SerializeToString()


def _encoded(parts: Iterable[Any], table: Callable[[Any], Any], template: Any) -> Iterator[bytes]:
    """Each part as IPC streams of up to _ROWS_AT_ONCE rows; at least one of them, perhaps without rows."""
    _pyarrow()
    for part in parts:
        for place in range(0, max(1, len(part)), _ROWS_AT_ONCE):
            yield native(_stream, table, part, place, template)


def _stream(table: Callable[[Any], Any], part: Any, place: int, template: Any) -> bytes:
    pa = _pyarrow()
    found = table(part).slice(place, _ROWS_AT_ONCE)
    if template is not None:
        try:
            found = found.rename_columns(template.names).cast(template, safe=False)
        except (pa.ArrowException, ValueError) as error:
            raise StreamProblem(
                Code.WRONG_ARGUMENTS, f"the points cannot be cast to the template: {error}"
            ) from None
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, found.schema) as writer:
        writer.write_table(found)
    data: bytes = sink.getvalue().to_pybytes()
    return data


def _raw_table(part: Points) -> Any:
    return _table(["time", "value"], part.times, [part.values])


def _statistics_table(part: Statistics) -> Any:
    columns = [part.mins, part.means, part.maxes, part.counts.astype(np.uint64), part.stddevs]
    return _table(["time", "min", "mean", "max", "count", "stddev"], part.times, columns)


def _joined_table(names: list[str], part: Joined) -> Any:
    return _table(["time", *names], part.times, part.columns)


def _table(names: list[str], times: NDArray[np.int64], columns: list[NDArray[Any]]) -> Any:
    pa = _pyarrow()
    stamps = pa.array(times.view("datetime64[ns]")).cast(pa.timestamp("ns", tz="UTC"))
    arrays = [stamps, *(pa.array(column) for column in columns)]
    fields = [pa.field(name, array.type, nullable=False) for name, array in zip(names, arrays, strict=True)]
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def _columns(data: bytes) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The first two columns of an IPC stream."""
    pa = _pyarrow()
    try:
        with pa.ipc.open_stream(data) as reader:
            table = reader.read_all()
        if table.num_columns < 2:
            raise _not_points("has fewer than two columns")
        times, values = table.column(0), table.column(1)
        if times.null_count or values.null_count:
            raise StreamProblem(Code.BAD_VALUE, "times and values are not null")
        if pa.types.is_timestamp(times.type):
            times = times.cast(pa.timestamp("ns", tz=times.type.tz))
        return (
            times.cast(pa.int64()).combine_chunks().to_numpy(zero_copy_only=False),
            values.cast(pa.float64()).combine_chunks().to_numpy(zero_copy_only=False),
        )
    except (pa.ArrowException, ValueError, OSError) as error:
        raise _not_points(f"cannot be read: {error}") from None


def _schema(template: bytes) -> Any:
    """The schema of an IPC stream without rows; None of nothing."""
    if not template:
        return None
    pa = _pyarrow()
    try:
        with pa.ipc.open_stream(template) as reader:
            return reader.schema
    except (pa.ArrowException, ValueError, OSError) as error:
        raise StreamProblem(Code.WRONG_ARGUMENTS, f"the template is no Arrow stream: {error}") from None


def _not_points(reason: str) -> StreamProblem:
    return StreamProblem(
        Code.WRONG_ARGUMENTS,
        f"points come as an Arrow stream with the columns time and value; this one {reason}",
    )


def _pyarrow() -> Any:
    try:
        import pyarrow
        import pyarrow.ipc
    except ImportError:
        raise StreamProblem(
            Code.NOT_IMPLEMENTED, "calls with Arrow need the package pyarrow, which this server does not have"
        ) from None
    return pyarrow
