"""Builds a collection from its stored rows and procedures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .compiler.program import stored_closure
from .storage.collection import Collection

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from .storage.rows import Row

__all__ = ["load_collection"]


def load_collection(
    name: str, saved: Iterable[Row], procedures: Mapping[str, str] | None = None, next_id: int = 0
) -> Collection:
    """Build the collection that the rows describe.

    What the root does not refer to is deleted with the first journal. A reference to a row that is missing
    becomes nil.

    Args:
        name: the name of the collection.
        saved: the rows of its things and rooms.
        procedures: the sources of its procedures, by name.
        next_id: the id of the next thing or room, unless the rows have a higher one.
    """
    closures = {key: stored_closure(source) for key, source in (procedures or {}).items()}
    return Collection.load(name, saved, stored_closure, closures, next_id)
