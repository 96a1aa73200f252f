"""Converts values to text, as `str` and template strings do."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from .....wire.things import errors
from .. import limits
from .plain import date_text
from .types import Closure, Failure, Regex, Room, Thing, Timeval, Value, type_name

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["error_message", "joined", "text_of"]


_MAX_MESSAGE = 16383


def text_of(value: Value) -> str:
    """Return the value as text. A float has six digits, as C's %g writes it.

    Raises:
        TypeError: it is a list, tuple, set or mpdata.
        ValueError: it is bytes that are not UTF-8.
    """
    if isinstance(value, str):
        return value
    kind = type(value)
    if value is None:
        return "nil"
    if kind is bool:
        return "true" if value else "false"
    if kind is int:
        return str(value)
    if kind is float:
        return f"{value:g}"
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            raise errors.ValueError("binary data has no valid UTF8 encoding") from None
    if kind is Thing:
        return f"thing:{'nil' if value.id is None else value.id}"
    if kind is Room:
        return str(value)
    if isinstance(value, Closure):
        return value.definition
    if isinstance(value, Regex):
        return value.text
    if isinstance(value, Failure):
        return value.message
    if kind is datetime:
        return date_text(value)
    if kind is Timeval:
        return str(int(value.timestamp()))
    raise errors.TypeError(f"cannot convert type `{type_name(value)}` to `str`")


def error_message(text: str) -> str:
    """Return the text if it may be the message of an error. Raises ValueError if it is too long."""
    if len(text) > _MAX_MESSAGE:
        raise errors.ValueError(
            f"error messages should not exceed {_MAX_MESSAGE} characters, got {len(text)} characters"
        )
    return text


def joined(parts: Sequence[str], separator: str = "") -> str:
    """Return the parts as one text. Raises MaxQuotaError if it is longer than MAX_TEXT."""
    if sum(map(len, parts)) + len(separator) * len(parts) > limits.MAX_TEXT:
        raise errors.MaxQuotaError(f"expected a text of at most {limits.MAX_TEXT} characters")
    return separator.join(parts)
