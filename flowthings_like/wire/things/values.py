"""Packs Python's values as MessagePack for a ThingsDB node, and unpacks those that it sends."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, time, timedelta
from functools import lru_cache
from typing import Any

import msgpack

from ..gc_paused import parse_with_gc_paused
from ..numpy_values import advice_on, is_missing, scalar
from . import errors as things_errors

try:
    import msgspec
except ImportError:  # not everywhere is there a wheel of it; msgpack unpacks the same, at half the speed
    msgspec = None  # type: ignore[assignment]

__all__ = ["UnpackError", "pack", "unpack"]

_SMALL = (
    512  # bytes: a Packer's first buffer, which grows; its own choice is 256 KiB, slow to get and to free
)
_LARGE = 65_536  # bytes of a body that may hold more dicts than the garbage collector leaves alone
_INT64 = 1 << 63
_DEEPEST = 50
_MAYBE_WIDE = re.compile(rb"\xcf[\x80-\xff]")


class UnpackError(ValueError):
    """A body that is not one MessagePack value."""


def pack(value: Any, default: Callable[[Any], Any] | None = None) -> bytes:
    """Pack `value` as MessagePack.

    None, bool, int, float, str, bytes, lists, tuples and mappings can be packed. The keys of a mapping should
    be str and not '#', because a node refuses others.

    Args:
        default: called with a value of any other type. Returns a value to pack in its place, or the same
            value if there is none. Its exceptions are passed on.

    Raises:
        things_errors.TypeError: a value of a type that cannot be packed; the message says what to send
        instead. things_errors.OverflowError: an int that does not fit 64 bits with a sign.
        things_errors.ValueError: a str with a lone surrogate, or values nested too deep.
    """
    try:
        packed: bytes = msgpack.Packer(default=_stand_in(default), buf_size=_SMALL).pack(value)
    except _FailedOutside as outside:
        failure: Exception = outside.error
    except _Refused as refused:
        failure = _refusal(refused.value, _place_of(refused.value, value, default))
    except UnicodeEncodeError as error:
        place = _place_of(error.object, value, default)
        failure = things_errors.ValueError(
            f"{place}{error.object[:60]!r} is a str with a lone surrogate, which is no Unicode text"
        )
    except ValueError as error:
        failure = things_errors.ValueError(f"cannot be sent: {error}")  # too deep, or beyond 4 GiB
    else:
        # msgpack packs an int up to 2**64 - 1; a node takes one up to 2**63 - 1.
        if _MAYBE_WIDE.search(packed) and (wide := _find_wide(packed)):
            raise _overflow(wide, _place_of(wide, value, default))
        return packed
    raise failure  # not in an except clause: the exception there would become its context


class _FailedOutside(Exception):
    """Carries an exception of the caller's `default` past the `except` clauses for those of msgpack."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


class _Refused(Exception):
    """Carries a value that cannot be packed."""

    def __init__(self, value: Any) -> None:
        super().__init__()
        self.value = value


@lru_cache(maxsize=16)
def _stand_in(default: Callable[[Any], Any] | None) -> Callable[[Any], Any]:
    """The function that msgpack calls for a value that it cannot pack."""

    def stand_in(other: Any) -> Any:
        try:
            found = other if default is None else default(other)
        except Exception as error:
            raise _FailedOutside(error) from None
        if is_missing(found):
            raise _Refused(found)
        found = scalar(found)
        cls = type(found)  # isinstance would wait for a GreenThunk
        if issubclass(cls, int) and not -_INT64 <= found < _INT64:
            raise _Refused(found)
        if issubclass(cls, _PACKABLE):
            return found
        if issubclass(cls, Mapping):
            return dict(found)
        raise _Refused(found)

    return stand_in


_PACKABLE = (int, float, str, bytes, bytearray, memoryview, list, tuple, dict, type(None))


def _overflow(number: int, place: str) -> things_errors.OverflowError:
    shown = number if number.bit_length() < 200 else f"an int of {number.bit_length()} bits"
    return things_errors.OverflowError(f"{place}{shown} does not fit 64 bits with a sign; send it as a str")


def _refusal(value: Any, place: str) -> Exception:
    if isinstance(value, int):
        return _overflow(value, place)
    if is_missing(value):
        return things_errors.TypeError(f"{place}{value} is a missing value; send None, or leave it out")
    cls = type(value)
    advice = next((text for types, text in _ADVICE.items() if issubclass(cls, types)), advice_on(value))
    return things_errors.TypeError(
        f"{place}{cls.__name__} has no form in ThingsDB's protocol; {advice or 'send plain values'}"
    )


def _place_of(wanted: Any, whole: Any, default: Callable[[Any], Any] | None) -> str:
    """Find a value in the content of a request. Returns its place as `rows[3].temp: `, or "" if it is not
    found."""
    level = [("", whole)]
    for _ in range(_DEEPEST):
        inner: list[tuple[str, Any]] = []
        for path, item in level:
            value = scalar(item if default is None else default(item))
            cls = type(value)
            if value is wanted or (cls is type(wanted) and cls in (int, str) and value == wanted):
                return f"{path}: " if path else ""
            if issubclass(cls, Mapping):
                inner += [(_member_of(path, key), one) for key, one in value.items()]
            elif issubclass(cls, (list, tuple)):
                # The indexes of the request's own list mean nothing to the caller.
                inner += [
                    (f"{path}[{index}]" if value is not whole else "", one) for index, one in enumerate(value)
                ]
        level = inner
    return ""


def _member_of(path: str, key: Any) -> str:
    if not isinstance(key, str):
        return f"{path}[…]"
    return f"{path}.{key}" if path else key


_ADVICE: dict[Any, str] = {
    date: "send int(when.timestamp()) or when.isoformat() and write datetime(when) in the code",
    time: "send when.isoformat(), a str",
    timedelta: "send its total_seconds()",
    (set, frozenset): "send a list, and write set(name) in the code",
}


def _find_wide(packed: bytes) -> int | None:
    """Find an int that does not fit 64 bits with a sign in a packed value. Returns None if there is none."""
    values = [msgpack.unpackb(packed, strict_map_key=False, unicode_errors="surrogateescape")]
    for value in values:  # the list grows in the loop
        if isinstance(value, int) and value >= _INT64:
            return value
        if isinstance(value, list):
            values += value
        elif isinstance(value, dict):
            values += value
            values += value.values()
    return None


def unpack(body: bytes) -> Any:
    """Unpack a body: None, bool, int, float, str, bytes, list or dict.

    The keys of a dict may be of any type. ThingsDB's own extension types are refused: a node takes them and
    never sends them. A MessagePack timestamp becomes a datetime in UTC.

    Raises:
        UnpackError: it is not one value, or contains a str that is not UTF-8, which ThingsDB does not
            prevent.
    """
    try:
        return _decode(body) if len(body) < _LARGE else parse_with_gc_paused(_decode, body)
    except Exception as error:  # of many types, MemoryError and RecursionError among them
        said = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        raise UnpackError(f"a body of {len(body)} bytes cannot be unpacked: {said}") from None


def _refuse_extension(code: int, _data: object) -> Any:
    raise UnpackError(f"extension type {code}")


def _decode_with_msgpack(body: bytes) -> Any:
    return msgpack.unpackb(body, strict_map_key=False, timestamp=3, ext_hook=_refuse_extension)


_decode: Callable[[bytes], Any] = (
    _decode_with_msgpack if msgspec is None else msgspec.msgpack.Decoder(ext_hook=_refuse_extension).decode
)
