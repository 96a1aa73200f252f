"""One account's database: runs one request at a time on its state, and commits what it changed.

A request holds the lock from its first look at the state to its last, so queries are atomic. Nothing in
between waits for the disk: the changes and the answer go to the commit queue.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING

from ....green.backends import choice as backend
from ....wire.things import errors as things_errors
from ....wire.things.packages import Kind, package
from ....wire.things.values import pack
from ...problems import Problem
from ..interfaces import Client, Delivery, Node
from ..request_context import RequestContext
from ..rooms import Rooms
from . import tables
from .commits import Commit, CommitQueue
from .state import State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ...store.store import Store
    from .state import CollectionEntry

__all__ = ["Database", "error_package"]

_log = logging.getLogger("flowthings_like.platform.things")


class Database:
    """Loads its state when it is first used, and again after something could not be written.

    Args:
        account: the account it belongs to.
        store: where it is stored.
        numbers: gives out the numbers of new collections.
        node: the node it belongs to.
    """

    def __init__(self, account: str, store: Store, numbers: Iterator[int], node: Node) -> None:
        self.account = account
        self._store = store
        self._numbers = numbers
        self._node = node
        self._lock = backend.detect().lock()
        self._state: State | None = None
        self._rooms = Rooms()
        self._commits = CommitQueue(store, self._lock, self._discard_state)

    def execute(self, client: Client, user: str, id: int, work: Callable[[RequestContext], bytes]) -> None:
        """Do what a request asks for, and have its answer sent.

        Args:
            client: the connection that made the request.
            user: the name of the user that it has logged in as.
            id: the id of the request.
            work: does it and returns the answer, a whole package. A ThingsDBError that it raises becomes the
                answer.
        """
        with self._lock:
            context = None
            try:
                state = self._load()
                found = state.users.get(user)
                if found is None:
                    error = things_errors.ForbiddenError(f"user `{user}` exists no longer")
                    client.send(error_package(id, error))
                    return
                context = RequestContext(self._node, client, found, state, self._rooms)
                answer = _answer(context, id, work)
                changes = context.collect_changes()
                deliveries = [*context.before, Delivery(client, answer), *context.after]
                self._commits.submit(Commit(changes, deliveries, partial(_roll_back, context, id)))
            except BaseException as error:  # half of the request may have been done
                if context is not None:
                    context.roll_back()
                self._discard_state()
                if not isinstance(error, Exception):
                    raise
                self._answer_with_error(client, id, error)

    def wait_answered(self, timeout: float) -> None:
        """Wait until all requests so far are answered, but not longer than so many seconds."""
        barrier = _Barrier()
        with self._lock:
            self._commits.submit(Commit([], [Delivery(barrier, b"")], None))
        barrier.event.wait(timeout)

    def sweep(self) -> None:
        """Delete what Python's garbage collector has taken since the last request.

        These are things that referred to each other, and rooms in them, whose members are told.
        """
        with self._lock:
            if self._state is None:
                return
            try:
                self._save_garbage(self._state)
            except BaseException:  # half of it may have been done
                self._discard_state()
                raise

    def _save_garbage(self, state: State) -> None:
        for entry in state.collections.values():
            if entry.collection.has_garbage:
                self._save(entry)

    def _save(self, entry: CollectionEntry) -> None:
        journal = entry.collection.take_journal()
        events = [
            delivery
            for id in sorted(journal.deleted_rooms)
            for delivery in self._rooms.delete((entry.number, id), entry.scope)
        ]
        self._commits.submit(Commit(entry.changes(self.account, journal), events, None))

    def disconnect(self, client: Client) -> None:
        """Remove a client whose connection has ended from all rooms."""
        with self._lock:
            self._rooms.disconnect(client)

    def _load(self) -> State:
        if self._state is None:
            # Read through the store's writer: it runs after the writes that are under way now.
            rows = self._store.write(lambda connection: tables.load(connection, self.account))
            tables.merge(rows, self._commits.unwritten())
            self._state = State.load(self.account, rows, self._numbers)
        return self._state

    def _discard_state(self) -> None:
        """Have the state loaded again: it is not what is, or will be, on disk."""
        self._state = None

    def _answer_with_error(self, client: Client, id: int, error: Exception) -> None:
        if isinstance(error, Problem):
            error = things_errors.NodeError(error.message)
        elif not isinstance(error, things_errors.ThingsDBError):
            _log.exception("the things node failed at a request")
            error = things_errors.InternalError(f"the node failed: {type(error).__name__}")
        self._commits.submit(Commit([], [Delivery(client, error_package(id, error))], None))


class _Barrier:
    """A recipient that is queued behind the answers under way, and notes when it is reached."""

    def __init__(self) -> None:
        self.event = backend.detect().event()

    def send(self, package: bytes) -> None:
        self.event.set()

    def abort(self) -> None:
        self.event.set()


def error_package(id: int, error: things_errors.ThingsDBError) -> bytes:
    """Return the package that answers a request with an error."""
    body = {"error_code": error.error_code, "error_msg": str(error)}
    return package(Kind.ERROR, id, pack(body))


def _answer(context: RequestContext, id: int, work: Callable[[RequestContext], bytes]) -> bytes:
    """Return the answer. What was changed before an error stays changed, as in ThingsDB."""
    try:
        return work(context)
    except things_errors.ThingsDBError as error:
        context.node.counters.failed += 1
        return error_package(id, error)


def _roll_back(context: RequestContext, id: int, reason: str) -> Delivery:
    context.roll_back()
    error = things_errors.NodeError(f"nothing of this was done, try again: {reason}")
    return Delivery(context.client, error_package(id, error))
