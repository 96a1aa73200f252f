"""One request while it is answered: who asks, what it touches, what goes out besides the answer."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from ...wire.things.packages import EVENT_ID, Kind, pack, package
from .contract import Client, Delivery, Node
from .users import Privilege

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .database.state import CollectionEntry, State
    from .database.tables import Change
    from .resolved_scope import ResolvedScope
    from .rooms import RoomKey, Rooms
    from .users import User

__all__ = ["RequestContext"]

_LOGGED = 2  # the warning's code for what `log` wrote


class RequestContext:
    """One request while it is answered.

    Attributes:
        session: who asks.
        user: as whom.
        state: the database.
        node: who answers.
        spot: the scope that was asked for.
        logs: what the code logged, as text.
        before, after: what goes out on either side of the answer.
    """

    def __init__(self, node: Node, session: Client, user: User, state: State, rooms: Rooms) -> None:
        self.node = node
        self.session = session
        self.user = user
        self.state = state
        self._rooms = rooms
        self._undo: list[Callable[[], object]] = []
        self.before: list[Delivery] = []
        self.after: list[Delivery] = []
        self.logs: list[str] = []
        self.spot: ResolvedScope | None = None
        self._used: dict[int, CollectionEntry] = {}

    def enter(self, spot: ResolvedScope, wanted: Privilege) -> ResolvedScope:
        """Begin to run code there. Raises ForbiddenError if the user may not."""
        self.user.require(spot.place, wanted, spot.name)
        self.spot = spot
        return spot

    def require(self, wanted: Privilege) -> None:
        """Raise ForbiddenError unless the user has the privileges where the code runs."""
        assert self.spot is not None
        self.user.require(self.spot.place, wanted, self.spot.name)

    def use(self, entry: CollectionEntry) -> CollectionEntry:
        """A collection in which something may change now."""
        self._used[entry.number] = entry
        return entry

    def forget(self, entry: CollectionEntry) -> None:
        """A collection that is gone, and all rooms with it."""
        self._used.pop(entry.number, None)
        for room in list(entry.collection.rooms):
            if room.id is not None:
                self._delete((entry.number, room.id), entry.scope)

    def join(self, room: RoomKey, scope: str) -> None:
        """Who asks becomes a member of a room."""
        told = self._rooms.join(self.session, room, scope)
        if told:
            self.after += told
            self._undo.append(partial(self._rooms.leave, self.session, room, scope))

    def leave(self, room: RoomKey, scope: str) -> None:
        """Who asks is a member of a room no longer."""
        told = self._rooms.leave(self.session, room, scope)
        if told:
            self.before += told
            self._undo.append(partial(self._rooms.join, self.session, room, scope))

    def emit(
        self, room: RoomKey, scope: str, event: str, args: Sequence[Any], but: Client | None = None
    ) -> None:
        """An event for the members of a room, or all but one."""
        self.before += self._rooms.emit(room, scope, event, args, but)

    def _delete(self, room: RoomKey, scope: str) -> None:
        members = self._rooms.members(room)
        self.before += self._rooms.delete(room, scope)
        self._undo += [partial(self._rooms.join, member, room, scope) for member in members]

    def undo(self) -> None:
        """Nothing of this has happened: whoever was in a room is in it, and nobody else."""
        while self._undo:
            self._undo.pop()()

    def settle(self) -> list[Change]:
        """What is to be written; members of rooms are told of what happened in them.

        Raises:
            things_errors.ForbiddenError: code changed something that the user may not change. That is known
                only now: what is in memory has to be thrown away.
        """
        changes, self.state.changes = self.state.changes, []
        self.before += [Delivery(self.session, _warning(text)) for text in self.logs]
        for entry in self._used.values():
            journal = entry.collection.take_journal()
            if self.spot is not None and (journal.rows or journal.procedures):
                self.require(Privilege.CHANGE)
            for emit in journal.emits:
                self.emit((entry.number, emit.room), entry.scope, emit.event, emit.args)
            for id in sorted(journal.gone_rooms):
                self._delete((entry.number, id), entry.scope)
            changes += entry.changes(self.state.account, journal)
        return changes


def _warning(text: str) -> bytes:
    return package(Kind.WARNING, EVENT_ID, pack({"warn_code": _LOGGED, "warn_msg": text}))
