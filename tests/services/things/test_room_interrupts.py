"""Clients and rooms that are interrupted at every step at which a signal handler could raise.

The next call, in this thread or another, joins and leaves in time, and receives events.
"""

from __future__ import annotations

import itertools
import threading
from contextlib import suppress
from types import ModuleType

import pytest

from flowthings_like import Client, FlowThingsError, NotJoined
from flowthings_like.green.backends.choice import detect
from flowthings_like.services.things import calls as things_calls
from flowthings_like.services.things import client as things
from flowthings_like.services.things import events, handlers, joined_rooms, joining, membership, room
from flowthings_like.services.things import session as things_session
from tests.transport.opcodes import interrupted_at

from ...transport.things.scripted_node import Node, wait_until
from .support import USER, Heard, Script

pytestmark = pytest.mark.needs("threads", "signals raise between any two steps on threads only")
MODULES = [events, handlers, joining, membership, room, joined_rooms]


def beside(client: Client, failures: list[BaseException]) -> None:
    """Join and leave the same room in another thread."""

    def work() -> None:
        try:
            other = Heard(7)
            other.join(client, wait=30)
            other.leave(timeout=30)
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(90)
    assert not thread.is_alive()


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__.rpartition(".")[2])
@pytest.mark.parametrize("what", ["join", "leave"])
def test_an_interrupt_at_every_step(client: Client, script: Script, what: str, module: ModuleType) -> None:
    failures: list[BaseException] = []
    for at in itertools.count(1):
        one = Heard(7)
        if what == "join":
            reached = interrupted_at(at, module, one.join, client, 10)
        else:
            one.join(client, wait=30)
            reached = interrupted_at(at, module, one.leave, 10)
        beside(client, failures)
        assert failures == []
        if what == "join":
            one.join(client, wait=30)
        else:
            with suppress(NotJoined):
                one.leave(10)
            one.join(client, wait=30)
        script.emit(7, "msg", at)
        wait_until(lambda: at in one.heard)  # noqa: B023
        assert one.heard.count(at) == 1
        one.leave(timeout=30)
        assert client.get_rooms() == ()
        if not reached:
            break


@pytest.mark.parametrize("module", [things, things_session, things_calls], ids=lambda module: module.__name__)
@pytest.mark.parametrize("what", ["connect", "query", "close"])
def test_an_interrupt_at_every_step_of_a_client(played: Node, what: str, module: ModuleType) -> None:
    """It can be used as before, or be closed and connected again."""
    for at in itertools.count(1):
        client = Client()

        def connect() -> None:
            client.connect_pool([played.url], *USER, timeout=30)  # noqa: B023

        if what == "connect":
            reached = interrupted_at(at, module, connect)
            if not client.is_connected():
                client.close()
                connect()
        else:
            connect()
            work = (lambda: client.query("1")) if what == "query" else client.close  # noqa: B023
            reached = interrupted_at(at, module, work)
        if what != "close":
            assert client.query("2", timeout=30) == "2"
        client.close()
        client.wait_closed()
        assert not client.is_connected()
        with pytest.raises(FlowThingsError):
            client.query("3")
        if not reached:
            break


def test_a_thread_that_cannot_be_started(
    client: Client, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then the room is not joined."""

    def refuse(*args: object) -> None:
        raise RuntimeError("can't start new thread")

    one = Heard(7)
    monkeypatch.setattr(type(detect()), "spawn", refuse)
    with pytest.raises(RuntimeError, match="can't start"):
        one.join(client, wait=30)
    monkeypatch.undo()
    assert client.get_rooms() == ()
    one.join(client, wait=30)
    script.emit(7, "msg", 1)
    one.expect("init", "init", "join", 1)
    one.leave()
    with pytest.raises(FlowThingsError):
        one.leave()
