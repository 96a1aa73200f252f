"""Times as nanoseconds since 1970 UTC, exact, from whatever a caller has."""

from __future__ import annotations

import re
import sys
import time
from datetime import date, datetime, timedelta, timezone
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from ...transport.outgoing_values import resolve
from ...wire.btrdb.errors import BTRDBTypeError, InvalidTimeRange
from ...wire.numpy_values import is_missing, scalar

if TYPE_CHECKING:
    from decimal import Decimal

__all__ = [
    "MAXIMUM_TIME",
    "MINIMUM_TIME",
    "check_range",
    "check_time",
    "currently_as_ns",
    "datetime_to_ns",
    "ns_delta",
    "ns_to_datetime",
    "timedelta_to_ns",
    "to_nanoseconds",
]

MINIMUM_TIME = -(16 << 56)
"""The earliest time that a stream can have, in 1933."""

MAXIMUM_TIME = (48 << 56) - 1
"""The end of the longest range of times, in 2079."""

_SECOND = 1_000_000_000
_DAY = 86_400 * _SECOND
_EPOCH = datetime(1970, 1, 1)
_ISO = re.compile(
    r"(?P<date>\d{4}-\d{2}-\d{2})"
    r"(?:[T ](?P<time>\d{2}:\d{2}(?::\d{2})?)(?:[.,](?P<fraction>\d{1,9}))?"
    r"\s?(?P<zone>Z|z|[+-]\d{2}:?\d{2}|[+-]\d{2})?)?",
    re.ASCII,
)
_WHOLE = re.compile(r"[+-]?\d{1,20}", re.ASCII)
_FORMS = "give nanoseconds since 1970 as an int, a datetime, a numpy.datetime64, or ISO text"
# Of numpy.datetime64's units, in nanoseconds. Years and months have no fixed length.
_UNITS = {
    "W": 7 * _DAY,
    "D": _DAY,
    "h": 3600 * _SECOND,
    "m": 60 * _SECOND,
    "s": _SECOND,
    "ms": 1_000_000,
    "us": 1000,
    "ns": 1,
}


