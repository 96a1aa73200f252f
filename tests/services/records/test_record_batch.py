"""Records as columns."""

from __future__ import annotations

import pickle
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowthings_like.records import (
    BytesPayloadType,
    ConfigurationError,
    InvalidInput,
    Key,
    NumpyPayloadType,
    PayloadType,
    Record,
    RecordBatch,
    StructPayloadType,
    TuplePayloadType,
    UnitPayloadType,
)

pytestmark = pytest.mark.once

I32, I64 = st.integers(-(2**31), 2**31 - 1), st.integers(-(2**63), 2**63 - 1)
KEYS = st.builds(Key, st.integers(0, 2**31 - 1), I64, I32, I64, I64)
VALUES: list[tuple[PayloadType[Any], Any]] = [
    (StructPayloadType("<d"), st.floats(allow_nan=False)),
    (StructPayloadType(">h"), st.integers(-(2**15), 2**15 - 1)),
    (StructPayloadType("3s"), st.binary(min_size=3, max_size=3)),
    (StructPayloadType("<4xb"), st.integers(-128, 127)),
    (TuplePayloadType("<dI"), st.tuples(st.floats(allow_nan=False), st.integers(0, 2**32 - 1))),
    (TuplePayloadType("bd"), st.tuples(st.integers(-128, 127), st.floats(allow_nan=False))),
    (UnitPayloadType(), st.just(())),
    (BytesPayloadType(), st.binary(min_size=5, max_size=5)),
    (NumpyPayloadType([("x", "<f4"), ("t", "S2")]), st.tuples(st.sampled_from([0.5, -2.0]), st.just(b"ab"))),
    (NumpyPayloadType(None), st.just(())),
]
BY_TYPE = pytest.mark.parametrize(("payload_type", "values"), VALUES, ids=[repr(each[0]) for each in VALUES])


def batch_of(count: int) -> RecordBatch[float]:
    return RecordBatch(
        cid=1, mid=range(count), moid=2, cap=np.arange(count) * 10, acq=7,
        payload=np.arange(count) / 2, payload_type=StructPayloadType("<d"),
    )  # fmt: skip


@BY_TYPE
@settings(max_examples=20)
@given(data=st.data())
def test_records_come_back(payload_type: PayloadType[Any], values: Any, data: st.DataObject) -> None:
    records = data.draw(st.lists(st.builds(Record, KEYS, values), max_size=6))
    batch = RecordBatch.from_records(records, payload_type)
    assert len(batch) == len(records)
    assert list(batch) == records
    assert batch == records
    assert [batch[place] for place in range(len(records))] == records
    assert all(type(record) is Record and type(record.key) is Key for record in batch)
    for copy in (
        RecordBatch.from_numpy(batch.to_numpy(), payload_type),
        RecordBatch.from_numpy(batch.columns, payload_type),
        RecordBatch.from_arrow(batch.to_arrow(), payload_type),
        RecordBatch.from_pandas(batch.to_pandas(), payload_type) if records else batch,
        pickle.loads(pickle.dumps(batch)),
    ):
        assert list(copy) == records
        assert copy == batch


def test_one_number_for_all() -> None:
    batch = batch_of(3)
    assert list(batch) == [Record(Key(1, n, 2, n * 10, 7), n / 2) for n in range(3)]
    assert [batch.cid.dtype, batch.mid.dtype, batch.moid.dtype, batch.cap.dtype] == ["i4", "i8", "i4", "i8"]


def test_without_a_payload() -> None:
    batch: RecordBatch[Any] = RecordBatch(1, [2, 3], 4, 5)
    assert list(batch) == [Record(Key(1, 2, 4, 5, -1), ()), Record(Key(1, 3, 4, 5, -1), ())]
    assert list(batch.columns) == ["cid", "mid", "moid", "cap", "acq"]
    assert list(RecordBatch(1, 2, 3, 4)) == [Record(Key(1, 2, 3, 4, -1), ())]


def test_payloads_without_a_type() -> None:
    batch: RecordBatch[Any] = RecordBatch(1, [2, 3], 4, 5, payload=[1.5, 2.5])
    assert [record.value for record in batch] == [1.5, 2.5]


