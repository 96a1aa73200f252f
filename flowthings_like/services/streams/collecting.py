"""Puts the parts of an answer together to one object."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from .points import Points, RawPoints, StatPoints

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

__all__ = ["collect_raw", "collect_stat"]

P = TypeVar("P", bound=Points[Any])

_RAW = ("i8", "f8")
_STAT = ("i8", "f8", "f8", "f8", "u8", "f8")


def collect_raw(parts: Iterable[RawPoints], version: int = 0) -> RawPoints:
    """All points of the parts.

    Args:
        version: the version to say if there are no parts.
    """
    (times, values), found = _collect(parts, _RAW)
    return RawPoints(times, values, found or version)


def collect_stat(parts: Iterable[StatPoints], version: int = 0) -> StatPoints:
    """All windows of the parts.

    Args:
        version: the version to say if there are no parts.
    """
    (times, mins, means, maxes, counts, stddevs), found = _collect(parts, _STAT)
    return StatPoints(times, mins, means, maxes, counts, stddevs, found or version)


def _collect(parts: Iterable[Points[Any]], types: tuple[str, ...]) -> tuple[list[NDArray[Any]], int]:
    """The columns, and the version that the server read.

    The arrays grow where they are: that needs less memory than to keep all parts until the last has come.
    """
    columns = [np.empty(0, type) for type in types]
    size = version = 0
    for part in parts:
        version = part.version or version
        end = size + len(part)
        if end > len(columns[0]):
            room = max(end, end + size // 2)
            for column in columns:
                column.resize(room, refcheck=False)
        for column, more in zip(columns, part.columns, strict=True):
            column[size:end] = more
        size = end
    for column in columns:
        column.resize(size, refcheck=False)
    return columns, version
