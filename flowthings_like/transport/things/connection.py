"""One connection to a ThingsDB node, used by any number of calls at once.

Each call has an id, which the node repeats in its answer. Under gevent and eventlet the hub reads the answers
and lets the callers go on at once; on threads a thread of the connection reads. A call may be interrupted at
any moment: nothing of it stays half done.
"""

from __future__ import annotations

import itertools
import logging
import os
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from ...errors import ConnectionFailed, DeadlineExceeded
from ...green.backends.choice import detect
from ...wire.things.header import ProtocolError
from ...wire.things.packages import MAX_BODY, Kind, Package, PackageParser, check_size
from ..after_fork import forget_in_child
from ..background_threads import Worker
from .in_flight import IDS, Call, InFlight, seconds_left
from .outbox import RequestOutbox

if TYPE_CHECKING:
    from ..byte_stream import ByteStream

__all__ = ["PacketConnection", "Statistics"]

E = TypeVar("E", ConnectionFailed, DeadlineExceeded)

_log = logging.getLogger("flowthings_like")

READS_IN_A_ROW = 16
"""Reads after which other green threads may run, however much there is to read."""

_FIRST_ANSWER = 16  # kinds below are events


@dataclass(frozen=True)
class Statistics:
    """Numbers of one connection.

    Attributes:
        in_flight: calls that were not answered yet, cancelled ones included.
        answers: answers that came.
        late: answers that came after their calls were cancelled.
        events: packages that answer no call.
        writes: how many writes there were; `answers / writes` calls travelled together.
    """

    in_flight: int
    answers: int
    late: int
    events: int
    writes: int


