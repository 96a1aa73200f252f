"""`flowthings-like serve --bus`: what is refused, and what an operator sees."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.platform.rest.served import PATIENCE, ROOT, SERVE, Served
from tests.servers.redis import Redis

pytestmark = pytest.mark.once


def serve(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [*SERVE, "--data", str(folder), "--port", "0", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=False)


def test_a_password_on_the_command_line_is_refused(tmp_path: Path) -> None:
    done = serve(tmp_path, "--bus", "redis://:secret@127.0.0.1:1/0")
    assert done.returncode == 2
    assert "put the URL into FLOWTHINGS_BUS_URL" in " ".join(done.stderr.split())
    assert "secret" not in done.stderr + done.stdout
    assert "a URL is needed" in serve(tmp_path, "--bus", "localhost").stderr


def test_a_redis_that_is_away_or_refuses_the_password_ends_the_start(
    tmp_path: Path, redis_server: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    without = f"redis://127.0.0.1:{redis_server.port}/0"
    for url in ("redis://:secret@127.0.0.1:1/0", redis_server.url().replace("p%40ss", "secret"), without):
        monkeypatch.setenv("FLOWTHINGS_BUS_URL", url)
        done = serve(tmp_path)
        assert done.returncode == 1
        assert done.stderr.startswith("flowthings-like: the bus cannot be used: ")
        assert len(done.stderr.splitlines()) == 1
        assert "secret" not in done.stderr + done.stdout


def test_the_bus_is_shown_without_its_password(
    tmp_path: Path, redis_server: Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLOWTHINGS_BUS_URL", redis_server.url(3))
    with Served(tmp_path, "--workers", "2") as served:
        assert served.printed[0] == f"bus: redis://127.0.0.1:{redis_server.port}/3"
        assert served.stop() == 0
        assert served.errors == []


def test_an_operator_sees_that_the_redis_is_away_and_load_balancers_do_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ("--workers", "2", "--metrics-port", "0")
    with Redis() as redis:
        monkeypatch.setenv("FLOWTHINGS_BUS_URL", redis.url())
        with Served(tmp_path, *options) as served:
            (line,) = [line for line in served.printed if line.startswith("metrics: ")]
            metrics_url = f"{line.removeprefix('metrics: ')}/metrics"

            def ready() -> Any:
                answer = requests.get(f"{served.url}/readyz", timeout=PATIENCE)
                assert answer.status_code == 200
                return answer.json()["body"]

            def metrics() -> dict[str, float]:
                lines = requests.get(metrics_url, timeout=PATIENCE).text.splitlines()
                rows = [line.rsplit(" ", 1) for line in lines if not line.startswith("#")]
                return {name: float(value) for name, value in rows}

            wait_for(lambda: metrics().get("flowthings_bus_connected") == 2)
            wait_for(lambda: metrics().get('flowthings_leaders{service="tasks"}') == 1)
            seen = ready()
            assert (seen["status"], seen["bus"]["connected"]) == ("ready", True)
            assert abs(seen["bus"]["lastReached"] / 1000 - time.time()) < PATIENCE
            redis._halt()
            wait_for(lambda: metrics().get("flowthings_bus_connected") == 0)
            assert not any(ready()["bus"]["connected"] for _ in range(4))
            redis._launch()
            wait_for(lambda: metrics().get("flowthings_bus_connected") == 2)
            found = metrics()
            assert found["flowthings_bus_losses_total"] == 2
            reached = found["flowthings_bus_last_reached_timestamp_seconds"]
            assert seen["bus"]["lastReached"] / 1000 < reached <= time.time()
            assert found["flowthings_bus_messages_sent_total"] >= 0
            assert (found["flowthings_store_reachable"], found["flowthings_store_write_queue"]) == (2, 0)
            assert found["flowthings_store_failures_total"] == 0
            assert served.stop() == 0
            log = "".join(served.errors)
            assert log.count("the bus is away") == log.count("the bus is back") == 2  # once in each worker
            assert redis.password not in log


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until the condition is true, and fail if it does not become true."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)
