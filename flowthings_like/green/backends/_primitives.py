"""An event and the start of a thread, for OS threads, that a signal's exception cannot leave in a bad state.

A signal handler runs in the main thread, between any two bytecodes, and may raise there. The `Condition`,
`Event` and `Queue` of the standard library are written in Python: an exception inside their methods can leave
their lock held. This module relies on one fact about CPython, which tests/green/test_signals.py tests: a call
into C is made as a whole or not at all, and so is `with lock:` of a lock that is written in C, if there is no
loop in the block. Since CPython 3.12 an exception at the end of a loop may not reach the block's handlers. It
can also bypass `finally` and `except BaseException`, so a loop that needs them has a function of its own.
Hence

- whatever the main thread changes for others it changes by one call into C (append, add, put, release), and
  an exception before or after that call leaves a valid state;
- no thread has to take something out of a shared place for others to go on: an exception could lose it.
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
        """Wake all that wait, and let later waits return at once."""
        wake: Any = map(queue.SimpleQueue.put, self._waiters, repeat(None))
        self._is_set = True
        deque(wake, maxlen=0)  # one call into C, so it wakes all or none; `set` may be called again

    def clear(self) -> None:
        """Let later calls of `wait` wait again."""
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

    `Thread.start` waits for an Event of the standard library. So it is called in another thread, in which no
    signal handler runs.

    Raises:
        RuntimeError: no thread can be started.
    """

    def start() -> None:
        try:
            threading.Thread(target=function, name=name, daemon=True).start()
        except RuntimeError:  # no second thread can be started
            function()

    _thread.start_new_thread(start, ())
