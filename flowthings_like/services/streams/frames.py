"""Converts points to the objects of numpy, Arrow, pandas and polars."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from .needed import needed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Columns = Sequence[NDArray[Any]]

__all__ = ["datetimes", "to_arrow", "to_pandas", "to_polars", "to_structured"]


def datetimes(times: NDArray[np.int64]) -> NDArray[np.datetime64]:
    """Nanoseconds since 1970 as numpy's datetimes, in UTC; they share the memory."""
    return times.view("datetime64[ns]")


def to_arrow(names: Sequence[str], columns: Columns) -> Any:
    """A pyarrow.Table without nulls. The first column has times."""
    with needed():
        import pyarrow as pa
    arrays = [
        pa.array(datetimes(columns[0]), pa.timestamp("ns", tz="UTC")),
        *(pa.array(column) for column in columns[1:]),
    ]
    fields = [pa.field(name, array.type, nullable=False) for name, array in zip(names, arrays, strict=True)]
    return pa.Table.from_arrays(arrays, schema=pa.schema(fields))


def to_structured(names: Sequence[str], columns: Columns) -> NDArray[Any]:
    """A structured array of numpy."""
    types = [(name, column.dtype) for name, column in zip(names, columns, strict=True)]
    made = np.empty(len(columns[0]), types)
    for name, column in zip(names, columns, strict=True):
        made[name] = column
    return made


def to_pandas(names: Sequence[str], columns: Columns) -> Any:
    """A pandas.DataFrame with the first column, the times, as its index."""
    with needed():
        import pandas as pd
    index = pd.DatetimeIndex(datetimes(columns[0]), tz="UTC", name=names[0])
    return pd.DataFrame(dict(zip(names[1:], columns[1:], strict=True)), index=index)


def to_polars(names: Sequence[str], columns: Columns) -> Any:
    """A polars.DataFrame. The first column has times."""
    with needed():
        import polars as pl
    time = pl.Series(names[0], columns[0]).cast(pl.Datetime("ns", "UTC"))
    others = [pl.Series(name, column) for name, column in zip(names[1:], columns[1:], strict=True)]
    return pl.DataFrame([time, *others])
