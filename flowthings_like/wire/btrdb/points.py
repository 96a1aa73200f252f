"""Encodes and decodes the points in a message, as arrays of numpy: no Python object is made for a point.

In a message, points are a repeated field, so each has a tag and a length of its own. All their members have
8 bytes, so points with the same members have the same size, and their bytes are an array with a fixed stride:

    22 12 09 tttttttt 11 vvvvvvvv 22 12 09 tttttttt 11 vvvvvvvv …        raw points in field 4

`encode_raw` and `encode_stat` write all members of all points. Other programs leave out a member that is
zero. So decoding looks for runs of points that have the same members, and reads each run at once. Points that
are in no run are read one by one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import InvalidResponse
from .scan import read_varint, skip_field

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "INSERTED",
    "MOST_POINTS",
    "RETURNED",
    "RawColumns",
    "StatColumns",
    "decode_raw",
    "decode_stat",
    "encode_raw",
    "encode_stat",
]

INSERTED = 3
"""The field of InsertParams that has the points."""

RETURNED = 4
"""The field of the answers that has the points."""

MOST_POINTS = 1 << 22
"""Points in one message. A point without members has 2 bytes in a message and 16 or 48 in arrays, so the size
of a message alone would not bound the memory."""

_TIME, _FLOAT, _COUNT = "<i8", "<f8", "<u8"
_RAW = (_TIME, _FLOAT)
_STAT = (_TIME, _FLOAT, _FLOAT, _FLOAT, _COUNT, _FLOAT)
_FIXED64 = 1
_SHORTEST_RUN = 16
_MOST_SINGLE = 1024  # points that are in no run: as lists they need much more memory than in arrays


@dataclass(frozen=True, slots=True)
class RawColumns:
    """Raw points. The arrays have equal lengths.

    Attributes:
        times: nanoseconds since 1970 UTC.
        values: the values.
    """

    times: NDArray[np.int64]
    values: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.times)


@dataclass(frozen=True, slots=True)
class StatColumns:
    """Statistical points, one for each window. The arrays have equal lengths.

    Attributes:
        times: nanoseconds since 1970 UTC, the start of each window.
        mins, means, maxes, stddevs: of the values in the window.
        counts: how many points the window has.
    """

    times: NDArray[np.int64]
    mins: NDArray[np.float64]
    means: NDArray[np.float64]
    maxes: NDArray[np.float64]
    counts: NDArray[np.uint64]
    stddevs: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.times)


def encode_raw(times: NDArray[np.int64], values: NDArray[np.float64], field: int = INSERTED) -> bytes:
    """Raw points as they stand in a message, to be appended to its other fields.

    Args:
        times: nanoseconds since 1970 UTC.
        values: as many values.
        field: the number of the message's field, less than 16.
    """
    return _encode((times, values), _RAW, field)


def encode_stat(points: StatColumns, field: int = RETURNED) -> bytes:
    """Statistical points as they stand in a message, to be appended to its other fields."""
    columns = points.times, points.mins, points.means, points.maxes, points.counts, points.stddevs
    return _encode(columns, _STAT, field)


def decode_raw(body: bytes, field: int = RETURNED) -> tuple[bytes, RawColumns]:
    """Split a message into its other fields, for protobuf, and its raw points.

    Raises:
        InvalidResponse: it is not a message, or has more than MOST_POINTS points.
    """
    rest, columns = _Decoder(body, field, _RAW).run()
    return rest, RawColumns(*columns)


def decode_stat(body: bytes, field: int = RETURNED) -> tuple[bytes, StatColumns]:
    """Split a message into its other fields, for protobuf, and its statistical points.

    Raises:
        InvalidResponse: it is not a message, or has more than MOST_POINTS points.
    """
    rest, columns = _Decoder(body, field, _STAT).run()
    return rest, StatColumns(*columns)


def _encode(columns: tuple[NDArray[Any], ...], types: tuple[str, ...], field: int) -> bytes:
    layout = _full_layout(types)
    constants = bytes([field << 3 | 2, *layout.constants[1:]])
    rows = np.empty(len(columns[0]), layout.dtype)
    for where, constant in zip(layout.offsets, constants, strict=True):
        rows[f"c{where}"] = constant
    for number, column in enumerate(columns):
        rows[f"m{number}"] = column
    return rows.tobytes()


class _Layout:
    """Where the members of a point stand, for points that have the same members in the same order.

    Attributes:
        members: the number of each member that the points have, from 0.
        offsets, constants: the places of bytes that are the same in each of these points, and those bytes.
        stride: the size of a point, with its tag and length.
        dtype: the points as an array of numpy.
    """

    __slots__ = ("constants", "dtype", "members", "offsets", "stride")

    def __init__(self, members: tuple[int, ...], tag: int, types: tuple[str, ...]) -> None:
        self.members = members
        self.stride = 2 + 9 * len(members)
        self.offsets = (0, 1, *(2 + 9 * place for place in range(len(members))))
        self.constants = bytes([tag, self.stride - 2, *(m + 1 << 3 | _FIXED64 for m in members)])
        self.dtype = np.dtype(
            {
                "names": [*(f"c{where}" for where in self.offsets), *(f"m{member}" for member in members)],
                "formats": ["u1"] * len(self.offsets) + [types[member] for member in members],
                "offsets": [*self.offsets, *(3 + 9 * place for place in range(len(members)))],
                "itemsize": self.stride,
            }
        )

    def count_run(self, body: bytes, start: int) -> int:
        """How many points with this layout follow each other from `start`."""
        known, step = 0, 64
        while True:
            here = start + known * self.stride
            most = min(step, (len(body) - here) // self.stride)
            rows = np.frombuffer(body, self.dtype, most, here)
            matching = np.ones(most, bool)
            for where, constant in zip(self.offsets, self.constants, strict=True):
                matching &= rows[f"c{where}"] == constant
            if not matching.all():
                return known + int(matching.argmin())
            known += most
            if most < step:
                return known
            step = min(2 * step, 1 << 16)  # so that a short run costs little


@lru_cache(maxsize=4)
def _full_layout(types: tuple[str, ...]) -> _Layout:
    """The layout of points that have all members in order."""
    return _Layout(tuple(range(len(types))), 0, types)


class _Decoder:
    """Splits one message."""

    def __init__(self, body: bytes, field: int, types: tuple[str, ...]) -> None:
        self._body = body
        self._tag = field << 3 | 2
        self._types = types
        self._layouts: dict[tuple[int, ...], _Layout] = {}
        self._chunks: list[list[NDArray[Any]]] = []
        self._single: list[list[Any]] = []  # points in no run, since the last chunk
        self._count = 0

    def run(self) -> tuple[bytes, list[NDArray[Any]]]:
        """The other fields, and an array for each member."""
        body, tag = self._body, self._tag
        rest = []
        at, end = 0, len(body)
        while at < end:
            key, after = read_varint(body, at, end)
            if key == tag:
                at = self._read_points(at, after)
            else:
                after = skip_field(body, key, after, end)
                rest.append(body[at:after])
                at = after
        self._close_single()
        types = self._types
        if not self._chunks:
            columns = [np.empty(0, type) for type in types]
        elif len(self._chunks) == 1:
            columns = self._chunks[0]
        else:
            columns = [np.concatenate(parts) for parts in zip(*self._chunks, strict=True)]
        return b"".join(rest), columns

    def _read_points(self, start: int, after: int) -> int:
        """Read the point at `start` and those that have the same layout after it. Returns where they end."""
        body = self._body
        length, here = read_varint(body, after, len(body))
        end = here + length
        if end > len(body):
            raise InvalidResponse(f"a point of {length} bytes is cut off")
        members, values = self._read_point(here, end)
        if members is not None and after == start + 1 and here == start + 2:
            stride = end - start
            head = body[start : start + 3]
            # In most messages all points have one layout. Where they differ, do not try for each of them.
            if all(body[far : far + 3] == head for far in (end, start + stride * (_SHORTEST_RUN - 1))):
                layout = self._layouts.get(members)
                if layout is None:
                    layout = self._layouts[members] = _Layout(members, self._tag, self._types)
                run = layout.count_run(body, start)
                self._count_more(run)
                self._close_single()
                self._chunks.append(self._read_run(layout, start, run))
                return start + run * stride
        self._count_more(1)
        self._single.append(values)
        if len(self._single) == _MOST_SINGLE:
            self._close_single()
        return end

    def _read_run(self, layout: _Layout, start: int, run: int) -> list[NDArray[Any]]:
        rows = np.frombuffer(self._body, layout.dtype, run, start)
        return [
            rows[f"m{number}"].copy() if number in layout.members else np.zeros(run, type)
            for number, type in enumerate(self._types)
        ]

    def _read_point(self, at: int, end: int) -> tuple[tuple[int, ...] | None, list[Any]]:
        """Read one point. Returns its members, or None if it has anything else, and the values of all."""
        body, types = self._body, self._types
        values = [b"\0" * 8] * len(types)
        members: list[int] = []
        is_plain = True
        while at < end:
            key, after = read_varint(body, at, end)
            stop = skip_field(body, key, after, end)
            number = (key >> 3) - 1
            if key & 7 == _FIXED64 and number < len(types):
                values[number] = body[after:stop]
                is_plain = is_plain and after == at + 1 and number not in members
                members.append(number)
            else:
                is_plain = False
            at = stop
        return tuple(members) if is_plain else None, values

    def _count_more(self, count: int) -> None:
        self._count += count
        if self._count > MOST_POINTS:
            raise InvalidResponse(f"a message has more than {MOST_POINTS:,} points")

    def _close_single(self) -> None:
        if self._single:
            members: Iterator[Any] = zip(*self._single, strict=True)
            self._chunks.append(
                [np.frombuffer(b"".join(each), type) for each, type in zip(members, self._types, strict=True)]
            )
            self._single = []
