"""`flowthings-like serve --streams-port`: one worker at a time serves the streams."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from flowthings_like.platform.embedded import open_platform
from tests.platform.rest.served import Served

from .remote import Remote

pytestmark = pytest.mark.once


def parsed(line: str) -> tuple[str, int]:
    assert line.startswith("streams: grpc://"), line
    host, port = line.removeprefix("streams: grpc://").split(":")
    return host, int(port)


def test_workers_share_the_streams(tmp_path: Path) -> None:
    with Served(tmp_path, "--streams-port", "0", "--workers", "2") as served:
        assert [line.split(":")[0] for line in served.printed] == ["streams", "account", "token", "listening"]
        with Remote((*parsed(served.printed[0]), served.token)) as remote:
            uuid = remote.create()
            remote.insert(uuid, [1, 2], [1.0, 2.0])
        with open_platform(tmp_path, "acme") as platform, Remote(platform.streams_address()) as remote:
            assert list(remote.values(uuid, 0, 9)) == [(1, 1.0), (2, 2.0)]
        children = Path(f"/proc/{served.process.pid}/task/{served.process.pid}/children").read_text()
        for worker in map(int, children.split()):
            os.kill(worker, signal.SIGKILL)
        assert served.process.stdout is not None
        with Remote((*parsed(served.process.stdout.readline()), served.token)) as remote:
            assert list(remote.values(uuid, 0, 9)) == [(1, 1.0), (2, 2.0)]
        assert served.stop() == 0


def test_rooms_and_streams_beside_each_other(tmp_path: Path) -> None:
    with Served(tmp_path, "--streams-port", "0", "--things-port", "0", "--workers", "2") as served:
        said = {line.split(":")[0] for line in served.printed}
        assert {"account", "token", "listening"} <= said
        assert served.stop() == 0
        assert {"streams", "things"} <= {line.split(":")[0] for line in served.printed}
