"""Converts the values of parameters in a database URL's query.

The errors name the parameter and not its value, which may be a secret.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ...errors import InvalidInput

__all__ = ["Convert", "as_bool", "as_float", "as_int", "as_limit", "as_text"]

Convert = Callable[[str, str], Any]
"""Takes the text and the parameter's name, and returns the value. Raises InvalidInput without the text."""


def as_text(value: str, name: str) -> str:
    """The value as it is."""
    return value


def as_int(value: str, name: str) -> int:
    """A whole number."""
    if value.isascii() and value.removeprefix("-").isdigit() and len(value) < 20:
        return int(value)
    raise InvalidInput(f"{name} in the database URL is not a whole number")


def as_float(value: str, name: str) -> float:
    """A number of seconds."""
    try:
        return float(value)
    except ValueError:
        pass
    raise InvalidInput(f"{name} in the database URL is not a number")


def as_limit(value: str, name: str) -> float | None:
    """A number of seconds; "none" is no limit."""
    return None if value.lower() == "none" else as_float(value, name)


def as_bool(value: str, name: str) -> bool:
    """True or False, in any of the usual spellings."""
    lower = value.lower()
    if lower in ("true", "yes", "on", "1", "t", "y"):
        return True
    if lower in ("false", "no", "off", "0", "f", "n"):
        return False
    raise InvalidInput(f"{name} in the database URL is neither true nor false")
