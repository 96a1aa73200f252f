"""Loads that Celery's workers share, with a real Redis or RabbitMQ between them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from flowthings_like import API, ConfigurationError, InvalidInput, jobs
from flowthings_like.jobs import celery as loads
from flowthings_like.jobs.spec import LoadSpec

from .sinks import SINKS, refused, write_rows

ROOT = str(Path(__file__).parents[2])
ROWS, BAD = 600, {5, 77, 78, 401}
SPEC: dict[str, Any] = {
    "source": "in.csv",
    "into": "/acme/by/{place}",
    "time": "time",
    "create": True,
    "capacity": 100_000,
    "types": {"n": "int", "value": "float"},
    "batch": 5,
}


def eager() -> Any:
    """An app whose tasks run where they are sent."""
    from celery import Celery

    app = Celery("loads", broker="memory://", backend="cache+memory://")
    app.conf.update(task_always_eager=True, task_store_eager_result=True, task_eager_propagates=False)
    loads.register(app)
    return app


def test_the_parts_of_a_load(tmp_path: Path) -> None:
    write_rows(tmp_path / "in.csv", ROWS, BAD)
    spec = LoadSpec.from_json({**SPEC, "source": str(tmp_path / "in.csv"), "batch": 50})
    where, options = loads.Where(str(tmp_path / "data")), {"rows_per_part": 130}
    told: list[jobs.Progress] = []

    def tell(progress: jobs.Progress) -> None:
        told.append(progress)
        with pytest.raises(ConfigurationError, match="of a load that runs now"):
            loads.load(eager(), spec, where, **options, checkpoint=tmp_path / "checkpoint")  # type: ignore[arg-type]

    with API.embedded(tmp_path / "data") as api:
        for _ in range(2):
            report = loads.load(
                eager(),
                spec,
                where,
                **options,  # type: ignore[arg-type]
                rejects=tmp_path / "rejects",
                checkpoint=tmp_path / "checkpoint",
                on_progress=tell,
            )
            assert (report.rows, report.stored, report.refused) == (ROWS, ROWS - len(BAD), len(BAD))
            assert SINKS["flows"].stored(api) == [n for n in range(1, ROWS + 1) if n not in BAD]
            assert refused(tmp_path / "rejects") == sorted(BAD)
    assert [progress.rows for progress in told] == [130, 260, 390, 520, 600]
    with pytest.raises(jobs.TooManyRefusals, match="row 5 cannot be loaded: column 'value': 'much'"):
        loads.load(eager(), spec, where)
    with pytest.raises(InvalidInput, match="there is no column 'none'"):
        loads.load(eager(), LoadSpec.from_json({**SPEC, "source": spec.source, "time": "none"}), where)


@pytest.mark.parametrize("kind", ["table", "streams", "records"])
def test_a_part_that_is_loaded_twice_is_stored_once(kind: str, tmp_path: Path) -> None:
    from flowthings_like.jobs.parts import load_part
    from flowthings_like.jobs.sources.base import Part
    from flowthings_like.jobs.table import Position

    write_rows(tmp_path / "in.csv", 100)
    options = LoadSpec.from_json(SPEC).options()
    with API.embedded(tmp_path / "data") as api:
        source = jobs.FileSource(tmp_path / "in.csv")
        first, second, *_ = source.parts(30)
        for part in (second, first, second, Part(Position(60), 40), first):
            load_part(source, SINKS[kind].make(api), options, part, "a load", 10**18)
        assert SINKS[kind].stored(api) == list(range(1, 101))


WORKER = """
import sys
from celery import Celery
from flowthings_like import jobs
from flowthings_like.jobs import celery as loads
from flowthings_like.jobs.spec import LoadSpec

app = Celery("worker", broker={broker!r}, backend={backend!r})
app.conf.worker_prefetch_multiplier = 1
app.conf.broker_connection_retry_on_startup = True
app.conf.broker_transport_options = {options!r}
loads.register(app)

if __name__ == "__main__":
    report = loads.load(
        app,
        LoadSpec.from_json({spec!r}),
        loads.Where("data"),
        rows_per_part=30,
        rejects="rejects",
        timeout=120,
    )
    print(report.rows, report.stored, report.refused)
"""
POOLS = ("prefork", "prefork", "gevent", "threads")


@contextmanager
def workers(folder: Path) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Four workers, each a process group."""
    command = [sys.executable, "-W", "ignore", "-m", "celery", "-A", "worker", "worker", "-c", "2"]
    more = ["--without-mingle", "--without-gossip", "--without-heartbeat", "-l", "info"]
    started: list[subprocess.Popen[bytes]] = []
    try:
        for number, pool in enumerate(POOLS):
            with (folder / f"log{number}").open("wb") as log:
                started.append(
                    subprocess.Popen(
                        [*command, *more, "-P", pool, "-n", f"w{number}"],
                        cwd=folder,
                        stdout=log,
                        stderr=log,
                        env={**os.environ, "PYTHONPATH": ROOT},
                        start_new_session=True,
                    )
                )
        yield started
    finally:
        for process in started:
            kill_group(process)


def kill_group(process: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def wait_until(condition: Any, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture(params=["redis", "rabbitmq"])
def broker(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Where messages and results go."""
    if request.param == "rabbitmq":
        return {"broker": request.getfixturevalue("rabbitmq").url, "backend": "rpc://", "options": {}}
    url = request.getfixturevalue("redis_server").url()
    # Messages of lost workers are looked for each second. By default it is every 100 seconds.
    options = {"visibility_timeout": 6, "unacked_restore_interval": 1, "unacked_restore_throttle": 1}
    return {"broker": url, "backend": url, "options": options}


@pytest.mark.once
def test_a_worker_is_killed(tmp_path: Path, broker: dict[str, Any]) -> None:
    write_rows(tmp_path / "in.csv", ROWS, BAD)
    spec = {**SPEC, "source": str(tmp_path / "in.csv"), "calls_per_second": 10, "parallel": 2}
    (tmp_path / "worker.py").write_text(WORKER.format(**broker, spec=spec))
    with API.embedded(tmp_path / "data") as api, workers(tmp_path) as started:
        wait_until(lambda: all(b"ready." in (tmp_path / f"log{n}").read_bytes() for n in range(4)))
        load = subprocess.Popen(
            [sys.executable, "-W", "ignore", "worker.py"],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": ROOT},
            stdout=subprocess.PIPE,
            text=True,
        )
        wait_until(lambda: len(SINKS["flows"].stored(api)) > 60)
        kill_group(started[0])  # both of its parts are under way
        printed, _ = load.communicate(timeout=240)
        assert printed == f"{ROWS} {ROWS - len(BAD)} {len(BAD)}\n"
        assert SINKS["flows"].stored(api) == [n for n in range(1, ROWS + 1) if n not in BAD]
        assert refused(tmp_path / "rejects") == sorted(BAD)
