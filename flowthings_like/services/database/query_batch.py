"""Runs many lazy queries of an embedded database with few changes of OS threads.

A look-up by key takes SQLite 5 us, and a change to an OS thread and back 30. So the queries of a batch are
put into one deque, and several connections take them out of it. A slow query holds up one connection, and
none of the others. A connection comes back after a few milliseconds: others may be waiting for it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING, Any

from ...errors import CallCancelled
from ...green.backends.choice import detect
from .rows import convert_rows

if TYPE_CHECKING:
    from ...green.future import Task
    from ...transport.database.drivers.base import Driver
    from ...transport.database.session import Session
    from .transaction import Statement

__all__ = ["QueryBatch", "fetch"]

SLICE = 0.005
"""Seconds after which a connection takes no further query of the batch in the same exchange."""


def fetch(driver: Driver, connection: Any, statement: Statement, rows_as: Any) -> list[Any]:
    """Run a query in a transaction of its own, within an exchange, and return its rows."""
    cursor = driver.cursor(connection)
    cursor.execute(*statement.args, **statement.kwargs)
    rows = convert_rows(rows_as, cursor.description, cursor.fetchall())
    driver.close_cursor(cursor)
    driver.commit(connection)
    return rows


class QueryBatch:
    """Queries that several connections run.

    Args:
        driver: the DB-API driver.
        queries: each a statement and what its rows become.
        run: calls a function with a session of the pool, as `ConnectionPool._run` does.
    """

    def __init__(
        self,
        driver: Driver,
        queries: list[tuple[Statement, Any]],
        run: Callable[[Callable[[Session], bool]], bool],
    ) -> None:
        self._driver = driver
        self._run = run
        self._waiting = deque(enumerate(queries))  # each is run by the thread that takes it out
        self._results: list[Any] = [None] * len(queries)

    def results(self, connections: int) -> list[Any]:
        """Run all queries over so many connections; for each its rows, or its exception."""
        backend = detect()
        pool = backend.pool(connections)
        tasks = [pool.start(self._work) for _ in range(min(connections, len(self._results)))]
        try:
            error = _first_error(tasks)
        except BaseException:
            self._waiting.clear()
            raise
        lost = error if isinstance(error, Exception) else CallCancelled("the query was interrupted")
        return [lost if result is None else result for result in self._results]

    def _work(self) -> None:
        while self._waiting and self._run(self._take_turn):
            pass

    def _take_turn(self, session: Session) -> bool:
        return bool(session.finish(self._drain, session))

    def _drain(self, connection: Any, session: Session) -> bool:
        """Run queries for a while. Returns whether there may be more. Called within an exchange."""
        driver, end = self._driver, monotonic() + SLICE
        has_begun = driver.begins  # the exchange begins with a transaction
        while monotonic() < end:
            try:
                index, (statement, rows_as) = self._waiting.popleft()
            except IndexError:
                return False
            if driver.begins and not has_begun:
                driver.begin(connection)
            has_begun = False
            try:
                self._results[index] = fetch(driver, connection, statement, rows_as)
            except Exception as error:
                if session.is_stopped:  # its scope has ended, and the error is that of the exchange
                    raise
                self._results[index] = error
                driver.rollback(connection)
        return True


def _first_error(tasks: list[Task]) -> BaseException | None:
    """Wait for threads, and return the exception of the first that failed."""
    failures = [task.outcome()[1] for task in tasks]
    return next((failure.error for failure in failures if failure is not None), None)
