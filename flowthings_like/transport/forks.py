"""What a forked child must not use: connections whose other half is its parent's.

A child has copies of its parent's sockets and, under gevent and eventlet, of the green threads that read from
them: left alone they would take turns with the parent in reading one stream.
"""

from __future__ import annotations

import os
from typing import Protocol
from weakref import WeakSet

__all__ = ["Inherited", "forget_in_child"]


class Inherited(Protocol):
    """Something that a forked child must forget."""

    def forget(self) -> None:
        """Let go, in the child, of what is the parent's: without a word to the other end, without waiting."""


_living: WeakSet[Inherited] = WeakSet()
_watching: list[bool] = []


def forget_in_child(thing: Inherited) -> None:
    """Have `thing.forget()` called in each child that this process forks, for as long as `thing` lives."""
    if not _watching:
        _watching.append(True)
        os.register_at_fork(after_in_child=_forget)
    _living.add(thing)


def _forget() -> None:
    for thing in list(_living):
        thing.forget()
    _living.clear()
