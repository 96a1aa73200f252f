"""Loads, as a program makes them."""

from __future__ import annotations

import gzip
import json
import os
import threading
from contextlib import closing
from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import zstandard

from flowthings_like import API, ConfigurationError, InvalidInput, jobs, mem
from flowthings_like.database import ConnectionPool
from flowthings_like.jobs.rejects import RejectFile
from flowthings_like.jobs.spec import LoadSpec
from flowthings_like.records import Key, StructPayloadType
from flowthings_like.services.records.timestamp import EPOCH_NS
from flowthings_like.streams import MAXIMUM_TIME, MINIMUM_TIME

PATH = "/acme/weather"
CSV = "\n".join(
    [
        "creationDate,id,origin,temp,sky,n",
        "2013-01-31T12:00:00Z,1,EWR,39.02,clear,1",
        "2013-01-31T13:00:00Z,2,JFK,NA,007,2",
        '2013-01-31T14:00:00Z,3,EWR,-1.5,"a, ""b""",3',
        "",
    ]
)


def write(folder: Path, text: str, name: str = "in.csv") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def elems(api: API, path: str = PATH) -> list[Any]:
    """The elements of the drops, oldest first."""
    return [drop["elems"] for drop in api.drop(path).iterate(order="asc")]


def test_csv(api: API, tmp_path: Path) -> None:
    report = jobs.load(write(tmp_path, CSV), jobs.FlowsSink(api, PATH), na=["NA"])
    assert (report.rows, report.stored, report.refused, report.calls) == (3, 3, 0, 1)
    assert elems(api) == [
        {"origin": "EWR", "temp": 39.02, "sky": "clear", "n": 1},
        {"origin": "JFK", "sky": "007", "n": 2},
        {"origin": "EWR", "temp": -1.5, "sky": 'a, "b"', "n": 3},
    ]
    assert [drop["creationDate"] for drop in api.drop(PATH).find()][-1] == 1_359_633_600_000
    assert not any("fhash" in drop for drop in api.drop(PATH).find())


def test_a_time_that_no_record_can_have(api: API, tmp_path: Path) -> None:
    rows = write(tmp_path, "at,n\n2013-01-01,1\n9999-12-31,2\n")
    sink = jobs.RecordsSink(api.record(StructPayloadType[int]("<q")), cap="at", values=["n"])
    report = jobs.load(rows, sink, rejects=tmp_path / "rejects")
    assert (report.stored, report.refused) == (1, 1)
    with pytest.raises(InvalidInput, match="cid is -1; give 0 to 2147483647, or the name of a column"):
        jobs.RecordsSink(api.record(StructPayloadType[int]("<q")), cap="at", values=["n"], cid=-1)


def test_the_unit_of_times(api: API, tmp_path: Path) -> None:
    at = 1_356_998_400_250
    rows = write(tmp_path, f"text,seconds\n2013-01-01T00:00:00.250Z,{at / 1000}\n")
    for options, types in [
        ({"time": "text"}, {}),
        ({"time": "text"}, {"text": "time"}),  # nanoseconds, though numbers are milliseconds else
        ({"time": "seconds", "time_unit": "s"}, {}),
    ]:
        jobs.load(rows, jobs.FlowsSink(api, PATH, **options), types=types)
    assert {drop["creationDate"] for drop in api.drop(PATH).find()} == {at}
    flow = jobs.FlowSource(api, PATH)  # whose dates are milliseconds, though numbers are nanoseconds else
    sink = jobs.StreamsSink(api.stream, "a", time="creationDate", values=["seconds"], create=True)
    jobs.load(flow, sink)
    (stream,) = api.stream.streams_in_collection("a")
    assert [point.time for point, _ in stream.values(MINIMUM_TIME, MAXIMUM_TIME)] == [at * 1_000_000]


