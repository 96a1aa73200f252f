"""The protocol written a second time, as plainly as possible, for comparison; and what tests generate."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from unittest import mock

import numpy as np
from hypothesis import strategies as st

from flowthings_like.wire.tstorage import scan
from flowthings_like.wire.tstorage.columns import RecordColumns, VariablePayloads
from flowthings_like.wire.tstorage.layout import Form
from flowthings_like.wire.tstorage.record import FIELDS, Key

Raw = tuple[Key, bytes]

KEYS = st.builds(
    Key,
    cid=st.one_of(st.integers(0, 3), st.integers(0, 2**31 - 1)),
    mid=st.integers(*FIELDS["mid"]),
    moid=st.integers(*FIELDS["moid"]),
    cap=st.integers(*FIELDS["cap"]),
    acq=st.integers(*FIELDS["acq"]),
)
VARIABLE = st.lists(st.tuples(KEYS, st.binary(max_size=12)), max_size=30)


@st.composite
def uniform(draw: st.DrawFn) -> list[Raw]:
    """Records with payloads of one size; sometimes enough of them for what is done to many at once."""
    size = draw(st.integers(0, 12))
    some = draw(st.lists(st.tuples(KEYS, st.binary(min_size=size, max_size=size)), max_size=12))
    return some * draw(st.sampled_from([1, 1, 1, 40]))


@st.composite
def runs(draw: st.DrawFn) -> list[Raw]:
    """Records of some sizes, many of the same size in a row."""
    key = draw(KEYS)
    lengths = st.lists(st.tuples(st.integers(0, 3), st.integers(1, 150)), max_size=6)
    return [(key, bytes(size)) for size, count in draw(lengths) for _ in range(count)]


RECORDS = st.one_of(VARIABLE, uniform(), runs())


def encode_put(form: Form, records: list[Raw]) -> bytes:
    """A put that is one slice."""
    stream = struct.pack("<iQ", 5 if form is Form.PUT else 6, 0)
    for cid in dict.fromkeys(key.cid for key, _ in records):
        batch = b""
        for key, payload in records:
            if key.cid == cid:
                short = key.to_bytes(with_cid=False, with_acq=form is Form.PUTA)
                batch += struct.pack("<i", len(short) + len(payload)) + short + payload
        stream += struct.pack("<ii", cid, len(batch)) + batch
    return stream + struct.pack("<i", -1)


def encode_reply(records: list[Raw], acq: int = 15) -> bytes:
    """The reply to a GET."""
    stream = struct.pack("<iQ", 0, 0)
    for key, payload in records:
        stream += struct.pack("<i", 32 + len(payload)) + key.to_bytes() + payload
    return stream + struct.pack("<iiQq", 0, 0, 8, acq)


def as_columns(records: list[Raw]) -> RecordColumns:
    """The same records as columns: with an array of payloads if they have one size."""
    keys = [key for key, _ in records]
    payloads = [payload for _, payload in records]
    cid, mid, moid, cap, acq = (
        np.array([key[place] for key in keys], "i4" if name in ("cid", "moid") else "i8")
        for place, name in enumerate(FIELDS)
    )
    sizes = [len(payload) for payload in payloads]
    if len(set(sizes)) == 1:
        payload = (
            np.frombuffer(b"".join(payloads), f"V{sizes[0]}") if sizes[0] else np.empty(len(sizes), "V0")
        )
        return RecordColumns(cid, mid, moid, cap, acq, payload)
    offsets = np.cumsum([0, *sizes], dtype="i8")
    return RecordColumns(cid, mid, moid, cap, acq, VariablePayloads(b"".join(payloads), offsets))


def from_columns(columns: RecordColumns) -> list[Raw]:
    """The records in columns; the acq is -1 if there is none."""
    acq = [-1] * len(columns) if columns.acq is None else columns.acq.tolist()
    fields = columns.cid.tolist(), columns.mid.tolist(), columns.moid.tolist(), columns.cap.tolist(), acq
    if isinstance(columns.payload, VariablePayloads):
        payloads = [bytes(payload) for payload in columns.payload.tolist()]
    else:
        payloads = [payload.tobytes() for payload in columns.payload]
    return list(zip(map(Key._make, zip(*fields, strict=True)), payloads, strict=True))


def pieces(stream: bytes, cuts: list[int]) -> Iterator[bytes]:
    """A stream in pieces, cut at these places."""
    places = sorted(min(cut, len(stream)) for cut in cuts)
    for start, stop in pairwise([0, *places, len(stream)]):
        yield stream[start:stop]


CUTS = st.lists(st.integers(0, 2000), max_size=6)


@contextmanager
def without_numpy() -> Iterator[None]:
    """numpy is not installed, as far as scanning is concerned."""
    with mock.patch.object(scan, "numpy_or_none", return_value=None):
        yield
