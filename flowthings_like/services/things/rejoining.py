"""Rooms that are joined anew, over a new connection."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from ...wire.things import errors as things_errors
from .answers import value_of
from .membership import Membership, Moment, collection_scope, room_ids

if TYPE_CHECKING:
    from ...transport.things.connection import PacketConnection
    from ...wire.things.packages import Package
    from .rooms import Rooms

__all__ = ["Event", "Rejoining"]

_log = logging.getLogger("flowthings_like")

Event = tuple["str | None", int, "str | Moment", Any]
"""What is heard of a room: its scope, its id, what happens, and the arguments."""


class Rejoining:
    """Rooms that a new connection joins anew: made by `Rooms.begin`, then `finish` or `give_up` is called.

    Attributes:
        before: the connection that is still used meanwhile, None if there is none.
        meanwhile: what came over it since.
    """

    def __init__(
        self,
        rooms: Rooms,
        over: PacketConnection,
        before: PacketConnection | None,
        by_scope: dict[str, list[Membership]],
    ) -> None:
        self._rooms = rooms
        self._over = over
        self.before = before
        self.meanwhile: list[Event] = []
        self._by_scope = by_scope

    def contents(self) -> list[list[Any]]:
        """What is to be sent as JOIN: one for each scope."""
        return [[scope, *(membership.id for membership in found)] for scope, found in self._by_scope.items()]

    def finish(self, answers: Sequence[Package], ask: Callable[[Any], Any]) -> None:
        """Take in what these were answered.

        Args:
            ask: makes a further JOIN over the new connection, with what it says.
        """
        # What can fail comes first: rooms are told once it is certain that the connection is the next one.
        outcomes = [
            (found, self._ids(scope, found, answer, ask))
            for (scope, found), answer in zip(self._by_scope.items(), answers, strict=True)
        ]
        for found, ids in outcomes:
            self._settle(found, ids)

    def _ids(
        self, scope: str, found: list[Membership], answer: Package, ask: Callable[[Any], Any]
    ) -> list[int | None] | None:
        """The ids of the rooms that are joined; None if that was forbidden for all of them."""
        try:
            return room_ids(self._answer(scope, found, answer, ask), len(found))
        except things_errors.ForbiddenError as error:
            _log.error("all rooms in %s are left: %s", scope, error)
            return None

    def _settle(self, found: list[Membership], ids: list[int | None] | None) -> None:
        if ids is None:
            self._rooms.take_out(found, Moment.LEFT)
            return
        gone = [membership for membership, id in zip(found, ids, strict=True) if id is None]
        self._rooms.take_out(gone, Moment.DELETED)
        self._rooms.settle([each for each in found if each not in gone], self._over)

    def _answer(self, scope: str, found: list[Membership], answer: Package, ask: Callable[[Any], Any]) -> Any:
        try:
            return value_of(answer)
        except things_errors.LookupError:  # there is no such collection
            former = found[0].former
            if former is None:
                return [None] * len(found)
        try:
            return ask([collection_scope(former), *(membership.id for membership in found)])
        except things_errors.LookupError:
            return [None] * len(found)

    def give_up(self) -> None:
        """The new connection came to nothing."""
        self._rooms.go_back(self)
