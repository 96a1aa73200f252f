"""SQLite's rule: a connection is used by one OS thread at a time, whoever is killed meanwhile."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Callable
from pathlib import Path
from threading import get_ident
from typing import Any

import pytest

from flowthings_like.database import ConnectionPool
from flowthings_like.green.backends.choice import detect

from .interrupts import Crowd, drive, measure
from .support import until
from .targets import SQLite


class Watch:
    """Which OS thread uses a connection now.

    Attributes:
        overlaps: the calls that came while another OS thread was in the same connection.
        threads: all OS threads that have used a connection.
    """

    overlaps: list[tuple[str, int, int]]
    threads: set[int]

    def __init__(self) -> None:
        self._user: dict[str, int] = {}

    def watched(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def within(*args: Any, **kwargs: Any) -> Any:
            me = get_ident()
            self.threads.add(me)
            is_outermost = "user" not in self._user
            user = self._user.setdefault("user", me)
            if user != me:
                self.overlaps.append((name, user, me))
                return call(*args, **kwargs)
            try:
                return call(*args, **kwargs)
            finally:
                if is_outermost:
                    self._user.clear()

        return within


CONNECTION = ("commit", "rollback", "close")
CURSOR = ("execute", "executemany", "fetchone", "fetchmany", "fetchall", "close")


class WatchedCursor(sqlite3.Cursor):
    """A cursor, each call of which is seen by its connection's Watch."""

    def __getattribute__(self, name: str) -> Any:
        value = super().__getattribute__(name)
        return self.connection.watch.watched(name, value) if name in CURSOR else value  # type: ignore[attr-defined]


class WatchedConnection(sqlite3.Connection):
    """A connection that notes which OS threads use it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.watch = Watch()

    def cursor(self, *args: Any, **kwargs: Any) -> Any:
        return self.watch.watched("cursor", super().cursor)(WatchedCursor)

    def __getattribute__(self, name: str) -> Any:
        value = super().__getattribute__(name)
        return self.watch.watched(name, value) if name in CONNECTION else value


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> type[Watch]:
    monkeypatch.setattr(Watch, "overlaps", [], raising=False)
    monkeypatch.setattr(Watch, "threads", set(), raising=False)
    monkeypatch.setattr(sys, "unraisablehook", lambda _: None)
    return Watch


def test_two_os_threads_in_one_connection_are_noticed(watch: type[Watch]) -> None:
    """The control: a call during which another OS thread uses the same connection."""
    connection = sqlite3.connect(":memory:", factory=WatchedConnection, check_same_thread=False)

    def elsewhere() -> None:
        backend = detect()
        backend.get(backend.spawn(backend.native, connection.commit), 10)

    connection.watch.watched("execute", elsewhere)()
    assert [name for name, _, _ in watch.overlaps] == ["commit"]
    connection.close()


@pytest.mark.needs("green", "a thread cannot be killed")
def test_no_two_os_threads_are_in_a_connection_while_callers_are_killed(
    watch: type[Watch], tmp_path: Path
) -> None:
    target = SQLite("sqlite3", tmp_path / "a.db")
    target.kwargs = {"factory": WatchedConnection}
    with target.pool(cp_max=3) as pool:
        crowd = Crowd(target, pool, 7)
        drive(crowd, 200, 1.5 * measure(crowd))
        crowd.check_all()
    until(lambda: target.sessions() == 0)
    assert watch.overlaps == []
    assert len(watch.threads) > 1


def test_no_two_os_threads_are_in_a_connection_while_many_calls_run(
    watch: type[Watch], tmp_path: Path
) -> None:
    target = SQLite("sqlite3", tmp_path / "a.db")
    target.kwargs = {"factory": WatchedConnection, "timeout": 30.0}
    with target.pool(cp_max=3) as pool:
        crowd = Crowd(target, pool, 8)
        numbers = iter(range(1, 100))

        def work() -> None:
            for kind in (crowd.query, crowd.operation, crowd.interaction, crowd.iterate, crowd.leave):
                kind(next(numbers))

        for thread in [detect().spawn(work) for _ in range(6)]:
            detect().get(thread, 60)
        assert crowd.foreign == []
    assert watch.overlaps == []
    assert len(watch.threads) > 1


def test_sqlites_own_check_is_off_whatever_is_asked(tmp_path: Path) -> None:
    """It knows the thread that opened a connection. The pool sees to it that one uses it at a time."""

    def read() -> list[Any]:
        return [pool.run_query("select 1") for _ in range(5)]

    with ConnectionPool("sqlite3", str(tmp_path / "a.db"), cp_max=1, check_same_thread=True) as pool:
        for thread in [detect().spawn(read) for _ in range(4)]:
            assert detect().get(thread, 30) == [[(1,)]] * 5
        assert pool.stats().opened == 1
