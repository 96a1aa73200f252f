"""Records as columns: what `get` returns for payloads of one size, and the fastest thing to put.

batch.cid, batch.cap, batch.payload    # arrays of numpy
for record in batch: ...               # Record objects, which are made only now
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import repeat
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from ...errors import InvalidInput
from ...wire.gc_paused import with_gc_paused
from ...wire.tstorage.columns import integer_column
from ...wire.tstorage.record import FIELDS, Key, Record
from .needed import needed
from .payload_types import PayloadType, UnitPayloadType

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["RecordBatch"]

T = TypeVar("T")

_TOGETHER = 8192  # records that are made at once while iterating

_new_key = partial(tuple.__new__, Key)
_new_record = partial(tuple.__new__, Record)


class RecordBatch(Generic[T]):
    """Records as arrays of equal lengths. It has a length, iterates and indexes as Records, and can be put.

    A slice, or an array of booleans or places as an index, gives a RecordBatch; a name gives a column. It can
    be given to whatever takes Arrow data (`pyarrow.table(batch)`, `polars.DataFrame(batch)`).

    Args:
        cid, mid, moid, cap, acq: the fields of the keys: an array, a sequence, or one integer for all. `acq`
            is needed for `puta` only.
        payload: an array, or a sequence of values that the payload type takes; None for no payload.
        payload_type: what the payloads are; None to take them as the array's dtype has them.

    Raises:
        InvalidInput: the columns differ in length, or hold what cannot be there.

    Attributes:
        cid, moid: arrays of int32.
        mid, cap, acq: arrays of int64; the times are nanoseconds since 2001-01-01 UTC.
        payload: an array with the payload type's dtype: of one number or of several fields, or of raw bytes.
        payload_type: what the payloads are, or None.
    """

    __slots__ = ("acq", "cap", "cid", "mid", "moid", "payload", "payload_type")

    cid: NDArray[np.int32]
    mid: NDArray[np.int64]
    moid: NDArray[np.int32]
    cap: NDArray[np.int64]
    acq: NDArray[np.int64]

    def __init__(
        self,
        cid: Any,
        mid: Any,
        moid: Any,
        cap: Any,
        acq: Any = -1,
        payload: Any = None,
        *,
        payload_type: PayloadType[T] | None = None,
    ) -> None:
        with needed("a RecordBatch"):
            from .columns import array_of, payload_column
        given = {"cid": cid, "mid": mid, "moid": moid, "cap": cap, "acq": acq}
        columns = {name: array_of(column) for name, column in given.items()}
        if payload is not None:
            payload = array_of(payload) if payload_type is None else payload_column(payload_type, payload)
        lengths = {len(column) for column in columns.values() if column.ndim}
        length = max(lengths, default=1) if payload is None else len(payload)
        for name, column in columns.items():
            setattr(self, name, integer_column(name, column, length))
        if payload is None:
            payload_type = UnitPayloadType() if payload_type is None else payload_type  # type: ignore[assignment]
            payload = payload_column(payload_type, [()] * length)  # type: ignore[arg-type]
        self.payload: NDArray[Any] = payload
        self.payload_type = payload_type

    @classmethod
    def _of(cls, columns: Sequence[NDArray[Any]], payload_type: PayloadType[T] | None) -> RecordBatch[T]:
        """A batch of these columns, as they are: five of the keys, and the payloads."""
        made = cls.__new__(cls)
        made.cid, made.mid, made.moid, made.cap, made.acq, made.payload = columns
        made.payload_type = payload_type
        return made

    @classmethod
    def from_records(cls, records: Iterable[Record[T]], payload_type: PayloadType[T]) -> RecordBatch[T]:
        """The columns of Records.

        Raises:
            InvalidInput: the payloads have different sizes, or a number is out of range.
        """
        if isinstance(records, RecordBatch):
            return records
        found = list(records)
        keys: Any = zip(*(record[0] for record in found), strict=True) if found else repeat((), 5)
        columns = dict(zip(FIELDS, map(list, keys), strict=True))
        return cls(**columns, payload=[record[1] for record in found], payload_type=payload_type)

    @classmethod
    def from_numpy(cls, data: Any, payload_type: PayloadType[T] | None = None) -> RecordBatch[T]:
        """The columns of a structured array, or of a dict of arrays.

        Fields are those of the key, of which `acq` may be missing, and `payload` or the fields of the
        payload. A field `_size` is left out.

        Raises:
            InvalidInput: a field is missing, or cannot be one of the key's.
        """
        with needed("a RecordBatch"):
            from .frames import from_columns
        names = list(data) if isinstance(data, Mapping) else data.dtype.names
        if names is None:
            raise InvalidInput("records are a structured array or a dict of arrays, with cid, mid, moid, cap")
        return cls(**from_columns({name: data[name] for name in names}, payload_type))

    @classmethod
    def from_arrow(cls, data: Any, payload_type: PayloadType[T] | None = None) -> RecordBatch[T]:
        """The columns of a pyarrow.Table, or of anything else that has Arrow data, as `to_arrow` makes them.

        Raises:
            InvalidInput: a column is missing, or has nulls.
        """
        with needed("Arrow"):
            from .frames import from_arrow, from_columns
        return cls(**from_columns(from_arrow(data), payload_type))

    @classmethod
    def from_pandas(cls, data: Any, payload_type: PayloadType[T] | None = None) -> RecordBatch[T]:
        """The columns of a pandas.DataFrame, as `to_pandas` makes them. Errors are those of `from_numpy`."""
        with needed("a RecordBatch"):
            from .frames import from_columns
        return cls(**from_columns({name: data[name].to_numpy() for name in data.columns}, payload_type))

    @property
    def columns(self) -> dict[str, NDArray[Any]]:
        """The arrays by name: the fields of the key; those of the payload, or `payload` if it has none."""
        found: dict[str, NDArray[Any]] = {name: getattr(self, name) for name in FIELDS}
        names = self.payload.dtype.names
        if names is not None:
            found.update({name: self.payload[name] for name in names})
        elif self.payload.dtype.itemsize:
            found["payload"] = self.payload
        return found

    def __len__(self) -> int:
        return len(self.cid)

    def __iter__(self) -> Iterator[Record[T]]:
        for start in range(0, len(self), _TOGETHER):
            yield from with_gc_paused(self._records, start, start + _TOGETHER)

    def _records(self, start: int, end: int) -> list[Record[T]]:
        columns = [getattr(self, name)[start:end].tolist() for name in FIELDS]
        keys = map(_new_key, zip(*columns, strict=True))
        column = self.payload[start:end]
        values = column.tolist() if self.payload_type is None else self.payload_type.values(column)
        return list(map(_new_record, zip(keys, values, strict=True)))

    @overload
    def __getitem__(self, index: int) -> Record[T]: ...
    @overload
    def __getitem__(self, index: str) -> NDArray[Any]: ...
    @overload
    def __getitem__(self, index: slice | NDArray[Any] | list[int]) -> RecordBatch[T]: ...
    def __getitem__(self, index: Any) -> Any:
        """One record; a column by its name; or the records of a slice or an array, which is a RecordBatch."""
        if isinstance(index, str):
            return self.payload if index == "payload" else self.columns[index]
        if isinstance(index, slice | list) or getattr(index, "ndim", 0) == 1:
            return self._of([getattr(self, name)[index] for name in (*FIELDS, "payload")], self.payload_type)
        place = index.__index__()
        if not -len(self) <= place < len(self):
            raise IndexError(f"there are {len(self)} records, and none at {place}")
        place %= len(self)
        return self._records(place, place + 1)[0]

    def __eq__(self, other: object) -> bool:
        """Whether the other has the same records in the same order: a RecordBatch or a list of Records."""
        if isinstance(other, RecordBatch):
            mine, theirs = self.columns, other.columns
            return mine.keys() == theirs.keys() and all(
                len(mine[name]) == len(theirs[name]) and bool((mine[name] == theirs[name]).all())
                for name in mine
            )
        if isinstance(other, list):
            return len(self) == len(other) and list(self) == other
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> tuple[Any, ...]:
        columns = [getattr(self, name) for name in (*FIELDS, "payload")]
        return _rebuilt, (columns, self.payload_type)

    def __repr__(self) -> str:
        return f"<RecordBatch: {len(self)} records, payloads of {self.payload.dtype}>"

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        """The records for any library that reads Arrow data."""
        return self.to_arrow().__arrow_c_stream__(requested_schema)

    def __arrow_c_schema__(self) -> Any:
        """The columns for any library that reads Arrow schemas."""
        return self.to_arrow().schema.__arrow_c_schema__()

    def to_arrow(self) -> Any:
        """A pyarrow.Table with `columns`. Times stay int64; raw bytes are fixed-size binary."""
        with needed("Arrow"):
            from .frames import to_arrow
        return to_arrow(self.columns)

    def to_numpy(self) -> NDArray[Any]:
        """A structured array of numpy, a copy, with `columns` as its fields."""
        with needed("a RecordBatch"):
            from .frames import to_structured
        return to_structured(self.columns)

    def to_pandas(self) -> Any:
        """A pandas.DataFrame with `columns`. Raw bytes are a column of bytes objects."""
        with needed("pandas"):
            from .frames import to_pandas
        return to_pandas(self.columns)


def _rebuilt(columns: list[NDArray[Any]], payload_type: PayloadType[Any] | None) -> RecordBatch[Any]:
    return RecordBatch._of(columns, payload_type)
