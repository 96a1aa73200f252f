"""Formats of the module `struct`, and the dtypes of numpy that mean the same bytes."""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING, Any, NamedTuple

from ...errors import InvalidInput

if TYPE_CHECKING:
    import numpy as np

__all__ = ["StructFormat"]

_ITEM = re.compile(r"\s*(\d*)([xcbB?hHiIlLqQnNefdspP])")
_KINDS = {"b": "i", "h": "i", "i": "i", "l": "i", "q": "i", "n": "i", "?": "b", "e": "f", "f": "f", "d": "f"}
_KINDS.update(dict.fromkeys("BHILQNP", "u"))
_ORDERS = {"@": "=", "=": "=", "<": "<", ">": ">", "!": ">"}
"""What numpy calls the byte orders of struct."""


class _Item(NamedTuple):
    """One value in a format.

    Attributes:
        offset: where it begins.
        dtype: what numpy calls it.
    """

    offset: int
    dtype: str


class StructFormat:
    """A format: its size, the number of its values, and its dtype.

    Attributes:
        text: the format.
        struct: the compiled format.
        size: bytes of all values.
        count: how many values it has.
        is_opaque: whether numpy has no dtype for it, so that columns are raw bytes.

    Raises:
        InvalidInput: it is no format.
    """

    __slots__ = ("_items", "count", "is_opaque", "size", "struct", "text")

    def __init__(self, text: Any) -> None:
        if isinstance(text, bytes):
            text = text.decode("ascii", "replace")
        if not isinstance(text, str):
            raise InvalidInput(f"a format is a str such as '<d', not {type(text).__name__}")
        try:
            self.struct = struct.Struct(text)
        except (struct.error, UnicodeError) as error:
            raise InvalidInput(f"{text!r} is no format of struct: {error}") from None
        self.text = text
        self.size = self.struct.size
        self.count = len(self.struct.unpack(bytes(self.size)))
        self._items = self._parse()
        self.is_opaque = self._items is None

    @property
    def order(self) -> str:
        """The character for the byte order, and "@" if there is none in the format."""
        return self.text[0] if self.text[:1] in _ORDERS else "@"

    def _parse(self) -> list[_Item] | None:
        """The values with their places; None if numpy has no dtype for one of them."""
        order = self.order
        endian = _ORDERS[order]
        found, before = [], order
        for match in _ITEM.finditer(self.text.removeprefix(order)):
            number, code = match.groups()
            piece, repeats = (number + code, 1) if code == "s" else (code, int(number or 1))
            width = struct.calcsize(order + piece)
            if code == "p" or width == 0:
                return None
            dtype = f"{endian}{_KINDS[code]}{width}" if code in _KINDS else f"V{width}"
            for _ in range(repeats):
                before += piece
                if code != "x":
                    found.append(_Item(struct.calcsize(before) - width, dtype))
        if len(found) == 1 and before != order + piece:
            return None  # one value with padding around it
        return found or None

    def dtype(self) -> np.dtype[Any]:
        """The dtype of a column: fields v0, v1 and so on; of one value its own; raw bytes if it is opaque."""
        import numpy as np

        items = self._items
        if items is None:
            return np.dtype((np.void, self.size))
        if len(items) == 1:
            return np.dtype(items[0].dtype)
        return np.dtype(
            {
                "names": [f"v{number}" for number in range(len(items))],
                "formats": [item.dtype for item in items],
                "offsets": [item.offset for item in items],
                "itemsize": self.size,
            }
        )
