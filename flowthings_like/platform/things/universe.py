"""One account's universe: its state, who is in its rooms, and one request at a time.

A request is answered with the lock held from its first look at the state to its last, so queries are atomic.
Nothing in between waits for the disk: what was changed goes to the commits, and the answer with it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from ... import things_errors
from ...green import backend
from ...wire.things import EVENT_ID, Kind, pack, package
from ..problems import Problem
from . import records
from .access import Privilege
from .commits import Commits, Entry
from .membership import Delivery, Membership
from .state import Held, State

if TYPE_CHECKING:
    from ..store.store import Store
    from .access import User
    from .node import Node
    from .records import Change
    from .scopes import Spot
    from .session import Session

__all__ = ["Turn", "Universe", "refusal"]

_LOGGED = 2  # the warning's code for what `log` wrote

_log = logging.getLogger("flowthings_like.platform.things")


class Turn:
    """One request while it is answered.

    Attributes:
        session: who asks.
        user: as whom.
        state: the universe.
        membership: who is in its rooms.
        node: who answers.
        spot: the scope that was asked for.
        logs: what the code logged, as text.
        before, after: what goes out on either side of the answer.
    """

    def __init__(
        self, node: Node, session: Session, user: User, state: State, membership: Membership
    ) -> None:
        self.node = node
        self.session = session
        self.user = user
        self.state = state
        self.membership = membership
        self.before: list[Delivery] = []
        self.after: list[Delivery] = []
        self.logs: list[str] = []
        self.spot: Spot | None = None
        self._used: dict[int, Held] = {}

    def enter(self, spot: Spot, wanted: Privilege) -> Spot:
        """Begin to run code there. Raises ForbiddenError if the user may not."""
        self.user.require(spot.place, wanted, spot.name)
        self.spot = spot
        return spot

    def require(self, wanted: Privilege) -> None:
        """Raise ForbiddenError unless the user has the privileges where the code runs."""
        assert self.spot is not None
        self.user.require(self.spot.place, wanted, self.spot.name)

    def use(self, held: Held) -> Held:
        """A collection in which something may change now."""
        self._used[held.number] = held
        return held

    def forget(self, held: Held) -> None:
        """A collection that is gone, and all rooms with it."""
        self._used.pop(held.number, None)
        for room in list(held.content.rooms):
            if room.id is not None:
                self.before += self.membership.delete((held.number, room.id), held.scope)

    def settle(self) -> list[Change]:
        """What is to be written; members of rooms are told of what happened in them.

        Raises:
            things_errors.ForbiddenError: code changed something that the user may not change. That is known
                only now: what is in memory has to be thrown away.
        """
        changes, self.state.changes = self.state.changes, []
        self.before += [Delivery(self.session, _warning(text)) for text in self.logs]
        for held in self._used.values():
            journal = held.content.take_journal()
            if self.spot is not None and (journal.rows or journal.procedures):
                self.require(Privilege.CHANGE)
            for emit in journal.emits:
                room = held.number, emit.room
                self.before += self.membership.emit(room, held.scope, emit.event, emit.args)
            for id in sorted(journal.gone_rooms):
                self.before += self.membership.delete((held.number, id), held.scope)
            changes += held.changes(self.state.account, journal)
        return changes


class Universe:
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
        self._membership = Membership()
        self._commits = Commits(store, self._lock, self._forget)

    def perform(self, session: Session, user: str, id: int, work: Callable[[Turn], bytes]) -> None:
        """Do what a request asks, and see to it that it is answered.

        Args:
            session: who asks.
            user: the name of the user who asks.
            id: of the request.
            work: does it and returns the answer, a whole package; what it raises is the answer too.
        """
        with self._lock:
            try:
                state = self._load()
                found = state.users.get(user)
                if found is None:
                    error = things_errors.ForbiddenError(f"user `{user}` exists no longer")
                    session.send(refusal(id, error))
                    return
                turn = Turn(self._node, session, found, state, self._membership)
                answer = _attempt(turn, id, work)
                changes = turn.settle()
            except Exception as error:
                self._forget()
                self._refuse(session, id, error)
                return
            except BaseException:  # half of it may have been done
                self._forget()
                raise
            deliveries = [*turn.before, Delivery(session, answer), *turn.after]
            self._commits.submit(Entry(changes, deliveries, lambda reason: _undone(session, id, reason)))

    def settle(self, seconds: float) -> None:
        """Return once everything that was asked so far is answered, or after so many seconds."""
        answered = _Answered()
        with self._lock:
            self._commits.submit(Entry([], [Delivery(answered, b"")], None))
        answered.event.wait(seconds)

    def drop(self, session: Session) -> None:
        """The connection is gone."""
        with self._lock:
            self._membership.drop(session)

    def _load(self) -> State:
        if self._state is None:
            # Through the writer, so that whatever is being written now is there to be read.
            rows = self._store.write(lambda connection: records.load(connection, self.account))
            records.merge(rows, self._commits.pending())
            self._state = State.load(self.account, rows, self._numbers)
            self._tell_of_lost_rooms(self._state)
        return self._state

    def _tell_of_lost_rooms(self, state: State) -> None:
        """Rooms that were made by a change that could not be written are no more."""
        held = {found.number: found for found in state.collections.values()}
        for number, id in self._membership.rooms():
            there = held.get(number)
            if there is None or id not in there.content.rooms:
                scope = "@collection:" if there is None else there.scope
                for to, told in self._membership.delete((number, id), scope):
                    to.send(told)

    def _forget(self) -> None:
        """What is in memory is not what is, or will be, on disk."""
        self._state = None

    def _refuse(self, session: Session, id: int, error: Exception) -> None:
        if isinstance(error, Problem):
            error = things_errors.NodeError(error.message)
        elif not isinstance(error, things_errors.ThingsDBError):
            _log.exception("the things node failed at a request")
            error = things_errors.InternalError(f"the node failed: {type(error).__name__}")
        self._commits.submit(Entry([], [Delivery(session, refusal(id, error))], None))


def _warning(text: str) -> bytes:
    return package(Kind.WARNING, EVENT_ID, pack({"warn_code": _LOGGED, "warn_msg": text}))


class _Answered:
    """Stands in line behind the answers that are on their way."""

    def __init__(self) -> None:
        self.event = backend.detect().event()

    def send(self, package: bytes) -> None:
        self.event.set()

    def cut(self) -> None:
        self.event.set()


def refusal(id: int, error: things_errors.ThingsDBError) -> bytes:
    """The package that answers a request with an error."""
    said = {"error_code": error.error_code, "error_msg": str(error)}
    return package(Kind.ERROR, id, pack(said))


def _attempt(turn: Turn, id: int, work: Callable[[Turn], bytes]) -> bytes:
    """The answer. What was changed before an error stays changed, as in ThingsDB."""
    try:
        return work(turn)
    except things_errors.ThingsDBError as error:
        turn.node.counters.failed += 1
        return refusal(id, error)


def _undone(session: Session, id: int, reason: str) -> Delivery:
    error = things_errors.NodeError(f"nothing of this was done, try again: {reason}")
    return Delivery(session, refusal(id, error))
