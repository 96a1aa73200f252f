"""One object for each OS thread of a patched process, which is gone when the thread has ended."""

from __future__ import annotations

from typing import Any

__all__ = ["PerThread", "ThreadIdentity"]


class ThreadIdentity:
    """Identifies an OS thread, and the hub in it. It can be weakly referred to."""

    __slots__ = ("__weakref__",)


class PerThread:
    """The identities of all OS threads, for one green library.

    Args:
        local: an unpatched `threading.local`: a patched one has values for each green thread.
    """

    def __init__(self, local: Any) -> None:
        self._local = local

    def get(self) -> ThreadIdentity:
        """The identity of the calling OS thread."""
        try:
            found: ThreadIdentity = self._local.identity
        except AttributeError:
            found = self._local.identity = ThreadIdentity()
        return found