def test_whole_numbers_keep_their_digits(api: API, tmp_path: Path) -> None:
    numbers = ["9223372036854775807", "9223372036854775808", "-9223372036854775809", "-0", str(10**30)]
    jobs.load(write(tmp_path, "\n".join(["n", *numbers])), jobs.FlowsSink(api, PATH))
    assert [elem["n"] for elem in elems(api)] == [int(numbers[0]), *numbers[1:3], 0, numbers[4]]


def test_a_flow_for_each_value(api: API, tmp_path: Path) -> None:
    sink = jobs.FlowsSink(api, "/acme/{origin}/x", create=True, capacity=7)
    jobs.load(write(tmp_path, CSV), sink, filter=mem.n > 1, types={"temp": str})
    assert [elem["temp"] for elem in elems(api, "/acme/EWR/x")] == ["-1.5"]
    assert [elem["temp"] for elem in elems(api, "/acme/JFK/x")] == ["NA"]
    (flow,) = api.flow.find_many(mem.path == "/acme/JFK/x")
    assert flow["capacity"] == 7


def test_a_key_stores_a_row_once(api: API, tmp_path: Path) -> None:
    sink = jobs.FlowsSink(api, PATH, key=["origin", "n"])
    for text in (CSV, CSV.replace("39.02", "40")):
        jobs.load(write(tmp_path, text), sink, na=["NA"])
    assert [elem.get("temp") for elem in elems(api)] == [40, None, -1.5]
    assert api.drop(PATH).find()[0]["fhash"] == '["EWR",3]'


def test_filter_and_function(api: API, tmp_path: Path) -> None:
    def fahrenheit(row: dict[str, Any]) -> dict[str, Any] | None:
        if row["n"] == 1:
            return None
        return {"f": row["temp"] * 2, "n": row["n"]}

    rejects = tmp_path / "rejects"
    report = jobs.load(
        write(tmp_path, CSV),
        jobs.FlowsSink(api, PATH),
        na=["NA"],
        filter="n < 4 && elems.n > 0",
        transform=fahrenheit,
        rejects=rejects,
    )
    assert elems(api) == [{"f": -3.0, "n": 3}]
    assert (report.stored, report.left_out, report.refused) == (1, 1, 1)
    (line,) = rejects.read_text().splitlines()
    told = json.loads(line)
    assert (told["row"], told["reason"]) == (2, "the function: KeyError: 'temp'")
    assert told["values"]["origin"] == "JFK"


@pytest.mark.parametrize("suffix", ["", ".gz", ".zst"])
def test_ndjson(api: API, tmp_path: Path, suffix: str) -> None:
    lines = [
        '{"a": 1, "id": "x"}',
        "",
        '{"elems": {"b": [1, {"c": null}]}, "creationDate": 1000, "location": {"lat": 1, "lon": 2}}',
        "[1]",
        '{"a": "é", "none": null}',
        "{",
    ]
    text = "\n".join(lines).encode()
    packed = {"": text, ".gz": gzip.compress(text), ".zst": zstandard.compress(text)}[suffix]
    path = tmp_path / f"in.ndjson{suffix}"
    path.write_bytes(packed)
    report = jobs.load(path, jobs.FlowsSink(api, PATH), rejects=tmp_path / "rejects")
    assert (report.rows, report.stored, report.refused) == (5, 3, 2)
    first, *_ = drops = list(api.drop(PATH).iterate(order="asc"))
    assert [drop["elems"] for drop in drops] == [{"b": [1, {"c": None}]}, {"a": 1}, {"a": "é"}]
    assert (first["creationDate"], first["location"]) == (1000, {"lat": 1, "lon": 2})
    reasons = [json.loads(line)["reason"] for line in (tmp_path / "rejects").read_text().splitlines()]
    assert reasons[0] == "it is not an object"
    assert reasons[1].startswith("it is not JSON: ")


