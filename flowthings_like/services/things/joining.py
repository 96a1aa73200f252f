"""The requests JOIN and LEAVE, for one room, or for all rooms after a reconnect."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from ...errors import InvalidResponse
from ...wire.things import errors as things_errors
from ...wire.things.packages import Kind, Package
from ...wire.things.values import pack
from .answers import value_of
from .membership import ByScope, Membership, RoomEvent, collection_scope

if TYPE_CHECKING:
    from ...transport.things.connection import PacketConnection

__all__ = ["Ask", "Rejoin", "ask_out", "ask_over", "in_its_scope", "room_ids", "wait_heard"]

T = TypeVar("T")

Ask: TypeAlias = "Callable[[int, Any, float], tuple[PacketConnection, Any]]"
"""Makes a request, `(kind, content, deadline)`: the connection that answered it, and the answer."""

_log = logging.getLogger("flowthings_like")

LEAVE_TIMEOUT = 10.0
"""Seconds for leaving an abandoned room, and for handing out what came before the answer to a LEAVE."""


def ask_over(connection: PacketConnection) -> Ask:
    """A function that makes requests over this connection only."""

    def ask(kind: int, content: Any, deadline: float) -> tuple[PacketConnection, Any]:
        return connection, value_of(connection.call(kind, pack(content), deadline))

    return ask


def ask_out(membership: Membership, ask: Ask, deadline: float) -> bool:
    """Ask for LEAVE, and wait until the events that came before the answer were handed out.

    Returns:
        Whether the node knows the room.
    """
    over, answer = in_its_scope(membership, lambda scope: ask(Kind.LEAVE, [scope, membership.id], deadline))
    wait_heard(over, deadline)
    return room_ids(answer, 1)[0] is not None


def wait_heard(over: PacketConnection, deadline: float) -> None:
    """Wait until the events that have come over a connection so far were handed out."""
    over.wait_heard(min(LEAVE_TIMEOUT, max(0.0, deadline - time.monotonic())))


def in_its_scope(membership: Membership, request: Callable[[str], T]) -> T:
    """Call `request(scope)` with the room's scope, and if the node does not know that, with its former scope.

    Nodes from 1.8.6 to 1.8.8 keep using a renamed collection's former name in events, and only there.
    """
    try:
        return request(membership.scope)
    except things_errors.LookupError:
        if membership.former is None:
            raise
        return request(collection_scope(membership.former))


def room_ids(answer: Any, count: int) -> list[int | None]:
    """Check a node's answer to a JOIN or LEAVE: the id of each room, or None if there is no such room.

    Raises:
        InvalidResponse: it is not a list of `count` members.
    """
    if isinstance(answer, list) and len(answer) == count:
        return answer
    raise InvalidResponse(f"asked for {count} rooms the node answered {answer!r:.80}")


class Rejoin:
    """Rejoins all rooms over a new connection, before the connection is used for anything else.

    Attributes:
        connection: the new connection.
        before: the previous one, which is used meanwhile; None if there is none.
        events: those that have come since then, over any connection.
        wanted: the rooms to join.
        accepted, deleted, forbidden: these rooms by the node's answers; see `take_in`.
    """

    def __init__(
        self, connection: PacketConnection, before: PacketConnection | None, wanted: ByScope
    ) -> None:
        self.connection = connection
        self.before = before
        self.events: list[tuple[PacketConnection, RoomEvent]] = []
        self.wanted = wanted
        self.accepted: list[Membership] = []
        self.deleted: list[Membership] = []
        self.forbidden: list[Membership] = []

    def requests(self) -> list[list[Any]]:
        """The contents of the JOIN requests, one for each scope."""
        return [[scope, *(each.id for each in found)] for scope, found in self.wanted.items()]

    def take_in(self, answers: Sequence[Package], deadline: float) -> None:
        """Sort the rooms by the node's answers. `Rooms.finish_rejoin` notifies them."""
        for found, answer in zip(self.wanted.values(), answers, strict=True):
            try:
                ids = room_ids(self._value(found, answer, deadline), len(found))
            except things_errors.ForbiddenError as error:
                _log.error("all rooms in %s are left: %s", found[0].scope, error)
                self.forbidden += found
            else:
                for membership, id in zip(found, ids, strict=True):
                    (self.deleted if id is None else self.accepted).append(membership)

    def _value(self, found: list[Membership], answer: Package, deadline: float) -> Any:
        def value(scope: str) -> Any:
            if scope == found[0].scope:
                return value_of(answer)
            ids = [membership.id for membership in found]
            return ask_over(self.connection)(Kind.JOIN, [scope, *ids], deadline)[1]

        try:
            return in_its_scope(found[0], value)
        except things_errors.LookupError:  # there is no such collection
            return [None] * len(found)
