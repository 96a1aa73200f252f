"""A crowd that uses a pool and is interrupted again and again, and what must hold afterwards."""

from __future__ import annotations

import contextlib
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from flowthings_like.database import ConnectionPool, Transaction
from flowthings_like.errors import FlowThingsError
from flowthings_like.green.backends.choice import detect

from .support import until
from .targets import Target

__all__ = ["Crowd", "Interrupt", "drive", "measure", "timeout"]


class Interrupt(BaseException):
    """What a signal handler raises, or a green thread is interrupted with."""


@contextmanager
def green_timeout(seconds: float, error: BaseException | None = None) -> Iterator[None]:
    """Raise in this green thread at its next switch after so many seconds."""
    if detect().name == "gevent":
        from gevent import Timeout
    else:
        from eventlet import Timeout
    with Timeout(seconds, Interrupt() if error is None else error):
        yield


@contextmanager
def signal_timeout(seconds: float, error: BaseException | None = None) -> Iterator[None]:
    """Raise in the main thread, between any two bytecodes, after so many seconds."""

    def handler(number: int, frame: object) -> None:
        raise Interrupt if error is None else error

    before = signal.signal(signal.SIGALRM, handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, seconds)
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class Crowd:
    """Calls of all kinds, each with a number that occurs in no other.

    Attributes:
        committed: the numbers whose rows must be there, both parts of them.
        foreign: the answers that belong to another call.
        interrupted: how many calls were interrupted.
        failed: errors that no interruption explains.
    """

    def __init__(self, target: Target, pool: ConnectionPool, seed: int) -> None:
        self.target = target
        self.pool = pool
        self.dice = random.Random(seed)
        self.last = 0
        self.committed: set[int] = set()
        self.foreign: list[tuple[int, Any]] = []
        self.failed: list[BaseException] = []
        self.interrupted = 0
        self.kinds: list[Callable[[int], None]] = [
            *(self.query, self.rest, self.operation, self.interaction, self.failure),
            *(self.iterate, self.leave, self.block, self.hold),
        ]

    def number(self) -> int:
        self.last += 1
        return self.last

    def check(self, number: int, rows: Any) -> None:
        if [tuple(row) for row in rows] != [(number,)]:
            self.foreign.append((number, rows))

    # The calls

    def query(self, number: int) -> None:
        self.check(number, self.pool.run_query(f"select {number}"))

    def rest(self, number: int) -> None:
        self.pool.run_query(self.target.rest(0.002))
        self.query(number)

    def operation(self, number: int) -> None:
        self.pool.run_operation(f"insert into numbers values ({number}, 'a'), ({number}, 'b')")
        self.committed.add(number)

    def both(self, cursor: Any, number: int) -> None:
        self.target.insert(cursor, number, "a")
        cursor.execute(f"select {number}")
        self.check(number, [cursor.fetchone()])
        self.target.insert(cursor, number, "b")

    def interaction(self, number: int) -> None:
        self.pool.run_interaction(self.both, number)
        self.committed.add(number)

    def failure(self, number: int) -> None:
        def fail(cursor: Transaction) -> None:
            self.target.insert(cursor, number, "a")
            cursor.execute("select * from missing")

        try:
            self.pool.run_interaction(fail)
        except Exception as error:
            if "missing" not in str(error):
                raise
        else:
            self.failed.append(AssertionError("there is no such table"))

    def iterate(self, number: int) -> None:
        statement = f"select {number} union all select {number} union all select {number}"
        for row in self.pool.iterate(statement, size=1):
            self.check(number, [row])

    def leave(self, number: int) -> None:
        for row in self.pool.iterate(f"select {number} union all select {number}", size=1):
            self.check(number, [row])
            break

    def block(self, number: int) -> None:
        with self.pool.transaction() as cursor:
            self.both(cursor, number)
        self.committed.add(number)

    def hold(self, number: int) -> None:
        connection = self.pool.connect()
        try:
            self.both(connection.cursor(), number)
            connection.commit()
        finally:
            connection.close()
        self.committed.add(number)

    # How they are made

    def call(self, within: Callable[[float], Any], longest: float) -> None:
        """Make calls until one is interrupted."""
        try:
            with within(self.dice.uniform(1e-5, longest)):
                # For ever, but for a signal that comes in the garbage collector, and is lost.
                over = time.monotonic() + 1
                while time.monotonic() < over:
                    self.dice.choice(self.kinds)(self.number())
        except Interrupt:
            self.interrupted += 1
        except Exception as error:
            self.note(error)

    def note(self, error: Exception) -> None:
        """Keep an error that no interruption explains."""
        # DuckDB raises this in place of what a signal handler raised. pg8000 may raise an error of its own.
        if str(error) == "Query interrupted" or is_caused_by_interrupt(error):
            self.interrupted += 1
        else:
            self.failed.append(error)

    # What must hold

    def check_all(self) -> None:
        """Look at everything: the answers, the pool, the rows and the server."""
        assert self.foreign == []
        assert self.failed == [], self.failed[:3]
        pool, target = self.pool, self.target
        until(lambda: pool.stats().open == pool.stats().idle)
        stats = pool.stats()
        assert (stats.waiting, stats.holders) == (0, ())
        assert stats.opened - stats.expired - stats.discarded == stats.open <= stats.size
        until(lambda: target.busy() == 0)
        until(target.is_free)
        self.check_rows()
        is_file = target.driver == "duckdb"  # its connections share one
        until(lambda: self.query(self.number()) or target.sessions() == (1 if is_file else pool.stats().open))

    def check_rows(self) -> None:
        """What was acknowledged is there, and nothing is there by halves."""
        rows = self.pool.run_query("select n, count(*) from numbers group by n")
        assert {parts for _, parts in rows} <= {2}
        assert {number for number, _ in rows} >= self.committed


