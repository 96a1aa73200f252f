"""Values as text: what `str` and template strings make of them."""

from __future__ import annotations

from datetime import datetime

from .... import things_errors as errors
from .serialise import date_text
from .values import Closure, Failure, Regex, Room, Thing, Value, type_name

__all__ = ["text_of"]


def text_of(value: Value) -> str:
    """The value as text. Raises TypeError for a list, tuple or set, ValueError for bytes that are not UTF-8."""
    kind = type(value)
    if kind is str:
        return value
    if value is None:
        return "nil"
    if kind is bool:
        return "true" if value else "false"
    if kind is int or kind is float:
        return str(value)
    if kind is bytes:
        try:
            return value.decode()
        except UnicodeDecodeError:
            raise errors.ValueError("expected bytes that are UTF-8, to make a str of them") from None
    if kind is Thing:
        return f"thing:{'nil' if value.id is None else value.id}"
    if kind is Room:
        return str(value)
    if kind is Closure or kind is Regex:
        return value.text
    if kind is Failure:
        return value.message
    if kind is datetime:
        return date_text(value)
    raise errors.TypeError(f"cannot convert type `{type_name(value)}` to `str`")
