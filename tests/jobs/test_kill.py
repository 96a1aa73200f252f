"""A load that is killed goes on where it stopped: nothing is lost, nothing is stored twice."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flowthings_like import API, ConfigurationError, jobs
from flowthings_like.green.backends import choice as backend

from . import sinks
from .sinks import BATCH, SINKS, TYPES, SinkCase, refused, write_rows

ROWS = 600
BAD = {5, 6, 155, 400}


def start(folder: Path, kind: str) -> subprocess.Popen[bytes]:
    root = str(Path(__file__).parents[2])
    command = [
        sys.executable,
        "-W",
        "ignore",
        str(Path(sinks.__file__).with_name("loading_process.py")),
        backend.detect().name,
        str(folder),
        kind,
    ]
    return subprocess.Popen(command, env={"PYTHONPATH": root})


def kill_after(process: subprocess.Popen[bytes], api: API, sink: SinkCase, rows: int, folder: Path) -> None:
    """Kill it once so many rows are stored. Until then no other load can use its checkpoint."""
    deadline = time.monotonic() + 120
    while len(sink.stored(api)) < rows and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    with pytest.raises(ConfigurationError, match="checkpoint is the checkpoint of a load that runs now"):
        jobs.load(folder / "in.csv", sink.make(api), checkpoint=folder / "checkpoint")
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, "it was done before it was killed"


@pytest.mark.parametrize(
    "kind",
    ["flows", *(pytest.param(kind, marks=pytest.mark.once) for kind in ("streams", "records", "table"))],
)
def test_kill_9(kind: str, tmp_path: Path) -> None:
    sink = SINKS[kind]
    write_rows(tmp_path / "in.csv", ROWS, BAD)
    checkpoint, rejects = tmp_path / "checkpoint", tmp_path / "rejects.ndjson"
    with API.embedded(tmp_path / "data") as api:
        sink.stored(api)  # this process serves the folder
        for rows in (60, 250):
            kill_after(start(tmp_path, kind), api, sink, rows, tmp_path)
        report = jobs.load(
            tmp_path / "in.csv",
            sink.make(api),
            types=TYPES,
            batch=BATCH,
            checkpoint=checkpoint,
            rejects=rejects,
        )
        assert sink.stored(api) == [n for n in range(1, ROWS + 1) if n not in BAD]
        assert (report.rows, report.refused) == (ROWS, len(BAD))
        assert report.rows_now < ROWS
        assert refused(rejects) == sorted(BAD)
        again = jobs.load(
            tmp_path / "in.csv",
            sink.make(api),
            types=TYPES,
            batch=BATCH,
            checkpoint=checkpoint,
            rejects=rejects,
        )
        assert (again.rows, again.rows_now) == (ROWS, 0)
        assert len(sink.stored(api)) == ROWS - len(BAD)


@pytest.mark.needs("green", "an OS thread cannot be killed")
def test_a_green_thread_is_killed(tmp_path: Path) -> None:
    write_rows(tmp_path / "in.csv", 200)
    sink = SINKS["flows"]
    with API.embedded(tmp_path / "data") as api:

        def load(rate: float | None) -> jobs.Report:
            return jobs.load(
                tmp_path / "in.csv",
                sink.make(api),
                batch=5,
                calls_per_second=rate,
                checkpoint=tmp_path / "checkpoint",
            )

        for rows in (30, 60, 120):
            thread = backend.detect().spawn(load, 100)
            while len(sink.stored(api)) < rows:
                time.sleep(0.005)
            backend.detect().kill(thread)
            backend.detect().task(thread).outcome(60)  # until it has ended, it has the checkpoint
        assert load(None).rows == 200
        assert sink.stored(api) == list(range(1, 201))
