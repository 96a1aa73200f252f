"""The genuine btrdb against a server, without green libraries: `python genuine_client.py HOST PORT KEY`.

Prints "done" if everything is as BTrDB's own client expects it.
"""

from __future__ import annotations

import sys
from uuid import uuid4

import btrdb
import btrdb.exceptions
import pyarrow as pa
from btrdb.point import RawPoint
from btrdb.stream import StreamSet

host, port, key = sys.argv[1:]
conn = btrdb.connect(f"{host}:{port}", apikey=key)
info = conn.info()
assert info["majorVersion"] == 5
assert conn._ARROW_ENABLED

# Create, insert, read
uuid = uuid4()
stream = conn.create(uuid, "sensors/jfk", tags={"name": "temp", "unit": "F"}, annotations={"k": "v"})
assert stream.insert([(100, 1.0), (200, 2.0), (-5, 0.5)]) == 11
assert stream.values(-10, 1000) == [
    (RawPoint(-5, 0.5), 11),
    (RawPoint(100, 1.0), 11),
    (RawPoint(200, 2.0), 11),
]
found = stream.windows(0, 1000, 100)
assert [point.count for point, _ in found] == [0, 1, 1, 0, 0, 0, 0, 0, 0, 0]
found = stream.aligned_windows(0, 1000, 7)
assert [(point.time, point.mean) for point, _ in found] == [(0, 1.0), (128, 2.0)]
assert stream.nearest(150, 0) == (RawPoint(200, 2.0), 11)
assert stream.nearest(300, 0) is None
assert stream.earliest()[0] == RawPoint(-5, 0.5)
assert stream.latest()[0] == RawPoint(200, 2.0)
assert stream.count() == 3
assert stream.count(precise=True) == 3
assert stream.exists()
assert stream.version() == 11

# Merge policies
assert stream.insert([(100, 9.0), (100, 8.0)], merge="retain") == 11
assert stream.insert([(100, 9.0), (100, 8.0)], merge="replace") == 12
assert [point.value for point, _ in stream.values(0, 150)] == [8.0]
assert [point.value for point, _ in stream.values(0, 150, version=11)] == [1.0]
assert stream.insert([(100, 8.0), (100, 7.0)], merge="equal") == 13

# Metadata
assert [found.uuid for found in conn.streams_in_collection("sensors")] == [uuid]
assert conn.streams("sensors/jfk/temp")[0].uuid == uuid
assert conn.list_collections() == ["sensors/jfk"]
assert conn.list_unique_names() == ["temp"]
assert conn.list_unique_units("sens") == ["F"]
assert conn.list_unique_annotations() == ["k"]
assert conn.collection_metadata("sensors") == ({"name": 1, "unit": 1}, {"k": 1})
assert stream.update(tags={"name": "t2"}, annotations={"a": 5}) == 3
assert stream.tags() == {"name": "t2", "unit": "F", "ingress": "", "distiller": ""}
assert stream.annotations() == ({"k": "v", "a": 5}, 3)
assert stream.update(annotations={"b": "x"}, replace=True) == 4
assert stream.annotations(refresh=True) == ({"b": "x"}, 4)
rows = conn.query("select name, unit, collection from streams where name = $1 or name = $2", ["t2", "x"])
assert rows == [{"name": "t2", "unit": "F", "collection": "sensors/jfk"}]

# Delete, changes, flush
assert stream.delete(0, 150) == 14
assert [point.time for point, _ in stream.values(-10, 1000)] == [-5, 200]
ranges = [(found.start, found.end) for part, _ in conn.ep.changes(uuid, 13, 0, 0) for found in part]
assert ranges == [(0, 150)], ranges
stream.flush()

# Many points, in batches of 50,000
many = conn.create(uuid4(), "sensors/many", tags={"name": "many"})
assert many.insert([(n, float(n % 7)) for n in range(120_000)]) == 13
assert many.count() == 120_000
assert len(many.values(0, 200_000)) == 120_000
assert [point.count for point, _ in many.windows(0, 120_000, 30_000)] == [30_000] * 4

# Arrow
times = pa.array([1000, 2000], pa.timestamp("ns", tz="UTC"))
assert stream.arrow_insert(pa.table({"time": times, "value": [5.0, 6.0]})) == 15
assert stream.arrow_values(1, 10_000).column("value").to_pylist() == [2.0, 5.0, 6.0]
assert stream.arrow_windows(0, 10_000, 1000).column("count").to_pylist() == [1, 1, 1, 0, 0, 0, 0, 0, 0, 0]
assert stream.arrow_aligned_windows(0, 10_000, 10).column("mean").to_pylist() == [3.5, 6.0]
schema = pa.schema([pa.field("t", pa.timestamp("us")), pa.field("v", pa.float32())])
assert stream.arrow_values(1, 10_000, schema=schema).schema.names == ["t", "v"]
both = StreamSet([stream, many])
table = both.filter(start=199, end=202).arrow_values()
assert table.num_rows == 3
assert table.column(str(many.uuid)).to_pylist() == [199 % 7, 200 % 7, 201 % 7]
assert both.filter(start=1, end=150_000).to_dataframe().shape == (119_999, 2)
assert many.arrow_values(500_000, 600_000).num_rows == 0

# Versions of a set
both.pin_versions({stream.uuid: 11, many.uuid: 11})
assert both.versions() == {stream.uuid: 11, many.uuid: 11}
assert both.count() == 3 + 50_000

# Refusals
tags = {"name": "t2", "unit": "F"}
for call, error in (
    (lambda: conn.create(uuid, "x", tags={"name": "y"}), btrdb.exceptions.StreamExists),
    (lambda: conn.create(uuid4(), "sensors/jfk", tags=tags), btrdb.exceptions.AmbiguousStream),
    (lambda: conn.create(uuid4(), "x", tags={"colour": "y"}), btrdb.exceptions.InvalidTagKey),
    (lambda: stream.values(10, 10), btrdb.exceptions.InvalidTimeRange),
    (lambda: stream.aligned_windows(0, 10, 64), btrdb.exceptions.BTrDBError),
    (lambda: stream.insert([(0, float("nan"))]), btrdb.exceptions.BadValue),
    (lambda: stream.values(0, 10, version=999), btrdb.exceptions.VersionNotAvailable),
    (lambda: conn.query("select * from nowhere"), btrdb.exceptions.BadSQLValue),
    (lambda: conn.stream_from_uuid(uuid4()).version(), btrdb.exceptions.StreamNotFoundError),
    (lambda: btrdb.connect(f"{host}:{port}", apikey="wrong"), btrdb.exceptions.BTrDBError),
):
    try:
        call()
    except error:
        pass
    else:
        raise AssertionError(f"{error} was not raised")
assert not conn.stream_from_uuid(uuid4()).exists()

stream.obliterate()
assert not conn.stream_from_uuid(uuid).exists()
try:
    conn.create(uuid, "sensors/jfk", tags={"name": "temp"})
except btrdb.exceptions.RecycledUUID:
    print("done")
