"""The server's end of an HTTP/2 connection that carries gRPC calls."""

from __future__ import annotations

from enum import Enum, auto
from typing import TYPE_CHECKING, Protocol

from h2.events import DataReceived, RequestReceived, StreamEnded, StreamReset, TrailersReceived
from h2.settings import SettingCodes, Settings

from .http2 import Http2Connection
from .messages import BrokenMessageError, Message, MessageReader, MessageTooLargeError
from .metadata import CONTENT_TYPE, Header, is_grpc, own_metadata
from .outgoing import Outgoing
from .status import OK, Status, StatusCode, status_headers
from .timeouts import decode_timeout

if TYPE_CHECKING:
    from .frames import GoAway
    from .limits import Http2Limits

__all__ = ["Budget", "CallState", "ServerCall", "ServerConnection"]

_NO_ERROR, _CANCEL, _REFUSED_STREAM = 0, 8, 7  # error codes of HTTP/2
_ANSWER = ((b":status", b"200"), (b"content-type", CONTENT_TYPE))
_UNBOUNDED = 1 << 30


class Budget(Protocol):
    """Bytes of requests that may be held, over all connections. Any thread may call it."""

    def take(self, size: int) -> bool:
        """Take so many bytes. Returns False, and takes nothing, if there are not as many."""

    def give_back(self, size: int) -> None:
        """Give bytes back that were taken."""


class CallState(Enum):
    """How far a call is. It only goes forward."""

    ARRIVING = auto()
    """Its headers have come, and its request has not, or not all of it."""
    REQUESTED = auto()
    """Its request has come."""
    ENDED = auto()
    """It was answered, or the client has cancelled it."""


class ServerCall:
    """One call.

    Attributes:
        id: the number of its stream.
        method: its path.
        metadata: its headers by name, without gRPC's own.
        timeout: the seconds that the client waits; None for any number.
        accepts_gzip: whether answers may be compressed.
        encoding: of the request, if it is compressed.
        state: how far it is.
        request: its message, once it has come.
        unsent: bytes of answers that wait for the client.
        is_cancelled: whether the client waits no more.
    """

    __slots__ = (
        "accepts_gzip", "arrived", "encoding", "granted", "has_answered", "id", "is_cancelled", "metadata",
        "method", "outgoing", "reader", "request", "state", "timeout",
    )  # fmt: skip

    def __init__(self, stream_id: int, headers: list[Header], limit: int) -> None:
        named = dict(headers)
        self.id = stream_id
        self.method = named.get(b":path", b"").decode("latin-1")
        self.metadata = own_metadata(headers)
        self.timeout = decode_timeout(named[b"grpc-timeout"]) if b"grpc-timeout" in named else None
        self.accepts_gzip = b"gzip" in named.get(b"grpc-accept-encoding", b"")
        self.encoding = named.get(b"grpc-encoding", b"identity")
        self.state = CallState.ARRIVING
        self.request: Message | None = None
        self.is_cancelled = False
        self.has_answered = False  # whether headers were sent
        self.reader = MessageReader(limit)
        self.outgoing = Outgoing(stream_id)
        self.arrived = self.granted = 0

    @property
    def unsent(self) -> int:
        return self.outgoing.size


