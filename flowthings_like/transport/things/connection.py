"""One connection to a node that any number of calls use at once.

Each call has an id, which the node repeats in its answer. Under gevent and eventlet the hub itself takes
answers to whom they are for, and lets them go on at once; on threads a thread of the connection's own does.
A call may be interrupted at any moment: nothing of it stays half done.
"""

from __future__ import annotations

import itertools
import logging
import os
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from ...errors import ConnectionFailed, DeadlineExceeded
from ...green.backends.contract import detect
from ...wire.things.header import ProtocolError
from ...wire.things.packages import MAX_BODY, Kind, Package, PackageParser, check_size
from ..forks import forget_in_child
from ..worker import Worker
from .in_flight import IDS, Call, InFlight, seconds_left
from .outbox import Outbox

if TYPE_CHECKING:
    from ..byte_stream import ByteStream

__all__ = ["PacketConnection", "Statistics"]

E = TypeVar("E", ConnectionFailed, DeadlineExceeded)

_log = logging.getLogger("flowthings_like")

READS_IN_A_ROW = 16
"""Reads after which the others get a turn, however much there is to read."""

_FIRST_ANSWER = 16  # kinds below are events


@dataclass(frozen=True)
class Statistics:
    """Numbers of one connection.

    Attributes:
        in_flight: calls that were not answered yet, those given up by their callers included.
        answers: answers that came.
        late: those among them that nobody waited for any more.
        events: what came unasked.
        writes: how often something was sent; `answers / writes` calls travelled together.
    """

    in_flight: int
    answers: int
    late: int
    events: int
    writes: int


