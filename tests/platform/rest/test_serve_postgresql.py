"""`serve --store`: servers that share a PostgreSQL, and no folder."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from unittest import mock

import pytest

from flowthings_like import API, Token
from flowthings_like.cli.store_option import VARIABLE

from ...servers.postgres import PostgresDatabase
from .served import PATIENCE, SERVE, Served

pytestmark = pytest.mark.once


def client(served: Served, token: str) -> API:
    return API(Token("acme", token), host=f"127.0.0.1:{served.port}", secure=False)


def test_two_servers_share_a_database(postgres_database: PostgresDatabase, tmp_path: Path) -> None:
    with mock.patch.dict(os.environ, {VARIABLE: postgres_database.url}):
        one = Served(tmp_path / "one", "--workers", "2")
        with one, Served(tmp_path / "other", "--workers", "2") as other:
            assert any(line == f"rooms, streams and records: {tmp_path / 'one'}" for line in one.printed)
            with client(one, one.token) as here, client(other, one.token) as there:
                flow = here.flow.create({"path": "/acme/shared", "capacity": 1000})
                for number in range(20):
                    (here, there)[number % 2].drop(flow["id"]).create({"elems": {"n": number}})
                postgres_database.terminate_sessions()
                there.drop(flow["id"]).create({"elems": {"n": 20}})
                for api in (here, there):
                    found = api.drop(flow["id"]).find(limit=100)
                    assert sorted(drop["elems"]["n"] for drop in found) == list(range(21))
            for served in (one, other):
                processes = [served.process.pid, *served.workers()]
                for process in processes:
                    shown = Path(f"/proc/{process}/cmdline").read_text()
                    assert postgres_database.password not in shown
            assert one.stop(signal.SIGTERM) == other.stop(signal.SIGTERM) == 0
        for served in (one, other):
            assert postgres_database.password not in "".join([*served.printed, *served.errors])


def test_without_a_folder_there_are_no_rooms(postgres_database: PostgresDatabase) -> None:
    environment = {**os.environ, VARIABLE: postgres_database.url}
    done = subprocess.run(
        [*SERVE, "--port", "0", "--things-port", "0"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 1
    assert "rooms and queries are served from a folder" in done.stderr
    assert postgres_database.password not in done.stderr
