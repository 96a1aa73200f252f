"""How OS threads wait for each other, so that no signal leaves a thread waiting for ever.

A signal handler runs in the main thread, between any two bytecodes, and may raise there. The `Condition`,
`Event` and `Queue` of the standard library are written in Python: an exception inside their methods can leave
their lock held. What is here rests on one fact about CPython, which tests/green/test_signals.py holds: a call
into C is made as a whole or not at all, and so is `with lock:` of a lock that is written in C, as long as no
loop stands in the block: since CPython 3.12 the end of a loop may be where no handler applies. `finally`
and `except BaseException` are passed by in the same way: a loop that they belong to has its own function.
Hence

- whatever the main thread changes for others it changes by one call into C (append, add, put, release), and
  an exception before or after that call leaves a state that is good;
- nobody has to take something out of a shared place for others to go on: what was taken would be lost.
"""

from __future__ import annotations

import _thread
import queue
import threading
from collections import deque
from itertools import repeat
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Event", "seconds", "start_thread"]


def seconds(timeout: float | None) -> float | None:
    """A time-out as the standard library takes it: not negative, and not beyond what it can count."""
    return None if timeout is None else min(max(timeout, 0.0), threading.TIMEOUT_MAX)


class Event:
    """Like `threading.Event`."""

    __slots__ = ("_is_set", "_waiters")

    def __init__(self) -> None:
        self._is_set = False
        self._waiters: set[queue.SimpleQueue[None]] = set()

    def is_set(self) -> bool:
        """Whether it is set."""
        return self._is_set

    def set(self) -> None:
        """Let all go on that wait, and those that come not wait at all."""
        wake: Any = map(queue.SimpleQueue.put, self._waiters, repeat(None))
        self._is_set = True
        deque(wake, maxlen=0)  # one call, so it wakes all of them or, before it, none; it may be made again

    def clear(self) -> None:
        """Have those that come wait again."""
        self._is_set = False

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is set; False if that takes longer than `timeout` seconds."""
        if self._is_set:
            return True
        waiter: queue.SimpleQueue[None] = queue.SimpleQueue()
        try:
            self._waiters.add(waiter)
            if not self._is_set:  # asked once the waiter is there to be woken
                waiter.get(timeout=seconds(timeout))
        except queue.Empty:
            return self._is_set
        finally:
            self._waiters.discard(waiter)
        return True


def start_thread(function: Callable[[], object], name: str) -> None:
    """Run a function in a daemon thread.

    `Thread.start` waits for an Event of the standard library, so it is called in another thread, where no
    signal handler runs.

    Raises:
        RuntimeError: no thread can be started.
    """

    def start() -> None:
        try:
            threading.Thread(target=function, name=name, daemon=True).start()
        except RuntimeError:  # there was no room for a second one
            function()

    _thread.start_new_thread(start, ())
