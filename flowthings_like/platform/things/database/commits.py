"""Nothing is answered that is not on disk.

What a request changed is written before its answer leaves, and together with everything else that was
changed while the disk was busy: one wait for many. An answer that follows a change which is still on its way
waits for it too, even if it only reads, since it may tell of it. So answers and events leave in the order in
which they came about.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from ....green.backends import contract as backend
from . import tables

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ...store.store import Store
    from ..contract import Delivery
    from .tables import Change

__all__ = ["Commit", "CommitQueue"]

_log = logging.getLogger("flowthings_like.platform.things")


class Commit(NamedTuple):
    """What one request came to.

    Attributes:
        changes: what is to be written.
        deliveries: the answer and events, to be sent when that is done.
        refusal: makes what is sent instead if that cannot be done. None: they are sent all the same.
    """

    changes: list[Change]
    deliveries: list[Delivery]
    refusal: Callable[[str], Delivery] | None


class CommitQueue:
    """Those of one database.

    Args:
        store: where to.
        lock: the database's. It is held when `submit` is called, and while deliveries are made.
        lost: called, with the lock held, when something could not be written: what is in memory is not what
            is on disk.
    """

    def __init__(self, store: Store, lock: Any, lost: Callable[[], None]) -> None:
        self._store = store
        self._lock = lock
        self._lost = lost
        self._queue: list[Commit] = []
        self._writing: list[Commit] = []
        self._writer: object | None = None  # a mark of the thread that writes the queue

    def pending(self) -> Iterable[Change]:
        """The changes that may not be on disk yet, in their order."""
        return (change for entry in (*self._writing, *self._queue) for change in entry.changes)

    def submit(self, entry: Commit) -> None:
        """Deliver once all that was changed so far is on disk; at once if it is. Does not block.

        If it raises, the entry is dropped: adding it to the queue is the last step. A thread that was started
        for nothing finds that it is not the writer, or an empty queue, and ends.
        """
        if self._writer is None and not entry.changes:
            _deliver(entry)
            return
        if self._writer is None:
            mark = object()
            backend.detect().spawn(self._run, mark)  # it waits for the lock
            self._writer = mark
        self._queue.append(entry)

    def _run(self, mark: object) -> None:
        try:
            while self._next(mark):
                changes = [change for entry in self._writing for change in entry.changes]
                try:
                    if changes:
                        self._store.write(partial(tables.write, changes=changes))
                except Exception as error:
                    _log.exception("changes could not be written; what was not is forgotten")
                    self._fail(str(getattr(error, "message", "")) or "the change could not be written")
                else:
                    self._done()
        except BaseException:
            self._abandon(mark)
            raise

    def _next(self, mark: object) -> bool:
        """Take what is queued. False if there is nothing, or if another thread is the writer."""
        with self._lock:
            if self._writer is not mark:
                return False
            self._writing, self._queue = self._queue, []
            if not self._writing:
                self._writer = None
            return bool(self._writing)

    def _done(self) -> None:
        with self._lock:
            _deliver_all(self._writing)
            self._writing = []

    def _fail(self, reason: str) -> None:
        """Nothing of what was being written is kept, so neither can be what was built upon it."""
        with self._lock:
            refused, self._writing, self._queue = [*self._writing, *self._queue], [], []
            self._lost()
            _refuse_all(refused, reason)

    def _abandon(self, mark: object) -> None:
        """Interrupted: it may have been written or not. Whoever waits for it can only be told so by a cut."""
        with self._lock:
            if self._writer is not mark:
                return
            refused, self._writing, self._queue = [*self._writing, *self._queue], [], []
            self._writer = None
            self._lost()
            _abort_all(refused)


def _deliver(entry: Commit) -> None:
    for session, package in entry.deliveries:
        session.send(package)


def _deliver_all(entries: list[Commit]) -> None:
    for entry in entries:
        _deliver(entry)


def _refuse_all(entries: list[Commit], reason: str) -> None:
    # What came last is undone first, and told last.
    said = [entry.refusal(reason) for entry in reversed(entries) if entry.refusal is not None]
    for to, package in reversed(said):
        to.send(package)
    _deliver_all([entry for entry in entries if entry.refusal is None])


def _abort_all(entries: list[Commit]) -> None:
    for entry in entries:
        for delivery in entry.deliveries:
            delivery.to.abort()