class ServerConnection(Http2Connection):
    """Receives calls and sends answers. Only one thread at a time may call it.

    Args:
        limits: what the client may send.
        message_bytes: bytes of a request, as it comes.
        budget: bytes that all connections together may hold.

    Attributes:
        is_closing: whether new calls are refused.
    """

    def __init__(self, limits: Http2Limits, message_bytes: int, budget: Budget) -> None:
        super().__init__(limits, is_client=False)
        # The client has been told how many calls it may have. It may not have read that yet, and h2 would end
        # the connection because of a call too many. Here such a call is refused, and nothing else happens.
        values = dict(self._h2.local_settings) | {SettingCodes.MAX_CONCURRENT_STREAMS: _UNBOUNDED}
        self._h2.local_settings = Settings(
            client=False, initial_values={SettingCodes(code): value for code, value in values.items()}
        )
        self.is_closing = False
        self._room = 0
        self._message_bytes = message_bytes
        self._budget = budget
        self._calls: dict[int, ServerCall] = {}
        self._news: list[ServerCall] = []
        self._handlers.update(
            {
                DataReceived: self._on_data,
                RequestReceived: self._on_request,
                StreamEnded: self._on_stream_ended,
                StreamReset: self._on_reset,
                TrailersReceived: self._on_trailers,
            }
        )

    def __len__(self) -> int:
        """How many calls are in flight."""
        return len(self._calls)

    def receive(self, piece: bytes | GoAway, room: int) -> list[ServerCall]:
        """Handle a piece of what came; see `FrameScreen.feed`.

        Args:
            piece: what came.
            room: how many calls may begin. Further ones are refused.

        Returns:
            The calls that are new, have got their request or have ended. One may be in there several times.

        Raises:
            ProtocolViolation: it violates HTTP/2. The connection can no longer be used.
        """
        self._room = room
        self._receive(piece)
        news, self._news = self._news, []
        return news

    def send(self, call: ServerCall, message: bytes, is_compressed: bool = False) -> None:
        """Queue an answer. Does nothing if the call has ended."""
        if not self._may_answer(call):
            return
        self._answer(call, is_compressed)
        call.outgoing.add(message, is_compressed)
        self._queue(call.outgoing)

    def finish(self, call: ServerCall, status: Status = OK) -> None:
        """End a call, after the answers that are queued. Does nothing if it has ended."""
        if not self._may_answer(call):
            return
        call.state = CallState.ENDED
        outgoing = call.outgoing
        if call.has_answered or status.code == StatusCode.OK:
            self._answer(call, False)
            outgoing.trailers = status_headers(status)
            outgoing.is_ended = True
            self._queue(outgoing)
        else:
            self._h2.send_headers(call.id, [*_ANSWER, *status_headers(status)], end_stream=True)
            self._on_sent(outgoing)

    def cancel(self, call: ServerCall) -> None:
        """End a call without a status: the client does not read its answers."""
        if self._calls.get(call.id) is call:
            self._cancelled(call)
            self._reset(call.id, _CANCEL)

    def end(self) -> None:
        """The connection is gone: all its calls are cancelled."""
        for call in list(self._calls.values()):
            self._cancelled(call)

    def _may_answer(self, call: ServerCall) -> bool:
        if call.state is not CallState.ENDED and not self._is_open(call.id):
            self._cancelled(call)
        return call.state is not CallState.ENDED

    def _answer(self, call: ServerCall, is_compressed: bool) -> None:
        if not call.has_answered:
            call.has_answered = True
            headers = [*_ANSWER, (b"grpc-encoding", b"gzip")] if is_compressed else _ANSWER
            self._h2.send_headers(call.id, headers)

    def _on_request(self, event: RequestReceived) -> None:
        headers = dict(event.headers)
        if not self._is_open(event.stream_id):
            return
        if self.is_closing or self._room <= 0:
            self._reset(event.stream_id, _REFUSED_STREAM)
        elif headers.get(b":method") != b"POST" or not is_grpc(headers.get(b"content-type", b"")):
            self._h2.send_headers(event.stream_id, [(b":status", b"415")], end_stream=True)
            self._reset(event.stream_id, _NO_ERROR)
        else:
            self._room -= 1
            call = ServerCall(event.stream_id, event.headers, self._message_bytes)
            self._calls[call.id] = call
            self._news.append(call)

    def _on_data(self, event: DataReceived) -> None:
        size = event.flow_controlled_length
        self._acknowledge(size)
        call = self._calls.get(event.stream_id)
        if call is None or call.state is not CallState.ARRIVING:
            return
        if not self._budget.take(size):
            self.finish(call, Status(StatusCode.RESOURCE_EXHAUSTED, "the server holds too many requests"))
            return
        call.arrived += size
        try:
            found = call.reader.feed(event.data)
        except MessageTooLargeError as error:
            self.finish(call, Status(StatusCode.RESOURCE_EXHAUSTED, str(error)))
        except BrokenMessageError as error:
            self.finish(call, Status(StatusCode.INTERNAL, str(error)))
        else:
            if len(found) + (call.request is not None) > 1:
                self.finish(call, Status(StatusCode.UNIMPLEMENTED, "a stream of requests"))
                return
            if found:
                call.request = found[0]
            size = call.arrived - call.granted
            if size * 2 >= self.limits.stream_window and self._open_window(call.id, size):
                call.granted += size

    def _on_trailers(self, event: TrailersReceived) -> None:
        """Clients send none that mean anything. The end of the stream is an event of its own."""

    def _on_stream_ended(self, event: StreamEnded) -> None:
        call = self._calls.get(event.stream_id)
        if call is None or call.state is not CallState.ARRIVING:
            return
        if call.request is None or call.reader.partial:
            self.finish(call, Status(StatusCode.INTERNAL, "the call ended within its request"))
        else:
            call.state = CallState.REQUESTED
            self._news.append(call)

    def _on_reset(self, event: StreamReset) -> None:
        call = self._calls.get(event.stream_id)
        if call is not None:
            self._cancelled(call)

    def _cancelled(self, call: ServerCall) -> None:
        call.state = CallState.ENDED
        call.is_cancelled = True
        self._forget(call.outgoing)
        self._release(call)
        self._news.append(call)

    def _on_sent(self, outgoing: Outgoing) -> None:
        """All of an answer was framed. If the client still sends its request, it need not go on."""
        call = self._calls.get(outgoing.id)
        if call is None:
            return
        self._reset(call.id, _NO_ERROR)
        self._release(call)
        self._news.append(call)

    def _release(self, call: ServerCall) -> None:
        self._budget.give_back(call.arrived)
        call.arrived = 0
        del self._calls[call.id]
