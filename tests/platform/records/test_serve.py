"""`flowthings-like serve --records-port`: one worker at a time serves the records."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from flowthings_like.platform.embedded import open_platform
from tests.platform.rest.served import ROOT, SERVE, Served

from .raw_client import RawClient, Stored

pytestmark = pytest.mark.once

RECORD = Stored(1, 2, 3, 4, 5, b"payload!")


def parsed(line: str) -> tuple[str, int]:
    assert line.startswith("records: tstorage://"), line
    host, port = line.removeprefix("records: tstorage://").split(":")
    return host, int(port)


def test_workers_share_the_records(tmp_path: Path) -> None:
    with Served(tmp_path, "--records-port", "0", "--workers", "2") as served:
        assert [line.split(":")[0] for line in served.printed] == ["records", "account", "token", "listening"]
        with RawClient(parsed(served.printed[0])) as client:
            client.put([RECORD], with_acq=True)
        with open_platform(tmp_path, "acme") as platform, RawClient(platform.records_address()) as client:
            assert client.get()[0] == [RECORD]
        children = Path(f"/proc/{served.process.pid}/task/{served.process.pid}/children").read_text()
        for worker in map(int, children.split()):
            os.kill(worker, signal.SIGKILL)
        assert served.process.stdout is not None
        with RawClient(parsed(served.process.stdout.readline())) as client:
            assert client.get()[0] == [RECORD]
        assert served.stop() == 0


def test_all_families_beside_each_other(tmp_path: Path) -> None:
    ports = ("--streams-port", "0", "--things-port", "0", "--records-port", "0")
    with Served(tmp_path, *ports, "--workers", "2") as served:
        assert {"account", "token", "listening"} <= {line.split(":")[0] for line in served.printed}
        assert served.stop() == 0
        assert {"records", "streams", "things"} <= {line.split(":")[0] for line in served.printed}


@pytest.mark.parametrize(("option", "reachable"), [("--host", False), ("--records-host", True)])
def test_only_their_own_host_opens_records(tmp_path: Path, option: str, reachable: bool) -> None:
    with Served(tmp_path, option, "0.0.0.0", "--records-port", "0") as served:
        _, port = parsed(served.printed[0])
        if reachable:
            RawClient(("127.0.0.2", port)).close()
        else:
            with pytest.raises(ConnectionRefusedError):
                RawClient(("127.0.0.2", port))
        assert served.stop() == 0


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [*SERVE, "--data", str(tmp_path), "--port", "0", "--records-port", str(port)]
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 1
    assert f"cannot listen at 127.0.0.1:{port}" in done.stderr
