"""One connection: its states, who may close it, and what it makes of time."""

from __future__ import annotations

import _thread
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from struct import pack
from typing import Any

import pytest

from flowthings_like.errors import DeadlineExceeded
from flowthings_like.green.backends.choice import detect
from flowthings_like.transport.records.connection import ConnectionLostError, RecordsConnection, State
from flowthings_like.transport.tls import client_context

from ..support import sockets
from .scripted import Session, records_server, scripted

REQUEST = pack("<iQ", 7, 64) + bytes(64)
REPLY = pack("<iQq", 0, 8, 15)


def answer(session: Session, request: bytes) -> bytes:
    return REPLY


def ask(connection: RecordsConnection, size: int = len(REPLY)) -> bytes:
    """One exchange, with a reply of so many bytes."""
    connection.begin(20.0)
    assert connection.send([REQUEST])
    found = b""
    while len(found) < size:
        buffer = memoryview(bytearray(min(100_000, size - len(found))))
        found += buffer[: connection.receive_into(buffer)]
    connection.complete()
    return found


def test_the_states_of_exchanges() -> None:
    with records_server(answer) as server:
        connection = RecordsConnection(server.host, server.port)
        for _ in range(3):
            assert (connection.state, connection.usable()) == (State.IDLE, True)
            assert ask(connection) == REPLY
        connection.begin(None)
        assert (connection.state, connection.usable()) == (State.EXCHANGING, False)
        with pytest.raises(ConnectionLostError, match="exchanging"):
            connection.begin(None)
        connection.complete()  # nothing was sent
        assert connection.state is State.EXCHANGING
        connection.close()
        assert (connection.state, connection.usable()) == (State.CLOSED, False)
        with pytest.raises(ConnectionLostError, match="closed"):
            connection.begin(None)
        connection.close()


def test_a_server_that_says_something_while_nothing_was_asked() -> None:
    def script(session: Session) -> None:
        session.send(b"?")
        session.request()

    with scripted(script) as server:
        connection = RecordsConnection(server.host, server.port)
        for _ in range(1000):
            if not connection.usable():
                connection.close()
                return
            detect().sleep(0.001)
        raise AssertionError


@pytest.mark.filterwarnings("ignore:Unverified")
def test_nobody_to_connect_to(certificate: tuple[Path, Path]) -> None:
    before = sockets()
    with pytest.raises(OSError):  # noqa: PT011
        RecordsConnection("127.0.0.1", 1, timeout=5.0)
    with scripted(lambda session: session.request()) as server, pytest.raises(TimeoutError):
        RecordsConnection(server.host, server.port, client_context(False), timeout=0.05)
    assert sockets() <= before + 1


@pytest.mark.filterwarnings("ignore:Unverified")
def test_tls(certificate: tuple[Path, Path]) -> None:
    """A reply of many records of TLS comes whole into buffers of any size."""
    long = os.urandom(3_000_000)

    with records_server(lambda session, request: long, certificate) as server:
        connection = RecordsConnection(server.host, server.port, client_context(str(certificate[0])), 20.0)
        for _ in range(3):
            assert ask(connection, len(long)) == long
        connection.close()


def test_a_long_request_over_tls(certificate: tuple[Path, Path]) -> None:
    pieces = [pack("<iQ", 5, 0)] + [pack("<ii", 1, 1 << 20) + bytes(1 << 20)] * 20 + [pack("<i", -1)]
    with records_server(lambda session, request: pack("<i", len(request)), certificate) as server:
        connection = RecordsConnection(server.host, server.port, client_context(str(certificate[0])), 20.0)
        connection.begin(20.0)
        assert connection.send(pieces)
        buffer = memoryview(bytearray(4))
        assert connection.receive_into(buffer) == 4
        assert bytes(buffer) == pack("<i", sum(map(len, pieces)))
        connection.close()


def test_time_is_for_each_step() -> None:
    """A reply may take longer than the time-out, as long as something comes."""

    def script(session: Session) -> None:
        session.request()
        for at in range(len(REPLY)):
            detect().sleep(0.02)
            session.send(REPLY[at : at + 1])
        session.request()

    with scripted(script) as server:
        connection = RecordsConnection(server.host, server.port)
        connection.begin(0.3)
        assert connection.send([REQUEST])
        buffer, size = memoryview(bytearray(len(REPLY))), 0
        while size < len(REPLY):
            size += connection.receive_into(buffer[size:])
        assert bytes(buffer) == REPLY
        with pytest.raises(DeadlineExceeded, match=r"0\.3 s"):
            connection.receive_into(buffer)
        connection.close()


def in_os_thread(function: Callable[[], object]) -> None:
    """Run a function in an OS thread that has no hub, and wait for it."""
    from gevent import monkey  # for the unpatched one; it patches nothing by itself

    over: list[int] = []
    start: Any = monkey.get_original("_thread", "start_new_thread")
    if detect().name == "eventlet":
        from eventlet import patcher

        start = patcher.original("_thread").start_new_thread
    elif detect().name == "threads":
        start = _thread.start_new_thread

    def run() -> None:
        with suppress(Exception):
            function()
        over.append(1)

    start(run, ())
    for _ in range(5000):
        if over:
            return
        detect().sleep(0.001)
    raise AssertionError("the OS thread hangs")


def test_another_os_thread_closes_an_idle_one() -> None:
    with records_server(answer) as server:
        connection = RecordsConnection(server.host, server.port)
        assert ask(connection) == REPLY
        in_os_thread(connection.close)
        assert connection.state is State.CLOSED
        for _ in range(1000):
            if server.sessions[0].ended:
                break
            detect().sleep(0.001)
        assert server.sessions[0].ended


def test_another_os_thread_closes_one_that_is_waited_for() -> None:
    """Its own thread wakes up, reads the end, and closes the socket."""
    with scripted(lambda session: [session.request(), session.request()]) as server:
        connection = RecordsConnection(server.host, server.port)
        waiting = detect().spawn(ask, connection)
        detect().sleep(0.05)
        in_os_thread(connection.close)
        with pytest.raises(ConnectionLostError):
            detect().get(waiting, 10)
        connection.close()
        assert connection.state is State.CLOSED


@pytest.mark.needs("threads", "a hub cannot be used in a forked child")
def test_a_forked_child_leaves_it_to_its_parent() -> None:
    with records_server(answer) as server:
        connection = RecordsConnection(server.host, server.port)
        child = os.fork()
        if child == 0:
            os._exit(0 if connection.state is State.CLOSED and not connection.usable() else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert ask(connection) == REPLY
        connection.close()
