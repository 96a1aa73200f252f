"""Reads one after the other, as long as they are short.

The sqlite3 module lets go of the interpreter for each row and takes it back, so threads that read at the same
time hand it to each other at every row: with 16 callers on gevent a find took four times as long as one after
the other. So a read waits for its turn, for as long as the ones before it are short.
"""

from __future__ import annotations

import _queue
import queue

PATIENCE = 0.002
"""Seconds after which a read is a long one, and the next one begins beside it."""


class Turns:
    """The turns of one process's reads, in whichever OS threads they run.

    Exactly one turn counts: the one that began last. Its end lets the next read begin; after PATIENCE the
    next begins all the same, and then the end of the long one says nothing more. So a turn that never ends,
    because a signal's exception came in between or its thread is not in a forked child, holds nobody up.
    """

    def __init__(self) -> None:
        self._latest = object()
        self._ended: _queue.SimpleQueue[object] = _queue.SimpleQueue()
        self._ended.put(self._latest)

    def begin(self) -> object:
        """Wait for the read before this one to end or to prove long; return the turn, for `end`."""
        while True:
            before = self._latest
            try:
                is_next = self._ended.get(timeout=PATIENCE) is self._latest
            except queue.Empty:
                is_next = self._latest is before
            if is_next:
                turn = self._latest = object()
                return turn

    def end(self, turn: object) -> None:
        """Let the next read begin, if this turn is still the one that counts."""
        self._ended.put(turn)
