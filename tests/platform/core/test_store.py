from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from flowthings_like.errors import ConfigurationError
from flowthings_like.green import backend
from flowthings_like.platform.problems import NotFound, Unavailable
from flowthings_like.platform.store import engine as engines
from flowthings_like.platform.store import writer as writers
from flowthings_like.platform.store.schema import accounts
from flowthings_like.platform.store.store import Store

from .harness import Held, at_once, queued, until


def add(name: str) -> Any:
    row = {"name": name, "identity": "i", "created": 1}
    return lambda connection: connection.execute(accounts.insert(), [row]).rowcount


def names(store: Store) -> list[str]:
    return sorted(store.read(lambda connection: connection.execute(select(accounts.c.name)).scalars().all()))


def test_what_is_written_is_read_and_kept(folder: Path) -> None:
    with Store(folder) as store:
        assert store.write(add("a")) == 1
        assert names(store) == ["a"]
    with Store(folder) as store:
        assert names(store) == ["a"]


def test_a_url_will_do_too(tmp_path: Path) -> None:
    with Store(f"sqlite:///{tmp_path / 'elsewhere.db'}") as store:
        store.write(add("a"))
    assert (tmp_path / "elsewhere.db").exists()


def test_acknowledged_means_on_disk(store: Store) -> None:
    """Every writing connection runs with synchronous=FULL and a write-ahead log."""
    assert store.write(lambda connection: connection.exec_driver_sql("PRAGMA synchronous").scalar()) == 2
    assert store.write(lambda connection: connection.exec_driver_sql("PRAGMA journal_mode").scalar()) == "wal"


def test_a_reader_sees_one_moment(store: Store) -> None:
    store.write(add("a"))

    def look_twice(connection: Any) -> tuple[int, int]:
        before = len(connection.execute(select(accounts.c.name)).all())
        with sqlite3.connect(engines.locate(store_folder(store)).database or "") as other:
            other.execute("INSERT INTO accounts VALUES ('b', 'i', 1)")
        other.close()
        return before, len(connection.execute(select(accounts.c.name)).all())

    assert store.read(look_twice) == (1, 1)
    assert names(store) == ["a", "b"]


def store_folder(store: Store) -> Path:
    return Path(store._engine.url.database or "").parent


