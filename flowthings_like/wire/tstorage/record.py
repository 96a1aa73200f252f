"""Keys and records.

Both are tuples with names, because Python's loops in C build, compare and take apart millions of tuples in a
second.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from ...errors import InvalidInput

__all__ = ["FIELDS", "InvalidRecord", "Key", "Record", "find_invalid_key"]

T = TypeVar("T")

_I32, _I64 = (-(2**31), 2**31 - 1), (-(2**63), 2**63 - 1)
FIELDS = {"cid": (0, _I32[1]), "mid": _I64, "moid": _I32, "cap": _I64, "acq": _I64}
"""The fields of a key, each with its lowest and its highest number."""

_FULL, _NO_ACQ = struct.Struct("<iqiqq"), struct.Struct("<iqiq")
_NO_CID, _NO_CID_NO_ACQ = struct.Struct("<qiqq"), struct.Struct("<qiq")


class InvalidRecord(InvalidInput):
    """A record that cannot be sent: a number of its key is out of range, or its payload is too large.

    Attributes:
        index: the place of the record among those that were given; None if there was only a key.
    """

    def __init__(self, message: str, index: int | None = None) -> None:
        super().__init__(message)
        self.index = index

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self), self.index)


class Key(NamedTuple):
    """The key of a record. Keys compare as tuples: by cid, then mid, moid, cap and acq.

    A range of two keys is a box: it holds the records whose fields are, each by itself, at least the one
    key's and less than the other's. So a record that has the highest number in any field is in no range; a
    server drops such records.

    Attributes:
        cid: the client or tenant, 0 to 2**31 - 1.
        mid: the meter or device, 64 bits.
        moid: the measured quantity, 32 bits.
        cap: when it was measured, in nanoseconds since 2001-01-01 UTC, 64 bits.
        acq: when it was stored, on the same clock. A put without acq has it assigned by the server.
    """

    cid: int = -1
    mid: int = -1
    moid: int = -1
    cap: int = -1
    acq: int = -1

    @classmethod
    def min(cls) -> Key:
        """The lowest key: cid 0, and the minimum of each other field."""
        return cls(*(lowest for lowest, _ in FIELDS.values()))

    @classmethod
    def max(cls) -> Key:
        """The highest key: the maximum of each field."""
        return cls(*(highest for _, highest in FIELDS.values()))

    @staticmethod
    def bytes_count() -> int:
        """The size of a whole key in bytes: 32."""
        return _FULL.size

    def valid(self) -> bool:
        """Whether it can be sent: cid is not negative, and each number is in the range of its field."""
        return not self.problem()

    def problem(self) -> str:
        """What is wrong with it, as a sentence; "" if it is valid."""
        return _problem(self)

    def to_bytes(self, *, with_cid: bool = True, with_acq: bool = True) -> bytes:
        """Pack it: 32 bytes, 4 less without cid, 8 less without acq.

        A negative cid can be packed, although no server takes it.

        Raises:
            InvalidRecord: a number is out of the range of its field.
        """
        try:
            if with_cid:
                return _FULL.pack(*self) if with_acq else _NO_ACQ.pack(*self[:4])
            return _NO_CID.pack(*self[1:]) if with_acq else _NO_CID_NO_ACQ.pack(*self[1:4])
        except struct.error as error:
            raise InvalidRecord(f"this key cannot be sent: {self.problem() or error}") from None

    @classmethod
    def from_bytes(cls, data: bytes | bytearray | memoryview, offset: int = 0) -> Key | None:
        """Unpack the 32 bytes at an offset. None if there are fewer, or if cid is negative."""
        if not 0 <= offset <= len(data) - _FULL.size:
            return None
        key = cls._make(_FULL.unpack_from(data, offset))
        return None if key.cid < 0 else key


class _Record(NamedTuple):
    key: Key
    value: Any


class Record(_Record, Generic[T]):
    """A record: a key, and a value of any type that the payload type makes of the payload.

    Attributes:
        key: identifies it.
        value: what it says.
    """

    __slots__ = ()  # CPython 3.10 has no named tuples that are generic

    if TYPE_CHECKING:

        def __new__(cls, key: Key, value: T) -> Record[T]: ...

        @property
        def value(self) -> T: ...


def find_invalid_key(
    keys: Iterable[Sequence[int]], *, with_acq: bool = True, first: int = 0
) -> InvalidRecord | None:
    """The error for the first key that cannot be put; None if there is none.

    Args:
        keys: keys, or tuples like them.
        with_acq: whether acq is sent, and so has to be in range.
        first: the index of the first key, for the error.
    """
    for index, key in enumerate(keys, first):
        problem = _problem(key if with_acq else key[:4])
        if problem:
            return InvalidRecord(f"record {index} cannot be put: {problem}", index)
    return None


def _problem(numbers: Sequence[Any]) -> str:
    """What is wrong with the first fields of a key, as a sentence; "" if nothing is."""
    for (name, (lowest, highest)), number in zip(FIELDS.items(), numbers, strict=False):
        if not hasattr(number, "__index__"):
            return f"{name} must be an integer, but is {number!r}"
        if not lowest <= number <= highest:
            return f"{name} must be {lowest} to {highest}, but is {number}"
    return ""
