"""TStorage's times: nanoseconds or seconds since 2001-01-01 UTC, and what they are in unix time.

Leap seconds are ignored, as in unix time. Numbers of numpy, and arrays of them, can be converted too.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone, tzinfo
from typing import TypeVar

from ...errors import InvalidInput

__all__ = [
    "Tstoragedatetime",
    "from_unix",
    "from_unix_ns",
    "now",
    "now_ns",
    "to_unix",
    "to_unix_ns",
]

S = TypeVar("S", int, float)

EPOCH = 978_307_200
"""Seconds from 1970-01-01 UTC, where unix time begins, to 2001-01-01 UTC, where TStorage's begins."""

EPOCH_NS = EPOCH * 1_000_000_000

_SECOND = 1_000_000_000
_UNIX_START = datetime(1970, 1, 1, tzinfo=timezone.utc)


def to_unix(timestamp: S) -> S:
    """Convert seconds of TStorage to unix seconds."""
    return timestamp + EPOCH


def to_unix_ns(timestamp: int) -> int:
    """Convert nanoseconds of TStorage, such as a `cap` or an `acq`, to unix nanoseconds."""
    return timestamp + EPOCH_NS


def from_unix(timestamp: S) -> S:
    """Convert unix seconds to seconds of TStorage."""
    return timestamp - EPOCH


def from_unix_ns(timestamp: int) -> int:
    """Convert unix nanoseconds to nanoseconds of TStorage."""
    return timestamp - EPOCH_NS


def now() -> float:
    """The current time in seconds of TStorage. A float holds it to about 0.1 microseconds."""
    return now_ns() / _SECOND


def now_ns() -> int:
    """The current time in nanoseconds of TStorage."""
    return from_unix_ns(time.time_ns())


@dataclass(frozen=True, order=True, slots=True)
class Tstoragedatetime:
    """A datetime and the nanoseconds that it cannot hold.

    Attributes:
        datetime: the time to the microsecond. Without a time zone it counts as UTC.
        nanoseconds: what is left, 0 to 999.
    """

    datetime: datetime
    nanoseconds: int

    @classmethod
    def from_unix(cls, timestamp: float, *, tzinfo: tzinfo = timezone.utc) -> Tstoragedatetime:
        """Convert unix seconds. An int is exact; a float has about 0.1 microseconds.

        Args:
            timestamp: the seconds.
            tzinfo: the time zone of the result.

        Raises:
            InvalidInput: it is not a number, or beyond the years 1 to 9999.
        """
        return cls.from_unix_ns(_to_ns(timestamp), tzinfo=tzinfo)

    @classmethod
    def from_unix_ns(cls, timestamp: int, *, tzinfo: tzinfo = timezone.utc) -> Tstoragedatetime:
        """Convert unix nanoseconds. Arguments and errors are those of `from_unix`."""
        microseconds, nanoseconds = divmod(int(timestamp), 1000)
        try:
            made = (_UNIX_START + timedelta(microseconds=microseconds)).astimezone(tzinfo)
        except OverflowError:
            raise InvalidInput(f"{timestamp} ns is beyond the years 1 to 9999") from None
        return cls(made, nanoseconds)

    @classmethod
    def from_tstorage(cls, timestamp: float, *, tzinfo: tzinfo = timezone.utc) -> Tstoragedatetime:
        """Convert seconds of TStorage. Arguments and errors are those of `from_unix`."""
        return cls.from_tstorage_ns(_to_ns(timestamp), tzinfo=tzinfo)

    @classmethod
    def from_tstorage_ns(cls, timestamp: int, *, tzinfo: tzinfo = timezone.utc) -> Tstoragedatetime:
        """Convert nanoseconds of TStorage, such as a `cap` or an `acq`. The rest is as in `from_unix`."""
        return cls.from_unix_ns(to_unix_ns(int(timestamp)), tzinfo=tzinfo)

    def to_unix(self) -> float:
        """Unix seconds. A float holds them to about 0.1 microseconds."""
        return self.to_unix_ns() / _SECOND

    def to_unix_ns(self) -> int:
        """Unix nanoseconds, exact."""
        moment = self.datetime
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=timezone.utc)
        return (moment - _UNIX_START) // timedelta(microseconds=1) * 1000 + self.nanoseconds

    def to_tstorage(self) -> float:
        """Seconds of TStorage. A float holds them to about 0.1 microseconds."""
        return self.to_tstorage_ns() / _SECOND

    def to_tstorage_ns(self) -> int:
        """Nanoseconds of TStorage, exact."""
        return from_unix_ns(self.to_unix_ns())


def _to_ns(seconds: float) -> int:
    """Whole nanoseconds. The fraction of a float is taken first, because the product would lose digits."""
    if isinstance(seconds, int):
        return seconds * _SECOND
    if not math.isfinite(seconds):
        raise InvalidInput(f"{seconds} is not a time")
    whole = math.floor(seconds)
    return whole * _SECOND + round((seconds - whole) * _SECOND)
