"""What payload types make of values and of bytes."""

from __future__ import annotations

import struct
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowthings_like.records import (
    BytesPayloadType,
    InvalidInput,
    NumpyMissing,
    NumpyPayloadType,
    PayloadType,
    StructPayloadType,
    TuplePayloadType,
    UnitPayloadType,
)

pytestmark = pytest.mark.once

CODES = "bBhHiIlLqQefd?cnN"
FORMATS = [
    *CODES,
    *(order + code for order in "<>=!@" for code in "bhiqfd?"),
    "4s",
    "<7s",
    "P",
    "5p",
    "<4xd",
    "xb",
]


def values_of(format: str) -> Any:
    """Some bytes of the format's size that unpack to a value which is equal to itself."""
    size = struct.calcsize(format)
    return [bytes(size), b"\1" * size, bytes(range(1, size + 1))]


@pytest.mark.parametrize("format", FORMATS)
def test_a_format_of_one_value(format: str) -> None:
    payload_type: StructPayloadType[Any] = StructPayloadType(format)
    assert payload_type.size == struct.calcsize(format)
    column = b"".join(values_of(format))
    expected = [struct.unpack(format, each)[0] for each in values_of(format)]
    assert [payload_type.from_bytes(each) for each in values_of(format)] == expected
    assert list(payload_type.payloads(expected)) == [struct.pack(format, each) for each in expected]
    dtype = payload_type.column_dtype(struct.calcsize(format))
    assert dtype is not None
    found = payload_type.values(np.frombuffer(column, dtype))
    assert list(found) == expected
    assert [type(each) for each in found] == [type(each) for each in expected]


@pytest.mark.parametrize(
    "format", ["<dI", "bd", "@bhiq", "<3d", "<2s?x", "", "<", "4x", "d", "3p d", "<0sd", "b0q"]
)
def test_a_format_of_several_values(format: str) -> None:
    payload_type = TuplePayloadType(format)
    expected = [struct.unpack(format, each) for each in values_of(format)]
    assert [payload_type.from_bytes(each) for each in values_of(format)] == expected
    dtype = payload_type.column_dtype(struct.calcsize(format))
    assert dtype is not None
    assert dtype.itemsize == struct.calcsize(format)
    column = np.frombuffer(b"".join(values_of(format)), dtype) if dtype.itemsize else np.zeros(3, dtype)
    assert list(payload_type.values(column)) == expected
    assert list(payload_type.payloads(expected)) == [struct.pack(format, *each) for each in expected]


def test_fields_of_a_format_of_several_values() -> None:
    dtype = TuplePayloadType("<dI").column_dtype(12)
    assert dtype == np.dtype([("v0", "<f8"), ("v1", "<u4")])


@pytest.mark.parametrize("payload_type", [StructPayloadType("<d"), TuplePayloadType("<ii")])
@pytest.mark.parametrize("size", [0, 7, 9, 16])
def test_bytes_of_another_size(payload_type: PayloadType[Any], size: int) -> None:
    assert payload_type.from_bytes(bytes(size)) is None
    assert payload_type.column_dtype(size) is None


def test_a_value_that_does_not_fit() -> None:
    for call in (
        lambda: StructPayloadType("<b").to_bytes(300),
        lambda: TuplePayloadType("<b").to_bytes((1, 2)),
    ):
        with pytest.raises(struct.error):
            call()


@pytest.mark.parametrize("format", ["<dd", "", "4x", "2i"])
def test_a_format_of_more_or_fewer_values_than_one(format: str) -> None:
    with pytest.raises(InvalidInput, match="TuplePayloadType"):
        StructPayloadType(format)


@pytest.mark.parametrize("format", ["z", 5, "<<d", "ü"])
def test_what_is_no_format(format: Any) -> None:
    with pytest.raises(InvalidInput, match="format"):
        TuplePayloadType(format)


def test_bytes() -> None:
    payload_type = BytesPayloadType()
    given = bytearray(b"abc")
    assert payload_type.to_bytes(given) is given
    found = payload_type.from_bytes(given)
    assert (found, type(found)) == (b"abc", bytes)
    assert payload_type.values(np.frombuffer(b"abc\0", "V2")) == [b"ab", b"c\0"]


def test_unit() -> None:
    payload_type = UnitPayloadType()
    assert payload_type.to_bytes("anything") == b""
    assert payload_type.from_bytes(b"anything") == ()
    assert payload_type.values(np.zeros(2, payload_type.column_dtype(3))) == [(), ()]


@given(st.lists(st.tuples(st.floats(allow_nan=False), st.integers(-(2**31), 2**31 - 1)), max_size=5))
def test_numpy_values_come_back(values: list[tuple[float, int]]) -> None:
    payload_type = NumpyPayloadType([("x", "<f8"), ("n", "<i4")])
    packed = list(payload_type.payloads(values))
    assert [payload_type.to_bytes(value) for value in values] == packed
    assert [payload_type.from_bytes(each) for each in packed] == values
    assert payload_type.values(np.array(values, payload_type.dtype)) == values


def test_numpy_dtypes() -> None:
    payload_type = NumpyPayloadType([("x", "<f8"), ("n", "<i4")])
    key = ["cid", "mid", "moid", "cap", "acq"]
    assert list(payload_type.record_dtype.names) == [*key, "x", "n"]
    assert list(payload_type.parsing_dtype.names) == ["_size", *key, "x", "n"]
    assert list(payload_type.serializer_dtype_with_acq.names) == ["_size", *key[1:], "x", "n"]
    assert list(payload_type.serializer_dtype_no_acq.names) == ["_size", *key[1:4], "x", "n"]
    assert payload_type.parsing_dtype.itemsize == 36 + payload_type.size == 48


@pytest.mark.parametrize("dtype", [None, []])
def test_numpy_without_payload(dtype: Any) -> None:
    payload_type = NumpyPayloadType(dtype)
    assert payload_type.size == 0
    assert payload_type.from_bytes(b"") == ()
    assert list(payload_type.payloads([(), ()])) == [b"", b""]
    assert payload_type.values(np.zeros(2, payload_type.column_dtype(0))) == [(), ()]


def test_a_plain_dtype_is_the_field_v0() -> None:
    payload_type = NumpyPayloadType("<f8")
    assert payload_type.dtype.names == ("v0",)
    assert payload_type.from_bytes(struct.pack("<d", 1.5)) == (1.5,)
    assert payload_type.from_bytes(b"") is None


@pytest.mark.parametrize("dtype", ["no type", [("cid", "i4")], [("_size", "i4")], object])
def test_dtypes_that_cannot_be(dtype: Any) -> None:
    with pytest.raises(InvalidInput):
        NumpyPayloadType(dtype)


def test_numpy_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "numpy", None)
    with pytest.raises(NumpyMissing, match="pip install") as caught:
        NumpyPayloadType("<f8")
    assert isinstance(caught.value, RuntimeError)


def test_a_type_of_ones_own() -> None:
    class Text(PayloadType[str]):
        def to_bytes(self, value: str) -> bytes:
            return value.encode()

        def from_bytes(self, buffer: bytes) -> str | None:
            return buffer.decode()

    assert Text().column_dtype(3) is None
    assert list(Text().payloads(["a", "bc"])) == [b"a", b"bc"]
    assert Text().values(np.frombuffer(b"abcd", "V2")) == ["ab", "cd"]


def test_it_says_what_it_is() -> None:
    assert repr(StructPayloadType("<d")) == "StructPayloadType('<d')"
    assert repr(TuplePayloadType("<dI")) == "TuplePayloadType('<dI')"
    assert repr(BytesPayloadType()) == "BytesPayloadType()"
