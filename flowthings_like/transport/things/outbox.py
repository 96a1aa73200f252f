"""Queues the requests of a connection and writes them to its stream.

Callers write themselves if that needs no waiting; else a worker does. So a caller never waits here, and its
deadline is about the answer alone.

Under gevent and eventlet, requests that are made in one round of the hub are sent with two writes: the first
request at once, and the others by the worker, which runs at the end of the round.

On threads a signal handler may raise between any two steps of the main thread, and nowhere else. So the main
thread writes nothing: it queues its request and wakes the worker. A write is therefore never interrupted with
half of a package sent, and no call of another thread notices an interrupt.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

from ...green.backends.choice import detect
from ...wire.things.packages import package
from ..background_threads import Worker
from ..permit import Permit

if TYPE_CHECKING:
    from ..byte_stream import ByteStream
    from .in_flight import Call, InFlight

__all__ = ["Outbox"]

MAX_WRITE = 1 << 20
"""Bytes of one write, at most, unless a single package is larger."""


class Outbox:
    """Sends the requests of one connection. Nothing else writes to its stream.

    Args:
        stream: what to write to.
        in_flight: gives calls their ids.
        on_failure: called with the error that ended the sending.

    Attributes:
        silent: whether nothing was sent since something was read; the reader sets it.
        writes: how many writes there were.
    """

    def __init__(
        self, stream: ByteStream, in_flight: InFlight, on_failure: Callable[[BaseException], object]
    ) -> None:
        self.silent = True
        self.writes = 0
        self._stream = stream
        self._in_flight = in_flight
        self._on_failure = on_failure
        self._joins_writes = detect().is_cooperative
        self._main = threading.main_thread().ident
        self._queue: deque[Call] = deque()
        # Who has the permit writes, from the first byte of a package to its last. Nobody waits for it: a call
        # whose thread does not get it stays in the queue, and the holder looks there before it is done.
        self._permit = Permit()
        self._to_flush = False  # the worker has the permit, until the stream has sent all it took
        self._ended = False
        self._worker = Worker(self._work)

    @property
    def waiting(self) -> int:
        """How many calls are queued."""
        return sum(not call.cancelled for call in self._queue.copy())

    def enqueue(self, call: Call) -> None:
        """Queue a call. It is sent at once, or by the worker."""
        self.enqueue_all((call,))

    def enqueue_all(self, calls: Iterable[Call]) -> None:
        """Queue several calls, which are sent with one write."""
        self._queue.extend(calls)
        if self._ended:  # read after the calls are queued: `end` drops those that were queued before
            self._drop()
        elif self.silent if self._joins_writes else threading.get_ident() != self._main:
            self.send_queued()
        else:
            self._worker.wake()

    def send_queued(self) -> None:
        """Send all that is queued, unless another thread is doing it."""
        permit, token = self._permit, object()
        try:
            # Checked again after each time the permit was given back: others rely on its holder for that.
            while (self._queue and not self._in_flight.full) or self._stream.owes:
                if self._ended or not permit.take(token):
                    return
                if not self._send():
                    self._to_flush = True
                    self._worker.wake()
                    return
                permit.give_back()
        except BaseException as error:
            if not permit.is_held_by(token):
                raise
            self.end()  # part of a package may have been sent, so the permit is never given back
            self._on_failure(error)
            if not isinstance(error, OSError):  # an OSError ends the connection, which tells the caller
                raise

    def answered(self) -> None:
        """Ids have become free: send the calls that wait for one."""
        if self._queue:
            self._worker.wake()

    def end(self) -> None:
        """Stop sending, and end the calls that are queued."""
        self._ended = True
        self._drop()
        self._worker.wake()

    def _drop(self) -> None:
        """End the calls that are queued."""
        with suppress(IndexError):
            while True:
                self._queue.popleft().end()

    def _send(self) -> bool:
        """Write what is queued, up to MAX_WRITE. Returns whether it is sent; else it must be flushed."""
        queue, in_flight = self._queue, self._in_flight
        calls: list[Call] = []
        packages: list[bytes] = []
        size = 0
        with suppress(IndexError):
            while size < MAX_WRITE and not in_flight.full:
                call = queue.popleft()
                body = call.body
                if call.cancelled:  # read after the body: cancelling sets this first, then drops the body
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
        if self._ended:  # read after the calls have ids: the connection's end finds those that had one before
            in_flight.end()
        try:
            return self._stream.offer(packages)
        except OSError:
            for call in calls:
                call.sent = False
            raise

    def _work(self) -> bool:
        """What the worker does when it is woken. Returns whether it is over."""
        if self._to_flush:
            try:
                self._stream.flush()
            except OSError as error:
                self.end()
                self._on_failure(error)
                return True
            self._to_flush = False
            self._permit.give_back()
        self.send_queued()
        return self._ended
