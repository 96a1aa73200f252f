"""Waits in a native thread."""

from __future__ import annotations

import _queue
import queue
from contextlib import suppress

__all__ = ["pause"]


def pause(seconds: float) -> None:
    """Block this OS thread, without the green libraries: they would make a hub for it."""
    with suppress(queue.Empty):
        _queue.SimpleQueue().get(True, seconds)