def write_parquet(path: Path, rows: int = 5) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    start = datetime(2013, 1, 1, tzinfo=timezone.utc).timestamp()
    times = [datetime.fromtimestamp(start + n, timezone.utc) for n in range(rows)]
    columns = {
        "time": pa.array(times, pa.timestamp("us", tz="UTC")),
        "sensor": [f"s{n % 2}" for n in range(rows)],
        "value": pa.array([None if n == 2 else n / 2 for n in range(rows)], pa.float32()),
        "count": list(range(rows)),
    }
    parquet.write_table(pa.table(columns), path, row_group_size=2)


def test_parquet_into_drops(api: API, tmp_path: Path) -> None:
    write_parquet(tmp_path / "in.parquet")
    jobs.load(tmp_path / "in.parquet", jobs.FlowsSink(api, PATH, time="time"), batch=3)
    assert elems(api)[1:3] == [{"sensor": "s1", "value": 0.5, "count": 1}, {"sensor": "s0", "count": 2}]
    assert api.drop(PATH).find()[0]["creationDate"] == 1_356_998_404_000


def test_parquet_with_nanoseconds_and_nested_values(api: API, tmp_path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    moment = 1_356_998_400_000_000_001
    times = pa.array([moment, None, 2**63 - 2], pa.timestamp("ns", "Europe/Paris"))
    inside = pa.struct([("at", pa.timestamp("ns")), ("sums", pa.list_(pa.decimal128(9, 2)))])
    far = pa.array([0, 1, 2**62], pa.timestamp("us"))
    nested = pa.array([{"at": moment, "sums": [Decimal("1.5")]}, None, None], inside)
    table = pa.table({"time": times, "far": far, "nested": nested, "value": [1, 2, 3]})
    parquet.write_table(table, tmp_path / "in.parquet")

    options: dict[str, Any] = {"rejects": tmp_path / "rejects", "types": {"time": "time"}}
    report = jobs.load(tmp_path / "in.parquet", jobs.FlowsSink(api, PATH), **options)
    assert (report.stored, report.refused) == (2, 1)
    assert "column 'far': a TimestampScalar has no JSON" in (tmp_path / "rejects").read_text()
    assert elems(api)[0] == {
        "time": moment,
        "far": 0,
        "nested": {"at": moment // 1_000_000, "sums": [1.5]},
        "value": 1,
    }
    options["types"] = None
    sink = jobs.StreamsSink(api.stream, "a", time="time", values=["value"], create=True)
    report = jobs.load(tmp_path / "in.parquet", sink, **options)
    assert (report.stored, report.refused) == (1, 2)  # without a time, and in 2262
    channel = api.record(StructPayloadType[int]("<q"))
    report = jobs.load(
        tmp_path / "in.parquet", jobs.RecordsSink(channel, cap="time", values=["value"]), **options
    )
    assert (report.stored, report.refused) == (2, 1)
    assert channel.get(Key.min(), Key.max()).data[0].key.cap == moment - EPOCH_NS


def test_times_that_do_not_fit_do_not_wrap_around(api: API, tmp_path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    at = 2**64 // 1_000_000_000 + 1_500_000_000  # in seconds; the product would be in 2017 again
    parquet.write_table(pa.table({"time": [at, 1_500_000_000], "value": [1, 2]}), tmp_path / "in.parquet")
    sink = jobs.StreamsSink(api.stream, "a", time="time", time_unit="s", values=["value"], create=True)
    report = jobs.load(tmp_path / "in.parquet", sink, rejects=tmp_path / "rejects")
    assert (report.stored, report.refused) == (1, 1)


def test_parquet_into_streams(api: API, tmp_path: Path) -> None:
    write_parquet(tmp_path / "in.parquet")
    sink = jobs.StreamsSink(
        api.stream, "a/{sensor}", time="time", values={"value": "{sensor}", "count": "n"}, create=True
    )
    for _ in range(2):
        report = jobs.load(tmp_path / "in.parquet", sink)
    assert report.stored == 4 + 5
    found = {
        f"{stream.collection} {stream.name}": [
            point.value for point, _ in stream.values("2013-01-01", "2013-01-02")
        ]
        for stream in api.stream.streams_in_collection("a/")
    }
    assert found == {"a/s0 s0": [0, 2], "a/s1 s1": [0.5, 1.5], "a/s0 n": [0, 2, 4], "a/s1 n": [1, 3]}


def test_a_query_and_a_table(api: API) -> None:
    api.db.run_operation("create table a (n integer, t text)")
    api.db.run_operation("create table b (n integer primary key, t text)")
    for n in (1, 2, 3, 2):
        api.db.run_operation("insert into a values (?, ?)", (n, None if n == 3 else f"t{n}"))
    source = jobs.QuerySource(api.db, "select n, t from a where n < ?", (4,))
    with pytest.raises(jobs.LoadStopped, match="row 4 cannot be loaded: UNIQUE"):
        jobs.load(source, jobs.SQLSink(api.db, "b"))
    assert api.db.run_query("select * from b order by n") == [(1, "t1"), (2, "t2"), (3, None)]


def test_a_database_that_is_locked(api: API, tmp_path: Path) -> None:
    pool = ConnectionPool("sqlite3", str(tmp_path / "a.db"), timeout=0.1)
    with closing(pool):
        pool.run_operation("create table t (n integer)")
        pool.run_operation("insert into t values (1), (2), (3)")
        query = jobs.QuerySource(pool, "select n from t order by n")  # which is read meanwhile
        with pytest.raises(InvalidInput, match=r"flowthings_loads.* cannot be created: database is locked"):
            jobs.load(query, jobs.SQLSink(pool, "t"), batch=1, checkpoint=tmp_path / "checkpoint")
    with pytest.raises(InvalidInput, match="the query is empty"):
        jobs.QuerySource(pool, " ")


def test_a_half_of_a_batch_is_in_a_table_once(api: API, tmp_path: Path) -> None:
    api.db.run_operation("create table t (n integer)")
    refuse = "when new.n = 7 begin select raise(abort, 'no 7'); end"
    api.db.run_operation(f"create trigger without_7 before insert on t {refuse}")
    source, checkpoint = (
        write(tmp_path, "n\n" + "".join(f"{n}\n" for n in range(1, 9))),
        tmp_path / "checkpoint",
    )
    with pytest.raises(jobs.TooManyRefusals, match="row 7 cannot be loaded"):
        jobs.load(source, jobs.SQLSink(api.db, "t"), checkpoint=checkpoint)  # 1 to 4, and 5 to 6, are stored
    api.db.run_operation("drop trigger without_7")
    assert jobs.load(source, jobs.SQLSink(api.db, "t"), checkpoint=checkpoint).stored == 8
    assert sorted(n for (n,) in api.db.run_query("select n from t")) == list(range(1, 9))


def test_a_flow_into_a_flow(api: API) -> None:
    api.drop(PATH).create_many([{"elems": {"n": n}} for n in range(25)])
    sink = jobs.FlowsSink(api, "/acme/copy", create=True, capacity=100)
    source = jobs.FlowSource(api, PATH, mem.elems.n >= 5)
    for _ in range(2):  # a drop is named by the id of its source
        assert jobs.load(source, sink, batch=8).rows == 20
    copied = sorted(elem["n"] for elem in elems(api, "/acme/copy"))  # batches are stored in any order
    assert copied == list(range(5, 25))


def test_nothing_is_sent_if_the_first_rows_are_wrong(api: API, tmp_path: Path) -> None:
    source = write(tmp_path, CSV)
    sink = jobs.FlowsSink(api, PATH)
    for wanted, options in [
        ("none of the first 3 rows can be loaded; row 1: column 'origin'", {"types": {"origin": float}}),
        ("there is no column 'tmp'", {"types": {"tmp": float}}),
        ("the types are auto, text", {"types": {"temp": "number"}}),
        ("parallel is 0", {"parallel": 0}),
        ("transform is 5; give a function", {"transform": 5}),
        ("calls per second are a positive number", {"calls_per_second": 0}),
    ]:
        with pytest.raises(InvalidInput, match=wanted):
            jobs.load(source, sink, **options)  # type: ignore[arg-type]
    for wanted, path in [
        ("there is no flow /acme/none", "/acme/none"),
        ("there is no column 'orign'; the columns are creationDate", "/acme/{orign}"),
        ("between braces stands the name of a column", "/acme/{}"),
    ]:
        with pytest.raises(InvalidInput, match=wanted):
            jobs.load(source, jobs.FlowsSink(api, path))
    for delimiter in ("", ";;", '"', "\n"):
        with pytest.raises(InvalidInput, match="the delimiter is"):
            jobs.FileSource(source, delimiter=delimiter)
    files = [("is empty", ""), ("several columns called 'a'", "a,a\n1,2\n"), ("not CSV", 'a\n"b')]
    for wanted, text in files:
        with pytest.raises(InvalidInput, match=wanted):
            jobs.load(write(tmp_path, text, "other.csv"), sink)
    with pytest.raises(FileNotFoundError):
        jobs.load(tmp_path / "none.csv", sink)
    assert elems(api) == []
    assert len(api.flow.find_many()) == 1


def test_refused_rows(api: API, tmp_path: Path) -> None:
    api.flow.create({"path": "/acme/cold", "capacity": 100, "filter": "elems.n != 7"})
    rows = "".join(f"{'x' if n % 10 == 3 else n}\n" for n in range(40))
    source = write(tmp_path, f"n\n{rows}")
    sink = jobs.FlowsSink(api, "/acme/cold")
    rejects = tmp_path / "rejects"
    options: dict[str, Any] = {"types": {"n": int}, "batch": 10}
    report = jobs.load(source, sink, rejects=rejects, **options)
    assert (report.rows, report.stored, report.refused) == (40, 35, 5)
    told = [json.loads(line) for line in rejects.read_text().splitlines()]
    assert [line["row"] for line in told] == [4, 8, 14, 24, 34]
    assert told[0]["reason"] == "column 'n': 'x' is not a whole number"
    assert "does not match" in told[1]["reason"]
    with pytest.raises(jobs.TooManyRefusals, match="more than 2 rows were refused"):
        jobs.load(source, sink, rejects=rejects, max_rejects=2, **options)
    with pytest.raises(jobs.TooManyRefusals, match="row 4 cannot be loaded"):
        jobs.load(source, sink, **options)


def raises(row: dict[str, Any]) -> Any:
    """A function that makes of each row something else."""
    return {
        1: row,
        2: {1: 2},
        3: 5,
        4: {"n": {1, 2}},
        5: {"n": 10**30},
        6: {"n": "\ud800"},
        7: {"n": [float("nan")]},
        8: None,
        9: {"n": {"at": datetime(2013, 1, 1)}},
    }[row["n"]]


def test_what_a_function_returns(api: API, tmp_path: Path) -> None:
    source = write(tmp_path, "n\n" + "".join(f"{n}\n" for n in range(1, 11)))
    rejects = tmp_path / "rejects"
    report = jobs.load(source, jobs.FlowsSink(api, PATH), transform=raises, rejects=rejects)
    told = {row["row"]: row["reason"] for row in map(json.loads, rejects.read_text().splitlines())}
    assert (report.rows, report.stored, report.left_out) == (10, 3, 1)
    assert sorted(told) == [2, 3, 4, 5, 6, 10]
    assert elems(api)[1:] == [{"n": [None]}, {"n": {"at": 1_356_998_400_000}}]
    assert told[2] == "the function: TypeError: the names of columns are texts"
    assert "beyond 64 bits" in told[5]


def test_rows_without_a_key_or_with_a_wrong_path(api: API, tmp_path: Path) -> None:
    source = write(tmp_path, "k,place,n\n1,a,1\n,a,2\n,a,3\n2,b/../c d,4\n3,,5\n")
    sink = jobs.FlowsSink(api, "/acme/{place}", key="k", create=True, capacity=10)
    api.flow.create({"path": "/acme/a", "capacity": 10})
    rejects = tmp_path / "rejects"
    report = jobs.load(source, sink, rejects=rejects)
    assert (report.stored, report.refused) == (1, 4)
    reasons = [json.loads(line)["reason"] for line in rejects.read_text().splitlines()]
    assert reasons[:2] == ["the key has no value: k"] * 2
    assert "the flow /acme/b/../c d cannot be created: POST /flow: 400" in reasons[2]
    with pytest.raises(InvalidInput, match="a column has no name"):
        jobs.load(write(tmp_path, ",n\n0,1\n"), jobs.FlowsSink(api, PATH))


def test_a_reject_file_takes_the_place_of_no_other_file(api: API, tmp_path: Path) -> None:
    lines = write(tmp_path, '{"row":1}\n', "in.ndjson")
    for source, rejects in [(write(tmp_path, CSV), tmp_path / "in.csv"), (lines, lines), (lines, "notes")]:
        path = tmp_path / rejects
        path.touch()
        path.write_text(kept := path.read_text() or "dear diary")
        with pytest.raises(InvalidInput, match=r"another file of this load|not a reject file"):
            jobs.load(source, jobs.FlowsSink(api, PATH), rejects=path)
        assert path.read_text() == kept
    os.mkfifo(tmp_path / "pipe")  # as /dev/null, which a test should not risk
    with pytest.raises(InvalidInput, match="pipe is no file"):
        jobs.load(lines, jobs.FlowsSink(api, PATH), rejects=tmp_path / "pipe")
    assert elems(api) == []


def test_a_checkpoint_is_of_one_load(api: API, tmp_path: Path) -> None:
    source, checkpoint = write(tmp_path, CSV), tmp_path / "checkpoint"
    sink = jobs.FlowsSink(api, PATH)
    assert jobs.load(source, sink, checkpoint=checkpoint).rows_now == 3
    assert jobs.load(source, sink, checkpoint=checkpoint).rows_now == 0
    assert len(elems(api)) == 3
    with pytest.raises(InvalidInput, match=r"of another load: na was \[\], and is \['NA'\]"):
        jobs.load(source, sink, checkpoint=checkpoint, na=["NA"])
    with API.embedded(tmp_path / "other") as other, pytest.raises(InvalidInput, match="platform was"):
        jobs.load(source, jobs.FlowsSink(other, PATH), checkpoint=checkpoint)
    with source.open("a") as file:
        file.write("2013-01-31T15:00:00Z,4,EWR,1,x,4\n")
    with pytest.raises(InvalidInput, match="bytes was"):
        jobs.load(source, sink, checkpoint=checkpoint)
    query = jobs.QuerySource(api.db, "select 1 as n")
    with pytest.raises(ConfigurationError, match="add order by"):
        jobs.load(query, sink, checkpoint=tmp_path / "other")
    checkpoint.write_text("{}")
    with pytest.raises(InvalidInput, match="is not a checkpoint"):
        jobs.load(source, sink, checkpoint=checkpoint)


@pytest.mark.once
@pytest.mark.parametrize("into", ["streams:a", "records:<d", "table:weather"])
def test_a_checkpoint_is_of_one_platform(api: API, tmp_path: Path, into: str) -> None:
    rows, checkpoint = write(tmp_path, "time,value\n0,1.5\n"), tmp_path / "checkpoint"
    spec = LoadSpec(str(rows), into, time="time", values=("value",), create=True)
    with API.embedded(tmp_path / "other") as other:
        for platform in (api, other):
            platform.db.run_operation("create table weather (time integer, value float)")
        assert jobs.load(rows, spec.open_sink(api), checkpoint=checkpoint).stored == 1
        with pytest.raises(
            InvalidInput, match=r"another load: (platform|database) was '.*data.* and is '.*other"
        ):
            jobs.load(rows, spec.open_sink(other), checkpoint=checkpoint)


def test_a_full_disk(api: API, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, names = write(tmp_path, "n\n" + "x\n1\n" * 5), {"rejects": "/dev/full"}
    monkeypatch.setattr("flowthings_like.jobs.rejects.RejectFile.__init__", of_full_disk)
    with pytest.raises(OSError, match=r"No space left on device: '/dev/full'"):
        jobs.load(source, jobs.FlowsSink(api, PATH), types={"n": int}, **names)


def of_full_disk(self: RejectFile, path: Path, size: int) -> None:
    """A reject file that no load may remove, as `RejectFile` else would."""
    self._path, self.size, self._file = path, size, None


def test_a_checkpoint_is_used_by_one_load_at_a_time(api: API, tmp_path: Path) -> None:
    source, sink, answers = write(tmp_path, CSV), jobs.FlowsSink(api, PATH), []

    def another() -> None:
        with pytest.raises(ConfigurationError) as raised:
            jobs.load(source, sink, checkpoint=tmp_path / "checkpoint")
        answers.append(str(raised.value))

    def transform(row: dict[str, Any]) -> dict[str, Any]:
        another()
        thread = threading.Thread(target=another)
        thread.start()
        thread.join()
        return row

    assert jobs.load(source, sink, checkpoint=tmp_path / "checkpoint", transform=transform).stored == 3
    assert len(answers) == 2 * 3
    assert all(f"{tmp_path}/checkpoint is the checkpoint of a load that runs now" in text for text in answers)
    assert len(elems(api)) == 3
    with pytest.raises(PermissionError, match="no checkpoint can be written"):
        jobs.load(source, sink, checkpoint=tmp_path / "none" / "checkpoint")


def test_a_source_that_is_damaged_behind_its_first_rows(api: API, tmp_path: Path) -> None:
    source, checkpoint = write(tmp_path, 'n\n1\n2\n3\n4"5\n"6'), tmp_path / "checkpoint"
    for _ in range(2):
        with pytest.raises(jobs.LoadStopped, match="this is not CSV, after row 4"):
            jobs.load(source, jobs.FlowsSink(api, PATH), batch=2, checkpoint=checkpoint)
    assert [elem["n"] for elem in elems(api)] == [1, 2, 3, '4"5']


def test_it_goes_on_after_a_failure(api: API, tmp_path: Path) -> None:
    source = write(tmp_path, "n\n" + "".join(f"{n}\n" for n in range(100)))
    sink, fails = FailingSink(api, PATH), tmp_path / "checkpoint"
    with pytest.raises(jobs.LoadStopped, match="rows 61 to 70: the network is down"):
        jobs.load(source, sink, batch=10, checkpoint=fails)
    sink.is_up = True
    report = jobs.load(source, sink, batch=10, checkpoint=fails)
    assert sorted(elem["n"] for elem in elems(api)) == list(range(100))
    assert report.rows_now == 40


class FailingSink(jobs.FlowsSink):
    """Stores what it is given, and loses an answer."""

    is_up = False

    def deliver(self, delivery: Any, run: Any) -> Any:
        outcome = super().deliver(delivery, run)
        if 61 in delivery.numbers and not self.is_up:
            raise ConnectionResetError("the network is down")
        return outcome


def test_progress(api: API, tmp_path: Path) -> None:
    source = write(tmp_path, "n\n" + "".join(f"{n}\n" for n in range(100)))
    told: list[jobs.Progress] = []
    jobs.load(source, jobs.FlowsSink(api, PATH), batch=10, on_progress=told.append)
    assert [told[0].rows, told[-1].rows, told[-1].stored] == [10, 100, 100]
    assert told[-1].fraction == 1.0
    assert told[-1].rate > 0
