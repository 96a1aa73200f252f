"""Encodes paths and query parameters, so that nothing in an id can become another path."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from typing import Any
from urllib.parse import quote, unquote

from ...errors import ConfigurationError, InvalidInput
from ...wire.numpy_values import is_missing, scalar
from ..outgoing_values import milliseconds, resolve

__all__ = ["check_path", "check_size", "check_transport", "segment", "wire_params"]

_SAFE_PATH = re.compile(r"(?:/[A-Za-z0-9_~:-]+)*")
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


@lru_cache(maxsize=1024)
def segment(name: str) -> str:
    """Encode one path segment, slashes included.

    Raises:
        InvalidInput: it is "." or "..", which HTTP libraries and proxies on the way resolve.
    """
    if name in (".", ".."):
        raise InvalidInput(f"{name!r} cannot be an id: in a URL it means another path")
    try:
        return quote(name, safe=":")
    except UnicodeEncodeError:
        raise InvalidInput("an id holds a lone surrogate, which is no Unicode text") from None


def check_path(path: str) -> str:
    """Check and encode a path of several segments, to be appended to a URL.

    Escapes (%2F) stay as they are; blanks, control characters and non-ASCII text are percent-encoded.

    Raises:
        InvalidInput: no leading slash, a query or fragment in it, a "." or ".." segment, a stray "%".
    """
    if _SAFE_PATH.fullmatch(path):
        return path
    if not path.startswith("/"):
        raise InvalidInput(f"a path begins with a slash, {path!r} does not")
    if "?" in path or "#" in path:
        raise InvalidInput(f"{path!r} holds ? or #; give query parameters as params=, or write %3F and %23")
    if _BAD_ESCAPE.search(path):
        raise InvalidInput(f"{path!r} holds a % that begins no escape; write %25 for the sign itself")
    if any(unquote(part) in (".", "..") for part in path.split("/")):
        raise InvalidInput(f"{path!r} holds a '.' or '..' segment, which would lead to another path")
    return quote(path, safe="/%:@!$&'()*+,;=~")


def wire_params(params: Mapping[str, Any]) -> dict[str, Any]:
    """Convert query parameters to values for a URL, without those that are None.

    As in the original client, booleans are sent as True and False, and lists as repeated keys.

    Raises:
        InvalidInput: a name that is no str, or a value that is NaN, a mapping, a set or another object.
    """
    found = {}
    for name, value in params.items():
        if not isinstance(name, str) or not name:
            raise InvalidInput(f"query parameter {name!r}: names are non-empty str")
        plain = _wire_value(name, value)
        if plain is not None:
            found[name] = plain
    return found


def _wire_value(name: str, value: Any) -> Any:
    value = resolve(value)
    if is_missing(value):
        raise InvalidInput(f"query parameter {name} is {value}, a missing value; leave it out")
    value = scalar(value)
    if value is None or isinstance(value, str | bool):
        return value
    if isinstance(value, int | float):
        if not math.isfinite(value):
            raise InvalidInput(f"query parameter {name} is {value}; give a finite number")
        return value
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, date):
        return milliseconds(value)
    if isinstance(value, list | tuple):
        return [_wire_value(name, item) for item in value]
    raise InvalidInput(
        f"query parameter {name} is a {type(value).__name__}; give a str, a number or a list of them"
    )


def check_transport(transport: Any) -> str:
    """Check an option `transport=`.

    Raises:
        ConfigurationError: it is neither "auto" nor "requests".
    """
    if transport in ("auto", "requests"):
        return str(transport)
    raise ConfigurationError(f'transport is {transport!r}; it may be "auto" or "requests"')


def check_size(name: str, size: Any) -> int:
    """Check a number of bytes.

    Raises:
        InvalidInput: it is no whole number above 0.
    """
    if isinstance(size, int) and not isinstance(size, bool) and size > 0:
        return size
    raise InvalidInput(f"{name} is {size!r}; give a whole number of bytes, 1 or more")
