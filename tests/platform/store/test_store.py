from __future__ import annotations

import _thread
import random
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import select

from flowthings_like.errors import ConfigurationError
from flowthings_like.green.backends import choice as backend
from flowthings_like.platform.problems import NotFound, Unavailable
from flowthings_like.platform.resources.drops import verbs
from flowthings_like.platform.resources.drops.resource_store import ResourceStore as Store
from flowthings_like.platform.store import database, group_commit
from flowthings_like.platform.store.schema import accounts

from ..harness import ME, HeldWriteLock, at_once, queued, sizes_agree, until


def add(name: str) -> Any:
    statement = accounts.insert().values(name=name, identity="i", created=1)

    def work(connection: Any) -> int:
        connection.execute(statement)
        return 1

    return work


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


@pytest.mark.sqlite("looks at SQLite's settings")
def test_acknowledged_means_on_disk(store: Store) -> None:
    """Every writing connection runs with synchronous=FULL and a write-ahead log."""
    assert store.write(lambda connection: connection.exec_driver_sql("PRAGMA synchronous").scalar()) == 2
    assert store.write(lambda connection: connection.exec_driver_sql("PRAGMA journal_mode").scalar()) == "wal"


def test_a_reader_sees_one_moment(store: Store, folder: Path) -> None:
    store.write(add("a"))

    def look_twice(connection: Any) -> tuple[int, int]:
        before = len(connection.execute(select(accounts.c.name)).all())
        with Store(folder) as other:
            other.write(add("b"))
        return before, len(connection.execute(select(accounts.c.name)).all())

    assert store.read(look_twice) == (1, 1)
    assert names(store) == ["a", "b"]


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
    with HeldWriteLock(store, folder):
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
    with HeldWriteLock(store, folder):
        waiting = threading.Thread(
            target=lambda: outcome.extend(at_once([lambda work=work: store.write(work) for work in works]))
        )
        waiting.start()
        until(lambda: queued(store) == 5)
    waiting.join()
    assert [outcome[0], outcome[2], outcome[4]] == [1, 1, 1]
    assert "unique" in str(outcome[1]).lower()
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
    with HeldWriteLock(store, folder):
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
    with HeldWriteLock(store, folder):
        others = [green.spawn(store.write, add(f"n{index}")) for index in range(5)]
        until(lambda: queued(store) == 5)
        for thread in others[:3]:
            green.kill(thread)
    for thread in others[3:]:
        assert green.get(thread, timeout=30) == 1
    assert store.write(add("last")) == 1
    assert {"first", "n3", "n4", "last"} <= set(names(store))


class Interruption(BaseException):
    """Stands for any exception in the dispatcher's own thread: Ctrl-C, a kill."""


