"""Point widths: the lengths of aligned windows, which are powers of two of nanoseconds."""

from __future__ import annotations

from datetime import timedelta
from functools import total_ordering
from typing import Any, SupportsInt

from ...transport.outgoing_values import resolve
from ...wire.btrdb.errors import BTRDBTypeError, InvalidPointWidth
from ...wire.numpy_values import scalar
from .times import ns_delta, timedelta_to_ns, to_nanoseconds

__all__ = ["MOST_POINT_WIDTH", "PW", "check_point_width", "nearest_point_width", "pointwidth"]

MOST_POINT_WIDTH = 63

# The unit of `str(pointwidth)`: from which point width on, its name, and how many nanoseconds it has.
_UNITS = (
    (55, "years", 3.154e16),
    (52, "months", 2.628e15),
    (50, "weeks", 6.048e14),
    (47, "days", 8.64e13),
    (42, "hours", 3.6e12),
    (36, "minutes", 6e10),
    (30, "seconds", 1e9),
    (20, "milliseconds", 1e6),
    (10, "microseconds", 1e3),
)


@total_ordering
class pointwidth:  # noqa: N801 (its name in btrdb)
    """The length of an aligned window: `2 ** int(pointwidth)` nanoseconds.

    >>> pointwidth.from_timedelta(timedelta(hours=1))
    <pointwidth 41>
    >>> str(pointwidth(36))
    '1.15 minutes'

    Args:
        p: the exponent, 0 to 63.

    Raises:
        InvalidPointWidth: it is not.
    """

    __slots__ = ("_exponent",)

    def __init__(self, p: SupportsInt) -> None:
        self._exponent = int(p)
        if not 0 <= self._exponent <= MOST_POINT_WIDTH:
            raise InvalidPointWidth(f"a point width is 0 to {MOST_POINT_WIDTH}, not {self._exponent}")

    @classmethod
    def from_timedelta(cls, delta: timedelta) -> pointwidth:
        """The longest window that is not longer than a timedelta."""
        return cls.from_nanoseconds(timedelta_to_ns(delta))

    @classmethod
    def from_nanoseconds(cls, nsec: int) -> pointwidth:
        """The longest window, up to 2 ** 61, that is not longer than so many nanoseconds."""
        return cls(min(max(int(nsec), 1).bit_length() - 1, 61))

    def for_aligned_windows(self, start: Any, end: Any) -> tuple[int, int, int]:
        """What `aligned_windows(start, end, self)` covers: the start of the first and of the last window, in
        nanoseconds since 1970, and the number of windows."""
        first = to_nanoseconds(start, "start") >> self._exponent
        count = (to_nanoseconds(end, "end") >> self._exponent) - first
        return first << self._exponent, (first + count - 1) << self._exponent, count

    @property
    def nanoseconds(self) -> int:
        """The length in nanoseconds."""
        return 1 << self._exponent

    @property
    def microseconds(self) -> float:
        """The length in microseconds."""
        return self.nanoseconds / 1e3

    @property
    def milliseconds(self) -> float:
        """The length in milliseconds."""
        return self.nanoseconds / 1e6

    @property
    def seconds(self) -> float:
        """The length in seconds."""
        return self.nanoseconds / 1e9

    @property
    def minutes(self) -> float:
        """The length in minutes."""
        return self.nanoseconds / 6e10

    @property
    def hours(self) -> float:
        """The length in hours."""
        return self.nanoseconds / 3.6e12

    @property
    def days(self) -> float:
        """The length in days of 24 hours."""
        return self.nanoseconds / 8.64e13

    @property
    def weeks(self) -> float:
        """The length in weeks."""
        return self.nanoseconds / 6.048e14

    @property
    def months(self) -> float:
        """The length in months of about 30.4 days."""
        return self.nanoseconds / 2.628e15

    @property
    def years(self) -> float:
        """The length in years of about 365 days."""
        return self.nanoseconds / 3.154e16

    def incr(self) -> pointwidth:
        """The next longer one."""
        return self + 1

    def decr(self) -> pointwidth:
        """The next shorter one."""
        return self - 1

    def to_timedelta(self) -> timedelta:
        """The length as a timedelta, rounded to microseconds."""
        return timedelta(microseconds=self.microseconds)

    def __int__(self) -> int:
        return self._exponent

    __index__ = __int__

    def __eq__(self, other: object) -> bool:
        return self._exponent == int(other) if hasattr(other, "__int__") else NotImplemented

    def __lt__(self, other: SupportsInt) -> bool:
        return self._exponent < int(other)

    def __hash__(self) -> int:
        return hash(self._exponent)

    def __add__(self, other: SupportsInt) -> pointwidth:
        return pointwidth(self._exponent + int(other))

    def __sub__(self, other: SupportsInt) -> pointwidth:
        return pointwidth(self._exponent - int(other))

    def __str__(self) -> str:
        for least, name, size in _UNITS:
            if self._exponent >= least:
                return f"{self.nanoseconds / size:0.2f} {name}"
        return f"{self.nanoseconds} nanoseconds"

    def __repr__(self) -> str:
        return f"<pointwidth {self._exponent}>"


PW = tuple(map(pointwidth, range(61)))
"""The point widths from 0 to 60."""


def nearest_point_width(
    days: float = 0,
    hours: float = 0,
    minutes: float = 0,
    seconds: float = 0,
    milliseconds: float = 0,
    microseconds: float = 0,
    nanoseconds: int = 0,
    hertz: float | None = None,
) -> pointwidth:
    """The point width whose length is nearest to a span of time, or to the time between two samples.

    Args:
        hertz: samples in a second, in place of the span.

    Raises:
        InvalidPointWidth: the span is not longer than 0.
    """
    if hertz is not None:
        span = round(1e9 / hertz) if hertz > 0 else 0
    else:
        span = ns_delta(days, hours, minutes, seconds, milliseconds, microseconds, nanoseconds)
    if span <= 0:
        raise InvalidPointWidth("the span of time must be longer than 0")
    below = span.bit_length() - 1
    is_nearer_to_next = span - (1 << below) > (2 << below) - span
    return pointwidth(min(below + is_nearer_to_next, 60))


def check_point_width(value: Any) -> int:
    """The exponent of a point width that is a pointwidth or a whole number.

    Raises:
        BTRDBTypeError, InvalidPointWidth: it is neither, or is not 0 to 63.
    """
    value = scalar(resolve(value))
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | pointwidth):
        raise BTRDBTypeError(f"a point width is a whole number, not {type(value).__name__}")
    return int(pointwidth(value))
