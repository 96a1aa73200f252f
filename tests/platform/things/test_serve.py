"""`flowthings-like serve --things-port`: one worker at a time serves the rooms."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from flowthings_like.platform.embedded import open_platform
from flowthings_like.wire.things.packages import Kind
from tests.platform.rest.served import Served

from .harness import Peer

pytestmark = pytest.mark.once


def told(served: Served) -> tuple[str, int]:
    """The address of the rooms, from the next line that a worker prints."""
    assert served.process.stdout is not None
    line = served.process.stdout.readline()
    return parsed(line)


def parsed(line: str) -> tuple[str, int]:
    assert line.startswith("things: things://"), line
    host, port = line.removeprefix("things: things://").split(":")
    return host, int(port)


def come_in(served: Served, address: tuple[str, int]) -> Peer:
    peer = Peer(*address)
    assert peer.ask(Kind.AUTH, ["acme", served.token]) == (Kind.OK, None)
    return peer


def test_a_worker_that_dies_is_replaced_and_nothing_is_lost(tmp_path: Path) -> None:
    with Served(tmp_path, "--things-port", "0", "--things-ws-port", "0", "--workers", "2") as served:
        assert [line.split(":")[0] for line in served.printed] == ["things", "account", "token", "listening"]
        peer = come_in(served, parsed(served.printed[0]))
        assert peer.query(".kept = 1;") == 1
        worker = peer.query("node_info();", "@n")["pid"]
        assert worker != served.process.pid
        with open_platform(tmp_path, "acme") as platform:  # another process uses the same rooms
            here = Peer.of(platform)
            assert here.query(".kept;") == 1
            here.close()
        os.kill(worker, signal.SIGKILL)
        assert peer.gone()
        peer.close()
        peer = come_in(served, told(served))
        assert peer.query(".kept;") == 1
        assert peer.query("node_info();", "@n")["pid"] != worker
        served.process.send_signal(signal.SIGTERM)
        assert [peer.read()[1]["status"] for _ in range(2)] == ["SHUTTING_DOWN", "OFFLINE"]
        assert peer.gone()
        peer.close()
        assert served.wait() == 0
