"""Keeps a forked child from using its parent's connections, threads and locks.

A child has copies of its parent's sockets and, under gevent and eventlet, of the green threads that read from
them: parent and child would read parts of one stream. It has none of the parent's OS threads, and locks that
they held stay locked.

So each object that holds one of these compares the process id when it is used. Only this is sure: a server
that forks in C, such as uWSGI, runs no hook of Python's. The hook, where it runs, lets go of sockets at once.
"""

from __future__ import annotations

import _socket
import os
from contextlib import suppress
from typing import Any, Protocol

from ..errors import ConnectionFailed
from ..green.backends.children import call_in_children
from ..green.backends.choice import detect
from ..green.findings import Finding, note

__all__ = ["Inherited", "LockOfProcess", "cut_off", "forget_in_child", "forked_call", "session_after_fork"]


class Inherited(Protocol):
    """Something that a forked child must forget."""

    def forget(self) -> None:
        """In the child, let go of the parent's: send nothing to the other end, and wait for nothing."""


class LockOfProcess:
    """A lock for each process. A child's is free, also if the parent's was held during the fork.

    Write `with lock.here: …`, which uses the lock itself. A signal could interrupt an `__enter__` written in
    Python just when it has locked it, and nothing would unlock it.
    """

    def __init__(self) -> None:
        self._locks: dict[int, Any] = {}

    @property
    def here(self) -> Any:
        """This process's lock."""
        pid = os.getpid()
        lock = self._locks.get(pid)
        return self._locks.setdefault(pid, detect().lock()) if lock is None else lock


def forget_in_child(thing: Inherited) -> None:
    """Have `thing.forget()` called in each child that this process forks, for as long as `thing` lives."""
    call_in_children(thing.forget)


def cut_off(descriptor: int) -> None:
    """Replace a parent's connection, under its descriptor, by one that is at its end.

    A copied green thread that waits for it wakes up and reads the end, and not what is sent to the parent.
    The descriptor stays in use, so its number cannot become another file's while something still uses it.
    """
    if descriptor < 0:
        return
    with suppress(OSError):
        # Not `socket.socketpair`, which may be green: hubs cannot be used this early in a child.
        here, there = _socket.socketpair()
        there.close()
        try:
            os.dup2(here.fileno(), descriptor)
        finally:
            here.close()


def forked_call(what: str, process: int) -> ConnectionFailed:
    """The error for a call that a fork has copied into the child: its answer is for the parent."""
    failed = ConnectionFailed(
        f"{what}: process {process} made this call and forked while it was under way; "
        "the answer is for that process, not for this child. Make the call again here"
    )
    failed.retryable = False
    return failed


def session_after_fork() -> Finding:
    """Record G11: the caller's session was used, and is used again in a forked child. Returns the finding."""
    finding = Finding(
        "G11",
        "error",
        "this process was forked after the session it was given had been used",
        "parent and child write to the same sockets and read each other's answers",
        "make the API, or its session, after the fork; without `session=` a child gets its own",
    )
    note(finding)
    return finding
