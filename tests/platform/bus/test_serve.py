"""`flowthings-like serve --bus`: what is refused, and what is printed."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

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
    for url in ("redis://:secret@127.0.0.1:1/0", redis_server.url().replace("p%40ss", "secret")):
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
