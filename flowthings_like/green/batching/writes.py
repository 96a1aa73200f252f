"""Remembers what was written when, so that no read shares an answer from before a write."""

from __future__ import annotations

from typing import Any

__all__ = ["Writes"]

REMEMBERED = 10_000
"""Written keys that are told apart."""


class Writes:
    """Counts the writes of one lazy object, by what they are about.

    A place is a service's path; what is written there is one key's value, or any of them.

    Attributes:
        count: how many there were.
    """

    def __init__(self) -> None:
        self.count = 0
        self._everywhere = 0
        self._whole: dict[str, int] = {}
        self._within: dict[str, int] = {}
        self._keys: dict[tuple[str, Any], int] = {}

    def note(self, place: str | None = None, key: Any = None) -> None:
        """Note that a write begins or has ended: to a key, to a place, or, without a place, to anything."""
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
