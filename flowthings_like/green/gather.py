"""Why look-ups of many functions travel together on threads too, where nothing has a turn of its own.

Functions that `call` and `map` run tend to go from one look-up straight to the next. While some of them are
on their way there a batch is held back, one turn of the threads after the other. It leaves as soon as all of
them wait, or a few turns have brought nothing new: what the others do then is something else.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .backend import Backend
    from .outcome import Latch, Pending

__all__ = ["Gathering"]

PATIENCE = 3
"""Turns in which nothing happened, after which a batch leaves."""


class Gathering:
    """The functions of one lazy object that may be about to make a call. Guarded by the coalescer's lock."""

    def __init__(self, backend: Backend, lock: Any) -> None:
        self._backend = backend
        self._lock = lock
        self._under_way = 0
        self._moves = 0
        self._threads: set[int] = set()
        self._waiting: set[Latch] = set()

    def expect(self, function: Pending) -> None:
        """A function was started, and is on its way to its first look-up until it waits or ends."""
        with self._lock:
            self._under_way += 1
        function.when_done(self._ended)

    def _ended(self) -> None:
        with self._lock:
            self._moves += 1
            self._under_way -= 1

    @contextmanager
    def running(self) -> Iterator[None]:
        """One of them runs in this thread."""
        ident = threading.get_ident()
        with self._lock:
            self._moves += 1
            nested = ident in self._threads  # it lent its place to another one
            self._threads.add(ident)
        try:
            yield
        finally:
            with self._lock:
                if not nested:
                    self._threads.discard(ident)

    def waits(self, latch: Latch) -> None:
        """This thread is about to wait; called under the lock."""
        if threading.get_ident() in self._threads:
            self._moves += 1
            self._under_way -= 1
            self._waiting.add(latch)

    def goes_on(self, latch: Latch) -> None:
        """Who waits there is woken, or was interrupted; called under the lock."""
        if latch in self._waiting:
            self._waiting.discard(latch)
            self._moves += 1
            self._under_way += 1

    def settle_down(self) -> None:
        """Wait, in a sender, until it is time to leave."""
        silent = 0
        while self._under_way and silent < PATIENCE:
            before = self._moves
            self._backend.give_way()
            silent = silent + 1 if self._moves == before else 0
