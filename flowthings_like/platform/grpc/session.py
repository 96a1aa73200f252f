"""One client's connection: reads its calls, has handlers answer them, and sends what they answer."""

from __future__ import annotations

import logging
import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

from ...green.backends import choice as backend
from ...green.backends.fairness import LARGE, join_fairly
from ...wire.grpc.frames import FrameScreen, ProtocolViolation
from ...wire.grpc.limits import server_limits
from ...wire.grpc.messages import ENCODINGS, BrokenMessageError, MessageTooLargeError, compress, inflate
from ...wire.grpc.server import CallState, ServerCall, ServerConnection
from ...wire.grpc.status import OK, GrpcError, Status, StatusCode
from ..leader.after_fork import abandon_socket
from ..sockets import outbox
from ..sockets.outbox import Outbox
from .context import Context

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ...wire.grpc.frames import GoAway
    from ...wire.grpc.server import Budget
    from .context import Handler
    from .limits import ServerLimits

__all__ = ["Session"]

_log = logging.getLogger("flowthings_like.platform.grpc")

HIGH_WATER = 256 << 10
"""Bytes of a call's answers that may wait for the client, before its handler waits as well."""

_WINDOW = 1 << 20  # bytes of a request that may come before they are acknowledged
_READ_SIZE = 64 << 10
_WRITE_SIZE = 256 << 10  # bytes that are framed at once: about a millisecond of work
_GOODBYE = 1.0  # seconds that the client has to read why its connection ends
_TICK = 5.0  # seconds after which a silent connection is looked at


class Host(Protocol):
    """What a session needs of its server."""

    limits: ServerLimits
    compresses: bool

    @property
    def budget(self) -> Budget:
        """Bytes that all sessions together may hold."""

    def handler(self, method: str) -> Handler | None:
        """The handler of a method, if there is one."""

    def authorize(self, context: Context) -> None:
        """Raise GrpcError if a call is refused."""

    def start_handler(self, function: Callable[..., object], *args: object) -> None:
        """Run a handler in a thread of its own, as soon as there is room for one."""


