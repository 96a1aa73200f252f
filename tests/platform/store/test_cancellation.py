"""Reads that are cancelled, tested with statements that never end by themselves."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sql

from flowthings_like.green.backends import choice as backend
from flowthings_like.platform.problems import Unavailable
from flowthings_like.platform.resources.drops.resource_store import ResourceStore as Store
from flowthings_like.platform.store.cancellation import CURRENT, CancelScope, SearchTooLong

FOREVER = "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT {} FROM c"
OURS = pytest.mark.sqlite("calls a function of ours, which only SQLite has")
STATEMENTS = [
    pytest.param(FOREVER.format("count(*)"), id="steps"),
    pytest.param(FOREVER.format("""max(json_member('{"a": 1}', '["a"]'))"""), id="member", marks=OURS),
    pytest.param(
        FOREVER.format("""sum(filter_test('elems.a == 2', x, 1, '{"a": 1}'))"""), id="predicate", marks=OURS
    ),
]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path) as opened:
        yield opened


def read(store: Store, statement: str, scope: CancelScope) -> object:
    token = CURRENT.set(scope)
    try:
        return store.read(lambda connection: connection.execute(sql.text(statement)).scalar())
    finally:
        CURRENT.reset(token)


@pytest.mark.parametrize("statement", STATEMENTS)
def test_a_read_ends_when_its_time_is_up(store: Store, statement: str) -> None:
    with pytest.raises(SearchTooLong, match=r"ended after 0\.05 seconds"):
        read(store, statement, CancelScope(0.05))
    assert read(store, "SELECT 1", CancelScope(30)) == 1
    assert store.read(lambda connection: connection.execute(sql.text("SELECT 2")).scalar()) == 2


@pytest.mark.parametrize("statement", STATEMENTS)
def test_a_read_ends_when_its_client_is_gone(store: Store, statement: str) -> None:
    looked: list[float] = []

    def is_gone() -> bool:
        looked.append(time.monotonic())
        return len(looked) == 3

    with pytest.raises(Unavailable, match="hung up"):
        read(store, statement, CancelScope(None, is_gone))
    assert len(looked) == 3


def test_a_cancelled_read_ends(store: Store) -> None:
    scope = CancelScope(None)
    here = backend.detect()
    ended: list[BaseException] = []

    def work() -> None:
        try:
            read(store, FOREVER.format("count(*)"), scope)
        except Unavailable as problem:
            ended.append(problem)

    thread = here.spawn(work)
    here.sleep(0.05)
    scope.cancel()
    here.get(thread, 30)
    assert "given up" in str(ended[0])


def test_the_next_read_on_the_same_connection_is_not_ended(store: Store) -> None:
    scope = CancelScope(30)
    assert read(store, "SELECT 1", scope) == 1
    scope.cancel()
    long = FOREVER.format("x").replace("FROM c)", "FROM c WHERE x < 300000)")

    def count(connection: sql.Connection) -> int:
        return len(connection.execute(sql.text(long)).all())

    assert store.read(count) == 300000


def test_each_read_has_a_scope_of_its_own(store: Store) -> None:
    failures: list[BaseException] = []

    def work(seconds: float) -> None:
        try:
            with pytest.raises(SearchTooLong, match=f"after {seconds:g} seconds"):
                read(store, FOREVER.format("count(*)"), CancelScope(seconds))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(0.02 * number,)) for number in range(1, 6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
