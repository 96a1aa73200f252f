"""ThingsDB's protocol: packages to bytes and bytes to packages, values to MessagePack and back.

A package is a header of 8 bytes and a body, one MessagePack value or nothing:

    bytes 0-3   length of the body, little endian
    bytes 4-5   id: chosen by the client and repeated in the answer; EVENT_ID in what nobody asked for
    byte  6     kind
    byte  7     the kind with all its bits turned: the only check there is

Answers come in any order, so the id alone says what they answer; and only the kind tells an event from an
answer, as EVENT_ID is an id like others.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Mapping
from datetime import date, time, timedelta
from enum import IntEnum
from functools import lru_cache
from io import BytesIO
from typing import Any, NamedTuple

import msgpack

from ..foreign import advice_on, is_missing, scalar
from ..uncollected import parse_uncollected
from . import errors as things_errors

try:
    import msgspec
except ImportError:  # where there is no wheel of it; msgpack reads the same, at half the speed
    msgspec = None  # type: ignore[assignment]

__all__ = [
    "EVENT_ID",
    "HEADER",
    "MAX_BODY",
    "Kind",
    "Package",
    "PackageParser",
    "ProtocolError",
    "UnpackError",
    "check_size",
    "pack",
    "package",
    "unpack",
]

EVENT_ID = 65_535
"""The id of packages that answer nothing. A request may have it too."""

HEADER = 8
"""Bytes before the body."""

MAX_BODY = 1 << 30
"""Bytes of a body. A node hangs up on a header that promises more."""

_make_tuple = tuple.__new__  # what a NamedTuple does, without a call of Python's in between
_HEADER = struct.Struct("<IHBB")
_CHECK = 0xFF
_SMALL = (
    512  # bytes: a Packer's first buffer, which grows; its own choice is 256 KiB, slow to get and to free
)
_LARGE = 65_536  # bytes of a body that may hold more dicts than the garbage collector leaves alone
_INT64 = 1 << 63
_DEEPEST = 50
_MAYBE_WIDE = re.compile(rb"\xcf[\x80-\xff]")


class Kind(IntEnum):
    """What a package is."""

    # From a node, unasked
    NODE_STATUS = 0
    WARNING = 5
    ROOM_JOIN = 6
    ROOM_LEAVE = 7
    ROOM_EMIT = 8
    ROOM_DELETE = 9
    # Its answers
    PONG = 16
    OK = 17
    DATA = 18
    ERROR = 19
    # Requests
    PING = 32
    AUTH = 33
    QUERY = 34
    RUN = 37
    JOIN = 38
    LEAVE = 39
    EMIT = 40
    EMIT_PEER = 41


class ProtocolError(Exception):
    """What came is not ThingsDB's protocol, or more of it than was allowed."""


class UnpackError(ValueError):
    """A body that is not one MessagePack value."""


class Package(NamedTuple):
    """A package as it came, its body still packed.

    Attributes:
        kind: a Kind, or a number that this library does not know.
        id: which request it is or answers, 0 to 65535.
        body: MessagePack, or empty.
    """

    kind: int
    id: int
    body: bytes


def package(kind: int, id: int, body: bytes = b"") -> bytes:
    """The bytes of a package.

    Raises:
        things_errors.ValueError: the body is larger than MAX_BODY.
    """
    check_size(body)
    return _HEADER.pack(len(body), id, kind, kind ^ _CHECK) + body


def check_size(body: bytes) -> None:
    """Whether a package can have this body.

    Raises:
        things_errors.ValueError: it is larger than MAX_BODY.
    """
    if len(body) > MAX_BODY:
        raise things_errors.ValueError(f"a request of {len(body)} bytes; a node takes {MAX_BODY} at most")


