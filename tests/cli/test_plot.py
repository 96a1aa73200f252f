"""`flowthings-like plot`, on a folder, as a user types it."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from flowthings_like import API

pytestmark = pytest.mark.once
SECOND = 10**9
POINTS = 50_000


def plot(*arguments: object, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "flowthings_like.cli.main", "plot", *map(str, arguments)]
    environment = {**os.environ, "HOME": str(folder)}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, UUID]:
    folder, uuid = tmp_path_factory.mktemp("plot") / "data", uuid4()
    with API.embedded(folder) as api:
        stream = api.stream.create(uuid, "sensors/jfk", tags={"name": "temp", "unit": "F"})
        stream.insert([(second * SECOND, float(second % 100)) for second in range(POINTS)])
        api.stream.create(uuid4(), "sensors/jfk", tags={"name": "empty"})
    return folder, uuid


def test_a_stream_is_drawn(data: tuple[Path, UUID], tmp_path: Path) -> None:
    folder, uuid = data
    for name in ("sensors/jfk/temp", uuid):
        done = plot(name, "--data", folder, "--width", 640, "--height", 200, folder=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith("temp.png: 50,000 points in ")
        picture = (tmp_path / "temp.png").read_bytes()
        assert picture[:8] == b"\x89PNG\r\n\x1a\n"
        assert struct.unpack("!II", picture[16:24]) == (640, 200)


def test_the_windows_are_printed_for_programs(data: tuple[Path, UUID], tmp_path: Path) -> None:
    span = "--start", "1970-01-01T01:00", "--end", 2 * 3600 * SECOND
    done = plot("sensors/jfk/temp", "--data", data[0], "--json", "--width", 100, *span, folder=tmp_path)
    columns = json.loads(done.stdout)
    assert sorted(columns) == ["count", "max", "mean", "min", "stddev", "time"]
    assert 3600 <= sum(columns["count"]) < 3600 + 2 * (1 << 35) // SECOND
    assert (min(columns["min"]), max(columns["max"])) == (0.0, 99.0)
    assert not list(tmp_path.glob("*.png"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["sensors/jfk/none"], "'sensors/jfk/none' is the name of no stream"),
        (["sensors/jfk/empty"], "sensors/jfk/empty has no points"),
        (["sensors/jfk/temp", "--start", "noon"], "'noon'"),
    ],
)
def test_what_cannot_be_drawn_is_explained(
    data: tuple[Path, UUID], tmp_path: Path, arguments: list[str], said: str
) -> None:
    done = plot(*arguments, "--data", data[0], folder=tmp_path)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_folder_or_a_server_is_needed(tmp_path: Path) -> None:
    done = plot("a/b", "--data", tmp_path / "nowhere", folder=tmp_path)
    assert (done.returncode, "there is no folder" in done.stderr) == (1, True)
    assert not (tmp_path / "nowhere").exists()
    done = plot("a/b", folder=tmp_path)
    assert (done.returncode, "BTRDB_ENDPOINTS" in done.stderr) == (1, True)
