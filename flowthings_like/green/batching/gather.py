"""Why look-ups of many functions travel together on threads too, where nothing has a turn of its own.

Functions that `call` and `map` run tend to go from one look-up straight to the next. While some of them are
on their way there a batch is held back, one turn of the threads after the other. It leaves as soon as all of
them wait, or a few turns have brought nothing new: what the others do then is something else.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..backends.contract import Backend
    from ..calls.future import Latch, Pending

__all__ = ["Gathering"]

PATIENCE = 3
"""Turns in which nothing happened, after which a batch leaves."""


class Gathering:
    """The functions of one lazy object that may be about to make a call. Changed under the coalescer's lock,
    or by one step."""

    def __init__(self, backend: Backend, lock: Any) -> None:
        self._backend = backend
        self._lock = lock
        self._under_way: set[object] = set()
        self._moves = 0  # only for comparing: a move that is not counted is not missed
        self._functions: dict[int, object] = {}  # by the thread that runs it
        self._waiting: dict[Latch, object] = {}

    def expect(self, start: Callable[[object], Pending]) -> Pending:
        """Start a function, which is on its way to its first look-up until it waits or ends. `start` gets
        what `running` is to be called with."""
        function = object()
        self._under_way.add(function)
        try:
            pending = start(function)
            pending.when_done(partial(self._ended, function))
        except BaseException:
            self._under_way.discard(function)
            raise
        self._moves += 1
        return pending

    def _ended(self, function: object) -> None:
        self._moves += 1
        self._under_way.discard(function)

    @contextmanager
    def running(self, function: object) -> Iterator[None]:
        """It runs in this thread, a worker's."""
        ident = threading.get_ident()
        outer = self._functions.get(ident)  # that one lent its place to this one
        self._functions[ident] = function
        try:
            yield
        finally:
            self._under_way.discard(function)
            if outer is None:
                del self._functions[ident]
            else:
                self._functions[ident] = outer

    def waits(self, latch: Latch) -> None:
        """This thread is about to wait; called under the lock."""
        function = self._functions.get(threading.get_ident())
        if function is not None:
            self._moves += 1
            self._under_way.discard(function)
            self._waiting[latch] = function

    def goes_on(self, *latches: Latch) -> None:
        """Who waits there is woken, or was interrupted; called under the lock."""
        for latch in latches:
            function = self._waiting.pop(latch, None)
            if function is not None:
                self._moves += 1
                self._under_way.add(function)

    def settle_down(self) -> None:
        """Wait, in a dispatcher, until it is time to leave."""
        silent = 0
        while self._under_way and silent < PATIENCE:
            before = self._moves
            self._backend.give_way()
            silent = silent + 1 if self._moves == before else 0
