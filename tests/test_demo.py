"""The demo, run as a user runs it: once, a second time, and after a kill -9 in the middle."""

from __future__ import annotations

import csv
import gzip
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from flowthings_like import API, mem
from flowthings_like.cli.demo import find_example

pytestmark = pytest.mark.once

EXAMPLES = Path(__file__).parents[1] / "examples"
ALERTS = {"gales": 49, "freezing-rain": 150, "wind-missing": 4}
ROWS = 26_115


def command(folder: Path) -> list[str]:
    arguments = ["--folder", str(folder / "data"), "--picture", str(folder / "weather.png")]
    return [sys.executable, "-m", "flowthings_like.cli.main", "demo", *arguments]


def run(folder: Path) -> str:
    done = subprocess.run(command(folder), capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert (folder / "weather.png").read_bytes().startswith(b"\x89PNG")
    return done.stdout


def stored(folder: Path) -> dict[str, dict[str, object]]:
    """{fhash: elems} of all observations. Also checks the numbers of flows, tracks and drops."""
    with API.embedded(folder / "data") as api:
        found: dict[str, dict[str, object]] = {}
        for airport in ("ewr", "jfk", "lga"):
            drops = list(api.drop(f"/acme/weather/{airport}").iterate(page=5000))
            found.update({drop["fhash"]: drop["elems"] for drop in drops})
            assert len(drops) == len({drop["fhash"] for drop in drops})
        for name, hours in ALERTS.items():
            assert len(api.drop(f"/acme/alerts/{name}").find(limit=1000)) == hours
        assert len(api.track.find(mem.source.re("^/acme/weather/"), limit=100)) == 9
    return found


def expected() -> dict[str, dict[str, object]]:
    names = ("temp", "dewp", "humid", "wind_dir", "wind_speed", "wind_gust", "precip", "pressure", "visib")
    with gzip.open(EXAMPLES / "data" / "weather.csv.gz", "rt") as file:
        return {
            f"{row['origin']} {row['time_hour']}": {
                "airport": row["origin"],
                **{name: float(row[name]) for name in names if row[name] != "NA"},
            }
            for row in csv.DictReader(file)
        }


def count_drops(database: Path) -> int:
    try:
        with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as connection:
            return int(connection.execute("SELECT count(*) FROM drops").fetchone()[0])
    except sqlite3.OperationalError:  # the table does not exist yet
        return 0


def test_running_the_job_twice_changes_nothing(tmp_path: Path) -> None:
    first = run(tmp_path)
    assert f"{ROWS:,} observations" in first
    assert "every figure agrees" in first
    assert "* 1,048 mph, EWR, Feb 12, 08:00: a broken sensor's, as published" in first
    assert "FlowThingsNotFound" in first
    once = stored(tmp_path)
    assert once == expected()
    run(tmp_path)
    assert stored(tmp_path) == once


@pytest.mark.parametrize("after", [1, 9_000, 20_000])
def test_a_killed_job_is_finished_by_the_next_one(tmp_path: Path, after: int) -> None:
    database = tmp_path / "data" / "platform.db"
    for _ in range(5):  # a job that ends before it is killed proves nothing
        process = subprocess.Popen([sys.executable, str(find_example()), *command(tmp_path)[4:]])
        try:
            while process.poll() is None and count_drops(database) < after:
                time.sleep(0.002)
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
        if count_drops(database) < ROWS:
            break
        for file in (tmp_path / "data").iterdir():
            file.unlink()
    assert 0 < count_drops(database) < ROWS
    run(tmp_path)
    assert stored(tmp_path) == expected()
