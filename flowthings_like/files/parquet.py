"""Parquet files, which need pyarrow. It is imported when the first one is read or written."""

from __future__ import annotations

import io
from typing import IO, Any

from ..errors import ConfigurationError, InvalidInput

__all__ = ["import_parquet", "open_parquet"]


def import_parquet() -> tuple[Any, Any]:
    """The modules `pyarrow` and `pyarrow.parquet`.

    Raises:
        ConfigurationError: pyarrow is not installed.
    """
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:
        raise ConfigurationError("Parquet needs pyarrow: pip install pyarrow") from None
    return pa, parquet


def open_parquet(file: IO[bytes]) -> Any:
    """A `pyarrow.parquet.ParquetFile` of an open file, which is read into memory if it is a pipe.

    Raises:
        InvalidInput: it is not Parquet.
        ConfigurationError: pyarrow is not installed.
    """
    pa, parquet = import_parquet()
    try:
        return parquet.ParquetFile(file if file.seekable() else io.BytesIO(file.read()))
    except (pa.ArrowException, OSError) as error:
        raise InvalidInput(f"this is not Parquet: {error}") from None
