"""The journal of a collection: what changed and is to be saved, and the events to send."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from .rows import Row

__all__ = ["Emit", "Journal"]


class Emit(NamedTuple):
    """An event that code sent to a room. Its arguments are plain data."""

    room: int
    event: str
    args: list[Any]


class Journal(NamedTuple):
    """What changed since the last journal was taken.

    Attributes:
        rows: things and rooms as they are now. They replace older rows of the same id.
        deleted: the ids of things and rooms that nothing refers to any more.
        deleted_rooms: those of them that were rooms, whose members are to be told.
        procedures: source by name; None for a procedure that was deleted.
        emits: the events, in the order in which they were sent.
        next_id: the id that the next thing or room gets.
    """

    rows: list[Row]
    deleted: set[int]
    deleted_rooms: set[int]
    procedures: dict[str, str | None]
    emits: list[Emit]
    next_id: int

    @property
    def changes(self) -> bool:
        """Whether there is anything to save."""
        return bool(self.rows or self.deleted or self.procedures)
