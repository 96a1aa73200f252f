"""The language's `==`."""

from __future__ import annotations

from .types import (
    ARRAYS,
    MOMENTS,
    NUMBERS,
    TEXTS,
    Closure,
    Failure,
    List,
    Regex,
    Room,
    Thing,
    ThingSet,
    Value,
)

__all__ = ["encoded", "equal"]

_BY_IDENTITY = frozenset({Thing, Room, Closure, list, dict})


def equal(a: Value, b: Value) -> bool:
    """Compare as `==` does.

    Numbers are compared by their amount, texts by their bytes, lists and sets by their items, regular
    expressions by their source, errors by their code, other values by identity.
    """
    if a is b:
        return True
    kind, other = type(a), type(b)
    if kind is other:
        if kind is List or kind is tuple:
            return len(a) == len(b) and all(map(equal, a, b))
        if kind is ThingSet:
            return bool(dict.keys(a) == dict.keys(b))
        if kind is Regex:
            return bool(a.text == b.text)
        if kind is Failure:
            return bool(a.code == b.code)
        return kind not in _BY_IDENTITY and bool(a == b)
    if kind in NUMBERS and other in NUMBERS:
        return float(a) == float(b) if float in (kind, other) else bool(a == b)
    if kind in TEXTS and other in TEXTS:
        return encoded(a) == encoded(b)
    if kind in ARRAYS and other in ARRAYS:
        return len(a) == len(b) and all(map(equal, a, b))
    return kind in MOMENTS and other in MOMENTS and bool(a == b)


def encoded(text: str | bytes) -> bytes:
    """Return the bytes of a text; a str is encoded as UTF-8."""
    return text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
