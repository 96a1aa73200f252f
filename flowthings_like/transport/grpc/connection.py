"""One HTTP/2 connection to a gRPC server, used by any number of calls at once.

Under gevent and eventlet the hub reads, and lets the callers go on at once; on threads a thread of the
connection reads. A call may be interrupted at any moment: its stream is reset, and what still comes for it is
dropped. Nothing of it stays half done, and no other call notices.
"""

from __future__ import annotations

import os
from time import monotonic
from typing import TYPE_CHECKING, TypeVar

from ...errors import ConnectionFailed, DeadlineExceeded, ResponseTooLarge
from ...green.backends.choice import detect
from ...green.backends.fairness import SLICE
from ...wire.grpc.frames import ProtocolViolation
from ...wire.grpc.messages import PREFIX
from ...wire.grpc.status import GrpcError, StatusCode
from ..after_fork import forget_in_child
from .call import Call, Handle
from .dialing import unsent
from .engine import Engine
from .outbox import FrameOutbox

if TYPE_CHECKING:
    from ...wire.grpc.messages import Message
    from ...wire.grpc.metadata import Header
    from ..byte_stream import ByteStream

__all__ = ["GrpcConnection"]

E = TypeVar("E", ConnectionFailed, DeadlineExceeded)

READS_IN_A_ROW = 16
"""Reads after which other green threads may run, however much there is to read."""

STALLED = 60.0
"""Seconds that the server may take nothing of what is sent before the connection ends."""

SILENT = 10.0
"""Seconds after which a server that has sent nothing is asked for a sign of life, if a call is too late."""

PING_INTERVAL = 300.0
"""Seconds between two such pings. gRPC's servers take more than three in less time for an attack."""

ANSWER_WITHIN = 10.0
"""Seconds in which a ping must be answered."""


