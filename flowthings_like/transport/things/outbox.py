"""What is to be sent on a connection: by whoever calls, if that needs no waiting, else by a worker.

A caller never waits here, so its deadline is about the answer alone. Green threads that call in one turn of
the hub send together: the first one at once, and the worker all others with one write, when they have had
their turn.

On threads a signal handler may raise between any two steps of the main thread, and nowhere else. So the main
thread writes nothing: it puts its call into the queue and wakes the worker. Whoever writes is therefore never
interrupted with half a package sent, and no other thread's call notices an interrupt.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

from ...green.backends.contract import detect
from ...wire.things.packages import package
from ..worker import Worker

if TYPE_CHECKING:
    from ..byte_stream import ByteStream
    from .in_flight import Call, InFlight

__all__ = ["Outbox"]

GATHERED = 1 << 20
"""Bytes that are sent together, at most, but for a single larger package."""


TURN = "turn"


class Outbox:
    """The only one who writes to a stream.

    Args:
        stream: where to.
        in_flight: gives calls their ids.
        broken: called with what has gone wrong, after which nothing is sent.

    Attributes:
        silent: whether nothing was sent since something was read; the reader sets it.
        writes: how often something was sent.
    """

    def __init__(
        self, stream: ByteStream, in_flight: InFlight, broken: Callable[[BaseException], object]
    ) -> None:
        self.silent = True
        self.writes = 0
        self._stream = stream
        self._in_flight = in_flight
        self._broken = broken
        self._gathers = detect().in_turns
        self._main = threading.main_thread().ident
        self._queue: deque[Call] = deque()
        # Whoever has the turn writes, from the first byte of a package until after its last. Nobody waits for
        # it: who does not get it leaves his call in the queue, where the one who has it looks again.
        self._turn: dict[str, object] = {}
        self._to_flush = False  # the turn is the worker's, until the stream has sent all it took
        self._ended = False
        self._worker = Worker(self._work)

    @property
    def waiting(self) -> int:
        """How many calls wait to be sent."""
        return sum(not call.given_up for call in self._queue.copy())

    def post(self, call: Call) -> None:
        """Have a call sent: now, or with others of this turn of the hub, or by the worker."""
        self.post_all((call,))

    def post_all(self, calls: Iterable[Call]) -> None:
        """Have several calls sent at once, with one write."""
        self._queue.extend(calls)
        if self._ended:  # asked after they are there: the end finds all that came before
            self._drop()
        elif self.silent if self._gathers else threading.get_ident() != self._main:
            self.push()
        else:
            self._worker.wake()

    def push(self) -> None:
        """Send what is there to send, unless another thread is at it."""
        turn, mine = self._turn, object()
        try:
            # Asked without the turn: who finds it taken relies on the one who has it to ask again.
            while (self._queue and not self._in_flight.full) or self._stream.owes:
                if self._ended or turn.setdefault(TURN, mine) is not mine:
                    return
                if not self._send():
                    self._to_flush = True
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

    def answered(self) -> None:
        """Ids are free that calls may wait for."""
        if self._queue:
            self._worker.wake()

    def end(self) -> None:
        """Send nothing from now on."""
        self._ended = True
        self._drop()
        self._worker.wake()

    def _drop(self) -> None:
        """Let those go on whose calls will never be sent."""
        with suppress(IndexError):
            while True:
                self._queue.popleft().end()

    def _send(self) -> bool:
        queue, in_flight = self._queue, self._in_flight
        calls: list[Call] = []
        packages: list[bytes] = []
        size = 0
        with suppress(IndexError):
            while size < GATHERED and not in_flight.full:
                call = queue.popleft()
                body = call.body
                if call.given_up:  # asked after its body was taken, as that is dropped then
                    continue
                in_flight.enter(call)
                calls.append(call)
                packages.append(package(call.kind, call.id, body))
                size += len(body)
        if not packages and not self._stream.owes:
            return True
        self.silent = False
        self.writes += 1
        for call in calls:
            call.sent = True
        if self._ended:  # asked after they have their ids: the end finds all that have one
            in_flight.end()
        try:
            return self._stream.offer(packages)
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
