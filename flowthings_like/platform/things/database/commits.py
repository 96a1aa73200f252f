"""Sends answers after the changes that they tell of are on disk.

The changes of many requests are written together, while later requests run: one wait for many. A request that
follows a change which is not on disk yet waits for it as well, even if it only reads, because its answer may
tell of that change. So answers and events are sent in the order in which they were made.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from ....green.backends import choice as backend
from . import tables

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ...store.store import Store
    from ..interfaces import Delivery
    from .tables import Change

__all__ = ["Commit", "CommitQueue"]

_log = logging.getLogger("flowthings_like.platform.things")


class Commit(NamedTuple):
    """The outcome of one request.

    Attributes:
        changes: what is to be written.
        deliveries: the answer and the events, which are sent after that.
        make_error: makes what is sent instead if the changes cannot be written. None: the deliveries are sent
            all the same.
    """

    changes: list[Change]
    deliveries: list[Delivery]
    make_error: Callable[[str], Delivery] | None


class CommitQueue:
    """The commits of one database.

    Args:
        store: where changes are written.
        lock: the database's. It must be held when `submit` is called, and is held while deliveries are made.
        on_failure: called with the lock held when changes could not be written: the state in memory is not
            what is on disk.
    """

    def __init__(self, store: Store, lock: Any, on_failure: Callable[[], None]) -> None:
        self._store = store
        self._lock = lock
        self._on_failure = on_failure
        self._queue: list[Commit] = []
        self._writing: list[Commit] = []
        self._writer: object | None = None  # identifies the thread that writes the queue

    def unwritten(self) -> Iterable[Change]:
        """Return the changes that may not be on disk yet, in their order."""
        return (change for commit in (*self._writing, *self._queue) for change in commit.changes)

    def submit(self, commit: Commit) -> None:
        """Send the deliveries once all changes so far are on disk: at once if they are. Does not block.

        If this raises, the commit is dropped: adding it to the queue is the last step. A thread that was
        started in vain finds that it is not the writer, or that the queue is empty, and ends.
        """
        if self._writer is None and not commit.changes:
            _deliver(commit)
            return
        if self._writer is None:
            writer = object()
            backend.detect().spawn(self._run, writer)  # it waits for the lock
            self._writer = writer
        self._queue.append(commit)

    def _run(self, writer: object) -> None:
        try:
            while self._take(writer):
                changes = [change for commit in self._writing for change in commit.changes]
                try:
                    if changes:
                        self._store.write(partial(tables.write, changes=changes))
                except Exception as error:
                    _log.exception("changes could not be written; what was not is forgotten")
                    self._fail(str(getattr(error, "message", "")) or "the change could not be written")
                else:
                    self._finish()
        except BaseException:
            self._interrupt(writer)
            raise

    def _take(self, writer: object) -> bool:
        """Take what is queued. Returns False if there is nothing, or if another thread is the writer."""
        with self._lock:
            if self._writer is not writer:
                return False
            self._writing, self._queue = self._queue, []
            if not self._writing:
                self._writer = None
            return bool(self._writing)

    def _finish(self) -> None:
        with self._lock:
            _deliver_all(self._writing)
            self._writing = []

    def _fail(self, reason: str) -> None:
        """Answer with errors: the requests whose changes are lost, and later ones, which built on them."""
        with self._lock:
            failed, self._writing, self._queue = [*self._writing, *self._queue], [], []
            self._on_failure()
            _send_errors(failed, reason)

    def _interrupt(self, writer: object) -> None:
        """Close the connections that wait: it is not known whether the changes were written."""
        with self._lock:
            if self._writer is not writer:
                return
            doubtful, self._writing, self._queue = [*self._writing, *self._queue], [], []
            self._writer = None
            self._on_failure()
            _abort_all(doubtful)


def _deliver(commit: Commit) -> None:
    for recipient, package in commit.deliveries:
        recipient.send(package)


def _deliver_all(commits: list[Commit]) -> None:
    for commit in commits:
        _deliver(commit)


def _send_errors(commits: list[Commit], reason: str) -> None:
    # `make_error` rolls a request back: the last request first. The errors are sent in the requests' order.
    errors = [commit.make_error(reason) for commit in reversed(commits) if commit.make_error is not None]
    for recipient, package in reversed(errors):
        recipient.send(package)
    _deliver_all([commit for commit in commits if commit.make_error is None])


def _abort_all(commits: list[Commit]) -> None:
    for commit in commits:
        for delivery in commit.deliveries:
            delivery.to.abort()