def each_step(monkeypatch: pytest.MonkeyPatch, step: int) -> list[int]:
    """Interrupt the dispatcher at its `step`-th step: before or after a native call. The list it returns
    holds the step once that has happened."""
    steps = iter(range(1, 1000))
    native, happened = group_commit.native, []

    def interrupted(work: Any, *arguments: Any) -> Any:
        if next(steps) == step:
            happened.append(step)
            raise Interruption
        done = native(work, *arguments)
        if next(steps) == step:
            happened.append(step)
            raise Interruption
        return done

    monkeypatch.setattr(group_commit, "native", interrupted)
    monkeypatch.setattr(group_commit, "_LOOK_AROUND", 0.05)
    return happened


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("step", range(1, 7))
def test_an_interrupted_dispatcher_is_replaced(
    store: Store, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    """A group is written once and its callers are told, whether its dispatcher went before or after."""
    happened = each_step(monkeypatch, step)
    runs: list[str] = []

    def once(name: str) -> Any:
        def work(connection: Any) -> int:
            runs.append(name)
            return int(add(name)(connection))

        return work

    for name in ("a", "b", "c"):
        assert store.write(once(name)) == 1
    assert happened == [step]
    assert runs == names(store) == ["a", "b", "c"]


def test_a_dispatcher_that_ends_while_its_group_is_written_disturbs_nothing(
    store: Store, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The native call that has taken a group finishes it; another dispatcher's call waits for its turn."""
    monkeypatch.setattr(group_commit, "_LOOK_AROUND", 0.05)
    store.write(add("first"))
    writer = store._writers.here()
    outcome: list[Any] = []
    with HeldWriteLock(store, folder):
        waiting = threading.Thread(
            target=lambda: outcome.extend(
                at_once([lambda index=index: store.write(add(f"n{index}")) for index in range(4)])
            )
        )
        waiting.start()
        until(lambda: queued(store) == 4)
        writer._start()
        assert writer._writing.is_taken
    waiting.join()
    assert outcome == [1] * 4
    assert store.write(add("last")) == 1
    assert len(names(store)) == 6


def test_killing_dispatchers_loses_and_doubles_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kills at random moments on green threads, where they can come at every switch."""
    green = backend.detect()
    monkeypatch.setattr(group_commit, "_LOOK_AROUND", 0.02)
    dispatchers: list[Any] = []

    def start(function: Any, arguments: Any) -> None:
        dispatchers.append(green.spawn(function, *arguments))

    runs: list[str] = []

    def once(name: str) -> Any:
        def work(connection: Any) -> int:
            done = int(add(name)(connection))
            runs.append(name)
            return done

        return lambda: store.write(work)

    finished: list[list[int]] = []

    def several(which: int) -> None:
        finished.append([once(f"{which}-{number:03}")() for number in range(60)])

    with monkeypatch.context() as patch:
        threads = SimpleNamespace(start_new_thread=start, allocate_lock=_thread.allocate_lock)
        patch.setattr(group_commit, "_thread", threads)
        chance = random.Random(7)
        writing = [green.spawn(several, which) for which in range(4)]
        while len(finished) < 4:
            time.sleep(chance.random() / 200)
            if dispatchers:
                green.kill(dispatchers[-1])
        for thread in writing:
            green.get(thread, timeout=30)
        store.write(lambda connection: None)
    assert finished == [[1] * 60] * 4
    assert sorted(runs) == names(store)
    assert len(runs) == 240


def test_without_a_thread_to_be_had_nothing_is_queued(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        threads = SimpleNamespace(start_new_thread=refuse, allocate_lock=_thread.allocate_lock)
        patch.setattr(group_commit, "_thread", threads)
        with pytest.raises(RuntimeError, match="new thread"):
            store.write(add("refused"))
    assert queued(store) == 0
    assert store.write(add("a")) == 1
    assert names(store) == ["a"]


SIGNALS = """
import random, signal, sys, threading, time
from flowthings_like.platform.store import group_commit
from flowthings_like.platform.resources.drops.resource_store import ResourceStore as Store
from flowthings_like.platform.store.schema import accounts
from sqlalchemy import func, select

class Interruption(BaseException):
    pass

def interrupt(*_):
    global signals
    signals += 1
    if armed:
        raise Interruption

signals, armed, interrupted, acknowledged = 0, False, 0, 0
signal.signal(signal.SIGALRM, interrupt)
store = Store(sys.argv[1])
wanted = int(sys.argv[2])

def add(name):
    row = {"name": name, "identity": "i", "created": 1}
    return lambda connection: connection.execute(accounts.insert().values(row)).rowcount

stop, beside = threading.Event(), []

def write_beside():
    while not stop.is_set():
        beside.append(store.write(add(f"beside-{len(beside)}")))

thread = threading.Thread(target=write_beside, daemon=True)
thread.start()
number = 0
while interrupted < wanted:
    number += 1
    signal.setitimer(signal.ITIMER_REAL, random.random() / 1000 + 1e-6)
    try:
        armed = True
        acknowledged += store.write(add(f"main-{number}"))
        armed = False
    except Interruption:
        interrupted += 1
    armed = False
signal.setitimer(signal.ITIMER_REAL, 0)
before = len(beside)
while len(beside) < before + 10:  # its calls still return
    time.sleep(0.01)
stop.set()
thread.join()
store.close()
with Store(sys.argv[1]) as again:
    stored = again.read(lambda connection: connection.execute(
        select(func.count()).where(accounts.c.name.like("main-%"))).scalar_one())
    also = again.read(lambda connection: connection.execute(
        select(func.count()).where(accounts.c.name.like("beside-%"))).scalar_one())
assert acknowledged <= stored <= number, (acknowledged, stored, number)
assert also == len(beside)
print("fine", signals, interrupted, acknowledged, stored)
"""


@pytest.mark.once
def test_signals_in_a_caller_leave_the_others_their_writer(folder: Path) -> None:
    """On plain threads a signal's exception may come between any two steps of Python within `write`."""
    done = subprocess.run(
        [sys.executable, "-c", SIGNALS, str(folder), "2000"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout.startswith("fine"), done.stderr


@pytest.mark.sqlite("limits the size of SQLite's file")
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
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.05)
    with Store(folder) as store:
        store.write(add("first"))
        with HeldWriteLock(store, folder):
            outcomes = at_once([lambda index=index: store.write(add(f"n{index}")) for index in range(3)])
        assert [type(outcome) for outcome in outcomes] == [Unavailable] * 3
        assert "lock" in outcomes[0].message
        assert store.write(add("a")) == 1
        assert names(store) == ["a", "first"]


@pytest.mark.sqlite("PostgreSQL takes a COMMIT without a transaction")
def test_a_commit_that_fails_fails_every_caller(store: Store, folder: Path) -> None:
    """A work that ends the transaction behind the writer's back makes COMMIT fail, as a broken disk would."""
    store.write(add("first"))
    outcome: list[Any] = []
    works = [add("a"), lambda connection: connection.exec_driver_sql("ROLLBACK"), lambda connection: None]
    with HeldWriteLock(store, folder):
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
    with HeldWriteLock(store, folder):
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


@pytest.mark.sqlite("is about a folder's file")
def test_a_place_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(ConfigurationError, match="cannot be the platform's folder"):
        Store(tmp_path / "file")
    (tmp_path / "platform.db").write_text("something else entirely, and long enough to be looked at" * 100)
    with pytest.raises(ConfigurationError, match="not a platform's database"):
        Store(tmp_path)


@pytest.mark.sqlite("writes SQLite's version")
def test_a_later_version_is_left_alone(folder: Path) -> None:
    Store(folder).close()
    with sqlite3.connect(folder / "platform.db") as connection:
        connection.execute("PRAGMA user_version=99")
    connection.close()
    with pytest.raises(ConfigurationError, match="later version"):
        Store(folder)


@pytest.mark.sqlite("begins with a file of an earlier version")
def test_an_earlier_version_is_brought_up_to_date(folder: Path) -> None:
    """What the first version wrote: three drops in a flow of capacity 3, the second of them the youngest."""
    folder.mkdir()
    with sqlite3.connect(folder / "platform.db") as connection:
        connection.executescript((Path(__file__).parent / "version_1.sql").read_text())
    connection.close()
    stores: list[Store] = []
    at_once([lambda: stores.append(Store(folder)) for _ in range(3)])
    assert len(stores) == 3
    with stores[0] as store, stores[1], stores[2]:

        def numbers() -> list[Any]:
            return [drop["elems"]["n"] for drop in verbs.find(store, ME, "/acme/old")]

        assert numbers() == [1, 2, 0]
        verbs.create(store, ME, "/acme/old", {"elems": {"n": 3}, "creationDate": 1})
        assert numbers() == [1, 2, 3]
        verbs.create(store, ME, "/acme/old", {"elems": {"n": 4}, "fhash": "h3"})
        assert numbers() == [4, 2, 3]
        sizes_agree(store)
    with Store(folder) as store:
        assert numbers() == [4, 2, 3]


FORK = """
import os, sys
if sys.argv[1] == "gevent":
    from gevent import monkey; monkey.patch_all()
elif sys.argv[1] == "eventlet":
    import eventlet; eventlet.monkey_patch()
from flowthings_like.platform.resources.drops.resource_store import ResourceStore as Store
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
        timeout=120,
        check=False,
    )
    assert done.stdout.strip() == "['before', 'child', 'parent']", done.stderr