def test_work_that_fails_leaves_nothing(store: Store) -> None:
    def work(connection: Any) -> None:
        add("a")(connection)
        raise NotFound("changed its mind")

    with pytest.raises(NotFound, match="changed its mind"):
        store.write(work)
    with pytest.raises(ZeroDivisionError):
        store.write(lambda connection: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        store.read(lambda connection: 1 / 0)
    assert names(store) == []


def test_writes_that_come_at_once_share_a_transaction(store: Store, folder: Path) -> None:
    transactions: list[int] = []

    def work(name: str) -> Any:
        def run(connection: Any) -> None:
            transactions.append(id(connection.get_transaction()))
            add(name)(connection)

        return lambda: store.write(run)

    store.write(add("first"))
    with Held(store, folder):
        waiting = threading.Thread(target=at_once, args=([work(f"n{index:02}") for index in range(40)],))
        waiting.start()
        until(lambda: queued(store) == 40)
    waiting.join()
    assert len(transactions) == 40
    assert len(set(transactions)) == 1
    assert len(names(store)) == 41


def test_a_failure_costs_its_neighbours_nothing_but_time(store: Store, folder: Path) -> None:
    def bad(connection: Any) -> None:
        add("bad")(connection)
        add("bad")(connection)  # twice the same key

    def refused(connection: Any) -> None:
        raise NotFound("nothing there")

    store.write(add("first"))
    works = [add("a"), bad, add("b"), refused, add("c")]
    outcome: list[Any] = []
    with Held(store, folder):
        waiting = threading.Thread(
            target=lambda: outcome.extend(at_once([lambda work=work: store.write(work) for work in works]))
        )
        waiting.start()
        until(lambda: queued(store) == 5)
    waiting.join()
    assert [outcome[0], outcome[2], outcome[4]] == [1, 1, 1]
    assert "UNIQUE" in str(outcome[1])
    assert isinstance(outcome[3], NotFound)
    assert names(store) == ["a", "b", "c", "first"]


def test_a_refusal_before_any_change_does_not_take_the_group_apart(store: Store, folder: Path) -> None:
    runs: list[str] = []

    def good(connection: Any) -> int:
        runs.append("good")
        return int(add(f"g{len(runs)}")(connection))

    def refused(connection: Any) -> None:
        runs.append("refused")
        raise NotFound("nothing there")

    store.write(add("first"))
    with Held(store, folder):
        works = [good, good, refused, good]
        waiting = threading.Thread(
            target=at_once, args=([lambda work=work: store.write(work) for work in works],)
        )
        waiting.start()
        until(lambda: queued(store) == 4)
    waiting.join()
    assert sorted(runs) == ["good", "good", "good", "refused"]


def test_an_interrupted_caller_leaves_the_writer_sound(store: Store, folder: Path) -> None:
    green = backend.detect()
    store.write(add("first"))
    with Held(store, folder):
        others = [green.spawn(store.write, add(f"n{index}")) for index in range(5)]
        until(lambda: queued(store) == 5)
        for thread in others[:3]:
            green.kill(thread)
    for thread in others[3:]:
        assert green.get(thread, timeout=10) == 1
    assert store.write(add("last")) == 1
    assert {"first", "n3", "n4", "last"} <= set(names(store))


class Interruption(BaseException):
    """Stands for whatever may hit the writer's own thread: Ctrl-C, a kill."""


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("underway", [False, True])
def test_an_interrupted_writer_is_replaced(
    store: Store, monkeypatch: pytest.MonkeyPatch, underway: bool
) -> None:
    store.write(add("first"))
    monkeypatch.setattr(writers, "_LOOK_AROUND", 0.05)
    native, interruptions = writers.native, []
    session = store._writers.here()._session

    def interrupted(work: Any, *arguments: Any) -> Any:
        if interruptions:
            return native(work, *arguments)
        interruptions.append(work)
        if underway:
            native(work, *arguments)
        raise Interruption

    monkeypatch.setattr(writers, "native", interrupted)
    assert store.write(add("a")) == 1
    assert len(interruptions) == 1
    assert store._writers.here()._session is not session  # the old one may still be at work
    assert store.write(add("b")) == 1
    assert names(store) == ["a", "b", "first"]


def test_a_full_disk_is_one_clear_error_and_then_over(store: Store) -> None:
    store.write(add("first"))
    pages = store.write(lambda connection: connection.exec_driver_sql("PRAGMA page_count").scalar())
    store.write(lambda connection: connection.exec_driver_sql(f"PRAGMA max_page_count={pages}"))
    with pytest.raises(Unavailable, match="full"):
        store.write(add("x" * 100_000))
    # The connection that had failed is gone, and with it this limit.
    store.write(add("a"))
    assert names(store) == ["a", "first"]


def test_a_lock_held_too_long_fails_every_caller(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "BUSY_SECONDS", 0.05)
    with Store(folder) as store:
        store.write(add("first"))
        with Held(store, folder):
            outcomes = at_once([lambda index=index: store.write(add(f"n{index}")) for index in range(3)])
        assert [type(outcome) for outcome in outcomes] == [Unavailable] * 3
        assert "locked" in outcomes[0].message
        assert store.write(add("a")) == 1
        assert names(store) == ["a", "first"]


def test_a_commit_that_fails_fails_every_caller(store: Store, folder: Path) -> None:
    """A work that ends the transaction behind the writer's back makes COMMIT fail, as a broken disk would."""
    store.write(add("first"))
    outcome: list[Any] = []
    works = [add("a"), lambda connection: connection.exec_driver_sql("ROLLBACK"), lambda connection: None]
    with Held(store, folder):
        waiting = threading.Thread(
            target=lambda: outcome.extend(at_once([lambda work=work: store.write(work) for work in works]))
        )
        waiting.start()
        until(lambda: queued(store) == 3)
    waiting.join()
    assert [type(one) for one in outcome] == [Unavailable] * 3
    assert store.write(add("b")) == 1
    assert names(store) == ["b", "first"]


def test_close_writes_what_is_queued(folder: Path) -> None:
    store = Store(folder)
    store.write(add("first"))
    with Held(store, folder):
        threads = [threading.Thread(target=store.write, args=(add(f"n{index}"),)) for index in range(5)]
        for thread in threads:
            thread.start()
        until(lambda: queued(store) == 5)
        closing = threading.Thread(target=store.close)
        closing.start()
    for thread in (*threads, closing):
        thread.join()
    store.close()
    for use in (store.read, store.write):
        with pytest.raises(Unavailable, match="closed"):
            use(lambda connection: None)
    with Store(folder) as again:
        assert len(names(again)) == 6


def test_two_stores_on_one_folder(folder: Path) -> None:
    stores: list[Store] = []
    at_once([lambda: stores.append(Store(folder)) for _ in range(4)])
    assert len(stores) == 4
    outcomes = at_once(
        [
            lambda store=store, name=f"{which}-{index}": store.write(add(name))
            for index in range(20)
            for which, store in enumerate(stores)
        ]
    )
    assert outcomes == [1] * 80
    for store in stores:
        assert len(names(store)) == 80
        store.close()


def test_a_place_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(ConfigurationError, match="cannot be the platform's folder"):
        Store(tmp_path / "file")
    (tmp_path / "platform.db").write_text("something else entirely, and long enough to be looked at" * 100)
    with pytest.raises(ConfigurationError, match="not a platform's database"):
        Store(tmp_path)


def test_a_later_version_is_left_alone(folder: Path) -> None:
    Store(folder).close()
    with sqlite3.connect(folder / "platform.db") as connection:
        connection.execute("PRAGMA user_version=99")
    connection.close()
    with pytest.raises(ConfigurationError, match="later version"):
        Store(folder)


FORK = """
import os, sys
if sys.argv[1] == "gevent":
    from gevent import monkey; monkey.patch_all()
elif sys.argv[1] == "eventlet":
    import eventlet; eventlet.monkey_patch()
from flowthings_like.platform.store.store import Store
from flowthings_like.platform.store.schema import accounts
from sqlalchemy import select
from tests.forked import forked
def add(name):
    row = {"name": name, "identity": "i", "created": 1}
    return lambda connection: connection.execute(accounts.insert(), [row])
def names(connection):
    return sorted(connection.execute(select(accounts.c.name)).scalars())
store = Store(sys.argv[2])
store.write(add("before"))
store.read(names)
def child():
    store.write(add("child"))
    store.read(names)
    store.close()
said = forked(child)
store.write(add("parent"))
assert said() == "fine", said
print(store.read(names))
store.close()
"""


def test_parent_and_child_of_a_fork_both_go_on(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORK, backend.detect().name, str(folder)],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.stdout.strip() == "['before', 'child', 'parent']", done.stderr
