"""Columns of payloads. Imported only where numpy is used."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import InvalidInput
from .payload_types import BytesPayloadType

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .payload_types import PayloadType

__all__ = ["array_of", "payload_column"]


def array_of(given: Any) -> NDArray[Any]:
    """What was given as an array: arrays as they are; columns of pandas; sequences; iterables."""
    if isinstance(given, np.ndarray):
        return given
    if not hasattr(given, "__array__") and not hasattr(given, "__len__") and isinstance(given, Iterable):
        given = list(given)
    return np.asarray(given)


def payload_column(payload_type: PayloadType[Any], given: Any) -> NDArray[Any]:
    """A column of payloads that has the dtype of a payload type.

    Args:
        payload_type: what the payloads are.
        given: an array of numbers, of structures or of raw bytes, or a sequence of values.

    Raises:
        InvalidInput: payloads of that type are no column, or an array's dtype does not fit.
        Exception: what the payload type raises for a value that it cannot convert.
    """
    if isinstance(given, np.ndarray) and given.dtype != object:
        return _fitting(payload_type, given)
    values = given if isinstance(given, list | tuple) else list(given)
    if isinstance(given, np.ndarray) and values and all(isinstance(value, bytes) for value in values):
        raw = _packed(BytesPayloadType(), values)  # a data frame's column of raw bytes
        if payload_type.size in (None, raw.dtype.itemsize):
            return _fitting(payload_type, raw)
    return _packed(payload_type, values)


def _packed(payload_type: PayloadType[Any], values: Any) -> NDArray[Any]:
    payloads = payload_type.payloads(values)
    sizes = set(map(len, payloads))
    if len(sizes) > 1:
        raise InvalidInput("payloads of different sizes are no column; put a list of Records")
    size = next(iter(sizes), payload_type.size or 0)
    dtype = payload_type.column_dtype(size)
    if dtype is None:
        dtype = np.dtype((np.void, size))
    return np.frombuffer(b"".join(payloads), dtype) if size and values else np.zeros(len(values), dtype)


def _fitting(payload_type: PayloadType[Any], given: NDArray[Any]) -> NDArray[Any]:
    size = given.dtype.itemsize if payload_type.size is None else payload_type.size
    dtype = payload_type.column_dtype(size)
    if dtype is None and given.dtype.kind == "V" and given.dtype.names is None:
        return given  # the bytes themselves
    if dtype is None or given.ndim != 1:
        raise InvalidInput(f"a column of payloads of {payload_type!r} cannot be made of {_described(given)}")
    if given.dtype == dtype:
        return given
    if size == 0:
        return np.zeros(len(given), dtype)
    is_raw = given.dtype.kind == "V" and given.dtype.names is None
    is_text = given.dtype.kind == "S" and dtype.kind == "V" and dtype.names is None
    if (is_raw or is_text) and given.dtype.itemsize == size:
        return np.ascontiguousarray(given).view(dtype)
    if dtype.names is not None and len(dtype.names) == 1 and given.dtype.names is None:
        made = np.zeros(len(given), dtype)
        made[dtype.names[0]] = _cast(payload_type, given, dtype[0])
        return made
    return _cast(payload_type, given, dtype)


def _cast(payload_type: PayloadType[Any], given: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    if not np.can_cast(given.dtype, dtype, "same_kind"):
        raise InvalidInput(f"payloads of {payload_type!r} are {dtype}; {_described(given)} does not fit")
    made = given.astype(dtype)
    if dtype.kind in "iu" and not (made == given).all():
        raise InvalidInput(f"payloads of {payload_type!r} are {dtype}; a number is out of its range")
    return made


def _described(given: NDArray[Any]) -> str:
    return f"an array of {given.dtype} with the shape {given.shape}"
