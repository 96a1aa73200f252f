"""Calls that write and read points."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ....wire.btrdb import v5api
from ....wire.btrdb.points import INSERTED, StatColumns, decode_raw, encode_raw, encode_stat
from ..points import MergePolicy
from ..problems import Code, StreamProblem
from .call import uuid_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from ..statistics import Statistics
    from .call import Call

__all__ = [
    "aligned_windows",
    "changes",
    "delete",
    "flush",
    "insert",
    "nearest",
    "policy_of",
    "raw_values",
    "rounded",
    "windows",
]

_POINTS_AT_ONCE = 50_000
"""Raw points in one answer: a megabyte."""

_STATISTICS_AT_ONCE = 20_000
_RANGES_AT_ONCE = 10_000


def insert(call: Call) -> Any:
    """Add points."""
    rest, points = decode_raw(call.request, INSERTED)
    params = call.parse(v5api.InsertParams, rest)
    values = rounded(points.values, params)
    version = call.store.insert(
        call.account, uuid_of(params.uuid), points.times, values, policy_of(params.merge_policy)
    )
    return v5api.InsertResponse(versionMajor=version)


def delete(call: Call) -> Any:
    """Remove the points of a range."""
    params = call.parse(v5api.DeleteParams)
    version = call.store.delete(call.account, uuid_of(params.uuid), params.start, params.end)
    return v5api.DeleteResponse(versionMajor=version)


def flush(call: Call) -> Any:
    """The latest version: what was inserted is durable already."""
    params = call.parse(v5api.FlushParams)
    version = call.store.version(call.account, uuid_of(params.uuid))
    return v5api.FlushResponse(versionMajor=version)


def nearest(call: Call) -> Any:
    """The point nearest to a time."""
    params = call.parse(v5api.NearestParams)
    time, value, version = call.store.nearest(
        call.account, uuid_of(params.uuid), params.time, params.versionMajor, params.backward
    )
    return v5api.NearestResponse(versionMajor=version, value=v5api.RawPoint(time=time, value=value))


def raw_values(call: Call) -> Iterator[bytes]:
    """The points of a range."""
    params = call.parse(v5api.RawValuesParams)
    version, parts = call.store.values(
        call.account, uuid_of(params.uuid), params.start, params.end, params.versionMajor
    )
    head: bytes = v5api.RawValuesResponse(versionMajor=version).SerializeToString()
    is_empty = True
    for part in parts:
        for place in range(0, len(part), _POINTS_AT_ONCE):
            chosen = slice(place, place + _POINTS_AT_ONCE)
            is_empty = False
            yield head + encode_raw(part.times[chosen], part.values[chosen], field=4)
    if is_empty:
        yield head


def aligned_windows(call: Call) -> Iterator[bytes]:
    """Statistics of windows whose width is a power of two."""
    params = call.parse(v5api.AlignedWindowsParams)
    version, parts = call.store.aligned_windows(
        call.account, uuid_of(params.uuid), params.start, params.end, params.pointWidth, params.versionMajor
    )
    return _statistics(v5api.AlignedWindowsResponse(versionMajor=version).SerializeToString(), parts)


def windows(call: Call) -> Iterator[bytes]:
    """Statistics of windows of any width."""
    params = call.parse(v5api.WindowsParams)
    check_depth(params.depth)
    version, parts = call.store.windows(
        call.account, uuid_of(params.uuid), params.start, params.end, params.width, params.versionMajor
    )
    return _statistics(v5api.WindowsResponse(versionMajor=version).SerializeToString(), parts)


def changes(call: Call) -> Iterator[bytes]:
    """The ranges that have changed between two versions."""
    params = call.parse(v5api.ChangesParams)
    version, ranges = call.store.changes(
        call.account, uuid_of(params.uuid), params.fromMajor, params.toMajor, params.resolution
    )
    for place in range(0, max(1, len(ranges)), _RANGES_AT_ONCE):
        part = [
            v5api.ChangedRange(start=start, end=end) for start, end in ranges[place : place + _RANGES_AT_ONCE]
        ]
        yield v5api.ChangesResponse(versionMajor=version, ranges=part).SerializeToString()


def check_depth(depth: int) -> None:
    """Raise INVALID_PARAMETER unless windows are to be exact."""
    if depth:
        raise StreamProblem(
            Code.INVALID_PARAMETER, f"the depth of windows is 0, since they are always exact, not {depth}"
        )


def policy_of(number: int) -> MergePolicy:
    """The merge policy of a request. Raises WRONG_ARGUMENTS if there is none with this number."""
    try:
        return MergePolicy(number)
    except ValueError:
        raise StreamProblem(Code.WRONG_ARGUMENTS, f"there is no merge policy {number}") from None


def rounded(values: NDArray[np.float64], params: Any) -> NDArray[np.float64]:
    """The values, with as many bits of their mantissas rounded off as the request says."""
    if not params.HasField("rounding") or not params.rounding.bits:
        return values
    bits = params.rounding.bits
    if not 0 <= bits <= 52:
        raise StreamProblem(Code.WRONG_ARGUMENTS, f"0 to 52 bits can be rounded off, not {bits}")
    half, mask = np.uint64(1 << (bits - 1)), np.uint64(~((1 << bits) - 1) & (1 << 64) - 1)
    found: NDArray[np.float64] = ((values.view(np.uint64) + half) & mask).view(np.float64)
    return found


def _statistics(head: bytes, parts: Iterator[Statistics]) -> Iterator[bytes]:
    is_empty = True
    for part in parts:
        columns = StatColumns(
            part.times, part.mins, part.means, part.maxes, part.counts.astype(np.uint64), part.stddevs
        )
        for place in range(0, len(part), _STATISTICS_AT_ONCE):
            chosen = slice(place, place + _STATISTICS_AT_ONCE)
            is_empty = False
            yield head + encode_stat(
                StatColumns(
                    columns.times[chosen],
                    columns.mins[chosen],
                    columns.means[chosen],
                    columns.maxes[chosen],
                    columns.counts[chosen],
                    columns.stddevs[chosen],
                )
            )
    if is_empty:
        yield head
