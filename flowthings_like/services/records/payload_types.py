"""What the payload of a record means: how values become bytes, and bytes values.

Payloads of one size can also be a column: an array of numpy that is sent and received without an object for
each record. A payload type says which dtype such a column has. numpy is imported only for that.
"""

from __future__ import annotations

import struct
from abc import ABC, abstractmethod
from itertools import starmap
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

from ...errors import InvalidInput
from .struct_formats import StructFormat

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

__all__ = ["BytesPayloadType", "PayloadType", "StructPayloadType", "TuplePayloadType", "UnitPayloadType"]

T = TypeVar("T")


class PayloadType(ABC, Generic[T]):
    """Converts payloads. Derive from it for payloads of your own; `to_bytes` and `from_bytes` are enough.

    Attributes:
        size: bytes of each payload; None if they may differ.
    """

    size: int | None = None

    @abstractmethod
    def to_bytes(self, value: T) -> bytes:
        """Convert a value to the bytes that are stored. It may raise anything if it cannot."""

    @abstractmethod
    def from_bytes(self, buffer: bytes) -> T | None:
        """Convert bytes to a value; None if they do not stand for one."""

    def column_dtype(self, size: int) -> np.dtype[Any] | None:
        """The dtype of a column of payloads that have `size` bytes each.

        Returns:
            None if such payloads have to be converted one by one.
        """
        return None

    def values(self, column: NDArray[Any]) -> Sequence[T]:
        """The values in a column of the dtype that `column_dtype` returns, or of raw bytes if it is None."""
        return [self.from_bytes(each) for each in column.tolist()]  # type: ignore[misc]

    def payloads(self, values: Sequence[T]) -> Sequence[bytes]:
        """Each of the values as bytes. It may raise anything if one cannot be converted."""
        return list(map(self.to_bytes, values))


class BytesPayloadType(PayloadType[bytes]):
    """Payloads that are bytes of any number. `bytearray` and `memoryview` can be put as well."""

    def to_bytes(self, value: bytes) -> bytes:
        """Return the same object."""
        return value

    def from_bytes(self, buffer: bytes) -> bytes:
        """A copy as bytes."""
        return bytes(buffer)

    def column_dtype(self, size: int) -> np.dtype[Any] | None:
        """Raw bytes, which numpy calls void."""
        import numpy as np

        return np.dtype((np.void, size))

    def values(self, column: NDArray[Any]) -> Sequence[bytes]:
        """The payloads as bytes."""
        found: list[bytes] = column.tolist()
        return found

    def __repr__(self) -> str:
        return "BytesPayloadType()"


class UnitPayloadType(PayloadType["tuple[()]"]):
    """No payload: the key is all that is stored. Payloads that come are ignored."""

    size = 0

    def to_bytes(self, value: Any) -> Literal[b""]:
        """No bytes, whatever the value."""
        return b""

    def from_bytes(self, buffer: bytes) -> tuple[()]:
        """The empty tuple, whatever the bytes."""
        return ()

    def column_dtype(self, size: int) -> np.dtype[Any]:
        """Raw bytes of that number."""
        import numpy as np

        return np.dtype((np.void, size))

    def values(self, column: NDArray[Any]) -> Sequence[tuple[()]]:
        """An empty tuple for each."""
        return [()] * len(column)

    def payloads(self, values: Sequence[Any]) -> Sequence[bytes]:
        """No bytes for each."""
        return [b""] * len(values)

    def __repr__(self) -> str:
        return "UnitPayloadType()"


class _Structs(PayloadType[T]):
    """Payloads by a format of the module `struct`."""

    def __init__(self, format: str) -> None:
        self._format = StructFormat(format)
        self.size = self._format.size
        self._unpack = self._format.struct.unpack

    @property
    def format(self) -> str:
        """The format, as it was given."""
        return self._format.text

    def column_dtype(self, size: int) -> np.dtype[Any] | None:
        """One field for each value of the format, called v0, v1 and so on; of one value, its own dtype.

        A format that numpy has no dtype for gives raw bytes. Another size than the format's gives None.
        """
        return self._format.dtype() if size == self.size else None

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.format,)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.format!r})"


class StructPayloadType(_Structs[T]):
    """Payloads of one value, by a format of the module `struct`.

    Args:
        format: such as "<d" or "16s". Begin it with "<" if other programs read the records.

    Raises:
        InvalidInput: it is no format, or has not exactly one value.
    """

    def __init__(self, format: str) -> None:
        super().__init__(format)
        if self._format.count != 1:
            raise InvalidInput(
                f"StructPayloadType takes a format of one value, and {format!r} has {self._format.count}; "
                "write TuplePayloadType for any other number"
            )
        self._pack = self._format.struct.pack

    def to_bytes(self, value: T) -> bytes:
        """Pack the value. Raises struct.error if it does not fit the format."""
        return self._pack(value)

    def from_bytes(self, buffer: bytes) -> T | None:
        """Unpack the value; None if the size is not the format's."""
        try:
            value: T = self._unpack(buffer)[0]
        except struct.error:
            return None
        return value

    def values(self, column: NDArray[Any]) -> Sequence[T]:
        """The values, as `from_bytes` returns them."""
        if self._format.is_opaque:
            return [value for (value,) in self._format.struct.iter_unpack(column.tobytes())]
        found: list[T] = column.tolist()
        return found

    def payloads(self, values: Sequence[T]) -> Sequence[bytes]:
        """Each of the values, packed."""
        return list(map(self._pack, values))


class TuplePayloadType(_Structs[tuple[Any, ...]]):
    """Payloads of several values, by a format of the module `struct`; each value is a tuple.

    Args:
        format: such as "<dI".

    Raises:
        InvalidInput: it is no format.
    """

    def __init__(self, format: str) -> None:
        super().__init__(format)
        self._pack = self._format.struct.pack

    def to_bytes(self, value: tuple[Any, ...]) -> bytes:
        """Pack the tuple. Raises struct.error if it does not fit the format."""
        return self._pack(*value)

    def from_bytes(self, buffer: bytes) -> tuple[Any, ...] | None:
        """Unpack a tuple; None if the size is not the format's."""
        try:
            return self._unpack(buffer)
        except struct.error:
            return None

    def values(self, column: NDArray[Any]) -> Sequence[tuple[Any, ...]]:
        """The tuples, as `from_bytes` returns them."""
        count = self._format.count
        if count == 0 or self.size == 0:
            return [self._unpack(bytes(self._format.size))] * len(column)
        if self._format.is_opaque:
            return list(self._format.struct.iter_unpack(column.tobytes()))
        found: list[Any] = column.tolist()
        return [(value,) for value in found] if count == 1 else found

    def payloads(self, values: Sequence[tuple[Any, ...]]) -> Sequence[bytes]:
        """Each of the tuples, packed."""
        return list(starmap(self._pack, values))
