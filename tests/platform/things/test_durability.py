"""Answered changes are on disk; changes that cannot be written are rolled back."""

from __future__ import annotations

import random
import signal
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from flowthings_like.green.backends import choice as backend
from flowthings_like.platform.embedded import Platform, open_platform
from flowthings_like.platform.problems import Unavailable
from flowthings_like.wire.things.packages import Kind

from ..serving import serving
from .harness import Peer, wait_until

WRITERS = 3


class Writer:
    """Sends changes without waiting, and notes the acknowledged ones."""

    def __init__(self, address: Any, name: str) -> None:
        host, port, *credentials = address
        self.name = name
        self.peer = Peer(host, port)
        assert self.peer.ask(Kind.AUTH, credentials) == (Kind.OK, None)
        self.acknowledged = 0

    def begin(self) -> None:
        self.peer.query(".set(name, [])", name=self.name)

    def run(self) -> None:
        """Send until the connection breaks."""
        code = ".get(name).push({n: n}); n;"
        sent = 0
        try:
            while True:
                while sent < self.acknowledged + 20:
                    self.peer.say(Kind.QUERY, ["//stuff", code, {"name": self.name, "n": sent}])
                    sent += 1
                assert self.peer.read() == (Kind.DATA, self.acknowledged)
                self.acknowledged += 1
        except (EOFError, ConnectionError):
            self.peer.close()


def test_every_acknowledged_change_survives_kill_9(folder: Path) -> None:
    dice = random.Random(4)
    open_platform(folder, "acme").close()
    for round_ in range(2):
        with serving(folder, "things") as (process, address):
            writers = [Writer(address, f"w{round_}{number}") for number in range(WRITERS)]
            for writer in writers:
                writer.begin()
            threads = [threading.Thread(target=writer.run) for writer in writers]
            for thread in threads:
                thread.start()
            enough = dice.randrange(50, 400)
            wait_until(lambda: sum(writer.acknowledged for writer in writers) >= enough)  # noqa: B023
            process.send_signal(signal.SIGKILL)
            for thread in threads:
                thread.join(20)
        with open_platform(folder, "acme") as platform:
            peer = Peer.of(platform)
            for writer in writers:
                kept = peer.query("return .get(name), 2;", name=writer.name)
                assert len(kept) >= writer.acknowledged
                assert [thing["n"] for thing in kept] == list(range(len(kept)))
            assert peer.query(".n = 5;") == 5  # the next leader accepts changes
            peer.close()


@pytest.fixture
def break_disk(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> Callable[[bool], None]:
    """A function that makes writing fail, or work again."""

    def failing(work: object, **_: object) -> None:
        raise Unavailable("the store cannot do that now: disk full")

    def switch(broken: bool) -> None:
        if broken:
            monkeypatch.setattr(platform.store, "write", failing)
        else:
            monkeypatch.undo()

    return switch


def test_a_change_that_cannot_be_written_is_rolled_back(
    connect: Callable[..., Peer], break_disk: Callable[[bool], None]
) -> None:
    peer, member = connect(), connect()
    room = peer.query(".n = 1; .chat = room(); .chat.id();")
    member.ask(Kind.JOIN, ["//stuff", room])
    member.read()
    break_disk(True)
    kind, said = peer.ask(Kind.QUERY, ["//stuff", ".n = 2; .del('chat'); .other = room();"])
    assert (kind, said["error_code"]) == (Kind.ERROR, -51)  # clients may send it again
    assert "disk full" in said["error_msg"]
    break_disk(False)
    assert peer.query("[.n, .has('chat'), .has('other')];") == [1, True, False]
    assert peer.ask(Kind.EMIT, ["//stuff", room, "still"]) == (Kind.OK, None)
    assert member.read()[1]["event"] == "still"  # the room was not deleted
    assert peer.query(".n = 3;") == 3


def test_requests_that_follow_such_a_change_fail_as_well(
    platform: Platform, connect: Callable[..., Peer], monkeypatch: pytest.MonkeyPatch
) -> None:
    peer, member = connect(), connect()
    room = peer.query(".n = 1; .chat = room(); .chat.id();")
    here = backend.detect()
    reached, proceed = here.event(), here.event()

    def failing(work: object, **_: object) -> None:
        reached.set()
        assert proceed.wait(20)
        raise Unavailable("disk full")

    monkeypatch.setattr(platform.store, "write", failing)
    peer.say(Kind.QUERY, ["//stuff", ".n = 2;"], id=1)
    assert reached.wait(20)
    peer.say(Kind.QUERY, ["//stuff", ".n"], id=2)
    member.say(Kind.JOIN, ["//stuff", room], id=3)
    peer.say(Kind.PING, id=4)
    assert peer.next().id == 4
    monkeypatch.undo()
    proceed.set()
    assert [(package.kind, package.id) for package in (peer.next(), peer.next())] == [
        (Kind.ERROR, 1),
        (Kind.ERROR, 2),
    ]
    assert member.read()[1]["error_code"] == -51
    assert peer.query(".n") == 1
    assert member.ask(Kind.JOIN, ["//stuff", room]) == (Kind.DATA, [room])
    assert member.read()[0] == Kind.ROOM_JOIN


class Killed(BaseException):
    """Stands for the end of a green thread, or Ctrl-C."""


def test_an_interrupted_commit_closes_the_connections_that_wait(
    platform: Platform, connect: Callable[..., Peer], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may have been written or not, so no answer would be true."""
    asking, bystander = connect(), connect()
    asking.query(".n = 1;")
    write = platform.store.write

    def interrupted(work: Any, **options: Any) -> Any:
        monkeypatch.undo()
        write(work, **options)
        raise Killed

    monkeypatch.setattr(platform.store, "write", interrupted)
    asking.say(Kind.QUERY, ["//stuff", ".n = 2;"])
    assert asking.gone()
    assert bystander.query(".n;") == 2  # it was written in this case
    assert bystander.query(".n = 3;") == 3


def test_a_read_waits_for_the_change_that_it_sees(
    platform: Platform, connect: Callable[..., Peer], monkeypatch: pytest.MonkeyPatch
) -> None:
    peer, reader = connect(), connect()
    peer.query(".n = 1;")
    here = backend.detect()
    reached, proceed = here.event(), here.event()
    write = platform.store.write

    def slow(work: Any, **options: Any) -> Any:
        reached.set()
        assert proceed.wait(20)
        return write(work, **options)

    monkeypatch.setattr(platform.store, "write", slow)
    peer.say(Kind.QUERY, ["//stuff", ".n = 2;"])
    assert reached.wait(20)
    reader.say(Kind.QUERY, ["//stuff", ".n"], id=5)
    assert reader.ask(Kind.PING, id=6) == (Kind.PONG, None)
    proceed.set()
    assert reader.read() == (Kind.DATA, 2)
    assert peer.read() == (Kind.DATA, 2)


def test_changes_of_many_requests_share_a_commit(
    platform: Platform, peer: Peer, monkeypatch: pytest.MonkeyPatch
) -> None:
    peer.query(".n = 0;")
    commits: list[int] = []
    write = platform.store.write

    def counting(work: Any, **options: Any) -> Any:
        commits.append(1)
        return write(work, **options)

    monkeypatch.setattr(platform.store, "write", counting)
    for _ in range(200):
        peer.say(Kind.QUERY, ["//stuff", ".n += 1;"])
    assert [peer.read()[1] for _ in range(200)] == list(range(1, 201))
    assert len(commits) < 150
