"""What is to be sent on a connection: by whoever calls, if that needs no waiting, else by a worker.

A caller never waits here, so it cannot be interrupted with half a package sent, and its deadline is about
the answer alone. Green threads that call in one turn of the hub send together: the first one at once, and the
worker all others with one write, when they have had their turn.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

from ..green.backend import detect
from .worker import Worker

if TYPE_CHECKING:
    from .in_flight import Call
    from .streams import Stream

__all__ = ["Outbox"]

GATHERED = 1 << 20
"""Bytes that are sent together, at most, but for a single larger package."""


TURN = "turn"


class Outbox:
    """The only one who writes to a stream.

    Args:
        stream: where to.
        broken: called with what has gone wrong, after which nothing is sent.

    Attributes:
        silent: whether nothing was sent since something was read; the reader sets it.
        writes: how often something was sent.
    """

    def __init__(self, stream: Stream, broken: Callable[[BaseException], object]) -> None:
        self.silent = True
        self.writes = 0
        self._stream = stream
        self._broken = broken
        self._gathers = detect().in_turns
        self._queue: deque[Call] = deque()
        # Whoever has the turn writes, from the first byte of a package until after its last. Nobody waits for
        # it: who does not get it leaves his call in the queue, where the one who has it looks again. It is no
        # lock, as nobody could say whose that is after an interrupt.
        self._turn: dict[str, object] = {}
        self._to_flush = False  # the turn is the worker's, until the stream has sent all it took
        self._ended = False
        self._worker = Worker(self._work)

    def post(self, call: Call) -> None:
        """Have a call sent: now, or with others of this turn of the hub."""
        call.posted = True
        self._queue.append(call)
        if self.silent or not self._gathers:
            self.push()
        else:
            self._worker.wake()

    def post_all(self, calls: Iterable[Call]) -> None:
        """Have several calls sent at once, with one write."""
        for call in calls:
            call.posted = True
            self._queue.append(call)
        self.push()

    def withdraw(self, call: Call) -> bool:
        """Take back a call, which is then never sent; False if it is too late for that."""
        try:
            self._queue.remove(call)
        except ValueError:
            return False
        return True

    def push(self) -> None:
        """Send what is there to send, unless another thread is at it."""
        turn, mine = self._turn, object()
        try:
            while self._queue or self._stream.owes:
                if self._ended or turn.setdefault(TURN, mine) is not mine:
                    return
                if not self._send():
                    self._to_flush = True
                    turn[TURN] = self._worker
                    self._worker.wake()
                    return
                del turn[TURN]
        except BaseException as error:
            if turn.get(TURN) is not mine:
                raise
            self.end()  # a package may be out in part: nobody ever has the turn again
            self._broken(error)
            if not isinstance(error, OSError):  # which is the connection's affair, not the caller's
                raise

    def end(self) -> None:
        """Send nothing from now on."""
        self._ended = True
        self._queue.clear()
        self._worker.wake()

    def _send(self) -> bool:
        queue = self._queue
        calls: list[Call] = []
        size = 0
        with suppress(IndexError):
            while size < GATHERED:
                call = queue.popleft()
                calls.append(call)
                size += len(call.data)
        self.silent = False
        self.writes += 1
        for call in calls:
            call.sent = True
        try:
            return self._stream.offer([call.data for call in calls])
        except OSError:
            for call in calls:
                call.sent = False
            raise

    def _work(self) -> bool:
        if self._to_flush:
            try:
                self._stream.flush()
            except OSError as error:
                self.end()
                self._broken(error)
                return True
            self._to_flush = False
            del self._turn[TURN]
        self.push()
        return self._ended
