"""Queues the requests of a connection and writes them to its stream.

Under gevent and eventlet, requests that are made in one round of the hub are sent with two writes: the first
request at once, and the others by the worker, which runs at the end of the round.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

from ...wire.things.packages import package
from ..outbox import Outbox

if TYPE_CHECKING:
    from ..byte_stream import ByteStream
    from .in_flight import Call, InFlight

__all__ = ["RequestOutbox"]

MAX_WRITE = 1 << 20
"""Bytes of one write, at most, unless a single package is larger."""


class RequestOutbox(Outbox):
    """Sends the requests of one connection. Nothing else writes to its stream.

    Args:
        stream: what to write to.
        in_flight: gives calls their ids.
        on_failure: called with the error that ended the sending.
    """

    def __init__(
        self, stream: ByteStream, in_flight: InFlight, on_failure: Callable[[BaseException], object]
    ) -> None:
        super().__init__(stream, on_failure)
        self._in_flight = in_flight
        self._queue: deque[Call] = deque()

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
        elif self.may_send_here:
            self.send_queued()
        else:
            self._worker.wake()

    def answered(self) -> None:
        """Ids have become free: send the calls that wait for one."""
        if self._queue:
            self._worker.wake()

    def _has_work(self) -> bool:
        return bool(self._queue and not self._in_flight.full) or self._stream.owes

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