def to_nanoseconds(value: Any, what: str = "time") -> int:
    """Convert a time to nanoseconds since 1970 UTC, exactly.

    Args:
        value: an int; a float that is a whole number; text with a whole number, or in ISO 8601 with up to
            nine digits after the second ("2024-01-31", "2024-01-31T12:00:00.123456789Z"); a datetime or a
            date; a numpy.datetime64; a pandas.Timestamp. Without a time zone it is UTC.
        what: the name of the value, for the error's text.

    Raises:
        BTRDBTypeError: it is nothing of this.
        InvalidTimeRange: it is text or a float that is no time.
    """
    value = resolve(value)
    if type(value) is int:
        return value
    if value is None or is_missing(value):
        raise BTRDBTypeError(f"{what} is {value}; {_FORMS}")
    if hasattr(value, "to_datetime64"):  # a pandas.Timestamp, which is a datetime that has nanoseconds too
        value = value.to_datetime64()
    if type(value).__module__ == "numpy" and type(value).__name__ == "datetime64":
        return _from_datetime64(value, what)
    value = scalar(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return int(value)
    if isinstance(value, datetime):
        return datetime_to_ns(value)
    if isinstance(value, date):
        return (value - _EPOCH.date()).days * _DAY
    if isinstance(value, float):
        if not value.is_integer():
            raise InvalidTimeRange(f"{what} is {value!r}, which is no whole number of nanoseconds; {_FORMS}")
        return int(value)
    if isinstance(value, bytes):
        value = value.decode("latin-1")
    if isinstance(value, str):
        return _from_text(value.strip(), what)
    raise BTRDBTypeError(f"{what} is {type(value).__name__}; {_FORMS}")


def datetime_to_ns(dt: datetime) -> int:
    """Convert a datetime to nanoseconds since 1970 UTC. Without a time zone it is UTC."""
    offset = dt.utcoffset()
    passed = dt.replace(tzinfo=None) - _EPOCH
    return timedelta_to_ns(passed if offset is None else passed - offset)


def timedelta_to_ns(delta: timedelta) -> int:
    """Convert a timedelta to nanoseconds; of pandas.Timedelta the nanoseconds count too."""
    whole = (delta.days * 86_400 + delta.seconds) * _SECOND + delta.microseconds * 1000
    return whole + int(getattr(delta, "nanoseconds", 0))


def ns_to_datetime(ns: int) -> datetime:
    """Convert nanoseconds since 1970 to a datetime in UTC. It has microseconds; the rest is cut off."""
    return _EPOCH.replace(tzinfo=timezone.utc) + timedelta(microseconds=ns // 1000)


def currently_as_ns() -> int:
    """The time now, in nanoseconds since 1970 UTC."""
    return time.time_ns()


def ns_delta(
    days: float | Decimal = 0,
    hours: float | Decimal = 0,
    minutes: float | Decimal = 0,
    seconds: float | Decimal = 0,
    milliseconds: float | Decimal = 0,
    microseconds: float | Decimal = 0,
    nanoseconds: int = 0,
) -> int:
    """A span of time in nanoseconds.

    >>> ns_delta(minutes=1, milliseconds=0.5)
    60000500000
    """
    spans = (
        *((days, _DAY), (hours, 3600 * _SECOND), (minutes, 60 * _SECOND), (seconds, _SECOND)),
        *((milliseconds, 1_000_000), (microseconds, 1000), (nanoseconds, 1)),
    )
    return int(sum(Fraction(count) * size for count, size in spans))


def check_time(value: Any, what: str, latest: int = MAXIMUM_TIME) -> int:
    """Convert a time and check that a stream can have it.

    Raises:
        BTRDBTypeError, InvalidTimeRange: it is no time, or too early or too late.
    """
    found = to_nanoseconds(value, what)
    if not MINIMUM_TIME <= found <= latest:
        raise InvalidTimeRange(
            f"{what} is {found}, outside the times that a stream can have: {MINIMUM_TIME} to {latest} "
            "nanoseconds since 1970, which is 1933 to 2079"
        )
    return found


def check_range(start: Any, end: Any) -> tuple[int, int]:
    """Convert and check the range of times [start, end).

    Raises:
        BTRDBTypeError, InvalidTimeRange: one is no time, too early or too late, or end is not after start.
    """
    first, last = check_time(start, "start"), check_time(end, "end")
    if first >= last:
        raise InvalidTimeRange(f"start ({first}) must be before end ({last})")
    return first, last


def _from_datetime64(value: Any, what: str) -> int:
    unit, step = sys.modules["numpy"].datetime_data(value.dtype)
    count: int = int(value.astype("int64")) * step
    if unit in ("Y", "M"):
        value = value.astype("datetime64[D]")
        return int(value.astype("int64")) * _DAY
    if unit in _UNITS:
        return count * _UNITS[unit]
    size = {"ps": 1000, "fs": 1_000_000, "as": _SECOND}.get(unit)
    if size is None or count % size:
        raise InvalidTimeRange(f"{what} is {value!r}, which is no whole number of nanoseconds")
    return count // size


def _from_text(text: str, what: str) -> int:
    if _WHOLE.fullmatch(text):
        return int(text)
    found = _ISO.fullmatch(text)
    try:
        if found is None:
            raise ValueError
        whole = datetime.fromisoformat(f"{found['date']}T{found['time'] or '00:00'}")
    except ValueError:
        raise InvalidTimeRange(
            f"{what} is {text[:60]!r}, which is no time; write 2024-01-31 or 2024-01-31T12:00:00.123456789Z"
        ) from None
    fraction = int((found["fraction"] or "").ljust(9, "0"))
    return datetime_to_ns(whole) + fraction - _offset(found["zone"] or "Z")


def _offset(zone: str) -> int:
    if zone in "Zz":
        return 0
    digits = zone[1:].replace(":", "").ljust(4, "0")
    seconds = int(digits[:2]) * 3600 + int(digits[2:]) * 60
    return (-seconds if zone[0] == "-" else seconds) * _SECOND
