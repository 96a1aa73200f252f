"""One object for each OS thread of a patched process, which is gone when the thread has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["PerThread", "ThreadIdentity"]

T = TypeVar("T")


class ThreadIdentity:
    """Identifies an OS thread, and the hub in it. It can be weakly referred to."""

    __slots__ = ("__weakref__",)


class PerThread(Generic[T]):
    """The objects of all OS threads, for one green library.

    Args:
        local: an unpatched `threading.local`: a patched one has values for each green thread.
        make: makes the object of the calling OS thread.
    """

    def __init__(self, local: Any, make: Callable[[], T]) -> None:
        self._local = local
        self._make = make

    def get(self) -> T:
        """The object of the calling OS thread."""
        try:
            found: T = self._local.found
        except AttributeError:
            found = self._local.found = self._make()
        return found

    def replace(self) -> T:
        """Make a new object for the calling OS thread."""
        made: T = self._make()
        self._local.found = made
        return made
