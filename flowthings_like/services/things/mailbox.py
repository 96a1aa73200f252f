"""A mailbox: letters handled one after the other, in a green thread of its own."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

from ...errors import DeadlineExceeded
from ...green.backends.contract import detect
from ...transport.worker import OneThread

__all__ = ["Mailbox"]

_log = logging.getLogger("flowthings_like")
MOST = 100_000
"""Letters that wait, before further ones are dropped."""

Letter = tuple[Any, tuple[Any, ...]]


class Mailbox:
    """Whoever puts a letter in never waits; whoever handles them delays nobody else.

    When too many letters wait, further ones are dropped until the last of those has been handled. The gap is
    logged, and in it `missed` is handled.

    Args:
        handle: called as `handle(*letter)` for each; it deals with its exceptions itself.
        missed: a letter of its own, for all those that were dropped.
        owner: whose it is, for the log.
        previous: a mailbox of the same owner, whose last letter is handled before the first one here.
    """

    def __init__(
        self, handle: Callable[..., object], missed: Letter, owner: object, previous: Mailbox | None
    ) -> None:
        backend = detect()
        self._thread_of_its_own = OneThread(self._run)
        self._handle = handle
        self._owner = owner
        self._previous = previous
        self._letters: deque[Letter | None] = deque()
        self._wake = backend.event()
        self._asleep = False
        self._missed = missed
        self._full = False
        self._thread: int | None = None
        self._ended = backend.event()

    def put(self, letter: Letter) -> None:
        """Add a letter; it is handled once the mailbox is open."""
        self._put(letter)

    def offer(self, letter: Letter) -> None:
        """Add a letter, unless too many wait already. One thread at a time may do this."""
        if self._full:
            return
        if len(self._letters) >= MOST:
            self._full = True
            letter = self._missed
            _log.warning("%r: %d events wait for its handlers; further ones are dropped", self._owner, MOST)
        self._letters.append(letter)
        if self._asleep:
            self._wake.set()

    def open(self) -> None:
        """Begin to handle letters.

        Raises:
            RuntimeError: there is no thread to be had; it may be tried again.
        """
        self._thread_of_its_own.start()

    @property
    def is_open(self) -> bool:
        """Whether `open` was called."""
        return self._thread_of_its_own.started

    def close(self) -> None:
        """End when the letters that are here now have been handled. Closing again does nothing."""
        self._put(None)

    def _put(self, letter: Letter | None) -> None:
        """Add a letter and see to it that it is handled, even if a signal comes between the two."""
        try:
            self._letters.append(letter)
        finally:
            try:
                self._rouse()
            finally:
                self._rouse()

    def _rouse(self) -> None:
        if self._asleep:
            self._wake.set()

    def wait_ended(self, deadline: float) -> None:
        """Wait until the last letter of a closed mailbox has been handled.

        Raises:
            DeadlineExceeded: that was not so by this `time.monotonic()`, inf for no limit.
        """
        left = None if math.isinf(deadline) else max(0.0, deadline - time.monotonic())
        if not self._ended.wait(left):
            raise DeadlineExceeded(f"{self._owner!r}: its handlers are still busy with what came before")

    def is_current(self) -> bool:
        """Whether the calling thread is the one that handles the letters."""
        return self._thread == threading.get_ident() and not self._ended.is_set()

    def _run(self) -> None:
        try:
            if self._previous is not None:
                self._previous._ended.wait()
                self._previous = None
            self._thread = threading.get_ident()
            while True:
                try:
                    letter = self._letters.popleft()
                except IndexError:
                    self._sleep()
                    continue
                if letter is None:
                    return
                if letter is self._missed:
                    self._full = False
                self._handle(*letter)
        finally:
            self._ended.set()

    def _sleep(self) -> None:
        # In this order: a letter that comes before the flag is seen here, and one that comes after it wakes.
        self._wake.clear()
        self._asleep = True
        try:
            if not self._letters:
                self._wake.wait()
        finally:
            self._asleep = False
