"""What a forked child must not use: its parent's connections, threads and locks.

A child has copies of its parent's sockets and, under gevent and eventlet, of the green threads that read from
them: left alone they would take turns with the parent in reading one stream. It has none of the parent's
threads, and locks that they held stay locked.

So whatever holds one of these compares the process id when it is used. That is what counts: a server that
forks in C, such as uWSGI, runs no hook of Python's. Where one is run, sockets are let go of at once.
"""

from __future__ import annotations

import _socket
import os
from contextlib import suppress
from typing import Any, Protocol
from weakref import WeakSet

from ..errors import ConnectionFailed
from ..green.backends.contract import detect

__all__ = ["Inherited", "LockOfProcess", "cut_off", "forget_in_child", "forked_call"]


class Inherited(Protocol):
    """Something that a forked child must forget."""

    def forget(self) -> None:
        """Let go, in the child, of what is the parent's: without a word to the other end, without waiting."""


class LockOfProcess:
    """A lock for each process: a child finds its own free, whoever held it in the parent.

    `with lock.here: …` hands out the lock itself: an `__enter__` of Python's could be interrupted by a signal
    when it has just locked it, and nobody would unlock it.
    """

    def __init__(self) -> None:
        self._locks: dict[int, Any] = {}

    @property
    def here(self) -> Any:
        """This process's lock."""
        pid = os.getpid()
        lock = self._locks.get(pid)
        return self._locks.setdefault(pid, detect().lock()) if lock is None else lock


_living: WeakSet[Inherited] = WeakSet()
_watching: list[bool] = []


def forget_in_child(thing: Inherited) -> None:
    """Have `thing.forget()` called in each child that this process forks, for as long as `thing` lives."""
    if not _watching:
        _watching.append(True)
        os.register_at_fork(after_in_child=_forget)
    _living.add(thing)


def cut_off(descriptor: int) -> None:
    """Put a connection that is at its end in the place of one of the parent's.

    A copied green thread that waits for it wakes up and reads the end, not what the parent is sent. The
    descriptor stays taken, so that whatever still knows its number meets nothing else.
    """
    if descriptor < 0:
        return
    with suppress(OSError):
        # Not Python's own socket, which may be a green one: hubs are not to be used this early in a child.
        here, there = _socket.socketpair()
        there.close()
        try:
            os.dup2(here.fileno(), descriptor)
        finally:
            here.close()


def forked_call(what: str, process: int) -> ConnectionFailed:
    """What a copy of a call raises that a fork has made: the answer is the parent's."""
    failed = ConnectionFailed(
        f"{what}: process {process} made this call and forked while it was under way; "
        "the answer is for that process, not for this child. Make the call again here"
    )
    failed.retryable = False
    return failed


def _forget() -> None:
    for thing in list(_living):
        thing.forget()
    _living.clear()
