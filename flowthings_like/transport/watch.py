"""Watch: one thread for each event loop that looks at things again and again, as long as there are some."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from contextlib import suppress
from contextvars import Context
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from weakref import WeakKeyDictionary

from .background_threads import OneThread

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..green.backends.contract import Backend

__all__ = ["Watch", "Watches"]

T = TypeVar("T")


class Watch(ABC, Generic[T]):
    """Looks at things, in a thread that runs while there are some.

    It belongs to one process, and to one hub under gevent and eventlet. `Watches` finds it.

    Attributes:
        interval: seconds between two looks.
        linger: looks without anything to look at after which the thread ends.
    """

    interval = 0.25
    linger = 40

    def __init__(self, backend: Backend) -> None:
        self.pid = os.getpid()
        self._backend = backend
        self._watched: dict[T, None] = {}
        self._thread = OneThread(self._run)

    @abstractmethod
    def _look(self, thing: T) -> None:
        """Do what is due. It must not wait."""

    def _pause(self) -> float:
        """Seconds until the next look."""
        return self.interval

    def add(self, thing: T) -> None:
        """Look at a thing from now on."""
        self._watched[thing] = None
        # In an empty context: the thread must not keep the context of the first caller alive.
        Context().run(self._thread.start)

    def discard(self, thing: T) -> None:
        """Look at a thing no more."""
        self._watched.pop(thing, None)

    def _run(self) -> None:
        try:
            self._look_until_idle()
        finally:  # also if this thread is killed: the next `add` starts another one
            self._thread = OneThread(self._run)
        # A thing that was added since the last look has started that thread, or did not know of it.
        if self._watched:
            self._thread.start()

    def _look_until_idle(self) -> None:
        idle = 0
        while idle < self.linger:
            self._backend.sleep(self._pause())
            idle = 0 if self._watched else idle + 1
            for thing in list(self._watched):
                # Whatever is wrong with one thing, the others are looked at.
                with suppress(Exception):
                    self._look(thing)


W = TypeVar("W", bound="Watch[Any]")


class Watches(Generic[W]):
    """The watches of one purpose: each process and hub has its own.

    Args:
        make: makes one.
    """

    def __init__(self, make: Callable[[Backend], W]) -> None:
        self._make = make
        self._watches: WeakKeyDictionary[object, W] = WeakKeyDictionary()

    def here(self, backend: Backend) -> W:
        """The watch of this process and hub."""
        owner = backend.socket_owner()
        watch = self._watches.get(owner)
        if watch is None or watch.pid != os.getpid():
            self._watches[owner] = watch = self._make(backend)
        return watch
