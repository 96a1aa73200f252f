"""Delays a batch on the thread backend while functions started by `call` and `map` are still issuing calls.

Such functions tend to go from one look-up straight to the next. While some of them are on their way there a
batch is held back, one turn of the threads after the other. It leaves as soon as all of them wait, or a few
turns have brought nothing new: what the others do then is something else. Where threads run in turns, as
under gevent and eventlet, nothing needs to be delayed.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..backends.contract import Backend
    from ..future import OneShotEvent


class Started(Protocol):
    """A function that runs in a thread."""

    def when_done(self, callback: Callable[[], object]) -> object:
        """Have `callback` called once it has ended, maybe at once."""


S = TypeVar("S", bound=Started)

__all__ = ["Gathering"]

PATIENCE = 3
"""Turns in which nothing happened, after which a batch leaves."""


class Gathering:
    """The functions of one lazy object that may be about to make a call. Each change is one step, which no
    signal divides."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._under_way: set[object] = set()
        self._moves = 0  # only for comparing: a move that is not counted is not missed
        self._functions: dict[int, object] = {}  # by the thread that runs it
        self._waiting: dict[_Event, object] = {}

    def start(self, start: Callable[[object], S]) -> S:
        """Start a function, which is on its way to its first look-up until it waits or ends. `start` gets
        what `running` is to be called with."""
        function = object()
        self._under_way.add(function)
        try:
            started = start(function)
            started.when_done(partial(self._ended, function))
        except BaseException:
            self._under_way.discard(function)
            raise
        self._moves += 1
        return started

    def _ended(self, function: object) -> None:
        self._moves += 1
        self._under_way.discard(function)

    @contextmanager
    def running(self, function: object) -> Iterator[None]:
        """The function runs in this thread, a worker's."""
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

    def event(self) -> OneShotEvent:
        """What a thread waits for that needs a result."""
        return _Event(self, self._backend.one_shot_event())

    def waits(self, event: _Event) -> None:
        """This thread is about to wait."""
        function = self._functions.get(threading.get_ident())
        if function is not None:
            self._moves += 1
            self._under_way.discard(function)
            self._waiting[event] = function

    def goes_on(self, event: _Event) -> None:
        """The thread that waits there is woken, or was interrupted."""
        function = self._waiting.pop(event, None)
        if function is not None:
            self._moves += 1
            self._under_way.add(function)

    def settle_down(self) -> None:
        """Wait, in a dispatcher, until it is time to leave."""
        silent = 0
        while self._under_way and silent < PATIENCE:
            before = self._moves
            self._backend.yield_to_others()
            silent = silent + 1 if self._moves == before else 0


class _Event:
    """A one-shot event that says who waits for it."""

    __slots__ = ("_event", "_gathering")

    def __init__(self, gathering: Gathering, event: OneShotEvent) -> None:
        self._gathering = gathering
        self._event = event

    def set(self) -> None:
        """Let the one that waits go on; from here on it may be about to make a call."""
        self._gathering.goes_on(self)
        self._event.set()

    def set_and_switch(self) -> bool:
        """The same: which thread runs next the system decides."""
        self.set()
        return False

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is set; False if that takes longer than `timeout` seconds."""
        self._gathering.waits(self)
        try:
            return self._event.wait(timeout)
        finally:
            self._gathering.goes_on(self)
