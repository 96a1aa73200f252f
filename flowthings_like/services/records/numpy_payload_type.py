"""Payloads by a dtype of numpy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...errors import ConfigurationError, InvalidInput
from .payload_types import PayloadType

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

__all__ = ["NumpyMissing", "NumpyPayloadType"]

_KEY = [("cid", "<i4"), ("mid", "<i8"), ("moid", "<i4"), ("cap", "<i8"), ("acq", "<i8")]
_SIZE = [("_size", "<i4")]


class NumpyMissing(ConfigurationError, RuntimeError):
    """numpy is needed and not installed."""


class NumpyPayloadType(PayloadType[tuple[Any, ...]]):
    """Payloads by a dtype of numpy. As Python values they are tuples, one member for each field.

    A channel with it takes structured arrays and dicts of arrays, whose fields are those of the key and those
    of the dtype, as well as RecordBatches and Records.

    Args:
        dtype: None or [] for no payload; a list of (name, type); or anything that `numpy.dtype` takes. One
            without fields becomes the field v0.

    Attributes:
        dtype: the payload's, with fields.
        record_dtype: the fields of the key, then the payload's, without padding.
        parsing_dtype: the same after a field `_size`, as records come in an answer.
        serializer_dtype_with_acq, serializer_dtype_no_acq: the same as records are sent by `puta` and `put`.

    Raises:
        NumpyMissing: numpy is not installed. It is a RuntimeError, too.
        InvalidInput: it is no dtype; or a field has the name of a key's, or holds Python objects.
    """

    def __init__(self, dtype: Any) -> None:
        try:
            import numpy as np
        except ImportError:
            raise NumpyMissing(
                "NumpyPayloadType needs the package numpy; run: pip install 'flowthings_like[records]'"
            ) from None
        try:
            found = np.dtype([]) if dtype is None else np.dtype(dtype)
        except (TypeError, ValueError) as error:
            raise InvalidInput(f"NumpyPayloadType: {dtype!r} is no dtype of numpy: {error}") from None
        if found.hasobject:
            raise InvalidInput(f"NumpyPayloadType: {dtype!r} holds Python objects, which have no fixed bytes")
        if found.names is None:
            found = np.dtype([("v0", found)])
        self.dtype = found
        self.size = found.itemsize
        taken = {name for name, _ in _KEY + _SIZE} & set(found.names or ())
        if taken:
            raise InvalidInput(f"NumpyPayloadType: a field cannot be called {', '.join(sorted(taken))}")
        self.record_dtype = self._with(_KEY)
        self.parsing_dtype = self._with(_SIZE + _KEY)
        self.serializer_dtype_with_acq = self._with(_SIZE + _KEY[1:])
        self.serializer_dtype_no_acq = self._with(_SIZE + _KEY[1:4])

    def _with(self, fields: list[tuple[str, str]]) -> np.dtype[Any]:
        """These fields, and those of the payload with the padding that it has."""
        import numpy as np

        before = np.dtype(fields)
        own = self.dtype.fields or {}
        names = self.dtype.names or ()
        return np.dtype(
            {
                "names": [*(before.names or ()), *names],
                "formats": [*(type for _, type in fields), *(own[name][0] for name in names)],
                "offsets": [
                    *(field[1] for field in (before.fields or {}).values()),
                    *(before.itemsize + own[name][1] for name in names),
                ],
                "itemsize": before.itemsize + self.dtype.itemsize,
            }
        )

    def to_bytes(self, value: Any) -> bytes:
        """Convert a tuple, or one row of a structured array. Raises ValueError or TypeError if it cannot."""
        import numpy as np

        return np.array(value, self.dtype).tobytes()

    def from_bytes(self, buffer: bytes) -> tuple[Any, ...] | None:
        """The tuple; None if the size is not the dtype's."""
        import numpy as np

        if len(buffer) != self.size:
            return None
        if not self.size:
            return ()
        found: tuple[Any, ...] = np.frombuffer(buffer, self.dtype)[0].item()
        return found

    def column_dtype(self, size: int) -> np.dtype[Any] | None:
        """The dtype; None for another size."""
        return self.dtype if size == self.size else None

    def values(self, column: NDArray[Any]) -> Sequence[tuple[Any, ...]]:
        """The tuples, as `from_bytes` returns them."""
        found: list[tuple[Any, ...]] = column.tolist()
        return found

    def payloads(self, values: Sequence[Any]) -> Sequence[bytes]:
        """Each of the values as bytes."""
        import numpy as np

        packed, size = np.array(list(values), self.dtype).tobytes(), self.size
        return [packed[at : at + size] for at in range(0, len(packed), size)] if size else [b""] * len(values)

    def __repr__(self) -> str:
        return f"NumpyPayloadType({self.dtype!r})"
