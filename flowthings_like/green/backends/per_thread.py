"""One object for each OS thread of a patched process, gone when the thread is."""

from __future__ import annotations

from typing import Any

__all__ = ["PerThread", "ThreadIdentity"]


class ThreadIdentity:
    """Stands for an OS thread and the hub in it."""

    __slots__ = ("__weakref__",)


class PerThread:
    """The homes of a green library.

    Args:
        local: a thread-local of the interpreter's own kind: one that is patched belongs to a green thread.
    """

    def __init__(self, local: Any) -> None:
        self._local = local

    def get(self) -> ThreadIdentity:
        """The calling OS thread's."""
        try:
            found: ThreadIdentity = self._local.identity
        except AttributeError:
            found = self._local.identity = ThreadIdentity()
        return found
