"""JSON, by orjson, with the values of this library and an error that names the place of a bad one."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from functools import partial
from typing import Any, Protocol

import orjson

from ...errors import InvalidInput
from ...filters.nodes import Filter
from ...wire.foreign import is_missing, scalar
from ..values import find_fault, milliseconds, resolve
from .json_text import parse

__all__ = ["Encoder", "JSONEncoder"]

_OPTIONS = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS


class Encoder(Protocol):
    """What `encoder=` may be: anything with these two. Its exceptions stay its own."""

    def loads(self, text: Any, /) -> Any:
        """The value that `text` stands for."""

    def dumps(self, value: Any, /) -> Any:
        """The text for a value."""


class JSONEncoder:
    """The built-in encoder.

    GreenThunks are waited for, Modify objects give their whole model, filters their text, datetimes and
    dates become milliseconds since 1970 (UTC unless they name a time zone), bytes are taken as UTF-8, numpy's
    scalars are taken as the plain values that they are, exactly.

    Args:
        missing_as_null: write NaN, NaT and pandas' NA, which stand for no value, as null. Otherwise they
            are refused.
    """

    def __init__(self, *, missing_as_null: bool = False) -> None:
        self._nulls = missing_as_null
        self._other = partial(_other, nulls=missing_as_null)

    def loads(self, text: bytes | str) -> Any:
        """Parse JSON. Integers arrive exactly, whatever their size.

        Raises:
            ValueError: it is none.
        """
        return parse(text)

    def dumps(self, value: Any) -> bytes:
        """Write JSON as UTF-8 bytes.

        Raises:
            InvalidInput: NaN, NaT, NA, an infinity, an integer beyond 64 bits, a key that is no str, a set,
                or any other value without a form in JSON; the message says where it stands.
        """
        try:
            encoded = orjson.dumps(value, default=self._other, option=_OPTIONS)
        except orjson.JSONEncodeError as error:
            cause = error.__cause__
            if cause is not None and not isinstance(cause, TypeError | UnicodeDecodeError):
                # A value on its way failed, or the wait for it was interrupted: orjson wraps even that.
                raise cause from None
            raise InvalidInput(self._fault(value) or f"data cannot be written as JSON: {error}") from None
        # orjson writes NaN and the infinities as null; only data with a null in it can hide one.
        if b"null" in encoded and (fault := self._fault(value)):
            raise InvalidInput(fault)
        return encoded

    def _fault(self, value: Any) -> str | None:
        return find_fault(value, nulls=self._nulls)


def _other(value: Any, *, nulls: bool) -> Any:
    found = scalar(resolve(value))
    if found is not value:
        return found
    if is_missing(value):
        if nulls:
            return None
        raise TypeError
    if isinstance(value, float):
        return float(value)
    if isinstance(value, date):
        return milliseconds(value)
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, Filter):
        return str(value)
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError
