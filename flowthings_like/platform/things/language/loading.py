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
    """The collection that its rows describe.

    What the root does not refer to is in the first journal as gone. A row that refers to one that is missing
    holds nil there.

    Args:
        name: the collection's.
        saved: things and rooms.
        procedures: source by name.
        next_id: the id that the next thing or room gets, if it is higher than any in the rows.
    """
    closures = {key: stored_closure(source) for key, source in (procedures or {}).items()}
    return Collection.load(name, saved, stored_closure, closures, next_id)
