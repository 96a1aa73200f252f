"""What a set of streams remembers between calls: times, windows, and how to align points."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from ...transport.outgoing_values import resolve
from ...wire.btrdb.errors import BTRDBValueError, InvalidOperation
from .arguments import check_width
from .pointwidths import check_point_width
from .times import MAXIMUM_TIME, MINIMUM_TIME, check_time

__all__ = ["Selection"]


@dataclass(frozen=True, slots=True)
class Selection:
    """The arguments that `StreamSet.filter`, `windows` and `aligned_windows` have remembered.

    Attributes:
        start, end: the range of times; None for all times.
        sampling_period: nanoseconds between the instants to which raw points are moved; 0 leaves them.
        schema: a pyarrow.Schema for tables, or None.
        width: of windows, in nanoseconds; 0 for none.
        point_width: of aligned windows; None for none.
    """

    start: int | None = None
    end: int | None = None
    sampling_period: int = 0
    schema: Any = None
    width: int = 0
    point_width: int | None = None

    @property
    def range(self) -> tuple[int, int]:
        """Start and end, those of all times where none are remembered."""
        return (
            MINIMUM_TIME if self.start is None else self.start,
            MAXIMUM_TIME if self.end is None else self.end,
        )

    @property
    def has_windows(self) -> bool:
        """Whether windows are selected, and not points."""
        return bool(self.width) or self.point_width is not None

    def narrowed(self, start: Any, end: Any, sampling_frequency: Any, schema: Any) -> Selection:
        """The same with other times, as far as they are given.

        Raises:
            BTRDBValueError: the end is not after the start, or the frequency is not above 0.
        """
        changed = self
        if start is not None:
            changed = replace(changed, start=check_time(start, "start"))
        if end is not None:
            changed = replace(changed, end=check_time(end, "end"))
        first, last = changed.range
        if first >= last:
            raise BTRDBValueError(f"start ({first}) must be before end ({last})")
        if sampling_frequency is not None:
            changed = replace(changed, sampling_period=_period(sampling_frequency))
        return changed if schema is None else replace(changed, schema=schema)

    def with_windows(self, width: Any) -> Selection:
        """The same with windows of this width.

        Raises:
            InvalidOperation: there are windows already.
        """
        self._check_no_windows()
        return replace(self, width=check_width(width))

    def with_aligned_windows(self, point_width: Any) -> Selection:
        """The same with aligned windows.

        Raises:
            InvalidOperation: there are windows already.
        """
        self._check_no_windows()
        return replace(self, point_width=check_point_width(point_width))

    def _check_no_windows(self) -> None:
        if self.has_windows:
            raise InvalidOperation("windows were chosen for this set already; clone() it before")


def _period(frequency: Any) -> int:
    frequency = resolve(frequency)
    if not isinstance(frequency, int | float) or isinstance(frequency, bool) or not 0 <= frequency <= 1e9:
        raise BTRDBValueError(f"sampling_frequency is {frequency!r}; give samples a second, up to 1e9")
    return int(1e9 / frequency) if frequency else 0
