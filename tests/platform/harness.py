"""A store with flows and tracks in it, put there directly, and callers."""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import select

from flowthings_like.platform.ids import new_id
from flowthings_like.platform.resources.access.rights import Caller
from flowthings_like.platform.resources.drops.resource_store import ResourceStore as Store
from flowthings_like.platform.store.schema import counters, drops, resources, sizes

ME = Caller("acme", new_id("i"))


def add_resource(store: Store, kind: str, path: str, **body: Any) -> str:
    name = new_id("f" if kind == "flow" else "t")
    row = {"id": name, "kind": kind, "account": "acme", "path": path, "created": 1, "body": json.dumps(body)}
    store.write(lambda connection: connection.execute(resources.insert(), [row]), clears_cache=True)
    return name


def add_flow(store: Store, path: str, **body: Any) -> str:
    return add_resource(store, "flow", path, **body)


def add_track(store: Store, source: str, destination: str | list[str], filter: str = "", **body: Any) -> str:
    return add_resource(store, "track", source, destination=destination, filter=filter, **body)


def change_resource(store: Store, name: str, **body: Any) -> None:
    statement = resources.update().where(resources.c.id == name).values(body=json.dumps(body))
    store.write(lambda connection: connection.execute(statement), clears_cache=True)


def counted(store: Store) -> dict[tuple[str, str], int]:
    """All statistics, summed over the hours."""
    totals: dict[tuple[str, str], int] = {}
    for row in store.read(lambda connection: connection.execute(select(counters)).all()):
        totals[row.stat, row.object_id] = totals.get((row.stat, row.object_id), 0) + row.count
    return totals


def sizes_agree(store: Store) -> None:
    """Assert that the stored sizes are those that counting gives."""

    def work(connection: Any) -> None:
        kept = {row.flow_id: row.count for row in connection.execute(select(sizes)) if row.count}
        found: dict[str, int] = {}
        for row in connection.execute(select(drops.c.flow_id)):
            found[row.flow_id] = found.get(row.flow_id, 0) + 1
        assert kept == found

    store.read(work)


def at_once(calls: Sequence[Callable[[], Any]]) -> list[Any]:
    """Run all calls in threads of the running backend; each one's result, or the exception it raised."""
    results: list[Any] = [None] * len(calls)

    def run(index: int) -> None:
        try:
            results[index] = calls[index]()
        except BaseException as error:
            results[index] = error

    threads = [threading.Thread(target=run, args=(index,)) for index in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def until(condition: Callable[[], bool]) -> None:
    """Return once `condition` holds; fail if it does not within thirty seconds."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


class HeldWriteLock:
    """Holds the database's write lock, as another process might, while the writer waits for it.

    Everything written meanwhile queues up, and is one group when the block ends. What the store writes by
    itself is waited for first: it would come before the writer's first job here, or count as queued.

        with HeldWriteLock(store, folder):
            …
    """

    def __init__(self, store: Store, folder: Path) -> None:
        self._store = store
        self._connection = self._connect(folder)

    def __enter__(self) -> HeldWriteLock:
        until(lambda: is_indexed(self._store))
        self._lock()
        writer: Any = self._store._writers.here()
        write, entered = writer._write, []

        def observed(*arguments: Any) -> None:
            entered.append(True)
            write(*arguments)

        writer._write = observed
        self._first = threading.Thread(target=at_once, args=([lambda: self._store.write(lambda _: None)],))
        self._first.start()
        until(lambda: bool(entered))
        writer._write = write
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.rollback()
        self._connection.close()
        self._first.join()

    def _connect(self, folder: Path) -> Any:
        url = self._store._database.engine.url
        if url.get_backend_name() == "sqlite":
            return sqlite3.connect(folder / "platform.db", isolation_level=None)
        # Written in Python, so that it waits cooperatively on every backend.
        import pg8000.dbapi

        return pg8000.dbapi.connect(
            url.username, url.host, url.database, url.port, url.password, ssl_context=False
        )

    def _lock(self) -> None:
        cursor = self._connection.cursor()
        for statement in self._store._database.BEGIN_WRITING.split("; "):
            cursor.execute(statement)


def is_indexed(store: Store) -> bool:
    """Whether nothing is brought up to an index, or is about to be."""
    run = store.indexing._by_process.get(os.getpid())
    # In this order: a thread that begins takes the lock before it takes back the wish.
    return run is None or (not run._wanted and not run._busy.locked())


def queued(store: Store) -> int:
    """How many writes wait for the writer."""
    return store._writers.here()._queue.qsize()
