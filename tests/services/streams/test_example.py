"""The example, run as a user runs it: once, and a second time."""

from __future__ import annotations

import csv
import gzip
import subprocess
import sys
from pathlib import Path

import pytest

from flowthings_like import API

pytestmark = pytest.mark.once

EXAMPLES = Path(__file__).parents[3] / "examples"


def run(folder: Path) -> str:
    command = [sys.executable, str(EXAMPLES / "streams.py"), "--folder", str(folder / "data")]
    command += ["--picture", str(folder / "streams.png")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert (folder / "streams.png").read_bytes().startswith(b"\x89PNG")
    return done.stdout


def test_a_second_run_changes_nothing(tmp_path: Path) -> None:
    with gzip.open(EXAMPLES / "data" / "weather.csv.gz", "rt") as file:
        temperatures = [row for row in csv.DictReader(file) if row["temp"] != "NA"]
    july = [
        float(row["temp"])
        for row in temperatures
        if row["origin"] == "JFK" and "2013-07-" in row["time_hour"]
    ]
    first = run(tmp_path)
    assert f"{len(temperatures):,} temperatures at 3 airports" in first
    assert f"{min(july):7.1f}{sum(july) / len(july):7.1f}{max(july):7.1f}" in first
    assert run(tmp_path) == first
    with API.embedded(tmp_path / "data") as api:
        found = api.stream.streams_in_collection("weather")
        assert len(found) == 9
        assert found.filter(name="temp").count() == len(temperatures)
