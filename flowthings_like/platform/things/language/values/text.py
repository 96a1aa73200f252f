"""Values as text: what `str` and template strings make of them."""

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


_LONGEST_MESSAGE = 16383


def text_of(value: Value) -> str:
    """The value as text. A float has six digits, as C's %g writes them.

    Raises:
        TypeError: it is a list, tuple, set or information.
        ValueError: it is of bytes that are not UTF-8.
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
    """The text, for an error to say. Raises ValueError if it is too long for that."""
    if len(text) > _LONGEST_MESSAGE:
        raise errors.ValueError(
            f"error messages should not exceed {_LONGEST_MESSAGE} characters, got {len(text)} characters"
        )
    return text


def joined(parts: Sequence[str], separator: str = "") -> str:
    """The parts as one. Raises MaxQuotaError if that is longer than MAX_TEXT."""
    if sum(map(len, parts)) + len(separator) * len(parts) > limits.MAX_TEXT:
        raise errors.MaxQuotaError(f"expected a text of at most {limits.MAX_TEXT} characters")
    return separator.join(parts)
