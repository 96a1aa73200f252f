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

__all__ = ["Rejoining"]

_log = logging.getLogger("flowthings_like")


class Rejoining:
    """Rooms that a new connection joins anew: made by `Rooms.begin`, then `finish` or `give_up` is called."""

    def __init__(
        self,
        rooms: Rooms,
        over: PacketConnection,
        before: PacketConnection | None,
        by_scope: dict[str, list[Membership]],
    ) -> None:
        self._rooms = rooms
        self._over = over
        self._before = before
        self._by_scope = by_scope

    def contents(self) -> list[list[Any]]:
        """What is to be sent as JOIN: one for each scope."""
        return [[scope, *(membership.id for membership in found)] for scope, found in self._by_scope.items()]

    def finish(self, answers: Sequence[Package], ask: Callable[[Any], Any]) -> None:
        """Take in what these were answered.

        Args:
            ask: makes a further JOIN over the new connection, with what it says.
        """
        for (scope, found), answer in zip(self._by_scope.items(), answers, strict=True):
            try:
                ids = room_ids(self._answer(scope, found, answer, ask), len(found))
            except things_errors.ForbiddenError as error:
                _log.error("all rooms in %s are left: %s", scope, error)
                self._rooms.take_out(found, Moment.LEFT)
                continue
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
        """The new connection came to nothing: the one before it, if it is still there, counts again."""
        self._rooms.hear_from(self._before)
