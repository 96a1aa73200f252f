"""Ending: a connection that is being closed in another thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

__all__ = ["Ending"]


class Ending(Protocol):
    """The end of a connection, which goes on in another thread."""

    def when_done(self, callback: Callable[[], object]) -> object:
        """Have `callback()` called when the connection is closed, in the OS thread that asked for it."""
