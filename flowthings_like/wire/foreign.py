"""Values of numpy and pandas: which are plain Python values, exactly, and which say that there is none.

Neither library is imported to find out: a value of theirs tells by its class that it is one.
"""

from __future__ import annotations

import sys
from datetime import timedelta
from decimal import Decimal
from typing import Any

__all__ = ["advice_on", "is_missing", "is_numpy_scalar", "scalar"]


def is_numpy_scalar(value: Any) -> bool:
    """Whether it is one number, text or moment of numpy's, and no array."""
    return type(value).__module__ == "numpy" and isinstance(value, sys.modules["numpy"].generic)


def scalar(value: Any) -> Any:
    """The plain value that a numpy scalar is, exactly; anything else as it is.

    A datetime64 becomes a datetime without a time zone, rounded down to microseconds.
    """
    if not is_numpy_scalar(value):
        return value
    kind = value.dtype.kind
    if kind in "biuSU":
        return value.item()
    if kind == "f":  # of more than 64 bits, some have no float
        plain = float(value)
        return value if plain != value and plain == plain else plain
    if kind == "M":
        moment = value.astype("datetime64[us]").item()
        return value if moment is None or isinstance(moment, int) else moment
    return value


def is_missing(value: Any) -> bool:
    """Whether it is pandas' NaT or NA, or numpy's NaT."""
    cls = type(value)
    library = cls.__module__.partition(".")[0]
    if library == "pandas":
        return cls.__name__ in ("NaTType", "NAType")
    return library == "numpy" and cls.__name__ in ("datetime64", "timedelta64") and bool(value != value)


def advice_on(value: Any) -> str:
    """What to write in place of a value that is refused; "" if nothing fits in general."""
    if isinstance(value, timedelta):
        return "write its total_seconds()"
    if isinstance(value, Decimal):
        return "write float(…) or str(…), whichever is meant"
    library = type(value).__module__.partition(".")[0]
    if library in ("numpy", "pandas") and hasattr(value, "tolist") and bool(getattr(value, "ndim", False)):
        return "write its tolist()"
    return ""
