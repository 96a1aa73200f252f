"""Which clients are in which room, and the events that they get.

A room's key is the number of its collection and its own id: ids repeat from collection to collection, and the
names of collections change. Events are sent in the order in which things happened. The events that a client's
own request causes come before or after its answer, as in ThingsDB:

    join     the answer, then JOIN; joining again sends nothing
    leave    LEAVE, then the answer
    emit     the event to every member, the sender's own connection among them, then the answer
    delete   DELETE to every member, which is removed from the room
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...wire.things.packages import EVENT_ID, Kind, package
from ...wire.things.values import pack
from .interfaces import Client, Delivery

if TYPE_CHECKING:
    from collections.abc import Sequence


__all__ = ["RoomKey", "Rooms"]

RoomKey = tuple[int, int]
"""(number of the collection, id of the room)."""


class Rooms:
    """The members of the rooms of one database. The database's lock must be held."""

    def __init__(self) -> None:
        self._members: dict[RoomKey, dict[Client, None]] = {}
        self._rooms: dict[Client, set[RoomKey]] = {}

    def join(self, client: Client, room: RoomKey, scope: str) -> list[Delivery]:
        """Add the client to the room. Returns what to send after the answer."""
        if client.is_closed or client in self._members.get(room, ()):
            return []
        members = self._members.setdefault(room, {})
        members[client] = None
        self._rooms.setdefault(client, set()).add(room)
        return [Delivery(client, _event(Kind.ROOM_JOIN, scope, room))]

    def leave(self, client: Client, room: RoomKey, scope: str) -> list[Delivery]:
        """Remove the client from the room. Returns what to send before the answer."""
        if client not in self._members.get(room, ()):
            return []
        self._remove(client, room)
        return [Delivery(client, _event(Kind.ROOM_LEAVE, scope, room))]

    def emit(
        self, room: RoomKey, scope: str, event: str, args: Sequence[Any], exclude: Client | None = None
    ) -> list[Delivery]:
        """Return an event for every member, or for every one but `exclude`."""
        members = self._members.get(room)
        if not members:
            return []
        event_package = _event(Kind.ROOM_EMIT, scope, room, event=event, args=list(args))
        return [Delivery(member, event_package) for member in members if member is not exclude]

    def delete(self, room: RoomKey, scope: str) -> list[Delivery]:
        """Remove all members of a room that is deleted. Returns what to send to them."""
        members = list(self._members.get(room, ()))
        event_package = _event(Kind.ROOM_DELETE, scope, room)
        for member in members:
            self._remove(member, room)
        return [Delivery(member, event_package) for member in members]

    def disconnect(self, client: Client) -> None:
        """Remove a client whose connection has ended from all rooms. Nothing is sent."""
        for room in list(self._rooms.get(client, ())):
            self._remove(client, room)

    def members(self, room: RoomKey) -> list[Client]:
        """Return the members of the room, in the order in which they joined."""
        return list(self._members.get(room, ()))

    def _remove(self, client: Client, room: RoomKey) -> None:
        members, rooms = self._members[room], self._rooms[client]
        del members[client]
        rooms.discard(room)
        if not members:
            del self._members[room]
        if not rooms:
            del self._rooms[client]


def _event(kind: Kind, scope: str, room: RoomKey, **more: Any) -> bytes:
    return package(kind, EVENT_ID, pack({"scope": scope, "id": room[1], **more}))
