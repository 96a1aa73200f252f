"""Loading CSV into drops, each on disk, beside the csv module and sqlite3. All is done in one process."""

from __future__ import annotations

import csv
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import orjson

from benchmarks import Target
from benchmarks._jobs import weather_csv
from benchmarks._weather import plain_table

TITLE = "loads: CSV of weather into drops, 1,000 a call, committed"
UNIT = "rows per second of CPU"
PEER = "csv and sqlite3"
TIMES = 4


def plain(folder: Path) -> float:
    """The least that has to be done: parse, make JSON of the cells, insert with a key."""
    rows = weather_csv(folder / "in.csv", TIMES)
    connection = plain_table(folder)
    started = time.process_time()
    with (folder / "in.csv").open(newline="") as file:
        number = 0
        reader = csv.DictReader(file)
        while found := list(islice(reader, 1000)):
            parameters = [_parameters(number + n, row) for n, row in enumerate(found)]
            number += len(found)
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany("INSERT INTO drops VALUES (?, ?, ?, ?, ?)", parameters)
            connection.execute("COMMIT")
    return rows / (time.process_time() - started)


def _parameters(number: int, row: dict[str, str]) -> tuple[str, str, int, str, str]:
    elems = {name: _value(cell) for name, cell in row.items() if cell != "NA"}
    return "f1", f"d{number:024x}", number, f"load:{number}", orjson.dumps(elems).decode()


def _value(cell: str) -> Any:
    try:
        return float(cell)
    except ValueError:
        return cell


def load(batch: int, with_checkpoint: bool) -> Callable[[Path], float]:
    def measure(folder: Path) -> float:
        from flowthings_like import API, jobs

        weather_csv(folder / "in.csv", TIMES)
        with API.embedded(folder / "data") as api:
            sink = jobs.FlowsSink(api, "/acme/weather", time="time_hour", create=True, capacity=1_000_000)
            started = time.process_time()
            report = jobs.load(
                folder / "in.csv",
                sink,
                na=["NA"],
                batch=batch,
                checkpoint=folder / "checkpoint" if with_checkpoint else None,
            )
            return report.rows / (time.process_time() - started)

    return measure


CONTENDERS = {
    PEER: plain,
    "load, threads": load(1000, False),
    "load with a checkpoint, threads": load(1000, True),
    "load with a checkpoint, gevent": load(1000, True),
    "load with a checkpoint, eventlet": load(1000, True),
    "load of 5,000 a call, threads": load(5000, True),
}
TARGETS = [Target("load with a checkpoint, threads", at_least=20_000)]
