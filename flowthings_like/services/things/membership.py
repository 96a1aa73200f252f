"""A room of a node's, as those who have joined it here know it."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING, Any

from ...errors import InvalidResponse
from ...green.backends.contract import detect
from ...wire.things import errors as things_errors
from ...wire.things.scopes import Scope

if TYPE_CHECKING:
    from ...transport.things.connection import PacketConnection
    from .room import Room

__all__ = ["Membership", "Moment", "Turn", "collection_scope", "in_its_scope", "room_ids"]


class Moment(Enum):
    """What happens to a room besides its events."""

    JOINED = "on_join"
    LEFT = "on_leave"
    DELETED = "on_delete"
    ENDED = "the end of the client"


class Turn:
    """A place among those who want to join or leave one room, which is one thread's at a time.

    No lock, as a signal could come when one has just been locked, and nobody would unlock it. This place is
    given back by whoever made it, whether or not he ever had it, and twice: see `Rooms`.
    """

    __slots__ = ("latch", "membership")

    def __init__(self) -> None:
        self.latch = detect().latch()
        self.membership: Membership | None = None


class Membership:
    """A room of the node's, and the objects here that have joined it or are about to.

    Attributes:
        collection, id: which room it is.
        former: what the collection was called before, if it was renamed.
        rooms: replaced as a whole, never changed, so that it can be read without the lock.
        over: the connection over which it is joined, or was when that was lost; None if it never was.
        turns: those who want to ask the node to let it in or out; the first of them does.
        held: events of a room that is being joined: (connection, event, arguments).
        stray: the connection over which the node may have let it in, though all have given it up since.
    """

    __slots__ = ("collection", "former", "held", "id", "over", "rooms", "stray", "turns")

    def __init__(self, collection: str, id: int) -> None:
        self.collection = collection
        self.id = id
        self.former: str | None = None
        self.rooms: tuple[Room, ...] = ()
        self.over: PacketConnection | None = None
        self.stray: PacketConnection | None = None
        self.turns: list[Turn] = []
        self.held: list[tuple[PacketConnection, str | Moment, Any]] = []

    @property
    def scope(self) -> str:
        """The collection's scope, in the form that events have it in."""
        return collection_scope(self.collection)

    @property
    def key(self) -> tuple[str, int]:
        """What events say of the room: their scope and its id."""
        return self.scope, self.id


def in_its_scope(membership: Membership, request: Callable[[str], Any]) -> Any:
    """`request(scope)` for the room's scope; where that is not known, for the one that it had before.

    Nodes from 1.8.6 to 1.8.8 go on to use a renamed collection's former name in events, and only there.
    """
    try:
        return request(membership.scope)
    except things_errors.LookupError:
        if membership.former is None:
            raise
        return request(collection_scope(membership.former))


def collection_scope(collection: str) -> str:
    """The scope of a collection, in the form that events have it in."""
    return str(Scope("collection", collection))


def room_ids(answer: Any, count: int) -> list[int | None]:
    """A node's answer to a JOIN or LEAVE of so many rooms: the id of each, None for one that it has not.

    Raises:
        InvalidResponse: it is something else.
    """
    if isinstance(answer, list) and len(answer) == count:
        return answer
    raise InvalidResponse(f"asked for {count} rooms the node answered {answer!r:.80}")