def is_caused_by_interrupt(error: BaseException) -> bool:
    """Whether a driver has caught an interrupt, and raised this error instead."""
    cause = error.__cause__ or error.__context__
    return cause is not None and (isinstance(cause, Interrupt) or is_caused_by_interrupt(cause))


def drive(crowd: Crowd, interruptions: int, longest: float) -> None:
    """Make calls until so many were interrupted: several at once on green threads, else by signals."""
    backend = detect()
    if backend.name == "threads":
        while crowd.interrupted < interruptions and not crowd.failed:
            crowd.call(signal_timeout, longest)
        return
    over = False

    def go_on() -> None:
        while not over and not crowd.failed:
            crowd.call(green_timeout, longest)

    def be_killed() -> None:
        with contextlib.suppress(FlowThingsError):
            crowd.dice.choice(crowd.kinds)(crowd.number())

    threads = [backend.spawn(go_on) for _ in range(3)]
    try:
        while crowd.interrupted < interruptions and not crowd.failed:
            victim = backend.spawn(be_killed)
            backend.sleep(crowd.dice.uniform(0, longest))
            if not backend.task(victim).ready():
                backend.kill(victim)
                crowd.interrupted += 1
                while not backend.task(victim).ready():
                    backend.sleep(0)
    finally:
        over = True
    for thread in threads:
        backend.get(thread, 60)


def measure(crowd: Crowd) -> float:
    """Seconds that an average call takes when nothing else is done."""
    for kind in crowd.kinds:
        kind(crowd.number())
    began = time.monotonic()
    for kind in crowd.kinds:
        kind(crowd.number())
    return (time.monotonic() - began) / len(crowd.kinds)


def timeout(seconds: float, error: BaseException | None = None) -> Any:
    """Raise in this (green) thread after so many seconds, in whatever it is doing."""
    return (signal_timeout if detect().name == "threads" else green_timeout)(seconds, error)
