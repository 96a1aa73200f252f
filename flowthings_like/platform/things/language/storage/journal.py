"""The journal: what changed in a collection and is to be saved and sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from .rows import Row

__all__ = ["Emit", "Journal"]


class Emit(NamedTuple):
    """One event sent from code. `args` are plain."""

    room: int
    event: str
    args: list[Any]


class Journal(NamedTuple):
    """What changed since the last one was taken.

    Attributes:
        rows: things and rooms as they now are, to be written over the older ones of the same id.
        deleted: ids that nothing refers to any more, to be deleted.
        deleted_rooms: those of them that were rooms: whoever joined them is to be told.
        procedures: source by name; None for one that is deleted.
        emits: in the order in which they were sent.
        next_id: the id that the next thing or room will get.
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
