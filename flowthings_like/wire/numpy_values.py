"""Converts scalars of numpy to plain Python values, and recognises missing values of numpy and pandas.

Neither library is imported for it: the class of a value says where it is from.
"""

from __future__ import annotations

import sys
from datetime import timedelta
from decimal import Decimal
from typing import Any

__all__ = ["advice_on", "is_missing", "is_numpy_scalar", "scalar"]


def is_numpy_scalar(value: Any) -> bool:
    """Whether it is a single value of numpy's, and no array."""
    return type(value).__module__ == "numpy" and isinstance(value, sys.modules["numpy"].generic)


def scalar(value: Any) -> Any:
    """Convert a numpy scalar to the exact plain value; anything else is returned as it is.

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
    """What to write instead of a refused value, for the error; "" if there is no general advice."""
    if isinstance(value, timedelta):
        return "write its total_seconds()"
    if isinstance(value, Decimal):
        return "write float(…) or str(…), whichever is meant"
    library = type(value).__module__.partition(".")[0]
    if library in ("numpy", "pandas") and hasattr(value, "tolist") and bool(getattr(value, "ndim", False)):
        return "write its tolist()"
    return ""
