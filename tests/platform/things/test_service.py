"""Which process serves a folder's rooms, and what happens when that process ends."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from flowthings_like.errors import ConfigurationError
from flowthings_like.platform.embedded import Platform, open_platform
from flowthings_like.platform.leader.leader_elector import LeaderElector
from flowthings_like.platform.resources.access.accounts import Accounts
from flowthings_like.platform.store.store import Store
from flowthings_like.platform.things.service import LOCK as FILE
from flowthings_like.platform.things.service import Service
from flowthings_like.wire.things.packages import Kind

from ...transport.support import sockets
from ..serving import serving
from .harness import Peer, wait_until


def test_nothing_runs_until_an_address_is_asked_for(folder: Path) -> None:
    with open_platform(folder, "acme") as platform:
        assert not (folder / FILE).exists()
        assert platform.things._running is None


@pytest.mark.once
def test_the_language_is_imported_only_when_it_is_needed(folder: Path) -> None:
    code = (
        "import sys; from flowthings_like.platform.embedded import open_platform; "
        f"open_platform({str(folder)!r}, 'acme').close(); "
        "print({'lark', 'wsproto', 'msgpack'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_the_address_stays(platform: Platform) -> None:
    host, port, user, password = platform.things_address()
    assert (host, user) == ("127.0.0.1", "acme")
    assert platform.things_address() == (host, port, user, password)
    assert platform.things_endpoints() == [f"things://acme:{password}@127.0.0.1:{port}"]


def test_only_the_owner_may_read_the_lock_file(platform: Platform, folder: Path) -> None:
    (folder / FILE).touch(0o666)
    *_, password = platform.things_address()
    assert stat.S_IMODE((folder / FILE).stat().st_mode) == 0o600
    assert json.loads((folder / FILE).read_text())["secret"] == password


def test_two_platforms_on_one_folder_share_a_node(platform: Platform, folder: Path) -> None:
    here = Peer.of(platform)
    with open_platform(folder, "bravo") as second:
        assert second.things_address()[:2] == platform.things_address()[:2]
        there = Peer.of(second)
        here.query(".mine = 1;")
        assert there.query(".has('mine');") is False  # another account, another database
        with open_platform(folder, "acme") as third:
            again = Peer.of(third)
            assert again.query(".mine;") == 1
            again.close()
        there.close()
    assert here.query(".mine;") == 1
    here.close()


def test_the_next_process_takes_over(folder: Path) -> None:
    with open_platform(folder, "acme") as second:
        with open_platform(folder, "acme") as first:
            address = first.things_address()
            assert second.things_address() == address
            peer = Peer.of(first)
            peer.query(".kept = 1;")
        assert peer.gone() is True or peer.read()
        peer.close()
        taken_over = second.things_address()
        assert taken_over[3] != address[3]
        peer = Peer.of(second)
        assert peer.query(".kept;") == 1
        peer.close()
        assert (folder / FILE).read_text()
    assert (folder / FILE).read_text() == ""


def test_another_process_serves_until_it_is_killed(folder: Path) -> None:
    with open_platform(folder, "acme") as platform:
        with serving(folder, "things") as (process, address):
            assert list(platform.things_address()) == address
            peer = Peer.of(platform)
            peer.query(".kept = 1;")
            process.kill()
            assert peer.gone()
            peer.close()
            process.wait()
        assert platform.things_address()[3] != address[3]
        peer = Peer.of(platform)
        assert peer.query(".kept;") == 1
        peer.close()


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
def test_a_forked_child_closes_what_it_inherits(folder: Path) -> None:
    """Otherwise the folder would stay locked, and the port open, for as long as the child lives."""
    before = sockets()
    platform = open_platform(folder, "acme")
    host, port, *_ = platform.things_address()
    peer = Peer.of(platform)
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writing, b"%d" % (sockets() - before))
        while True:
            signal.pause()  # waits without the hub
    try:
        assert os.read(reading, 9) == b"1"  # the peer's end of the connection, which is the test's
        assert peer.query("'the parent goes on'") == "the parent goes on"
        platform.close()
        assert peer.gone()
        with open_platform(folder, "acme") as next_one:
            assert next_one.things_address()[2] == "acme"
        with pytest.raises(ConnectionError):
            Peer(host, port)
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(reading)
        os.close(writing)
        peer.close()


def test_a_closed_platform_raises(folder: Path) -> None:
    platform = open_platform(folder, "acme")
    platform.close()
    with pytest.raises(ConfigurationError, match="closed"):
        platform.things_address()
    platform.close()


def test_a_node_that_closes_sends_its_status(platform: Platform, peer: Peer) -> None:
    platform.close()
    assert peer.read() == (Kind.NODE_STATUS, {"id": 0, "status": "SHUTTING_DOWN"})
    assert peer.read() == (Kind.NODE_STATUS, {"id": 0, "status": "OFFLINE"})
    assert peer.gone()


def test_a_leader_that_publishes_no_address(platform: Platform, folder: Path) -> None:
    platform.things_address()
    (folder / FILE).write_text("{")
    second = open_platform(folder, "acme")
    with second, pytest.raises(ConfigurationError, match="does not say where"):
        second.things.address("acme", wait=0.05)


def test_a_port_that_is_taken(folder: Path, platform: Platform) -> None:
    port = platform.things_address()[1]
    with Store(folder.with_name("other")) as store:
        service = Service(store, Accounts(store), ports=(port,))
        with pytest.raises(ConfigurationError, match=f"cannot listen at 127.0.0.1:{port}"):
            service.serve()
        service.close()
        free = Service(store, Accounts(store), ports=(0, 0))  # the lock was released
        assert free.serve()
        free.close()


def test_an_elector_waits_until_it_can_lead(folder: Path, platform: Platform) -> None:
    platform.things_address()
    with Store(folder) as store:
        served: list[tuple[str, int]] = []
        attendant = LeaderElector(Service(store, Accounts(store)), served.append)
        try:
            assert served == []
            platform.close()
            wait_until(lambda: len(served) == 1)
            host, port = served[0]
            peer = Peer(host, port)
            assert peer.ask(Kind.PING) == (Kind.PONG, None)
            peer.close()
        finally:
            attendant.close()
