"""What users of btrdb 5.34 have to live with, and what happens here instead. In the order of its faults.

Those about the connection are in test_client.py and test_retries.py, those about import in test_alone.py.
"""

from __future__ import annotations

import io
import logging
import re
from datetime import datetime, timezone
from uuid import UUID, uuid4

import numpy as np
import pandas as pd
import pytest

from flowthings_like.streams import Client, RawPoint, Stream, StreamSet
from tests.test_import import run

from .model import ModelServer


@pytest.mark.once
def test_importing_does_not_configure_logging() -> None:
    script = """
import logging
from flowthings_like import streams
print(logging.getLogger().handlers, logging.getLogger().level == logging.WARNING)
"""
    assert run(script) == "[] True"


def test_pinned_versions_hold_for_raw_data(stream: Stream) -> None:
    stream.insert([(1, 1.0)])
    streams = StreamSet([stream]).pin_versions()
    stream.insert([(2, 2.0)])
    assert streams.values() == [[RawPoint(1, 1.0)]]
    assert len(streams.rows()) == len(streams.to_dict()) == len(streams.to_dataframe()) == 1


def test_a_filter_with_only_one_end(stream: Stream) -> None:
    stream.insert([(1, 1.0), (2, 2.0)])
    streams = StreamSet([stream])
    assert streams.filter(start=2).values() == [[RawPoint(2, 2.0)]]
    assert streams.filter(end=2).values() == [[RawPoint(1, 1.0)]]


def test_zero_is_a_time(stream: Stream) -> None:
    stream.insert([(-1, 1.0), (0, 2.0), (1, 3.0)])
    streams = StreamSet([stream])
    assert streams.filter(start=0).values() == [[RawPoint(0, 2.0), RawPoint(1, 3.0)]]
    assert streams.filter(end=0).values() == [[RawPoint(-1, 1.0)]]


def test_rows_end_and_keep_what_is_double(client: Client, stream: Stream) -> None:
    other = client.create(uuid4(), "other")
    stream.insert([(0, 1.0), (5, 2.0), (5, 3.0)])
    other.insert([(0, 4.0), (5, 5.0), (7, 6.0)])
    rows = StreamSet([stream, other]).rows()
    assert [tuple(point and point.value for point in row) for row in rows] == [
        (1.0, 4.0),
        (2.0, 5.0),
        (3.0, None),
        (None, 6.0),
    ]


def test_none_is_not_stored(stream: Stream) -> None:
    with pytest.raises(ValueError, match="value of point 0 is None"):
        stream.insert([(1, None)])
    assert stream.count() == 0
    assert stream.insert([]) == stream.version() > 0
    with pytest.raises(ValueError, match="merge"):
        stream.insert([(1, 1.0)], merge="new")


def test_nanoseconds_are_exact(stream: Stream) -> None:
    time = 1_500_000_000_123_456_789
    exact = pd.Timestamp(time), np.datetime64(time, "ns"), "2017-07-14T02:40:00.123456789Z", time
    for number, given in enumerate(exact):
        stream.insert([(given, float(number))])
        assert stream.values(given, time + 1).times.tolist() == [time] * (number + 1)
    when = datetime(2017, 7, 14, 2, 40, 0, 123_457, timezone.utc)
    assert stream.nearest(when, backward=True) == (RawPoint(time, 3.0), 14)
    assert stream.values("-5", when)[0][0].time == time


def test_counts_see_points_after_2043(stream: Stream) -> None:
    stream.insert([(0, 1.0), ("2050-01-01", 2.0), ("2079-01-01", 3.0)])
    assert stream.count() == 3
    assert StreamSet([stream]).count() == 3


def test_csv_with_names_of_ones_own(stream: Stream) -> None:
    stream.insert([(1, 1.0)])
    file = io.StringIO()
    StreamSet([stream]).to_csv(file, name_callable=lambda each: "mine")
    assert file.getvalue().splitlines() == ["time,mine", "1,1.0"]


def test_a_pattern_for_units_of_streams_without_one(client: Client, stream: Stream) -> None:
    bare = client.create(uuid4(), "bare", {"name": "x"})
    streams = StreamSet([stream, bare])
    assert list(streams.filter(unit=re.compile("F"))) == [stream]
    assert str(stream.uuid) in streams
    assert "no-uuid" not in streams


def test_annotations_of_a_stream_from_its_uuid(client: Client, stream: Stream) -> None:
    again = client.stream_from_uuid(stream.uuid)
    assert again.update(annotations={"a": 1}, replace=True) == 2
    other = client.stream_from_uuid(stream.uuid)
    assert other.update(annotations={"b": 2}) == 3
    assert other.annotations() == ({"a": 1, "b": 2}, 3)


def test_searches_and_refreshes_give_equal_annotations(client: Client, stream: Stream) -> None:
    stream.update(annotations={"text": "5", "number": 5, "quoted": '"x"'})
    (found,) = client.streams_in_collection("sensors")
    expected = {"floor": 3, "text": "5", "number": 5, "quoted": '"x"'}
    assert found.annotations()[0] == found.annotations(refresh=True)[0] == expected


def test_windows_without_any_point_are_a_table(stream: Stream) -> None:
    table = stream.arrow_aligned_windows(0, 100, 3)
    assert (table.num_rows, table.num_columns) == (0, 6)
    assert StreamSet([stream]).filter(start=0, end=100).aligned_windows(3).arrow_values().num_rows == 0


def test_upper_case_uuids(client: Client, stream: Stream) -> None:
    assert list(client.streams(str(stream.uuid).upper())) == [stream]


def test_arrow_works_with_any_server(server: ModelServer, stream: Stream) -> None:
    stream.insert([(1, 1.0)])
    assert stream.arrow_values(0, 5).num_rows == 1
    assert not any(name.startswith("Arrow") for name, _ in server.calls)


def test_nothing_is_logged_above_debug(stream: Stream, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        stream.insert([(1, 1.0)])
        stream.values(0, 5)
    assert caplog.records == []


def test_iterating_holds_one_part_at_a_time(server: ModelServer, stream: Stream) -> None:
    stream.insert((np.arange(50_000), np.ones(50_000)))
    most = max(len(part) for part in stream.values_iter(0, 60_000))
    assert most == 500


def test_searches_return_sets(client: Client, stream: Stream) -> None:
    found = client.streams_in_collection("sensors")
    assert isinstance(found, StreamSet)
    assert found[0].uuid == stream.uuid == UUID(str(stream.uuid))
