"""A client of grpcio's calls our server."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.grpc_server import running

from ...transport.grpc.test_channel import wait_until

ROOT = Path(__file__).parents[3]
SAID = ["check_unary", "check_streams", "check_statuses", "check_ends"]


def test_every_kind_of_call() -> None:
    with running(compression="gzip") as server:
        command = [sys.executable, "-W", "ignore", "-m", "tests.grpcio.client", str(server.port)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False, cwd=ROOT)
        assert done.returncode == 0, done.stderr
        assert done.stdout.split() == [*SAID, *SAID]
        wait_until(lambda: server.server.calls == 0)
        wait_until(lambda: server.server.connections == 0)
        assert server.server.budget._free == server.server.limits.buffered_bytes
