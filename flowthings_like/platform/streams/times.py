"""The times that a stream may have points at, and the ranges and windows that may be asked for.

Times are nanoseconds since 1970 UTC. A range includes its start and not its end.
"""

from __future__ import annotations

from .problems import Code, StreamProblem

__all__ = [
    "END_OF_TIME",
    "FIRST_TIME",
    "LAST_TIME",
    "MAX_POINT_WIDTH",
    "check_nearest",
    "check_point_width",
    "check_range",
    "floor",
]

FIRST_TIME = -(16 << 56)
"""The earliest time of a point, in 1933."""

END_OF_TIME = 48 << 56
"""In 2079. The end of a range comes before it."""

LAST_TIME = END_OF_TIME - 2
"""The latest time of a point."""

MAX_POINT_WIDTH = 63


def check_range(start: int, end: int) -> None:
    """Raise INVALID_TIME_RANGE unless start < end, and both are within the times of points."""
    if start >= end:
        raise StreamProblem(
            Code.INVALID_TIME_RANGE, f"the start of a range comes before its end, not {start} and {end}"
        )
    if start < FIRST_TIME or end >= END_OF_TIME:
        raise StreamProblem(
            Code.INVALID_TIME_RANGE,
            f"a range starts at {FIRST_TIME} or later and ends before {END_OF_TIME}, not {start} and {end}",
        )


def check_nearest(time: int) -> None:
    """Raise INVALID_TIME_RANGE unless the nearest point to this time can be asked for."""
    if not FIRST_TIME <= time < END_OF_TIME:
        raise StreamProblem(
            Code.INVALID_TIME_RANGE, f"a time is {FIRST_TIME} or later and before {END_OF_TIME}, not {time}"
        )


def check_point_width(width: int) -> None:
    """Raise INVALID_POINT_WIDTH unless there are windows of 2**width ns."""
    if not 0 <= width <= MAX_POINT_WIDTH:
        raise StreamProblem(Code.INVALID_POINT_WIDTH, f"a point width is 0 to {MAX_POINT_WIDTH}, not {width}")


def floor(time: int, point_width: int) -> int:
    """The start of the window of 2**point_width ns that has this time."""
    return time >> point_width << point_width