class GrpcConnection:
    """Makes calls, and hands each answer to its caller.

    Args:
        stream: connected; the connection owns it from now on.

    Attributes:
        peer: the server's address.
        failure: the error that ended the connection; None after `close`.
    """

    def __init__(self, stream: ByteStream) -> None:
        backend = detect()
        self.peer = stream.peer
        self.failure: BaseException | None = None
        self._stream = stream
        self._new_event = backend.event_factory()
        self._fair_yield = backend.fair_yield
        self._hub = backend.hub()
        self._engine = Engine(self._fail)
        self._outbox = FrameOutbox(stream, self._fail, self._advance_all)
        self._pid = os.getpid()
        self._closed = False
        self._is_over = False  # nothing more will come
        self._pinged_at = -PING_INTERVAL
        self._ready = backend.event()
        stream.limit(None, STALLED)
        forget_in_child(self)
        self._in_hub = stream.watch(self._readable)
        if self._in_hub:
            self._readable()  # the hub does not tell of what was read together with a handshake
        else:
            backend.spawn(self._read)
        self._advance()

    # For callers

    def wait_ready(self, deadline: float) -> None:
        """Wait until the server has said that it speaks HTTP/2.

        Raises:
            ConnectionFailed: it does not, or the connection broke. DeadlineExceeded: not in time.
        """
        in_time = self._ready.wait(max(0.0, deadline - monotonic()))
        if self._engine.is_ready:
            return
        if self.closed:
            raise unsent(self._error("the connection broke"))
        assert not in_time
        raise unsent(DeadlineExceeded(f"{self.peer}: no answer in HTTP/2 in time"))

    def new_call(
        self, headers: list[Header], request: bytes, limit: int, *, is_unary: bool, is_compressed: bool
    ) -> Handle:
        """A call for this connection, not begun."""
        call = Call(
            headers, request, limit, self._new_event(), is_unary=is_unary, is_compressed=is_compressed
        )
        return Handle(call, self._engine.on_drop)

    def begin(self, handle: Handle) -> None:
        """Begin a call. It must be cancelled if its end is not waited for.

        Raises:
            ConnectionFailed: the connection has ended.
        """
        if self.closed:
            raise unsent(self._error("the call was not sent"))
        call = handle.call
        self._engine.want(call)
        self._advance()
        if self._is_over:  # read after the call was queued: `_end` wakes those that were queued before
            call.event.set()

    def next_message(self, handle: Handle, method: str, deadline: float | None) -> Message | None:
        """Wait for a message. None after the last one.

        Raises:
            GrpcError, ConnectionFailed, DeadlineExceeded, ResponseTooLarge: see `Channel.unary`.
        """
        call = handle.call
        while not call.is_due:
            if self.closed:
                raise self._failure_of(call)
            in_time = call.event.wait(_left(deadline))
            if not call.is_unary:
                call.event = self._new_event()  # before the condition is looked at again
            if not in_time and not call.is_due:
                self._suspect()
                raise _with(DeadlineExceeded(f"{self.peer}{method}: no answer in time"), call.sent)
        if call.is_unary or not call.messages:
            self._check(call, method)
        if not call.messages:
            return None
        message = call.messages.popleft()
        call.consumed += PREFIX + message.size
        if call.status is None and call.to_grant * 2 >= self._engine.window:
            self._engine.want(call)
            self._advance()
        return message

    def cancel(self, handle: Handle) -> None:
        """Give up a call: it is not sent, or its stream is reset. Does nothing if it has ended.

        Any thread may call this, also the garbage collector in another OS thread: there the stream is reset
        with the connection's next work.
        """
        call = handle.call
        if call.status is None and not self.closed:
            call.cancelled = True  # first, in a single step: from now on nothing wakes its caller
            self._engine.want(call)
            call.dropped = None
            if detect().hub() is self._hub:
                self._outbox.wake()

    # What it is like

    @property
    def closed(self) -> bool:
        """Whether the connection has ended. A forked child cannot use its parent's."""
        return self._closed or self._pid != os.getpid()

    @property
    def is_usable(self) -> bool:
        """Whether a call may begin here, perhaps after others have ended."""
        return not self.closed and self._engine.goaway is None and not self._is_unanswered()

    @property
    def has_room(self) -> bool:
        """Whether a call would begin at once."""
        return self._engine.has_room

    @property
    def load(self) -> int:
        """How many calls there are."""
        return self._engine.load

    @property
    def writes(self) -> int:
        """How many writes there were."""
        return self._outbox.writes

    def close(self) -> None:
        """End the connection; calls in flight fail with ConnectionFailed. Does not wait."""
        if self._pid != os.getpid():
            self.forget()
            return
        self._closed = True
        self._stream.close()  # the reader sees the end, and calls `_end`

    def forget(self) -> None:
        """In a forked child: the connection is the parent's."""
        self._closed = True
        self._stream.forget()

    def _suspect(self) -> None:
        """A call was not answered in time. If the server has been silent, ask it for a sign of life; if that
        does not come either, no further call is made here. Servers end connections that ping often."""
        now = monotonic()
        if now - self._stream.last_heard > SILENT and now - self._pinged_at > PING_INTERVAL:
            self._pinged_at = now
            self._engine.ping()
            self._outbox.wake()

    def _is_unanswered(self) -> bool:
        return self._stream.last_heard < self._pinged_at < monotonic() - ANSWER_WITHIN

    # Reading

    def _readable(self) -> None:
        """Read what has come. The hub calls this when the socket is readable."""
        if self._pid != os.getpid():  # a forked child, which has a copy of the hub
            self.forget()
            return
        try:
            self._read_slice()
        except BaseException as error:
            self._end(error)
            if not isinstance(error, OSError | ProtocolViolation):
                raise

    def _read_slice(self) -> None:
        until = monotonic() + SLICE
        for _ in range(READS_IN_A_ROW):
            if not self._engine.backlog:
                data = self._stream.receive_now()
                if data is None:
                    break
                self._take(data)
            self._advance_until(until)
            if monotonic() > until:
                break
        if self._engine.has_work(self._outbox.is_idle) or self._stream.owes:
            self._outbox.wake()

    def _read(self) -> None:
        """Read until the end, in a thread: there is no hub."""
        try:
            while self._pid == os.getpid():
                self._take(self._receive())
                self._advance_until(None)
                if self._stream.owes:
                    self._outbox.send_queued()
        except BaseException as error:
            self._end(error)
            if not isinstance(error, OSError | ProtocolViolation):
                raise

    def _receive(self) -> bytes | None:
        try:
            return self._stream.receive()
        except TimeoutError:  # the server may be silent for as long as nobody waits for it
            return None

    def _take(self, data: bytes | None) -> None:
        if data is not None:
            if not data:
                raise ConnectionResetError("the server closed the connection")
            self._outbox.silent = True
            self._engine.feed(data)

    # Working

    def _advance(self) -> None:
        """Do a slice of the work here, if this thread may; have the worker do the rest."""
        outbox = self._outbox
        if not outbox.may_send_here:
            outbox.wake()
            return
        self._advance_once(False)
        if self._engine.has_work(outbox.is_idle):
            outbox.wake()

    def _advance_all(self) -> None:
        """Do all of the work: for the worker, which lets other threads run in between."""
        while self._engine.has_work(self._outbox.is_idle):
            if not self._advance_once(False):
                return
            if self._engine.has_work(self._outbox.is_idle):
                self._fair_yield()

    def _advance_until(self, until: float | None) -> None:
        """Do the work that there is: for the reader."""
        while self._engine.has_work(self._outbox.is_idle):
            if not self._advance_once(self._in_hub):
                return
            if until is not None and monotonic() > until:
                return

    def _advance_once(self, switch: bool) -> bool:
        """Do a slice of the work, unless another thread is at it. Returns whether it was done."""
        outbox, engine = self._outbox, self._engine
        news = engine.run(outbox.put, self._can_write)
        if news is None:
            return False
        for call in news:
            if call.status is not None:
                call.dropped = None
            if call.is_due and not call.cancelled:
                if switch:
                    call.event.set_and_switch()
                else:
                    call.event.set()
        if engine.is_ready and not self._ready.is_set():
            self._ready.set()
        outbox.send_queued()
        if self._is_over:  # read after the slice: `_end` wakes the calls that there were before
            self._wake_all()
        return True

    def _can_write(self) -> bool:
        return self._outbox.is_idle

    # The end

    def _fail(self, error: BaseException) -> None:
        """End the connection because of `error`."""
        if not self._closed:
            self.failure = error
        self.close()

    def _end(self, error: BaseException) -> None:
        """The reader has met the end: wake all callers."""
        if not self._closed:
            self.failure = error
        self.close()
        self._stream.unwatch()
        self._outbox.end()
        self._is_over = True
        self._ready.set()
        self._wake_all()

    def _wake_all(self) -> None:
        for call in self._engine.calls():
            call.event.set()

    def _check(self, call: Call, method: str) -> None:
        """Raise what a call has ended with, unless that is success."""
        status = call.status
        assert status is not None
        if status.code == StatusCode.OK:
            return
        where = f"{self.peer}{method}"
        if call.too_large is not None:
            raise ResponseTooLarge(f"{where}: {call.too_large}; see max_message_bytes")
        if status.refused and not call.arrived:
            raise unsent(ConnectionFailed(f"{where}: {status.message}"))
        if status.code == StatusCode.DEADLINE_EXCEEDED:
            raise DeadlineExceeded(f"{where}: the server says that it is too late: {status.message}")
        raise GrpcError(status.code, status.message, method)

    def _failure_of(self, call: Call) -> ConnectionFailed:
        outcome = "the call was sent and may have run" if call.sent else "the call was not sent"
        return _with(self._error(outcome), call.sent)

    def _error(self, outcome: str) -> ConnectionFailed:
        failure = self.failure
        reason = "the connection was closed" if failure is None else f"{type(failure).__name__}: {failure}"
        error = ConnectionFailed(f"{self.peer}: {reason}; {outcome}")
        error.__cause__ = failure
        return error


def _left(deadline: float | None) -> float | None:
    """Seconds until a `time.monotonic()`, not below 0; None for none."""
    return None if deadline is None else max(0.0, deadline - monotonic())


def _with(error: E, sent: bool) -> E:
    error.sent = sent
    return error
