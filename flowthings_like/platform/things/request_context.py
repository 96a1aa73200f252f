"""The context of one request: who makes it, what it may change, what is sent besides the answer."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from ...wire.things.packages import EVENT_ID, Kind, package
from ...wire.things.privileges import Privilege
from ...wire.things.values import pack
from .interfaces import Client, Delivery, Node

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .database.state import CollectionEntry, State
    from .database.tables import Change
    from .resolved_scope import ResolvedScope
    from .rooms import RoomKey, Rooms
    from .users import User

__all__ = ["RequestContext"]

_LOG_WARNING = 2
"""The code of the warning that carries what `log` wrote."""


class RequestContext:
    """The context of one request, from its start until its changes are collected or rolled back.

    Attributes:
        client: the connection that made the request.
        user: the user that it has logged in as.
        state: the database.
        node: the node that answers.
        scope: the scope that the code runs in; None for a request about rooms.
        logs: what the code logged, as text.
        before, after: what is sent before and after the answer.
    """

    def __init__(self, node: Node, client: Client, user: User, state: State, rooms: Rooms) -> None:
        self.node = node
        self.client = client
        self.user = user
        self.state = state
        self._rooms = rooms
        self._undo: list[Callable[[], object]] = []
        self.before: list[Delivery] = []
        self.after: list[Delivery] = []
        self.logs: list[str] = []
        self.scope: ResolvedScope | None = None
        self._used: dict[int, CollectionEntry] = {}

    def enter(self, scope: ResolvedScope, wanted: Privilege) -> ResolvedScope:
        """Let code run in the scope. Raises ForbiddenError if the user lacks the privileges."""
        self.user.require(scope.key, wanted, scope.name)
        self.scope = scope
        return scope

    def require(self, wanted: Privilege) -> None:
        """Raise ForbiddenError unless the user has the privileges in the scope that the code runs in."""
        assert self.scope is not None
        self.user.require(self.scope.key, wanted, self.scope.name)

    def use(self, entry: CollectionEntry) -> CollectionEntry:
        """Note that the request may change something in the collection."""
        self._used[entry.number] = entry
        return entry

    def delete_rooms(self, entry: CollectionEntry) -> None:
        """Delete all rooms of a collection that is being deleted."""
        self._used.pop(entry.number, None)
        for room in list(entry.collection.rooms):
            if room.id is not None:
                self._delete((entry.number, room.id), entry.scope)

    def join(self, room: RoomKey, scope: str) -> None:
        """Let the client join a room."""
        told = self._rooms.join(self.client, room, scope)
        if told:
            self.after += told
            self._undo.append(partial(self._rooms.leave, self.client, room, scope))

    def leave(self, room: RoomKey, scope: str) -> None:
        """Let the client leave a room."""
        told = self._rooms.leave(self.client, room, scope)
        if told:
            self.before += told
            self._undo.append(partial(self._rooms.join, self.client, room, scope))

    def emit(
        self, room: RoomKey, scope: str, event: str, args: Sequence[Any], exclude: Client | None = None
    ) -> None:
        """Send an event to the members of a room, or to all but one."""
        self.before += self._rooms.emit(room, scope, event, args, exclude)

    def _delete(self, room: RoomKey, scope: str) -> None:
        members = self._rooms.members(room)
        self.before += self._rooms.delete(room, scope)
        self._undo += [partial(self._rooms.join, member, room, scope) for member in members]

    def roll_back(self) -> None:
        """Restore the members of all rooms. The state in memory has to be discarded as well."""
        while self._undo:
            self._undo.pop()()

    def collect_changes(self) -> list[Change]:
        """Return what is to be written, and add the events that follow from it.

        Raises:
            things_errors.ForbiddenError: the code changed something that the user may not change. This is
                known only after the code has run: the state in memory has to be discarded.
        """
        changes, self.state.changes = self.state.changes, []
        self.before += [Delivery(self.client, _warning(text)) for text in self.logs]
        for entry in self._used.values():
            journal = entry.collection.take_journal()
            if self.scope is not None and (journal.rows or journal.procedures):
                self.require(Privilege.CHANGE)
            for emit in journal.emits:
                self.emit((entry.number, emit.room), entry.scope, emit.event, emit.args)
            for id in sorted(journal.deleted_rooms):
                self._delete((entry.number, id), entry.scope)
            changes += entry.changes(self.state.account, journal)
        return changes


def _warning(text: str) -> bytes:
    return package(Kind.WARNING, EVENT_ID, pack({"warn_code": _LOG_WARNING, "warn_msg": text}))
