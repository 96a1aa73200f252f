"""The sinks of the tests, and how to read back what they have stored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import orjson

from flowthings_like import API, jobs
from flowthings_like.records import Key, StructPayloadType
from flowthings_like.streams import MAXIMUM_TIME, MINIMUM_TIME

BATCH = 20
TYPES = {"n": int, "value": float}
PAYLOAD = StructPayloadType[float]("<d")
START = 1_356_998_400_000  # 2013, in ms
TABLE = "create table weather (n integer, place text, value double precision, time text)"


def write_rows(path: Path, rows: int, bad: set[int] | None = None) -> None:
    """Write CSV: row n has a time, a place and a value. Bad rows have a value that is none."""
    lines = ["n,place,value,time"]
    for n in range(1, rows + 1):
        value = "much" if n in (bad or ()) else n / 4
        lines.append(f"{n},{'EWR' if n % 2 else 'JFK'},{value},{START + n * 1000}")
    path.write_text("\n".join(lines) + "\n")


def refused(path: Path) -> list[int]:
    """The numbers of the rows in a reject file."""
    return [orjson.loads(line)["row"] for line in path.read_bytes().splitlines()] if path.exists() else []


@dataclass(frozen=True)
class SinkCase:
    """A sink.

    Attributes:
        make: makes it.
        stored: the n of all rows that are stored, each as often as it is there.
    """

    make: Callable[[API], jobs.Sink]
    stored: Callable[[API], list[int]]


def _flows(api: API) -> jobs.Sink:
    return jobs.FlowsSink(api, "/acme/by/{place}", time="time", create=True, capacity=100_000)


def _drops(api: API) -> list[int]:
    flows = [flow["path"] for flow in api.flow.find_many() if flow["path"].startswith("/acme/by/")]
    return sorted(drop["elems"]["n"] for flow in flows for drop in api.drop(flow).iterate(page=1000))


def _streams(api: API) -> jobs.Sink:
    return jobs.StreamsSink(
        api.stream, "by/{place}", time="time", time_unit="ms", values=["value"], create=True
    )


def _points(api: API) -> list[int]:
    streams = api.stream.streams_in_collection("by/")
    return sorted(
        round(point.value * 4) for stream in streams for point, _ in stream.values(MINIMUM_TIME, MAXIMUM_TIME)
    )


def _records(api: API) -> jobs.Sink:
    return jobs.RecordsSink(api.record(PAYLOAD), cap="time", time_unit="ms", values=["value"], mid="n")


def _got(api: API) -> list[int]:
    answer = api.record(PAYLOAD).get(Key.min(), Key.max())
    assert answer, answer
    return sorted(record.key.mid for record in answer.data)


def _table(api: API) -> jobs.Sink:
    api.db.run_operation(TABLE.replace("create table", "create table if not exists"))
    return jobs.SQLSink(api.db, "weather")


def _rows(api: API) -> list[int]:
    api.db.run_operation(TABLE.replace("create table", "create table if not exists"))
    return sorted(n for (n,) in api.db.run_query("select n from weather"))


SINKS = {
    "flows": SinkCase(_flows, _drops),
    "streams": SinkCase(_streams, _points),
    "records": SinkCase(_records, _got),
    "table": SinkCase(_table, _rows),
}