class Session:
    """The connection of one client.

    Args:
        host: has the handlers and the limits.
        sock: the connected socket. It belongs to the session.
        peer: the client's address, for the log.
    """

    def __init__(self, host: Host, sock: socket.socket, peer: str) -> None:
        limits = host.limits
        self.peer = peer
        self._host = host
        self._sock = sock
        sock.settimeout(outbox.STALL_TIMEOUT)
        # A second handle to read from: its time-out is shorter, and must not end a write.
        self._incoming = sock.dup()
        self._incoming.settimeout(_TICK)
        self._outbox = Outbox(sock, self.abort)
        http2 = server_limits(_WINDOW, limits.header_bytes, limits.calls)
        self._screen = FrameScreen(http2, expects_preface=True)
        self._lock = backend.detect().lock()  # of the protocol
        self._protocol = ServerConnection(http2, limits.message_bytes, host.budget)
        self._contexts: dict[ServerCall, Context] = {}  # of calls that have not ended, or whose handlers run
        self._blocked: dict[ServerCall, Any] = {}  # events of handlers that wait for the client to read
        self._last_call = self._incomplete_since = self._next_look = time.monotonic()
        self._is_closed = False

    @property
    def calls(self) -> int:
        """How many calls there are."""
        return len(self._contexts)

    def serve(self) -> None:
        """Answer calls until the connection ends, or the client violates the protocol or a bound."""
        try:
            self._flush()
            self._handle_all()
        except (OSError, EOFError):
            pass  # the client has closed the connection: that is how connections end
        except ProtocolViolation as error:
            _log.info("the connection from %s was ended: %s", self.peer, error)
            self._say_goodbye(error.error_code, str(error)[:100])
        except Exception:
            _log.exception("the connection from %s failed", self.peer)
        finally:
            self.close()

    def refuse_calls(self) -> None:
        """Tell the client to make no more calls here. Those in flight go on."""
        with self._lock:
            if not self._is_closed:
                self._protocol.is_closing = True
                self._outbox.send(self._protocol.take(0) + self._protocol.goaway_frame())

    def _say_goodbye(self, error_code: int, text: str) -> None:
        """Tell the client why the connection ends."""
        with self._lock:
            self._outbox.send(self._protocol.goaway_frame(error_code, text.encode()))
        self._outbox.wait_empty(_GOODBYE)

    def abort(self) -> None:
        """Close the connection at once, whatever is still to be sent."""
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)

    def abandon(self) -> None:
        """In a forked child: close the inherited sockets without any effect on the parent."""
        self._outbox.abandon()
        abandon_socket(self._incoming)
        abandon_socket(self._sock)

    def wait_sent(self, seconds: float) -> None:
        """Wait until the client has taken everything, but not longer than so many seconds."""
        self._outbox.wait_empty(seconds)

    def close(self) -> None:
        """Cancel all calls and close the socket. More calls do nothing."""
        self._is_closed = True
        with self._lock:
            self._protocol.end()
        self._wake_blocked()
        self._outbox.close()
        for sock in self._incoming, self._sock:
            with suppress(OSError):
                sock.close()

    # Reading

    def _handle_all(self) -> None:
        here = backend.detect()
        while (data := self._read()) != b"":
            if data is not None:
                pieces = self._screen.feed(data, time.monotonic())
                for number, piece in enumerate(pieces):
                    if number:
                        here.fair_yield()
                    self._handle(piece)
            self._check_times()

    def _read(self) -> bytes | None:
        """What has come; None if nothing has for a while, b"" at the end."""
        try:
            return self._incoming.recv(_READ_SIZE)
        except TimeoutError:
            return None

    def _handle(self, piece: bytes | GoAway) -> None:
        with self._lock:
            news = self._protocol.receive(piece, self._host.limits.calls - len(self._contexts))
        for call in news:
            self._react(call)
        self._flush()  # waits if the client does not read, so that it cannot make us queue answers to pings
        if self._blocked:
            self._wake_blocked()

    def _react(self, call: ServerCall) -> None:
        """Do what a new call, its request or its end asks for."""
        context = self._contexts.get(call)
        if context is None:
            if call.state is CallState.ENDED:
                return
            context = self._welcome(call)
            if context is None:
                return
        if call.state is CallState.REQUESTED and not context.is_handled:
            context.is_handled = True
            handler = self._host.handler(call.method)
            assert handler is not None
            self._host.start_handler(self._run, call, context, handler)
        elif call.state is CallState.ENDED and not context.is_handled:
            del self._contexts[call]

    def _welcome(self, call: ServerCall) -> Context | None:
        """Look at a new call's headers. Returns None if it is refused."""
        self._last_call = time.monotonic()
        context = Context(call, self.peer)
        try:
            if self._host.handler(call.method) is None:
                raise GrpcError(StatusCode.UNIMPLEMENTED, "this server does not have the method")
            self._host.authorize(context)
        except GrpcError as error:
            self._finish(call, Status(error.code, error.message))
            return None
        except Exception:
            _log.exception("a call of %s could not be authorized", call.method)
            self._finish(call, Status(StatusCode.INTERNAL, "the server failed"))
            return None
        self._contexts[call] = context
        return context

    def _check_times(self) -> None:
        """Raise ProtocolViolation if the client keeps the connection open for nothing."""
        limits, now = self._host.limits, time.monotonic()
        if not self._screen.is_incomplete:
            self._incomplete_since = now
        elif now - self._incomplete_since > limits.frame_seconds:
            raise ProtocolViolation(f"a frame or headers took more than {limits.frame_seconds:g} s")
        if not self._contexts and now - self._last_call > limits.idle_seconds:
            raise ProtocolViolation(f"no call for {limits.idle_seconds:g} s", error_code=0)
        if now >= self._next_look:
            self._next_look = now + _TICK
            for call, context in list(self._contexts.items()):
                if call.state is CallState.ARRIVING and now - context.began > limits.request_seconds:
                    self._contexts.pop(call, None)
                    self._finish(call, Status(StatusCode.DEADLINE_EXCEEDED, "the request came too slowly"))

    # Answering, in the thread of a handler

    def _run(self, call: ServerCall, context: Context, handler: Handler) -> None:
        try:
            self._finish(call, self._answer(call, context, handler))
        finally:
            # Last: a call without a context that has not ended is a new one to the thread that reads.
            self._contexts.pop(call, None)
            self._last_call = time.monotonic()

    def _answer(self, call: ServerCall, context: Context, handler: Handler) -> Status:
        """Have the handler answer. Returns how that has ended."""
        try:
            if not context.is_cancelled:
                request = _request(call, self._host.limits.message_bytes)
                answer = handler(request, context)
                if isinstance(answer, bytes | bytearray | memoryview):
                    self._send(call, context, bytes(answer))
                else:
                    self._send_all(call, context, answer)
        except GrpcError as error:
            return Status(error.code, error.message)
        except Exception:
            _log.exception("the handler of %s failed", call.method)
            return Status(StatusCode.INTERNAL, "the server failed")
        if context.is_late:
            return Status(StatusCode.DEADLINE_EXCEEDED, "the deadline is over")
        return OK

    def _send_all(self, call: ServerCall, context: Context, answers: Iterator[bytes]) -> None:
        try:
            self._send_each(call, context, answers)
        finally:
            close = getattr(answers, "close", None)
            if close is not None:
                close()

    def _send_each(self, call: ServerCall, context: Context, answers: Iterator[bytes]) -> None:
        for answer in answers:
            if context.is_cancelled:
                return
            self._send(call, context, answer)

    def _send(self, call: ServerCall, context: Context, answer: bytes) -> None:
        """Send an answer. Waits while the client does not read."""
        is_compressed = self._host.compresses and call.accepts_gzip
        if is_compressed:
            answer = join_fairly(compress(answer))
        with self._lock:
            self._protocol.send(call, answer, is_compressed)
        self._flush()
        if call.unsent > HIGH_WATER:
            self._wait_read(call, context)

    def _wait_read(self, call: ServerCall, context: Context) -> None:
        """Wait until the client has read enough of a call, or waits no more.

        Raises:
            GrpcError: it reads nothing for too long.
        """
        here, limits = backend.detect(), self._host.limits
        unsent, since = call.unsent, time.monotonic()
        while not self._may_go_on(call):
            event = self._blocked[call] = here.one_shot_event()
            if not self._may_go_on(call) and not context.is_late:
                event.wait(_TICK)
            if call.unsent != unsent:
                unsent, since = call.unsent, time.monotonic()
            elif context.is_late or time.monotonic() - since > limits.stalled_seconds:
                self._cancel(call)
        self._blocked.pop(call, None)

    def _may_go_on(self, call: ServerCall) -> bool:
        return call.unsent <= HIGH_WATER or call.is_cancelled

    def _wake_blocked(self) -> None:
        """Let the handlers go on that have waited for the client to read."""
        for call, event in list(self._blocked.items()):
            if self._may_go_on(call):
                event.set()

    def _finish(self, call: ServerCall, status: Status) -> None:
        with self._lock:
            self._protocol.finish(call, status)
        self._flush()

    def _cancel(self, call: ServerCall) -> None:
        with self._lock:
            self._protocol.cancel(call)
        self._flush()

    def _flush(self) -> None:
        """Hand what can be sent to the outbox, a millisecond of work at a time. Waits while it is full."""
        while self._flush_slice():
            backend.detect().fair_yield()
            self._outbox.drain()

    def _flush_slice(self) -> bool:
        """Returns whether there is more."""
        with self._lock:
            if self._is_closed:
                return False
            if self._outbox.unsent <= outbox.HIGH_WATER:
                data = self._protocol.take(_WRITE_SIZE)
                if data:
                    self._outbox.send(data)
            return self._protocol.wants_to_send


def _request(call: ServerCall, limit: int) -> bytes:
    """The request of a call, decompressed.

    Raises:
        GrpcError: it is compressed in a way that is not known, or too large.
    """
    message = call.request
    assert message is not None
    call.request = None
    if not message.is_compressed:
        return message.raw() if message.size < LARGE else join_fairly(message.pieces)
    try:
        return join_fairly(inflate(message, call.encoding, limit))
    except MessageTooLargeError as error:
        raise GrpcError(StatusCode.RESOURCE_EXHAUSTED, str(error)) from None
    except BrokenMessageError as error:
        code = StatusCode.INTERNAL if call.encoding in ENCODINGS else StatusCode.UNIMPLEMENTED
        raise GrpcError(code, str(error)) from None
