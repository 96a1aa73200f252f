"""The pool beside a model of it: any sequence of check-outs, errors, kills, closings and new starts."""

from __future__ import annotations

import gc
import sqlite3
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from flowthings_like.database import ConfigurationError, ConnectionPool, Transaction
from flowthings_like.green.backends.choice import detect

from .interrupts import Interrupt
from .support import until
from .targets import SQLite

MAX = 3


class Held:
    """A connection that was taken, as the model knows it.

    Attributes:
        connection: the pool's.
        inserted: the numbers in its transaction.
        is_doomed: whether the pool was closed since it was taken.
    """

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.inserted: list[int] = []
        self.is_doomed = False


class PoolModel(RuleBasedStateMachine):
    """At most one transaction at a time writes, as SQLite wants it."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.target = SQLite("sqlite3", Path(self.folder.name) / "a.db")
        self.pool = ConnectionPool("sqlite3", *self.target.args, cp_min=1, cp_max=MAX, cp_timeout=20)
        self.pool.run_operation("create table numbers (n integer)")
        self.held: list[Held] = []
        self.rows: list[int] = []
        self.is_open = True
        self.last = 0

    def number(self) -> int:
        self.last += 1
        return self.last

    def has_room(self) -> bool:
        return self.is_open and len(self.held) < MAX

    def can_write(self) -> bool:
        return self.has_room() and not any(each.inserted for each in self.held)

    def settle(self) -> None:
        """Wait for connections that are being closed in OS threads. They count until that is done."""
        until(lambda: self.pool.stats().open == self.pool.stats().idle + len(self.held), 10)

    # Calls of the pool

    @precondition(has_room)
    @rule()
    def query(self) -> None:
        assert sorted(row[0] for row in self.pool.run_query("select n from numbers")) == self.rows

    @precondition(has_room)
    @rule(count=st.integers(1, 8))
    def query_in_parallel(self, count: int) -> None:
        calls = self.pool.async_()
        for n in range(count):
            calls.run_query(f"select {n}")
        assert calls.results() == [[(n,)] for n in range(count)]

    @precondition(has_room)
    @rule()
    def fail(self) -> None:
        with pytest.raises(sqlite3.OperationalError, match="missing"):
            self.pool.run_query("select * from missing")

    @precondition(can_write)
    @rule(end=st.sampled_from([None, LookupError, Interrupt]))
    def interact(self, end: type[BaseException] | None) -> None:
        number = self.number()

        def insert(cursor: Transaction) -> None:
            cursor.execute("insert into numbers values (?)", (number,))
            if end is not None:
                raise end

        with suppress(LookupError, Interrupt):
            self.pool.run_interaction(insert)
        if end is None:
            self.rows.append(number)

    @precondition(lambda self: self.can_write() and detect().is_cooperative)
    @rule()
    def kill(self) -> None:
        """Kill a caller whose statement runs in an OS thread."""
        backend = detect()

        def insert(cursor: Transaction) -> None:
            cursor.execute("insert into numbers values (?)", (self.number(),))
            began.append(True)
            cursor.execute(self.target.forever)

        began: list[bool] = []
        thread = backend.spawn(self.pool.run_interaction, insert)
        until(lambda: began)
        backend.kill(thread)
        self.settle()

    @precondition(has_room)
    @rule(rows=st.integers(0, 3))
    def leave_a_stream(self, rows: int) -> None:
        stream = self.pool.iterate("select 1 union all select 2 union all select 3", size=1)
        assert [next(stream) for _ in range(rows)] == [(n + 1,) for n in range(rows)]
        stream.close()  # type: ignore[attr-defined]

    # A connection that is held

    @precondition(has_room)
    @rule()
    def take(self) -> None:
        self.held.append(Held(self.pool.connect()))

    def can_insert(self) -> bool:
        others = [each for each in self.held[1:] if each.inserted]
        return bool(self.held) and not self.held[0].is_doomed and not others

    @precondition(can_insert)
    @rule()
    def insert(self) -> None:
        number = self.number()
        self.held[0].connection.cursor().execute("insert into numbers values (?)", (number,))
        self.held[0].inserted.append(number)

    @precondition(lambda self: self.held and not self.held[0].is_doomed)
    @rule(ends=st.booleans())
    def end(self, ends: bool) -> None:
        first = self.held[0]
        if ends:
            first.connection.commit()
            self.rows.extend(first.inserted)
        else:
            first.connection.rollback()
        first.inserted = []

    @precondition(lambda self: self.held)
    @rule(twice=st.booleans())
    def give_back(self, twice: bool) -> None:
        first = self.held.pop(0)
        first.connection.close()
        if twice:
            first.connection.close()

    @precondition(lambda self: self.held)
    @rule()
    def abandon(self) -> None:
        """Forget a connection, perhaps in a transaction."""
        self.held.pop(0)
        gc.collect()  # the traceback of an earlier step may lead to it
        self.settle()

    @precondition(lambda self: len(self.held) == MAX and self.is_open)
    @rule()
    def wait(self) -> None:
        """The pool is full, and somebody waits until a connection is given back."""
        waiting = detect().spawn(self.pool.run_query, "select 7")
        until(lambda: self.pool.stats().waiting == 1)
        self.held.pop().connection.close()
        assert detect().get(waiting, 30) == [(7,)]

    # The pool itself

    @precondition(lambda self: self.is_open)
    @rule()
    def close(self) -> None:
        self.pool.close(timeout=0)
        self.is_open = False
        for each in self.held:
            each.is_doomed = True
        with pytest.raises(ConfigurationError, match="closed"):
            self.pool.run_query("select 1")

    @precondition(lambda self: not self.is_open and not self.held)
    @rule()
    def start(self) -> None:
        self.pool.start()
        self.is_open = True

    @invariant()
    def the_numbers_are_right(self) -> None:
        assert self.pool.stats().idle <= self.pool.stats().open <= MAX
        self.settle()
        stats = self.pool.stats()
        assert (stats.waiting, len(stats.holders)) == (0, len(self.held))
        assert stats.opened - stats.expired - stats.discarded == stats.open

    def teardown(self) -> None:
        for each in self.held:
            each.connection.close()
        self.held = []
        self.settle()
        self.pool.start()
        assert sorted(row[0] for row in self.pool.run_query("select n from numbers")) == sorted(self.rows)
        self.pool.close()
        assert self.pool.stats().open == 0
        until(lambda: self.target.sessions() == 0)
        self.folder.cleanup()


def run(examples: int) -> None:
    run_state_machine_as_test(
        PoolModel,
        settings=settings(
            max_examples=examples, stateful_step_count=25, deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=(Phase.explicit, Phase.generate),  # making an example smaller takes minutes of locks
        ),
    )  # fmt: skip


def test_the_pool_does_what_its_model_does() -> None:
    run(20)


@pytest.mark.long
def test_the_pool_does_what_its_model_does_for_long() -> None:
    run(1000)
