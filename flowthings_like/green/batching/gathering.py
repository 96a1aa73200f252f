"""Delays a batch on the thread backend while functions started by `call` and `map` are still issuing calls.

Such functions tend to make one call after the other. While some of them run, a dispatcher thread yields again
and again before it takes a batch, so that their calls are sent together. It goes on as soon as all of them
wait for results, or when nothing has happened for a few turns. Under gevent and eventlet threads are
cooperative, so nothing needs to be delayed.
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

QUIET_TURNS = 3
"""Turns without an event after which a batch is sent."""


class Gathering:
    """The functions of one lazy object that run and may make a call soon. Each change is one step, which no
    signal can interrupt."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._running: set[object] = set()
        self._events = 0  # only compared: an event that is not counted does no harm
        self._functions: dict[int, object] = {}  # by the thread that runs it
        self._waiting: dict[_Event, object] = {}

    def start(self, start: Callable[[object], S]) -> S:
        """Call `start`, which starts a thread; it runs until it waits for a result or ends. `start` gets what
        `running` is to be called with."""
        function = object()
        self._running.add(function)
        try:
            started = start(function)
            started.when_done(partial(self._ended, function))
        except BaseException:
            self._running.discard(function)
            raise
        self._events += 1
        return started

    def _ended(self, function: object) -> None:
        self._events += 1
        self._running.discard(function)

    @contextmanager
    def running(self, function: object) -> Iterator[None]:
        """The function runs in this thread, a worker's."""
        ident = threading.get_ident()
        outer = self._functions.get(ident)  # it waits while this thread runs another function
        self._functions[ident] = function
        try:
            yield
        finally:
            self._running.discard(function)
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
            self._events += 1
            self._running.discard(function)
            self._waiting[event] = function

    def goes_on(self, event: _Event) -> None:
        """The thread that waits there is woken, or was interrupted."""
        function = self._waiting.pop(event, None)
        if function is not None:
            self._events += 1
            self._running.add(function)

    def wait_until_quiet(self) -> None:
        """Wait, in a dispatcher thread, until it is time to take a batch."""
        silent = 0
        while self._running and silent < QUIET_TURNS:
            before = self._events
            self._backend.yield_to_others()
            silent = silent + 1 if self._events == before else 0


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
