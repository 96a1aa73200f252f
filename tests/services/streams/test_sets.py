"""A set of streams, called in both ways."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path
from uuid import UUID, uuid4

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowthings_like import InvalidInput
from flowthings_like.services.streams.alignment import align, snap
from flowthings_like.streams import (
    Client,
    RawPoint,
    RawPoints,
    StatPoint,
    Stream,
    StreamSet,
    streams_errors,
)

from .model import ModelServer

DATA = {
    "temp": [(0, 1.0), (10, 2.0), (20, 3.0)],
    "wind": [(10, 5.0), (20, 6.0), (30, 7.0)],
    "rain": [],
}


@pytest.fixture
def streams(client: Client) -> StreamSet:
    """Three streams with some points."""
    made = []
    for number, (name, points) in enumerate(DATA.items()):
        unit = {"temp": "F"}.get(name, "m")
        stream = client.create(
            UUID(int=number + 1), "sensors/JFK", {"name": name, "unit": unit}, {"n": number}
        )
        if points:
            stream.insert(points)
        made.append(stream)
    return StreamSet(made)


def test_a_sequence(streams: StreamSet, client: Client) -> None:
    assert len(streams) == 3
    assert [stream.name for stream in streams] == ["temp", "wind", "rain"]
    temp = streams[0]
    assert streams[temp.uuid] is streams[str(temp.uuid).upper()] is streams[-3] is temp
    assert isinstance(streams[1:], StreamSet)
    assert [stream.name for stream in streams[1:]] == ["wind", "rain"]
    assert temp in streams
    assert temp.uuid in streams
    assert str(temp.uuid) in streams
    assert uuid4() not in streams
    assert "temp" not in streams
    assert streams.index(temp) == 0
    with pytest.raises(KeyError):
        streams[uuid4()]
    with pytest.raises(IndexError):
        streams[3]
    with pytest.raises(TypeError):
        StreamSet([temp.uuid])  # type: ignore[list-item]
    assert repr(streams) == "<StreamSet of 3 streams>"


def test_an_empty_set(client: Client) -> None:
    for empty in (StreamSet(), client.streams_in_collection("nothing"), client.streamset_from_uuids([])):
        assert len(empty) == 0
        assert empty.values() == empty.raw_values(0, 5) == empty.rows() == empty.to_dict() == []
        assert empty.count() == 0
        assert empty.earliest() == ()
        assert empty.to_dataframe().empty
        assert len(empty.filter(name="x")) == 0
        assert empty.versions() == {}


def test_version_6s_way(streams: StreamSet) -> None:
    temp, wind, rain = streams.raw_values(5, 25)
    assert isinstance(temp, RawPoints)
    assert (temp.times.tolist(), wind.times.tolist(), len(rain)) == ([10, 20], [10, 20], 0)
    assert streams.values(5, 25) == [temp, wind, rain]
    aligned = streams.aligned_windows(0, 32, 4)
    assert [each.counts.tolist() for each in aligned] == [[2, 1], [1, 2], []]
    assert streams.aligned_windows(start=0, end=32, pointwidth=4)[0] == aligned[0]
    precise = streams.precise_windows(0, 30, 10)
    assert [each.counts.tolist() for each in precise] == [[1, 1, 1], [0, 1, 1], [0, 0, 0]]
    assert streams.windows(0, 30, 10) == streams.windowed_values(0, 30, 10) == precise
    assert streams.allow_window


def test_version_5s_way(streams: StreamSet) -> None:
    chosen = streams.filter(start=5, end=25)
    temp, wind, rain = chosen.values()
    assert temp == [RawPoint(10, 2.0), RawPoint(20, 3.0)]
    assert (wind[0].value, rain) == (5.0, [])
    assert len(streams.values()[0]) == 3
    windows = streams.filter(start=0, end=32)
    assert windows.aligned_windows(4) is windows
    assert not windows.allow_window
    assert windows.values()[0] == [StatPoint(0, 1.0, 1.5, 2.0, 2, 0.5), StatPoint(16, 3.0, 3.0, 3.0, 1, 0.0)]
    for again in (lambda: windows.aligned_windows(4), lambda: windows.windows(10)):
        with pytest.raises(streams_errors.InvalidOperation):
            again()
    other = streams.filter(start=0, end=30).windows(width=10, depth=0)
    assert [point.count for point in other.values()[1]] == [0, 1, 1]
    assert streams.filter(start=0, end=32).aligned_windows(pointwidth=4).values() == windows.values()


def test_times_that_were_remembered(streams: StreamSet) -> None:
    both = streams.filter(start=5).filter(end=25)
    assert both.filter(start=15).values()[0] == [RawPoint(20, 3.0)]
    assert both.values()[0][0].time == 10
    assert streams.filter(end=15).values()[0] == [RawPoint(0, 1.0), RawPoint(10, 2.0)]
    assert streams.filter(start=0, end=1).values()[0] == [RawPoint(0, 1.0)]
    assert both.count() == 4
    assert both.count(start=15) == 2
    assert both.raw_values(end=12)[0].times.tolist() == [10]
    for start, end in ((5, 5), (25, 5)):
        with pytest.raises(ValueError, match="before end"):
            streams.filter(start=start, end=end)
    with pytest.raises(ValueError, match="before end"):
        both.filter(start=25)


def test_choosing_by_metadata(streams: StreamSet, client: Client, server: ModelServer) -> None:
    def names(**wanted: object) -> list[str]:
        return [stream.name for stream in streams.filter(**wanted)]  # type: ignore[arg-type]

    assert names(name="TEMP") == ["temp"]
    assert names(name=re.compile("^.i|n$")) == ["wind", "rain"]
    assert names(collection="sensors/jfk") == ["temp", "wind", "rain"]
    assert names(collection="sensors") == []
    assert names(collection=re.compile("^sensors"), unit="f") == ["temp"]
    assert names(unit=re.compile("m")) == ["wind", "rain"]
    assert names(tags={"unit": "m"}, annotations={"n": 1}) == ["wind"]
    assert names(annotations={"x": 1}) == []
    for wrong in ("name", "unit", "collection"):
        with pytest.raises(TypeError, match=wrong):
            names(**{wrong: 5})
    no_unit = client.create(uuid4(), "b", {"name": "x"})
    assert len(StreamSet([no_unit]).filter(unit=re.compile("m"))) == 0


def test_metadata_are_fetched_when_they_are_needed(
    streams: StreamSet, client: Client, server: ModelServer
) -> None:
    uuids = [stream.uuid for stream in streams]

    def fetched() -> int:
        return [name for name, _ in server.calls].count("StreamInfo")

    before = fetched()
    assert client.streamset_from_uuids(uuids)[0].name == "temp"
    assert fetched() - before == 3
    late = client.streamset_from_uuids(map(str, uuids), fetch_metadata=False)
    assert fetched() - before == 3
    assert [stream.name for stream in late.filter(name="wind")] == ["wind"]
    assert fetched() - before == 6
    assert len(late.filter(name="wind")) == 1
    assert fetched() - before == 6
    with pytest.raises(LookupError):
        client.streamset_from_uuids([uuid4()])
    assert len(client.streamset_from_uuids([uuid4()], fetch_metadata=False)) == 1


def test_pinned_versions_are_read_everywhere(streams: StreamSet) -> None:
    temp = streams[0]
    assert streams.pin_versions() is streams
    assert streams.versions() == {streams[0].uuid: 11, streams[1].uuid: 11, streams[2].uuid: 10}
    temp.insert([(5, 9.0)])
    assert streams.get_latest_version()[temp.uuid] == 12
    assert len(streams.values()[0]) == len(streams.raw_values(0, 100)[0]) == 3
    assert streams.filter(end=100).rows()[1][0] == RawPoint(10, 2.0)
    assert streams.count() == 6
    assert streams.aligned_windows(0, 64, 6)[0].counts.tolist() == [3]
    assert streams.clone().filter(end=6).values()[0] == [RawPoint(0, 1.0)]
    assert len(streams.raw_values(0, 100, {temp.uuid: 12})[0]) == 4
    streams.pin_versions({temp.uuid: 10})
    assert streams.earliest()[0] is None
    assert len(streams.values()[1]) == 3
    for wrong in ([1], {str(temp.uuid): 1}):
        with pytest.raises(TypeError):
            streams.pin_versions(wrong)  # type: ignore[arg-type]


def test_single_points(streams: StreamSet) -> None:
    assert streams.earliest() == (RawPoint(0, 1.0), RawPoint(10, 5.0), None)
    assert streams.latest() == streams.current() == (RawPoint(20, 3.0), RawPoint(30, 7.0), None)
    chosen = streams.filter(start=25, end=40)
    assert chosen.earliest() == chosen.latest() == (None, RawPoint(30, 7.0), None)
    assert streams.filter(start=5, end=15).latest() == (RawPoint(10, 2.0), RawPoint(10, 5.0), None)
    with pytest.raises(ValueError, match="now"):
        chosen.current()


def test_changes_of_all(streams: StreamSet) -> None:
    temp, wind, rain = (stream.uuid for stream in streams)
    found = streams.changes({temp: 10, wind: 11})
    assert found == {temp: [{"start": 0, "end": 21}], wind: [], rain: []}
    assert streams.changes({temp: 10}, {temp: 10}, 4)[temp] == []


def test_inserting_into_several(streams: StreamSet, server: ModelServer) -> None:
    temp, wind, rain = (stream.uuid for stream in streams)
    frame = pd.DataFrame({"time": [100, 101], "value": [1, 2]})
    assert streams.insert({temp: frame, rain: [(5, 5.0)]}, merge="replace") == {temp: 12, rain: 11}
    assert streams.count() == 9
    assert streams.arrow_insert({wind: pa.table(frame)}) == {wind: 12}
    sent = len(server.calls)
    with pytest.raises(ValueError, match="point 0"):
        streams.insert({temp: [(1, 1.0)], rain: [(5, None)]})
    with pytest.raises(InvalidInput, match="no stream"):
        streams.insert({temp: [(1, 1.0)], uuid4(): [(5, 5.0)]})
    assert len(server.calls) == sent
    assert streams.delete(0, 1000) == {temp: 13, wind: 13, rain: 12}
    assert streams.flush() == {temp: 13, wind: 13, rain: 12}
    assert streams.count() == 0


def test_rows(streams: StreamSet) -> None:
    assert streams.rows() == [
        (RawPoint(0, 1.0), None, None),
        (RawPoint(10, 2.0), RawPoint(10, 5.0), None),
        (RawPoint(20, 3.0), RawPoint(20, 6.0), None),
        (None, RawPoint(30, 7.0), None),
    ]
    windows = streams.filter(start=0, end=32).aligned_windows(4)
    assert [tuple(point and point.count for point in row) for row in windows.rows()] == [
        (2, 1, None),
        (1, 2, None),
    ]


def test_times_that_occur_twice_stand_in_two_rows(streams: StreamSet) -> None:
    streams[0].insert([(10, 2.5)])
    rows = streams.filter(start=5, end=15).rows()
    assert rows == [
        (RawPoint(10, 2.0), RawPoint(10, 5.0), None),
        (RawPoint(10, 2.5), None, None),
    ]


NAMES = ["sensors/JFK/temp", "sensors/JFK/wind", "sensors/JFK/rain"]


def test_dicts_and_csv(streams: StreamSet, tmp_path: Path) -> None:
    rows = streams.to_dict()
    assert rows[0] == dict(zip(["time", *NAMES], [0, 1.0, None, None], strict=True))
    assert list(rows[1].values()) == [10, 2.0, 5.0, None]
    path = tmp_path / "out.csv"
    streams.to_csv(path, name_callable=lambda stream: stream.name)
    assert path.read_text().splitlines()[:2] == ["time,temp,wind,rain", "0,1.0,,"]
    streams.to_csv(str(path), dialect="excel-tab", fieldnames=["time", NAMES[1]])
    assert path.read_text().splitlines()[1:3] == ["0\t", "10\t5.0"]
    file = io.StringIO()
    streams.filter(start=1000).to_csv(file)
    assert list(csv.reader(io.StringIO(file.getvalue()))) == [["time", *NAMES]]
    windows = streams.filter(start=0, end=32).aligned_windows(4)
    assert windows.to_dict(agg="max")[0][NAMES[0]] == 2.0
    assert windows.to_dict(agg="all")[0][f"{NAMES[0]}/count"] == 2
    for call in (windows.to_dict, windows.to_dataframe, windows.to_numpy):
        with pytest.raises(ValueError, match="agg"):
            call("median")


def test_data_frames(streams: StreamSet) -> None:
    frame = streams.to_dataframe()
    assert frame.index.tolist() == [0, 10, 20, 30]
    assert frame.index.name == "time"
    assert frame.columns.tolist() == NAMES
    assert frame[NAMES[1]].tolist()[1:] == [5.0, 6.0, 7.0]
    assert frame[NAMES[2]].isna().all()
    assert streams.to_dataframe(datetime64_index=True).index.tz is not None
    windows = streams.filter(start=0, end=32).aligned_windows(4)
    every = windows.to_dataframe(agg="all")
    assert every.columns.nlevels == 3
    assert every[("sensors/JFK", "wind", "count")].tolist() == [1, 2]
    assert windows.to_dataframe(agg="min", name_callable=lambda stream: stream.name)["temp"].tolist() == [
        1.0,
        3.0,
    ]
    several = windows.arrow_to_dataframe(agg=["min", "max"])
    assert several.columns.tolist() == [f"{name}/{part}" for name in NAMES for part in ("min", "max")]


def test_series_and_arrays(streams: StreamSet) -> None:
    temp, _, rain = streams.to_series()
    assert (temp.name, temp.tolist(), len(rain)) == (NAMES[0], [1.0, 2.0, 3.0], 0)
    assert temp.index[1] == pd.Timestamp(10)
    assert streams.to_series(datetime64_index=False)[1].index.tolist() == [10, 20, 30]
    assert [each.tolist() for each in streams.to_array()] == [[1.0, 2.0, 3.0], [5.0, 6.0, 7.0], []]
    table = streams.to_numpy()
    assert table.shape == (4, 3)
    assert np.isnan(table[0, 1])
    assert np.nansum(table) == 24.0
    assert streams.arrow_to_numpy().shape == (4, 3)
    assert len(streams.arrow_to_series()) == 3
    assert len(streams.arrow_to_dict()) == 4


def test_arrow_and_polars(streams: StreamSet) -> None:
    table = streams.to_arrow()
    assert table.column_names == ["time", *NAMES]
    assert table.column(NAMES[1]).to_pylist() == [None, 5.0, 6.0, 7.0]
    assert table.column(NAMES[0]).null_count == 1
    frame = streams.to_polars()
    assert frame.columns == ["time", *NAMES]
    assert frame.schema["time"] == pl.Datetime("ns", "UTC")
    assert frame[NAMES[1]].to_list() == [None, 5.0, 6.0, 7.0]
    windows = streams.filter(start=0, end=32).aligned_windows(4)
    by_uuid = windows.arrow_values()
    assert by_uuid.column_names[:3] == ["time", f"{streams[0].uuid}/min", f"{streams[0].uuid}/mean"]
    assert by_uuid.column(f"{streams[1].uuid}/count").type == pa.uint64()
    assert windows.to_polars("count")[NAMES[1]].to_list() == [1, 2]
    schema = pa.schema([("t", pa.timestamp("us", tz="UTC")), ("a", pa.float32()), ("b", pa.float32())])
    cast = streams[:2].filter(start=0, end=100, schema=schema).to_arrow()
    assert cast.schema == schema


def test_a_sampling_frequency_moves_points_to_its_instants(client: Client) -> None:
    one, two = (client.create(UUID(int=number), "a", {"name": str(number)}) for number in (7, 8))
    one.insert([(-40, 9.0), (96, 1.0), (104, 2.0), (149, 3.0), (150, 4.0), (260, 5.0)])
    two.insert([(301, 6.0)])
    rows = StreamSet([one, two]).filter(start=0, end=300, sampling_frequency=1e7).to_dict()
    found = {row["time"]: row["a/7"] for row in rows}
    assert found == {0: 9.0, 100: 1.0, 200: 4.0}  # 260 is nearest to 300, which is not in the range
    with pytest.raises(ValueError, match="sampling_frequency"):
        StreamSet([one]).filter(sampling_frequency=-1)


@given(st.lists(st.lists(st.integers(-5, 5), max_size=12), max_size=4))
def test_alignment_keeps_every_point(lists: list[list[int]]) -> None:
    columns = [np.sort(np.array(times, "i8")) for times in lists]
    rows, places = align(columns)
    assert (np.diff(rows) >= 0).all()
    for times, place in zip(columns, places, strict=True):
        assert (rows[place] == times).all()
        assert len(set(place.tolist())) == len(times)
    assert set(rows.tolist()) == {time for times in lists for time in times}
    most = {time: max(times.count(time) for times in lists) for times in lists for time in times}
    assert len(rows) == sum(most.values())


@given(st.lists(st.integers(-500, 500), min_size=1, max_size=30), st.integers(1, 60))
def test_snapping_takes_the_closest_point(times: list[int], period: int) -> None:
    ordered = np.sort(np.array(times, "i8"))
    found = snap(RawPoints(ordered, ordered * 1.0), period, -200, 200)
    expected: dict[int, int] = {}
    for time in ordered.tolist():
        instant = (2 * time + period) // (2 * period) * period
        if -200 <= instant < 200 and (
            instant not in expected or abs(time - instant) < abs(expected[instant] - instant)
        ):
            expected[instant] = time
    assert dict(zip(found.times.tolist(), found.values.tolist(), strict=True)) == expected


def test_a_notebook_gets_drawings(streams: StreamSet, client: Client) -> None:
    shown = streams._repr_html_()
    assert shown.count("<svg") == 2
    assert "&lt;StreamSet of 3 streams&gt;" in shown
    many = StreamSet([Stream(client, streams[0].uuid)] * 12)
    assert "and 2 more" in many._repr_html_()