class PacketConnection:
    """Sends requests to a node, and hands each answer to its caller.

    Args:
        stream: connected; the connection owns it from now on.
        on_event: called with each package that answers no call, in their order, in a thread of its own.
        on_close: called once, after the last event, with the error that ended the connection; None after
            `close`.
        max_body: bytes of an answer's body, at most. More ends the connection.

    Attributes:
        peer: the node's address.
        is_websocket: whether packages travel as WebSocket messages.
        failure: the error that ended the connection; None after `close`.
        retired: whether no new calls should be made: the node has said that it shuts down.
    """

    def __init__(
        self,
        stream: ByteStream,
        *,
        on_event: Callable[[Package], object],
        on_close: Callable[[BaseException | None], object],
        max_body: int = MAX_BODY,
    ) -> None:
        backend = detect()
        self.peer = stream.peer
        self.is_websocket = stream.is_websocket
        self.failure: BaseException | None = None
        self.retired = False
        self._stream = stream
        self._on_event = on_event
        self._on_close = on_close
        self._parser = PackageParser(max_body)
        self._new_event = backend.event_factory()
        self._in_flight = InFlight()
        self._outbox = RequestOutbox(stream, self._in_flight, self._fail)
        self._events: deque[Any] = deque()  # packages, and events that `wait_heard` waits for
        self._dispatcher = Worker(self._dispatch_events)
        self._pid = os.getpid()
        self._closed = False
        self._is_over = False  # nothing more will come
        self._ended = backend.event()
        self._answers = self._late = self._dispatched = 0
        forget_in_child(self)
        self._in_hub = stream.watch(self._readable)
        if self._in_hub:
            self._readable()  # the hub does not tell of what was read together with a handshake
        else:
            backend.spawn(self._read)

    # For callers

    def call(self, kind: int, body: bytes = b"", deadline: float | None = None) -> Package:
        """Send a request and wait for its answer.

        Args:
            kind: the request's kind.
            body: packed.
            deadline: the `time.monotonic()` until which to wait; None waits as long as there is a connection.

        Returns:
            The answer as it came. It may say that the request failed.

        Raises:
            DeadlineExceeded: the answer did not come in time. It is dropped when it comes.
            ConnectionFailed: the connection is broken. `sent` says whether the request may have run.
        """
        call = self._new_call(kind, body)
        try:
            self._outbox.enqueue(call)
            in_time = call.event.wait(None if deadline is None else seconds_left(deadline))
            return call.answer or self._without_answer(call, in_time)
        finally:
            if call.answer is None:
                self.cancel(call)

    def submit(self, kind: int, body: bytes = b"") -> Call:
        """Send a request without waiting for its answer.

        Returns:
            The call, for `result` and `cancel`.

        Raises:
            ConnectionFailed: as `call` does.
        """
        call = self._new_call(kind, body)
        try:
            self._outbox.enqueue(call)
        except BaseException:
            self.cancel(call)
            raise
        return call

    def send_keepalive(self) -> None:
        """Send a ping without waiting for its answer: `last_heard` changes when it comes."""
        with suppress(ConnectionFailed):  # the caller looks at `closed` next
            self.submit(Kind.PING)

    def result(self, call: Call, deadline: float | None = None) -> Package:
        """Wait for the answer of a submitted call. One thread at a time may do so, and may do so again after
        an interrupt.

        Raises:
            DeadlineExceeded, ConnectionFailed: as `call` does.
        """
        # A one-shot event may be waited for only once, and an interrupted caller has done that.
        over = call.answer is not None or self.closed
        in_time = over or call.event.wait(seconds_left(deadline))
        return call.answer or self._without_answer(call, in_time)

    def cancel(self, call: Call) -> None:
        """Give up a call: it is not sent any more, or its answer is dropped.

        Its id stays in use until the answer has come: else the answer could reach another call.
        """
        call.cancelled = True  # first, in a single step: from now on it is not sent
        call.body = b""
        call.held = None

    def pipeline(self, requests: Sequence[tuple[int, bytes]], deadline: float | None = None) -> list[Package]:
        """Send several requests with one write, and wait for their answers, in the order of the requests.

        Raises:
            DeadlineExceeded, ConnectionFailed: as `call` does, for the first request that was not answered.
        """
        calls = [self._new_call(kind, body) for kind, body in requests]
        try:
            self._outbox.enqueue_all(calls)
            return self._results(calls, deadline)
        finally:
            for call in calls:
                if call.answer is None:
                    self.cancel(call)

    def _results(self, calls: list[Call], deadline: float | None) -> list[Package]:
        return [self.result(call, deadline) for call in calls]

    @property
    def in_flight(self) -> int:
        """Calls that were not answered yet, cancelled ones included."""
        return len(self._in_flight) + self._outbox.waiting

    @property
    def last_heard(self) -> float:
        """The `time.monotonic()` at which something last came."""
        return self._stream.last_heard

    def statistics(self) -> Statistics:
        """The connection's numbers."""
        return Statistics(self.in_flight, self._answers, self._late, self._dispatched, self._outbox.writes)

    def wait_heard(self, timeout: float) -> bool:
        """Wait until all events that have come so far were handed to `on_event`. False after `timeout` s."""
        reached = detect().event()
        self._events.append(reached)
        self._dispatcher.wake()
        return self._ended.is_set() or bool(reached.wait(timeout))

    @property
    def closed(self) -> bool:
        """Whether the connection has ended. A forked child cannot use its parent's."""
        return self._closed or self._pid != os.getpid()

    def delivery(self) -> tuple[int, int]:
        """How many of the sent bytes the node's kernel has acknowledged, and how many it has not."""
        return self._stream.delivery()

    def close(self) -> None:
        """End the connection; calls in flight fail with ConnectionFailed. Does not wait."""
        if self._pid != os.getpid():
            self.forget()
            return
        self._closed = True
        self._stream.close()  # the reader sees the end, and calls `_end`

    def wait_closed(self, timeout: float | None = None) -> bool:
        """Wait until `on_close` was called. Returns whether it was."""
        return bool(self._ended.wait(timeout))

    def forget(self) -> None:
        """In a forked child: the connection is the parent's."""
        self._closed = True
        self._stream.forget()

    def _new_call(self, kind: int, body: bytes) -> Call:
        check_size(body)
        call = Call(kind, body, self._new_event())
        if self.closed:
            raise self._failure_of(call)
        return call

    def _without_answer(self, call: Call, in_time: bool) -> NoReturn:
        if in_time or self.closed:
            raise self._failure_of(call)
        self.cancel(call)
        late = "no answer in time"
        if not call.sent:
            late = (
                f"{IDS} calls in flight, and none done in time"
                if self._in_flight.full
                else "not sent in time"
            )
        raise _with(DeadlineExceeded(f"{self.peer}: {late}"), call.sent)

    def _failure_of(self, call: Call) -> ConnectionFailed:
        failure = self.failure
        reason = "the connection was closed" if failure is None else f"{type(failure).__name__}: {failure}"
        outcome = "; the request was sent and may have run" if call.sent else ""
        error = _with(ConnectionFailed(f"{self.peer}: {reason}{outcome}"), call.sent)
        error.__cause__ = failure
        return error

    # Reading

    def _readable(self) -> None:
        """Read what has come. The hub calls this when the socket is readable."""
        if self._pid != os.getpid():  # a forked child, which has a copy of the hub
            self.forget()
            return
        try:
            for _ in range(READS_IN_A_ROW):
                data = self._stream.receive_now()
                if data is not None:
                    self._parse(data)
                if self._stream.owes:
                    self._outbox.send_queued()
                if data is None:
                    return
                if not self._outbox.silent:  # what was sent has acknowledged it as well
                    return
                self._stream.acknowledge()  # the node often sends at once what it has held back
        except BaseException as error:
            self._end(error)
            if not isinstance(error, OSError | ProtocolError):
                raise

    def _read(self) -> None:
        """Read until the end, in a thread: there is no hub."""
        sleep = detect().sleep
        try:
            for number in itertools.count(1):
                data = self._stream.receive()
                if self._pid != os.getpid():
                    return
                if data is not None:
                    self._parse(data)
                if self._stream.owes:
                    self._outbox.send_queued()
                if number % READS_IN_A_ROW == 0:
                    sleep(0)
        except BaseException as error:
            self._end(error)
            if not isinstance(error, OSError | ProtocolError):
                raise

    def _parse(self, data: bytes) -> None:
        """Hand answers to their callers, and queue events."""
        if not data:
            raise ConnectionResetError("the node closed the connection")
        self._outbox.silent = True
        answered, in_hub = self._in_flight.answered, self._in_hub
        for found in self._parser.feed(data):
            if found.kind < _FIRST_ANSWER:
                self._events.append(found)
                self._dispatcher.wake()
                continue
            self._answers += 1
            call = answered(found)
            if call is None or call.cancelled:
                self._late += 1
            else:
                call.answered_at = time.monotonic()
                call.answer = found
                if in_hub:
                    call.event.set_and_switch()
                else:
                    call.event.set()
                call.held = None
        self._outbox.answered()

    def _dispatch_events(self) -> bool:
        """Call `on_event` for each event, and `on_close` after the last. Returns whether it is over."""
        while self._events:
            event = self._events.popleft()
            if not isinstance(event, Package):
                event.set()
                continue
            self._dispatched += 1
            try:
                self._on_event(event)
            except Exception:
                _log.exception("%s: the handler of events failed on one of kind %d", self.peer, event.kind)
        if not self._is_over:
            return False
        try:
            self._on_close(self.failure)
        except Exception:
            _log.exception("%s: the handler of the connection's end failed", self.peer)
        finally:
            self._ended.set()
            for waiter in self._events:  # that came after the loop above
                waiter.set()
        return True

    def _fail(self, error: BaseException) -> None:
        """End the connection because of `error`."""
        if not self._closed:
            self.failure = error
        self.close()

    def _end(self, error: BaseException) -> None:
        """The reader has met the end: end all calls, and have `on_close` called."""
        if not self._closed:
            self.failure = error
        self.close()
        self._stream.unwatch()
        self._outbox.end()
        self._in_flight.end()
        self._is_over = True
        try:
            self._dispatcher.wake()
        except RuntimeError:  # no thread could be started
            self._dispatch_events()


def _with(error: E, sent: bool) -> E:
    error.sent = sent
    return error
