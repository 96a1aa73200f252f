"""Exchanges that are interrupted before their statement begins."""

from __future__ import annotations

import sqlite3
from _queue import SimpleQueue  # no green library replaces it: what waits is an OS thread
from typing import Any

import pytest

from flowthings_like.green.backends.choice import detect
from flowthings_like.transport.database.drivers.find import find_driver
from flowthings_like.transport.database.exchange_limits import ExchangeWatch
from flowthings_like.transport.database.session import Session
from tests.services.database.support import until
from tests.services.database.targets import SQLite

pytestmark = pytest.mark.needs("green", "an exchange on threads runs in its caller's own thread")


@pytest.fixture
def session() -> Session:
    native = detect().native_pool(2, "session")
    session = Session(find_driver(sqlite3), native, native.submit, ExchangeWatch(detect()))
    session.connect(lambda: sqlite3.connect(":memory:", check_same_thread=False))
    return session


def test_a_statement_that_begins_after_its_interruption_is_stopped(session: Session) -> None:
    events: list[str] = []
    may_begin: SimpleQueue[None] = SimpleQueue()

    def count(connection: Any) -> None:
        events.append("waits")
        may_begin.get()
        try:
            connection.execute(SQLite.forever).fetchall()
        except sqlite3.OperationalError as error:
            events.append(str(error))

    backend = detect()
    caller = backend.spawn(session.exchange, count)
    until(lambda: events)
    backend.kill(caller)
    session.close()
    backend.sleep(0.05)  # the first interruption comes to nothing
    may_begin.put(None)
    until(lambda: events == ["waits", "interrupted"])


def test_an_exchange_that_waits_for_a_thread_is_not_begun_after_the_sessions_end(session: Session) -> None:
    events: list[str] = []
    may_end: SimpleQueue[None] = SimpleQueue()
    native: Any = session._native
    others = [native.submit(may_end.get) for _ in range(2)]
    backend = detect()
    caller = backend.spawn(session.exchange, lambda connection: events.append("called"))
    until(lambda: session._running is not None)
    backend.kill(caller)
    ending = session.close()
    assert ending is not None
    for _ in others:
        may_end.put(None)
    ending.wait()
    assert events == []
