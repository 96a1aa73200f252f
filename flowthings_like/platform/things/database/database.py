"""One account's database: its state, who is in its rooms, and one request at a time.

A request is answered with the lock held from its first look at the state to its last, so queries are atomic.
Nothing in between waits for the disk: what was changed goes to the commits, and the answer with it.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING

from ....green.backends import contract as backend
from ....wire.things import errors as things_errors
from ....wire.things.packages import Kind, pack, package
from ...problems import Problem
from ..contract import Client, Delivery, Node
from ..request_context import RequestContext
from ..rooms import Rooms
from . import tables
from .commits import Commit, CommitQueue
from .state import State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ...store.store import Store
    from .state import CollectionEntry

__all__ = ["Database", "refusal"]

_log = logging.getLogger("flowthings_like.platform.things")


class Database:
    """Loaded when it is first used, and again when something could not be written.

    Args:
        account: whose it is.
        store: the platform's.
        numbers: gives out the numbers of new collections.
        node: whose it is.
    """

    def __init__(self, account: str, store: Store, numbers: Iterator[int], node: Node) -> None:
        self.account = account
        self._store = store
        self._numbers = numbers
        self._node = node
        self._lock = backend.detect().lock()
        self._state: State | None = None
        self._rooms = Rooms()
        self._commits = CommitQueue(store, self._lock, self._forget)

    def perform(self, session: Client, user: str, id: int, work: Callable[[RequestContext], bytes]) -> None:
        """Do what a request asks, and see to it that it is answered.

        Args:
            session: who asks.
            user: the name of the user who asks.
            id: of the request.
            work: does it and returns the answer, a whole package; what it raises is the answer too.
        """
        with self._lock:
            context = None
            try:
                state = self._load()
                found = state.users.get(user)
                if found is None:
                    error = things_errors.ForbiddenError(f"user `{user}` exists no longer")
                    session.send(refusal(id, error))
                    return
                context = RequestContext(self._node, session, found, state, self._rooms)
                answer = _attempt(context, id, work)
                changes = context.settle()
                deliveries = [*context.before, Delivery(session, answer), *context.after]
                self._commits.submit(Commit(changes, deliveries, partial(_undone, context, id)))
            except BaseException as error:  # half of it may have been done
                if context is not None:
                    context.undo()
                self._forget()
                if not isinstance(error, Exception):
                    raise
                self._refuse(session, id, error)

    def settle(self, seconds: float) -> None:
        """Return once everything that was asked so far is answered, or after so many seconds."""
        answered = _Answered()
        with self._lock:
            self._commits.submit(Commit([], [Delivery(answered, b"")], None))
        answered.event.wait(seconds)

    def sweep(self) -> None:
        """Delete what Python's collector has taken since the last request, and tell the members of rooms."""
        with self._lock:
            if self._state is None:
                return
            try:
                self._save_lost(self._state)
            except BaseException:  # half of it may have been done
                self._forget()
                raise

    def _save_lost(self, state: State) -> None:
        for entry in state.collections.values():
            if entry.collection.has_lost:
                self._save(entry)

    def _save(self, entry: CollectionEntry) -> None:
        journal = entry.collection.take_journal()
        told = [
            delivery
            for id in sorted(journal.gone_rooms)
            for delivery in self._rooms.delete((entry.number, id), entry.scope)
        ]
        self._commits.submit(Commit(entry.changes(self.account, journal), told, None))

    def drop(self, session: Client) -> None:
        """The connection is gone."""
        with self._lock:
            self._rooms.drop(session)

    def _load(self) -> State:
        if self._state is None:
            # Through the writer, so that whatever is being written now is there to be read.
            rows = self._store.write(lambda connection: tables.load(connection, self.account))
            tables.merge(rows, self._commits.pending())
            self._state = State.load(self.account, rows, self._numbers)
        return self._state

    def _forget(self) -> None:
        """What is in memory is not what is, or will be, on disk."""
        self._state = None

    def _refuse(self, session: Client, id: int, error: Exception) -> None:
        if isinstance(error, Problem):
            error = things_errors.NodeError(error.message)
        elif not isinstance(error, things_errors.ThingsDBError):
            _log.exception("the things node failed at a request")
            error = things_errors.InternalError(f"the node failed: {type(error).__name__}")
        self._commits.submit(Commit([], [Delivery(session, refusal(id, error))], None))


class _Answered:
    """Stands in line behind the answers that are on their way."""

    def __init__(self) -> None:
        self.event = backend.detect().event()

    def send(self, package: bytes) -> None:
        self.event.set()

    def abort(self) -> None:
        self.event.set()


def refusal(id: int, error: things_errors.ThingsDBError) -> bytes:
    """The package that answers a request with an error."""
    said = {"error_code": error.error_code, "error_msg": str(error)}
    return package(Kind.ERROR, id, pack(said))


def _attempt(context: RequestContext, id: int, work: Callable[[RequestContext], bytes]) -> bytes:
    """The answer. What was changed before an error stays changed, as in ThingsDB."""
    try:
        return work(context)
    except things_errors.ThingsDBError as error:
        context.node.counters.failed += 1
        return refusal(id, error)


def _undone(context: RequestContext, id: int, reason: str) -> Delivery:
    context.undo()
    error = things_errors.NodeError(f"nothing of this was done, try again: {reason}")
    return Delivery(context.session, refusal(id, error))
