"""What is encoded for a put is what was given, and what is parsed of an answer; with numpy and without."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from struct import pack
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowthings_like.records import NumpyPayloadType, PayloadType, Record, RecordBatch
from flowthings_like.services.records import getting
from flowthings_like.services.records.getting import parse
from flowthings_like.services.records.putting import encode
from flowthings_like.wire.tstorage import scan
from flowthings_like.wire.tstorage.get_reader import GetReader
from flowthings_like.wire.tstorage.layout import MAX_BATCH, Form
from flowthings_like.wire.tstorage.requests import PutPiece, RequestReader
from tests.transport.records.scripted import record, reply

from .test_record_batch import BY_TYPE, KEYS

pytestmark = pytest.mark.once

SOME = settings(max_examples=25)


BOTH = pytest.mark.parametrize("numpy", [True, False], ids=["numpy", "no numpy"])


@contextmanager
def installed(numpy: bool) -> Iterator[None]:
    """With numpy, or as if it were not installed."""
    with pytest.MonkeyPatch.context() as patch:
        if not numpy:
            patch.setitem(sys.modules, "numpy", None)
            for module in (scan, getting):
                patch.setattr(module, "numpy_or_none", lambda: None)
        yield


@BY_TYPE
@BOTH
@pytest.mark.parametrize("form", [Form.PUT, Form.PUTA])
@SOME
@given(data=st.data())
def test_what_was_put(
    numpy: bool, payload_type: PayloadType[Any], values: Any, form: Form, data: st.DataObject
) -> None:
    if not numpy and isinstance(payload_type, NumpyPayloadType):
        pytest.skip("it needs numpy")
    records = data.draw(st.lists(st.builds(Record, KEYS, values), max_size=8))
    most = data.draw(st.integers(1, 200) | st.just(MAX_BATCH))
    given: list[Any] = [records, tuple(records)]
    if numpy:
        given.append(RecordBatch.from_records(records, payload_type))
    cids = dict.fromkeys(each.key.cid for each in records)
    grouped = [each for cid in cids for each in records if each.key.cid == cid]
    for each in given:
        found: list[Any] = []
        reader = RequestReader()
        with installed(numpy):
            for buffer in encode(form, each, payload_type, most, skip_invalid=False).buffers:
                for event in reader.feed(buffer):
                    if isinstance(event, PutPiece):
                        read = map(payload_type.from_bytes, event.block.payloads())
                        found += map(Record, event.block.keys(), read)
        expected = grouped
        if form is Form.PUT:
            expected = [Record(each.key._replace(acq=-1), each.value) for each in grouped]
        assert found == expected


@BY_TYPE
@BOTH
@SOME
@given(data=st.data())
def test_what_comes(numpy: bool, payload_type: PayloadType[Any], values: Any, data: st.DataObject) -> None:
    if not numpy and isinstance(payload_type, NumpyPayloadType):
        pytest.skip("it needs numpy")
    records = data.draw(st.lists(st.builds(Record, KEYS, values), max_size=8))
    whole = reply(*(record(each.key, payload_type.to_bytes(each.value)) for each in records), acq=5)
    size = data.draw(st.integers(1, len(whole)))
    with installed(numpy):
        reader = GetReader()
        for at in range(0, len(whole), size):
            reader.feed(whole[at : at + size])
        parsed = parse(reader.take(), payload_type)
        assert (parsed.problem, list(parsed.data)) == ("", records)
        has_columns = bool(records) or payload_type.size is not None
        assert isinstance(parsed.data, RecordBatch) is (numpy and has_columns)
    assert whole.endswith(pack("<q", 5))
