"""How long points are kept: policies of collections and of streams, and what removes old points."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING
from uuid import UUID

from ...green.backends import choice as backend
from ...green.backends.choice import native
from .problems import Code, StreamProblem

if TYPE_CHECKING:
    from .state import Stream
    from .store import StreamStore
    from .transaction import Transaction

__all__ = ["Policy", "Trimmer", "of_collection", "of_stream", "set_for_collection", "set_for_stream"]

_log = logging.getLogger("flowthings_like.platform.streams")

INTERVAL = 60.0
"""Seconds between two searches for points that are too old."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How long points are kept.

    Attributes:
        remove_older_than: nanoseconds, 0 for ever; None if there is no policy.
        is_inherited: whether it is the collection's, for a stream that has none of its own.
    """

    remove_older_than: int | None
    is_inherited: bool = False


def of_collection(store: StreamStore, account: str, collection: str) -> Policy:
    """A collection's policy. Raises INVALID_COLLECTION if there is no such collection."""
    ((found, is_there),) = native(
        store.database.rows,
        "select (select remove_older_than from retention where account = $1 and collection = $2), "
        "exists(select 1 from streams where account = $1 and collection = $2)",
        [account, collection],
    )
    if not is_there and found is None:
        raise _no_collection()
    return Policy(found)


def of_stream(store: StreamStore, account: str, uuid: UUID) -> Policy:
    """The policy that is in force for a stream."""
    stream = store.find(account, uuid)
    ((own, inherited),) = native(
        store.database.rows,
        "select s.retention, (select remove_older_than from retention r "
        "where r.account = s.account and r.collection = s.collection) from streams s where s.id = $1",
        [stream.id],
    )
    return Policy(inherited, True) if own is None else Policy(own)


def set_for_collection(
    transaction: Transaction, account: str, collection: str, remove_older_than: int | None, override: bool
) -> None:
    """Set or remove a collection's policy; with `override`, remove those of its streams."""
    cursor = transaction.cursor
    key = [account, collection]
    if not cursor.execute("select 1 from streams where account = $1 and collection = $2", key).fetchone():
        raise _no_collection()
    cursor.execute("delete from retention where account = $1 and collection = $2", key)
    if remove_older_than is not None:
        cursor.execute("insert into retention values ($1, $2, $3)", [*key, remove_older_than])
    if override:
        cursor.execute("update streams set retention = null where account = $1 and collection = $2", key)


def set_for_stream(transaction: Transaction, stream: int, remove_older_than: int | None) -> None:
    """Set or remove a stream's own policy."""
    transaction.cursor.execute("update streams set retention = $2 where id = $1", [stream, remove_older_than])


def trim(store: StreamStore, now: int) -> int:
    """Remove the points that are too old at `now`, ns since 1970 UTC. Returns of how many streams."""
    rows = native(
        store.database.rows,
        "select account, uuid, kept from "
        "(select s.*, coalesce(s.retention, r.remove_older_than) as kept from streams s "
        "left join retention r on r.account = s.account and r.collection = s.collection) "
        "where kept > 0 and trimmed < $1 - kept order by id",
        [now],
    )
    for account, uuid, kept in rows:
        try:
            store.change(
                account,
                uuid if isinstance(uuid, UUID) else UUID(uuid),
                partial(_trim, now - kept),
            )
        except StreamProblem as problem:
            if problem.code is not Code.NO_SUCH_STREAM:  # obliterated meanwhile
                raise
    return len(rows)


def _trim(before: int, transaction: Transaction, stream: Stream) -> None:
    transaction.trim(stream, before)


class Trimmer:
    """Removes points that are too old, and what is left of segments, now and then until closed."""

    def __init__(self, store: StreamStore) -> None:
        self._store = store
        here = backend.detect()
        self._closed = here.event()
        here.spawn(self._run)

    def close(self) -> None:
        """Stop. A search that is under way ends."""
        self._closed.set()

    def _run(self) -> None:
        while not self._closed.is_set():
            try:
                trim(self._store, time.time_ns())
                while not self._closed.is_set() and self._store.sweep():
                    pass
            except Exception:
                if not self._closed.is_set():
                    _log.exception("points that are too old could not be removed")
            self._closed.wait(INTERVAL)


def _no_collection() -> StreamProblem:
    return StreamProblem(Code.INVALID_COLLECTION, "there is no such collection")
