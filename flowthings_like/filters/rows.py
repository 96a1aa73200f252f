"""Documents from the rows of columns, for the predicate. Needs numpy, and is imported only for this."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from .values import MISSING

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["rows_of"]


def rows_of(columns: Mapping[str, NDArray[Any]]) -> list[dict[str, Any]]:
    """The rows of columns as plain documents. `arrays` says what each kind of value becomes."""
    values = [_values(column) for column in columns.values()]
    return [
        {name: value for name, value in zip(columns, row, strict=True) if value is not MISSING}
        for row in zip(*values, strict=True)
    ]


def _values(column: NDArray[Any]) -> list[Any]:
    kind = column.dtype.kind
    if column.dtype.names is not None:
        return rows_of({name: column[name] for name in column.dtype.names})
    if column.ndim > 1:
        return [[None if one is MISSING else one for one in _values(row)] for row in column]
    if kind == "f":
        return [MISSING if value != value else value for value in column.astype(np.float64).tolist()]
    if kind == "M":
        moments = column.astype("datetime64[ms]")
        missing = np.isnat(moments).tolist()
        return [
            MISSING if is_missing else value
            for value, is_missing in zip(moments.astype(np.int64).tolist(), missing, strict=True)
        ]
    if kind in "SVO":
        return [_plain(value) for value in column.tolist()]
    return column.tolist()  # type: ignore[no-any-return]


def _plain(value: Any) -> Any:
    if isinstance(value, float) and value != value:
        return MISSING
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return value  # it equals nothing
    if isinstance(value, tuple):
        return [_plain(one) for one in value]
    return value
