"""When two equal reads may share a request, and how each of them gets a result of its own."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..calls.future import Outcome

__all__ = ["Shared", "Writes", "duplicate"]

REMEMBERED = 10_000


class Writes:
    """What was written when, by the count of writes: a read that began before a write answers none that was
    made after it.

    A place is a service's path; what is written there is one key's value, or any of them.
    """

    def __init__(self) -> None:
        self.count = 0
        self._everywhere = 0
        self._whole: dict[str, int] = {}
        self._within: dict[str, int] = {}
        self._keys: dict[tuple[str, Any], int] = {}

    def note(self, place: str | None = None, key: Any = None) -> None:
        """A write begins, or has ended: to one key, to a whole place, or to who knows what."""
        self.count = count = self.count + 1
        if place is None:
            self._everywhere = count
        elif key is None:
            self._within[place] = self._whole[place] = count
        elif len(self._keys) < REMEMBERED:
            self._within[place] = self._keys[place, key] = count
        else:
            self._everywhere = count
            self._whole, self._within, self._keys = {}, {}, {}

    def touched_since(self, count: int, place: str, key: Any) -> bool:
        """Whether something that a read asks for (one key, or None for all of the place) was written after
        that count."""
        if self.count == count:
            return False
        if key is None:
            last = self._within.get(place, 0)
        else:
            last = max(self._whole.get(place, 0), self._keys.get((place, key), 0))
        return max(last, self._everywhere) > count


class Shared:
    """A result that several thunks asked for: a Pending that is done. Each of them settles with a copy; the
    original is kept from all."""

    __slots__ = ("_original",)

    def __init__(self, original: Any) -> None:
        self._original = original

    def settle(self, timeout: float | None = None) -> Outcome:
        return duplicate(self._original), None

    def ready(self) -> bool:
        return True

    def when_done(self, callback: Callable[[], object]) -> bool:
        callback()
        return True

    def hurry(self) -> None: ...

    def abandon(self) -> bool:
        return True


def duplicate(value: Any) -> Any:
    """A copy of what a decoder returned that shares nothing mutable with it."""
    kind = type(value)
    if kind is dict:
        value = value.copy()
        for key, item in value.items():
            if type(item) not in _IMMUTABLE:
                value[key] = duplicate(item)
        return value
    if kind is list:
        return [item if type(item) in _IMMUTABLE else duplicate(item) for item in value]
    return value if kind in _IMMUTABLE else copy.deepcopy(value)


_IMMUTABLE = frozenset((str, int, float, bool, type(None), bytes))