class PackageParser:
    """Takes what a stream brings, in pieces of any size, and gives the packages in it.

    It holds what is here of one body, so a sender that promises much and sends little costs little.

    Args:
        max_body: bytes of a body, at most.
    """

    __slots__ = ("_body", "_dead", "_head", "_id", "_kind", "_max_body", "_missing")

    def __init__(self, max_body: int = MAX_BODY) -> None:
        self._max_body = max_body
        self._head = b""  # of a package of which not even the header is here
        self._body: BytesIO | None = None  # of a package of which the header is here
        self._missing = self._kind = self._id = 0
        self._dead = ""

    @property
    def buffered(self) -> int:
        """Bytes that wait here for the rest of their package, without its header."""
        return len(self._head) + (0 if self._body is None else self._body.tell())

    def feed(self, data: bytes) -> list[Package]:
        """The packages that `data` completes, in their order; what is left over waits for the next call.

        Raises:
            ProtocolError: a header's check byte is wrong, or it promises more than `max_body`. The stream is
                lost then: each further call raises the same.
        """
        if self._dead:
            raise ProtocolError(self._dead)
        packages: list[Package] = []
        start, end = 0, len(data)
        if self._body is not None:
            start = self._missing
            if end < start:
                self._body.write(data)
                self._missing -= end
                return packages
            self._body.write(data[:start])
            packages.append(Package(self._kind, self._id, self._body.getvalue()))
            self._body = None
        elif self._head:
            data = self._head + data
            self._head = b""
            end = len(data)
        while end - start >= HEADER:
            size, id, kind, check = _HEADER.unpack_from(data, start)
            if kind ^ check != _CHECK:
                raise self._die(f"no package begins here: kind {kind} with check byte {check}")
            if size > self._max_body:
                raise self._die(f"a package with a body of {size} bytes; at most {self._max_body} are taken")
            start += HEADER
            stop = start + size
            if stop > end:
                self._body = BytesIO()
                self._body.write(data[start:])
                self._missing, self._kind, self._id = stop - end, kind, id
                return packages
            packages.append(_make_tuple(Package, (kind, id, data[start:stop])))
            start = stop
        self._head = data[start:]
        return packages

    def _die(self, reason: str) -> ProtocolError:
        self._dead = reason
        self._head = b""
        return ProtocolError(reason)


def pack(value: Any, default: Callable[[Any], Any] | None = None) -> bytes:
    """`value` as MessagePack.

    None, bool, int, float, str, bytes, lists, tuples and mappings can be packed. The keys of a mapping should
    be str and not '#': a node refuses others.

    Args:
        default: called with a value of any other type; returns what stands for it, or the value itself if
            nothing does. What it raises is passed on.

    Raises:
        things_errors.TypeError: a value that nothing stands for; the message says what to send instead.
        things_errors.OverflowError: an int beyond 64 bits with a sign.
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
        # MessagePack has 64 bits without a sign too, and msgpack uses them.
        if _MAYBE_WIDE.search(packed) and (wide := _find_wide(packed)):
            raise _overflow(wide, _place_of(wide, value, default))
        return packed
    raise failure  # here, where no other exception is being handled and would become its context


class _FailedOutside(Exception):
    """Carries what the caller's `default` raised past the `except` clauses that are about packing."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error


class _Refused(Exception):
    """Carries a value that nothing stands for."""

    def __init__(self, value: Any) -> None:
        super().__init__()
        self.value = value


@lru_cache(maxsize=16)
def _stand_in(default: Callable[[Any], Any] | None) -> Callable[[Any], Any]:
    """What msgpack calls for a value that it cannot pack."""

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
    """Where in a request's content that value stands, as `rows[3].temp: `; "" if it cannot be found again."""
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
                # What the request itself is a list of has names elsewhere.
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
    """The first int beyond the signed 64 bits in what msgpack has packed; None for a mere look-alike."""
    values = [msgpack.unpackb(packed, strict_map_key=False, unicode_errors="surrogateescape")]
    for value in values:  # which grows meanwhile
        if isinstance(value, int) and value >= _INT64:
            return value
        if isinstance(value, list):
            values += value
        elif isinstance(value, dict):
            values += value
            values += value.values()
    return None


def unpack(body: bytes) -> Any:
    """The value that `body` stands for: None, bool, int, float, str, bytes, list or dict.

    The keys of a dict may be of any type. The protocol's own extension types, which a node takes and never
    sends, are refused; a MessagePack timestamp becomes a datetime in UTC.

    Raises:
        UnpackError: it is not one value, or a str in it is not UTF-8, which ThingsDB does not prevent.
    """
    try:
        return _decode(body) if len(body) < _LARGE else parse_uncollected(_decode, body)
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
