"""Records as tables of numpy, Arrow and pandas, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import InvalidInput
from .columns import array_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from .payload_types import PayloadType

__all__ = ["from_arrow", "from_columns", "to_arrow", "to_pandas", "to_structured"]

_KEY = ("cid", "mid", "moid", "cap", "acq")


def from_columns(columns: Mapping[str, Any], payload_type: PayloadType[Any] | None) -> dict[str, Any]:
    """The arguments of a RecordBatch for columns by name.

    Raises:
        InvalidInput: one is missing.
    """
    missing = [name for name in _KEY[:-1] if name not in columns]
    if missing:
        raise InvalidInput(f"there is no column {', '.join(missing)}; records need cid, mid, moid and cap")
    found: dict[str, Any] = {name: columns[name] for name in _KEY if name in columns}
    rest = {name: column for name, column in columns.items() if name not in _KEY and name != "_size"}
    if payload_type is not None and payload_type.size != 0:
        dtype = None if payload_type.size is None else payload_type.column_dtype(payload_type.size)
        if dtype is not None and dtype.names is not None and not set(dtype.names) - set(rest):
            rest = {name: rest[name] for name in dtype.names}
    if list(rest) == ["payload"]:
        found["payload"] = rest["payload"]
    elif rest:
        found["payload"] = _structured(
            {name: array_of(column) for name, column in rest.items()}, payload_type
        )
    found["payload_type"] = payload_type
    return found


def _structured(columns: dict[str, NDArray[Any]], payload_type: PayloadType[Any] | None) -> NDArray[Any]:
    """The columns as fields of one array. The payload type's dtype is used if it has the same fields."""
    dtype = None if payload_type is None else payload_type.column_dtype(payload_type.size or 0)
    if dtype is None or dtype.names is None or set(dtype.names) != set(columns):
        dtype = np.dtype([(name, column.dtype) for name, column in columns.items()])
    made = np.zeros(len(next(iter(columns.values()))), dtype)
    for name, column in columns.items():
        raw = {column.dtype.kind, dtype[name].kind} == {"V", "S"}
        made[name] = np.ascontiguousarray(column).view(dtype[name]) if raw else column
    return made


def to_structured(columns: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
    """A structured array with these fields."""
    return _structured(dict(columns), None)


def to_pandas(columns: Mapping[str, NDArray[Any]]) -> Any:
    """A pandas.DataFrame with these columns."""
    import pandas

    return pandas.DataFrame({name: _plain(column) for name, column in columns.items()})


def _plain(column: NDArray[Any]) -> Any:
    """A column without dtypes that pandas does not have, in the machine's byte order."""
    if column.dtype.kind == "V":
        return np.array([*column.tolist(), None], dtype=object)[:-1]
    return np.ascontiguousarray(column, column.dtype.newbyteorder("="))


def to_arrow(columns: Mapping[str, NDArray[Any]]) -> Any:
    """A pyarrow.Table with these columns, without nulls."""
    import pyarrow as pa

    arrays, fields = [], []
    for name, column in columns.items():
        if column.dtype.kind in "VS" and column.dtype.names is None:
            type = pa.binary(column.dtype.itemsize)
            data = pa.py_buffer(np.ascontiguousarray(column).tobytes())
            array = pa.FixedSizeBinaryArray.from_buffers(type, len(column), [None, data])
        else:
            array = pa.array(_plain(column))
        arrays.append(array)
        fields.append(pa.field(name, array.type, nullable=False))
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def from_arrow(data: Any) -> dict[str, NDArray[Any]]:
    """The columns of anything that has Arrow data.

    Raises:
        InvalidInput: a column has nulls.
    """
    import pyarrow as pa

    table = data if isinstance(data, pa.Table) else pa.table(data)
    found = {}
    for name in table.column_names:
        column = table.column(name)
        if column.null_count:
            raise InvalidInput(f"the column {name} has nulls, and records have none")
        if pa.types.is_fixed_size_binary(column.type):
            joined = b"".join(column.to_pylist())
            width = column.type.byte_width
            found[name] = (
                np.frombuffer(joined, np.dtype((np.void, width))) if width else np.zeros(len(column), "V0")
            )
        else:
            found[name] = column.to_numpy()
    return found
