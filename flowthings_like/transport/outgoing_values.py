"""Converts values that callers pass in: forces thunks, turns dates into milliseconds, checks JSON data."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from datetime import date, datetime, timezone
from enum import Enum
from typing import Any
from uuid import UUID

from ..errors import InvalidInput
from ..filters import operands
from ..filters.nodes import Filter
from ..wire.numpy_values import advice_on, is_missing, scalar

__all__ = ["find_fault", "items", "milliseconds", "plain", "resolve", "text", "to_send"]

_DEEPEST = 200


def resolve(value: Any) -> Any:
    """The value that an object stands for: a GreenThunk's result, a Modify's whole model; else itself.

    Objects whose class has `unwrap()` are unwrapped. The class is asked, because asking a thunk would wait.
    """
    while hasattr(type(value), "unwrap"):
        value = value.unwrap()
    return value


def to_send(value: Any) -> Any:
    """What is sent in place of a value that an encoder does not know: a thunk's result, a filter's text."""
    value = resolve(value)
    return str(value) if isinstance(value, Filter) else value


def text(value: Any, what: str) -> str:
    """Convert to str: thunks are forced, and UTF-8 bytes of legacy scripts are decoded.

    Args:
        what: the name of the value, for the error's text.

    Raises:
        InvalidInput: it is neither, or it is empty.
    """
    value = resolve(value)
    if isinstance(value, bytes):
        try:
            value = value.decode()
        except UnicodeDecodeError:
            raise InvalidInput(f"{what} is bytes that are not UTF-8; give a str") from None
    if not isinstance(value, str):
        raise InvalidInput(f"{what} must be a str, not {type(value).__name__}")
    if not value:
        raise InvalidInput(f"{what} is empty")
    return value


def items(given: Any, call: str, of: str, instead: str) -> list[Any]:
    """The items of a list or another iterable; thunks are forced.

    Args:
        call, of, instead: for the error: what takes the list, what it holds, what to write for a single one.

    Raises:
        InvalidInput: it is a str, bytes or a mapping, or cannot be iterated over.
    """
    given = resolve(given)
    if isinstance(given, str | bytes | Mapping) or not isinstance(given, Iterable):
        raise InvalidInput(f"{call} takes a list of {of}, not {type(given).__name__}; {instead}")
    return list(given)


def milliseconds(day: date) -> int:
    """Convert a datetime, or the beginning of a date, to the platform's milliseconds since 1970-01-01 UTC.

    Without a time zone it counts as UTC, as in filters.
    """
    if not isinstance(day, datetime):
        day = datetime(day.year, day.month, day.day, tzinfo=timezone.utc)
    return operands.milliseconds(day)


def plain(value: Any) -> Any:
    """Convert data to dicts, lists and scalars, for encoders that do not know this library's types.

    Values of other types stay as they are; the encoder decides whether it can write them.
    """
    value = resolve(value)
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, Filter):
        return str(value)
    return milliseconds(value) if isinstance(value, date) and not is_missing(value) else value


MISSING = "leave it out, or make the API with encoder=JSONEncoder(missing_as_null=True)"
"""What to do about a missing value."""


def find_fault(value: Any, path: str = "data", depth: int = 0, *, nulls: bool = False) -> str | None:
    """Say why a value cannot be written as JSON, and where in it the fault is; None if it can be.

    Args:
        path: what `value` is called.
        depth: how deep it is nested in the whole.
        nulls: whether NaN, NaT and NA are written as null.
    """
    value = resolve(value)
    if is_missing(value):
        return None if nulls else f"{path} is {value}, a missing value; {MISSING}"
    value = scalar(value)
    if depth > _DEEPEST:
        return f"{path[:60]}… is nested more than {_DEEPEST} deep, or holds itself"
    if isinstance(value, Filter):
        return None
    if isinstance(value, Enum):
        value = value.value
    if value is None or isinstance(value, bool | UUID | date):
        return None
    if isinstance(value, float):
        return _fault_of_float(value, path, nulls)
    if isinstance(value, int):
        return None if -(2**63) <= value < 2**64 else f"{path} is an integer beyond 64 bits"
    if isinstance(value, str):
        return (
            None if _is_unicode(value) else f"{path} is a str with a lone surrogate, which is no Unicode text"
        )
    if isinstance(value, Mapping):
        return _fault_of_mapping(value, path, depth, nulls)
    if isinstance(value, list | tuple):
        for index, item in enumerate(value):
            if fault := find_fault(item, f"{path}[{index}]", depth + 1, nulls=nulls):
                return fault
        return None
    if isinstance(value, bytes):
        return None if _is_utf8(value) else f"{path} is bytes that are not UTF-8"
    if isinstance(value, set | frozenset):
        return f"{path} is a {type(value).__name__}; write sorted(…) or list(…)"
    advice = advice_on(value)
    return f"{path} is a {type(value).__name__}, which has no form in JSON" + (advice and f"; {advice}")


def _fault_of_float(value: float, path: str, nulls: bool) -> str | None:
    if math.isfinite(value) or (nulls and math.isnan(value)):
        return None
    said = f"{path} is {float(value)}, which JSON cannot say"
    return f"{said}; {MISSING}" if math.isnan(value) else said


def _fault_of_mapping(value: Mapping[Any, Any], path: str, depth: int, nulls: bool) -> str | None:
    for key, item in value.items():
        if not isinstance(key, str):
            return f"{path} has the key {key!r}; keys must be str, not {type(key).__name__}"
        if type(key).__module__ == "numpy":
            return f"{path} has the key {key!r}; keys must be str: write str({str(key)!r})"
        if not _is_unicode(key):
            return f"{path} has a key with a lone surrogate, which is no Unicode text"
        inner = f"{path}.{key}" if key.isidentifier() else f"{path}[{key!r}]"
        if fault := find_fault(item, inner, depth + 1, nulls=nulls):
            return fault
    return None


def _is_unicode(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True