def test_parts() -> None:
    batch = batch_of(10)
    assert isinstance(batch[2:4], RecordBatch)
    assert list(batch[2:4]) == [batch[2], batch[3]]
    assert list(batch[batch.cap > 70]) == [batch[8], batch[9]]
    assert list(batch[[1, -1]]) == [batch[1], batch[9]]
    assert batch[np.int64(3)] == batch[3] == batch[-7]
    assert batch["cap"] is batch.cap
    assert batch["payload"] is batch.payload
    assert np.shares_memory(batch[2:4].cap, batch.cap)
    for place in (10, -11):
        with pytest.raises(IndexError, match="10 records"):
            batch[place]
    with pytest.raises(KeyError):
        batch["nothing"]


def test_fields_of_the_payload() -> None:
    batch = RecordBatch(1, [2], 3, 4, payload=[(1.5, 7)], payload_type=TuplePayloadType("<dI"))
    assert list(batch.columns) == ["cid", "mid", "moid", "cap", "acq", "v0", "v1"]
    assert batch["v1"].tolist() == [7]
    assert batch.to_pandas()["v0"].tolist() == [1.5]


def test_many_are_iterated_over_in_parts() -> None:
    batch = batch_of(20_000)
    assert [record.key.mid for record in batch] == list(range(20_000))


def test_equality() -> None:
    assert batch_of(3) == batch_of(3)
    assert batch_of(3) != batch_of(4)
    assert batch_of(0) == []
    assert batch_of(2) != "ab"
    with pytest.raises(TypeError):
        hash(batch_of(1))


def test_any_library_that_reads_arrow() -> None:
    import polars
    import pyarrow

    assert pyarrow.table(batch_of(3)).column("payload").to_pylist() == [0.0, 0.5, 1.0]
    assert polars.DataFrame(batch_of(3))["cap"].to_list() == [0, 10, 20]
    assert list(RecordBatch.from_arrow(polars.DataFrame(batch_of(3)))) == list(batch_of(3))


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"cid": [1, 2, 3]}, "length"),
        ({"cid": 2**31}, "cid"),
        ({"cap": [0.5, 1.5]}, "integers"),
        ({"cap": ["a", "b"]}, "integers"),
        ({"mid": [[1], [2]]}, "shape"),
        ({"payload": ["a", "b"]}, "float"),
    ],
)
def test_columns_that_cannot_be(columns: dict[str, Any], said: str) -> None:
    given = {"cid": 1, "mid": [1, 2], "moid": 3, "cap": 4, "payload": [0.5, 1.5], **columns}
    with pytest.raises(Exception, match=said):
        RecordBatch(**given, payload_type=StructPayloadType("<d"))


def test_payloads_of_different_sizes_are_no_column() -> None:
    with pytest.raises(InvalidInput, match="different sizes"):
        RecordBatch(1, [2, 3], 4, 5, payload=[b"a", b"bc"], payload_type=BytesPayloadType())


def test_columns_that_are_missing() -> None:
    with pytest.raises(InvalidInput, match="moid, cap"):
        RecordBatch.from_numpy({"cid": [1], "mid": [2]})
    with pytest.raises(InvalidInput, match="nulls"):
        RecordBatch.from_arrow(_with_nulls())


def _with_nulls() -> Any:
    import pyarrow

    return pyarrow.table({"cid": [1, None], "mid": [1, 2], "moid": [1, 2], "cap": [1, 2]})


def test_a_column_size_of_ones_own_is_ignored_and_kept() -> None:
    """TStorage's own client overwrites it."""
    payload_type = NumpyPayloadType([("x", "<f8")])
    rows = np.zeros(2, payload_type.parsing_dtype)
    rows["_size"], rows["x"], rows["cap"] = 99, [1.5, 2.5], [3, 4]
    batch = RecordBatch.from_numpy(rows, payload_type)
    assert [(record.key.cap, record.value) for record in batch] == [(3, (1.5,)), (4, (2.5,))]
    assert rows["_size"].tolist() == [99, 99]


def test_numpy_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("flowthings_like.services.records.columns")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "numpy", None)
    with pytest.raises(ConfigurationError, match=r"flowthings_like\[records\]"):
        RecordBatch(1, 2, 3, 4)
