"""The numbers that callers may want to know."""

from __future__ import annotations

import os
from typing import Any

from ...errors import ConfigurationError, InvalidInput
from ...transport.outgoing_values import resolve

__all__ = [
    "BATCH_SIZE",
    "BATCH_SIZE_V4",
    "CONCURRENCY_VARIABLE",
    "DEFAULT_CONCURRENCY_LIMIT",
    "check_concurrency",
    "default_concurrency",
]

DEFAULT_CONCURRENCY_LIMIT = 64
"""Calls of one client that are in flight at once, if neither the client nor the environment sets a limit."""

CONCURRENCY_VARIABLE = "PINGTHINGS_CONCURRENCY_LIMIT"
"""The environment variable with another default."""

BATCH_SIZE = 50_000
"""The most points that are sent in one call."""

BATCH_SIZE_V4 = 25_000
"""The same for a server of version 4, which takes no more."""


def check_concurrency(limit: Any) -> int:
    """Check a number of calls at once.

    Raises:
        InvalidInput: it is not a whole number above 0.
    """
    limit = resolve(limit)
    if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
        raise InvalidInput(f"concurrency_limit is {limit!r}; give a whole number, 1 or more")
    return limit


def default_concurrency() -> int:
    """The limit that the environment sets, else DEFAULT_CONCURRENCY_LIMIT.

    Raises:
        ConfigurationError: the variable is not a whole number above 0.
    """
    text = os.environ.get(CONCURRENCY_VARIABLE, "").strip()
    if not text:
        return DEFAULT_CONCURRENCY_LIMIT
    if not text.isdecimal() or int(text) < 1:
        raise ConfigurationError(f"{CONCURRENCY_VARIABLE} is {text!r}; write a whole number, 1 or more")
    return int(text)
