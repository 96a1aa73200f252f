"""Counts points exactly."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from uuid import UUID

    from .dialect import Dialect

__all__ = ["count_points"]

_MOST_WINDOWS_LOG = 6  # windows of one call: 2 ** this, and twice as many at most
_SHORT = 16  # a range of up to 2 ** this nanoseconds is counted point by point


def count_points(dialect: Dialect, uuid: UUID, start: int, end: int, version: int) -> int:
    """How many points there are in [start, end)."""
    if dialect.exact_windows:
        windows = dialect.windows(uuid, start, end, version, end - start, 0)
        return sum(int(part.counts.sum()) for part in windows)
    return _count_by_parts(dialect, uuid, start, end, version)


def _count_by_parts(dialect: Dialect, uuid: UUID, start: int, end: int, version: int) -> int:
    """Aligned windows in the middle, and the same with shorter ones before and after it."""
    if start >= end:
        return 0
    size = (end - start).bit_length()
    if size <= _SHORT:
        return sum(len(part) for part in dialect.raw_values(uuid, start, end, version))
    width = size - _MOST_WINDOWS_LOG
    first, last = -(-start >> width) << width, end >> width << width
    windows = dialect.aligned_windows(uuid, first, last, version, width)
    return (
        sum(int(part.counts.sum()) for part in windows)
        + _count_by_parts(dialect, uuid, start, first, version)
        + _count_by_parts(dialect, uuid, last, end, version)
    )
