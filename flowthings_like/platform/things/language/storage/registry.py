"""Things or rooms by id, held by weak references."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ..values.types import Room, Thing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Registry"]

Stored = TypeVar("Stored", Thing, Room)


class _Reference(weakref.ref[Any]):
    """A weak reference that knows the id of its value, even after the value is gone."""

    __slots__ = ("id",)
    id: int

    @classmethod
    def to(cls, value: Thing | Room, id: int, gone: Callable[[weakref.ref[Any]], None]) -> _Reference:
        """Return a reference that calls `gone` with itself when the value is gone."""
        reference: _Reference = cls(value, gone)
        reference.id = id
        return reference


class Registry(Generic[Stored]):
    """Things or rooms by id, not kept alive by it. `gone` is called with the id of one that is gone."""

    def __init__(self, gone: Callable[[int], None]) -> None:
        self._references: dict[int, _Reference] = {}
        references = self._references

        def forget(reference: weakref.ref[Any]) -> None:
            assert isinstance(reference, _Reference)
            if references.get(reference.id) is reference:
                del references[reference.id]
                gone(reference.id)

        self._forget = forget

    def add(self, value: Stored) -> None:
        """Add a value, which has an id."""
        assert value.id is not None
        self._references[value.id] = _Reference.to(value, value.id, self._forget)

    def get(self, id: int) -> Stored | None:
        """Return the value with this id, None if there is none."""
        reference = self._references.get(id)
        return None if reference is None else reference()

    def __contains__(self, id: object) -> bool:
        return id in self._references

    def __len__(self) -> int:
        return len(self._references)

    def __iter__(self) -> Iterator[Stored]:
        for reference in list(self._references.values()):
            value = reference()
            if value is not None:
                yield value