class PacketConnection:
    """A stream of packages.

    Args:
        stream: connected; the connection owns it from now on.
        on_event: called with each package that came unasked, in their order, by a thread for that alone.
        on_close: called once, when the connection is at its end, with what ended it; None after `close`.
        max_body: bytes of an answer's body, at most. More ends the connection.

    Attributes:
        peer: the node's address.
        is_websocket: whether packages travel as WebSocket messages.
        failure: what ended the connection, if it was not `close`.
        retired: whether it takes no new calls: the node has said that it ends, and will hang up.
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
        self._latch = backend.latches()
        self._in_flight = InFlight()
        self._outbox = Outbox(stream, self._in_flight, self._break)
        self._events: deque[Any] = deque()  # packages, and what `wait_heard` waits for
        self._herald = Worker(self._announce)
        self._pid = os.getpid()
        self._closed = False
        self._over = False  # nothing comes any more
        self._ended = backend.event()
        self._answers = self._late = self._announced = 0
        forget_in_child(self)
        self._in_hub = stream.watch(self._readable)
        if self._in_hub:
            self._readable()  # what came with a handshake is no longer in the socket, and no news to the hub
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
            The answer as it came, be it an error of the node's.

        Raises:
            DeadlineExceeded: the answer did not come in time; when it comes, it is dropped.
            ConnectionFailed: the connection broke, or had. `sent` says whether the request may have run.
        """
        call = self._new_call(kind, body)
        try:
            self._outbox.post(call)
            in_time = call.latch.wait(None if deadline is None else seconds_left(deadline))
            return call.answer or self._without_answer(call, in_time)
        finally:
            if call.answer is None:
                self.give_up(call)

    def begin(self, kind: int, body: bytes = b"") -> Call:
        """Send a request, and leave its answer for later.

        Returns:
            The call, for `wait`, `finish` and `give_up`.

        Raises:
            ConnectionFailed: as `call` does.
        """
        call = self._new_call(kind, body)
        try:
            self._outbox.post(call)
        except BaseException:
            self.give_up(call)
            raise
        return call

    def send_keepalive(self) -> None:
        """Send a ping, whose answer nobody waits for: `last_heard` tells whether it has come."""
        with suppress(ConnectionFailed):  # then it is closed, as whoever asks for signs of life sees next
            self.begin(Kind.PING)

    def finish(self, call: Call, deadline: float | None = None) -> Package:
        """Wait for the answer of a call that was begun. One thread at a time may do so, and again if it was
        interrupted.

        Raises:
            DeadlineExceeded, ConnectionFailed: as `call` does.
        """
        # A latch is set once, and who has waited for it may be back for the answer.
        over = call.answer is not None or self.closed
        in_time = over or call.latch.wait(seconds_left(deadline))
        return call.answer or self._without_answer(call, in_time)

    def give_up(self, call: Call) -> None:
        """Nobody waits for the answer. The id stays taken until it has come: it must not be another's."""
        call.given_up = True  # in one step, and before all else: who sends passes over it from now on
        call.body = b""
        call.held = None

    def pipeline(self, requests: Sequence[tuple[int, bytes]], deadline: float | None = None) -> list[Package]:
        """Send several requests with one write, and wait for all answers, which have the requests' order.

        Raises:
            DeadlineExceeded, ConnectionFailed: as `call` does, for the first request that was not answered.
        """
        calls = [self._new_call(kind, body) for kind, body in requests]
        try:
            self._outbox.post_all(calls)
            return self._finish_all(calls, deadline)
        finally:
            for call in calls:
                if call.answer is None:
                    self.give_up(call)

    def _finish_all(self, calls: list[Call], deadline: float | None) -> list[Package]:
        return [self.finish(call, deadline) for call in calls]

    @property
    def in_flight(self) -> int:
        """Calls that were not answered yet, those given up included."""
        return len(self._in_flight) + self._outbox.waiting

    @property
    def last_heard(self) -> float:
        """The `time.monotonic()` at which something last came."""
        return self._stream.last_heard

    def statistics(self) -> Statistics:
        """What the numbers are now."""
        return Statistics(self.in_flight, self._answers, self._late, self._announced, self._outbox.writes)

    def wait_heard(self, timeout: float) -> bool:
        """Wait until what has come unasked so far was handed to `on_event`; False if that took too long."""
        reached = detect().event()
        self._events.append(reached)
        self._herald.wake()
        return self._ended.is_set() or bool(reached.wait(timeout))

    @property
    def closed(self) -> bool:
        """Whether the connection can be used no more; nor can a forked child use its parent's."""
        return self._closed or self._pid != os.getpid()

    def delivery(self) -> tuple[int, int]:
        """How many of the bytes sent the node's system has acknowledged, and how many it has not."""
        return self._stream.delivery()

    def close(self) -> None:
        """End the connection. Calls in flight end with ConnectionFailed. Returns at once."""
        if self._pid != os.getpid():
            self.forget()
            return
        self._closed = True
        self._stream.close()  # whoever reads sees the end, and does the rest

    def wait_closed(self, timeout: float | None = None) -> bool:
        """Wait until the connection is at its end and `on_close` was called; False if that took too long."""
        return bool(self._ended.wait(timeout))

    def forget(self) -> None:
        """In a forked child: the connection is the parent's."""
        self._closed = True
        self._stream.forget()

    def _new_call(self, kind: int, body: bytes) -> Call:
        check_size(body)
        call = Call(kind, body, self._latch())
        if self.closed:
            raise self._failed(call)
        return call

    def _without_answer(self, call: Call, in_time: bool) -> NoReturn:
        if in_time or self.closed:
            raise self._failed(call)
        self.give_up(call)
        late = "no answer in time"
        if not call.sent:
            late = (
                f"{IDS} calls in flight, and none done in time"
                if self._in_flight.full
                else "not sent in time"
            )
        raise _with(DeadlineExceeded(f"{self.peer}: {late}"), call.sent)

    def _failed(self, call: Call) -> ConnectionFailed:
        failure = self.failure
        reason = "the connection was closed" if failure is None else f"{type(failure).__name__}: {failure}"
        outcome = "; the request was sent and may have run" if call.sent else ""
        error = _with(ConnectionFailed(f"{self.peer}: {reason}{outcome}"), call.sent)
        error.__cause__ = failure
        return error

    # For whoever reads

    def _readable(self) -> None:
        """Called by the hub: there is something to read."""
        if self._pid != os.getpid():  # a child that has inherited the hub
            self.forget()
            return
        try:
            for _ in range(READS_IN_A_ROW):
                data = self._stream.receive_now()
                if data is not None:
                    self._take(data)
                if self._stream.owes:
                    self._outbox.push()
                if data is None:
                    return
                if not self._outbox.silent:  # what is sent acknowledges by itself
                    return
                self._stream.acknowledge()  # after which what the node held back is often here already
        except BaseException as error:
            self._end(error)
            if not isinstance(error, OSError | ProtocolError):
                raise

    def _read(self) -> None:
        """The thread that reads, where there is no hub to do it."""
        sleep = detect().sleep
        try:
            for number in itertools.count(1):
                data = self._stream.receive()
                if self._pid != os.getpid():
                    return
                if data is not None:
                    self._take(data)
                if self._stream.owes:
                    self._outbox.push()
                if number % READS_IN_A_ROW == 0:
                    sleep(0)
        except BaseException as error:
            self._end(error)
            if not isinstance(error, OSError | ProtocolError):
                raise

    def _take(self, data: bytes) -> None:
        """Take what came to whom it is for."""
        if not data:
            raise ConnectionResetError("the node closed the connection")
        self._outbox.silent = True
        answered, in_hub = self._in_flight.answered, self._in_hub
        for found in self._parser.feed(data):
            if found.kind < _FIRST_ANSWER:
                self._events.append(found)
                self._herald.wake()
                continue
            self._answers += 1
            call = answered(found)
            if call is None or call.given_up:
                self._late += 1
            else:
                call.answer = found
                if in_hub:
                    call.latch.hand_over()
                else:
                    call.latch.set()
                call.held = None
        self._outbox.answered()

    def _announce(self) -> bool:
        """The thread for events, and for the end after the last of them: hand out what came."""
        while self._events:
            event = self._events.popleft()
            if not isinstance(event, Package):
                event.set()
                continue
            self._announced += 1
            try:
                self._on_event(event)
            except Exception:
                _log.exception("%s: what handles events failed on one of kind %d", self.peer, event.kind)
        if not self._over:
            return False
        try:
            self._on_close(self.failure)
        except Exception:
            _log.exception("%s: what handles the end of the connection failed", self.peer)
        finally:
            self._ended.set()
            for waiter in self._events:  # who came too late for the loop above
                waiter.set()
        return True

    def _break(self, error: BaseException) -> None:
        """End the connection because of `error`."""
        if not self._closed:
            self.failure = error
        self.close()

    def _end(self, error: BaseException) -> None:
        """It is over: tell everyone."""
        if not self._closed:
            self.failure = error
        self.close()
        self._stream.unwatch()
        self._outbox.end()
        self._in_flight.end()
        self._over = True
        try:
            self._herald.wake()
        except RuntimeError:  # no thread to be had
            self._announce()


def _with(error: E, sent: bool) -> E:
    error.sent = sent
    return error
