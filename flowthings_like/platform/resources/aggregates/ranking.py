"""An order for all JSON values: truth values, numbers, strings, then lists and maps by their text."""

from __future__ import annotations

from typing import Any, TypeAlias

import orjson

Rank: TypeAlias = tuple[int, Any]
"""What a value is compared by. Values are equal if their ranks are."""

MISSING: Rank = (0, 0)
"""The rank of null."""


def rank(value: Any) -> Rank:
    """The rank of a JSON value."""
    if value is None:
        return MISSING
    if isinstance(value, bool):
        return 1, value
    if isinstance(value, (int, float)):
        return 2, value
    if isinstance(value, str):
        return 3, value
    return 4, orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
