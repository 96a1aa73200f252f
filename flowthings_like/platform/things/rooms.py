"""Who is in which room, and what its members are told.

A room is known by its collection's number and its own: numbers of rooms repeat from collection to collection,
and names of collections change. Events go out in the order in which things happened; the ones that answer a
request of a member stand before or after that answer, as ThingsDB has them:

    join     the answer, then JOIN; joining again tells nothing
    leave    LEAVE, then the answer
    emit     the event to every member, the sender's own connection among them, then the answer
    delete   DELETE to every member, who is a member no longer
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...wire.things.packages import EVENT_ID, Kind, pack, package
from .contract import Client, Delivery

if TYPE_CHECKING:
    from collections.abc import Sequence


__all__ = ["RoomKey", "Rooms"]

RoomKey = tuple[int, int]
"""(number of the collection, number of the room)."""


class Rooms:
    """The rooms of one database that anybody is in. Used with the database's lock held."""

    def __init__(self) -> None:
        self._members: dict[RoomKey, dict[Client, None]] = {}
        self._rooms: dict[Client, set[RoomKey]] = {}

    def join(self, session: Client, room: RoomKey, scope: str) -> list[Delivery]:
        """Become a member; what is to be sent after the answer."""
        if session.gone or session in self._members.get(room, ()):
            return []
        members = self._members.setdefault(room, {})
        members[session] = None
        self._rooms.setdefault(session, set()).add(room)
        return [Delivery(session, _event(Kind.ROOM_JOIN, scope, room))]

    def leave(self, session: Client, room: RoomKey, scope: str) -> list[Delivery]:
        """Be a member no longer; what is to be sent before the answer."""
        if session not in self._members.get(room, ()):
            return []
        self._forget(session, room)
        return [Delivery(session, _event(Kind.ROOM_LEAVE, scope, room))]

    def emit(
        self, room: RoomKey, scope: str, event: str, args: Sequence[Any], but: Client | None = None
    ) -> list[Delivery]:
        """An event for every member, or every one but the connection `but`."""
        members = self._members.get(room)
        if not members:
            return []
        told = _event(Kind.ROOM_EMIT, scope, room, event=event, args=list(args))
        return [Delivery(member, told) for member in members if member is not but]

    def delete(self, room: RoomKey, scope: str) -> list[Delivery]:
        """The room is no more."""
        members = list(self._members.get(room, ()))
        told = _event(Kind.ROOM_DELETE, scope, room)
        for member in members:
            self._forget(member, room)
        return [Delivery(member, told) for member in members]

    def drop(self, session: Client) -> None:
        """The connection is gone: it is in no room, and nobody is told."""
        for room in list(self._rooms.get(session, ())):
            self._forget(session, room)

    def members(self, room: RoomKey) -> list[Client]:
        """Who is in the room, in the order of their coming."""
        return list(self._members.get(room, ()))

    def _forget(self, session: Client, room: RoomKey) -> None:
        members, rooms = self._members[room], self._rooms[session]
        del members[session]
        rooms.discard(room)
        if not members:
            del self._members[room]
        if not rooms:
            del self._rooms[session]


def _event(kind: Kind, scope: str, room: RoomKey, **more: Any) -> bytes:
    return package(kind, EVENT_ID, pack({"scope": scope, "id": room[1], **more}))
