"""The client's end of an HTTP/2 connection that carries gRPC calls."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from h2.events import (
    DataReceived,
    PingAckReceived,
    RemoteSettingsChanged,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
)
from h2.settings import SettingCodes

from .frames import FRAME_HEADER, FrameKind
from .http2 import Http2Connection
from .limits import CLIENT_LIMITS
from .messages import BrokenMessageError, Message, MessageReader, MessageTooLargeError
from .metadata import Header, is_grpc
from .outgoing import Outgoing
from .status import Status, StatusCode, http_status, read_status, reset_status

if TYPE_CHECKING:
    from .frames import GoAway
    from .limits import Http2Limits

__all__ = ["ClientCall", "ClientConnection"]

_CANCEL = 8  # an error code of HTTP/2
_MAX_STREAMS = 1 << 31
_MAX_LATE = 1000
_LAST_NUMBER = (1 << 31) - 10  # of a stream, nearly


class ClientCall:
    """One call. The connection fills in what comes; its caller takes messages out and says so.

    Attributes:
        headers: of the request.
        request: its message, encoded.
        is_compressed: whether that is compressed.
        limit: bytes that an answer may have.
        id: the number of its stream; 0 until it has begun.
        messages: those that have come and were not taken.
        encoding: of the messages, if they are compressed.
        status: how it has ended; None until then.
        too_large: an answer that was larger than `limit`, if there was one.
        arrived, padding: bytes that have come, and how many of them are padding.
        consumed: bytes of the messages that the caller has taken, prefixes included. Only the caller sets it.
        granted: bytes that the server was allowed to send again.
    """

    __slots__ = (
        "arrived", "consumed", "encoding", "granted", "headers", "id", "is_compressed", "limit", "messages",
        "outgoing", "padding", "reader", "request", "status", "too_large",
    )  # fmt: skip

    def __init__(
        self, headers: list[Header], request: bytes, limit: int, *, is_compressed: bool = False
    ) -> None:
        self.headers = headers
        self.request = request
        self.is_compressed = is_compressed
        self.limit = limit
        self.id = 0
        self.messages: deque[Message] = deque()
        self.encoding = b"identity"
        self.status: Status | None = None
        self.too_large: MessageTooLargeError | None = None
        self.reader = MessageReader(limit)
        self.outgoing: Outgoing | None = None
        self.arrived = self.padding = self.consumed = self.granted = 0

    @property
    def to_grant(self) -> int:
        """Bytes that the server may be allowed to send again: those of messages that were taken. If none
        waits, those of the next one as well, which may be larger than the window."""
        return (self.consumed + self.padding if self.messages else self.arrived) - self.granted


class ClientConnection(Http2Connection):
    """Begins calls, and gives them what comes. Only one thread at a time may call it.

    Attributes:
        is_ready: whether the server's settings have come: it speaks HTTP/2, and `max_calls` is known.
        max_calls: how many calls the server allows at once.
        goaway: the server's GOAWAY, if it came.
        pings: how many answers to pings came.
    """

    def __init__(self, limits: Http2Limits = CLIENT_LIMITS) -> None:
        super().__init__(limits, is_client=True)
        self.is_ready = False
        self.max_calls = _MAX_STREAMS
        self.goaway: GoAway | None = None
        self.pings = 0
        self._calls: dict[int, ClientCall] = {}
        self._news: list[ClientCall] = []
        self._late: dict[int, None] = {}  # streams that were reset lately: something may still come
        self._handlers.update(
            {
                DataReceived: self._on_data,
                PingAckReceived: self._on_ping_answer,
                ResponseReceived: self._on_response,
                StreamEnded: self._on_stream_ended,
                StreamReset: self._on_reset,
                TrailersReceived: self._on_trailers,
            }
        )

    def __len__(self) -> int:
        """How many calls are in flight."""
        return len(self._calls)

    def calls(self) -> list[ClientCall]:
        """The calls in flight."""
        return list(self._calls.values())

    @property
    def is_exhausted(self) -> bool:
        """Whether no further call can begin, whatever ends: the server has said so, or no number is left."""
        return self.goaway is not None or self._h2.highest_outbound_stream_id > _LAST_NUMBER

    @property
    def has_room(self) -> bool:
        """Whether one more call can begin now."""
        return not self.is_exhausted and len(self._calls) < self.max_calls

    def begin(self, call: ClientCall) -> None:
        """Begin a call; there must be room."""
        h2 = self._h2
        stream_id = h2.get_next_available_stream_id()
        h2.send_headers(stream_id, call.headers)
        call.id = stream_id
        self._calls[stream_id] = call
        call.outgoing = outgoing = Outgoing(stream_id)
        outgoing.add(call.request, call.is_compressed)
        outgoing.is_ended = True
        self._queue(outgoing)
        call.request = b""

    def cancel(self, call: ClientCall) -> None:
        """End a call; the server is told, unless it has ended it."""
        if self._calls.pop(call.id, None) is not None:
            self._end_stream(call, _CANCEL)

    def grant(self, call: ClientCall) -> None:
        """Let the server send more on a call, as far as the caller has taken what came."""
        size = call.to_grant
        if size * 2 >= self.limits.stream_window and self._open_window(call.id, size):
            call.granted += size

    def ping(self) -> None:
        """Ask for a sign of life."""
        self._h2.ping(b"liveness")

    def receive(self, piece: bytes | GoAway) -> list[ClientCall]:
        """Handle a piece of what came; see `FrameScreen.feed`.

        Returns:
            The calls that have got a message or their status. One may be in there several times.

        Raises:
            ProtocolViolation: it violates HTTP/2. The connection can no longer be used.
        """
        self._news = []
        if self._late and isinstance(piece, bytes):
            piece = self._without_late(piece)
        self._receive(piece)
        return self._news

    def _without_late(self, piece: bytes) -> bytes:
        """Take out DATA of calls that were reset. h2 would answer each frame of it with another reset, and
        servers end connections that send many."""
        kept: list[bytes] = []
        start = position = 0
        while position < len(piece):
            following = position + FRAME_HEADER + int.from_bytes(piece[position : position + 3], "big")
            if piece[position + 3] == FrameKind.DATA:
                stream_id = int.from_bytes(piece[position + 5 : position + 9], "big") & 0x7FFFFFFF
                if stream_id in self._late:
                    kept.append(piece[start:position])
                    start = following
                    self._acknowledge_dropped(following - position - FRAME_HEADER)
            position = following
        return b"".join([*kept, piece[start:]]) if kept else piece

    def _on_settings(self, event: RemoteSettingsChanged) -> None:
        super()._on_settings(event)
        self.is_ready = True
        most = event.changed_settings.get(SettingCodes.MAX_CONCURRENT_STREAMS)
        if most is not None:
            self.max_calls = most.new_value

    def _on_ping_answer(self, event: PingAckReceived) -> None:
        self.pings += 1

    def _on_goaway(self, goaway: GoAway) -> None:
        self.goaway = goaway
        refused = Status(
            StatusCode.UNAVAILABLE,
            f"the server ends the connection (GOAWAY, error code {goaway.error_code})",
            refused=True,
        )
        for call in [call for call in self._calls.values() if call.id > goaway.last_stream_id]:
            self._end(call, refused)

    def _on_response(self, event: ResponseReceived) -> None:
        call = self._calls.get(event.stream_id)
        if call is None:
            return
        headers = dict(event.headers)
        if event.stream_ended is not None:
            self._end(call, read_status(headers))
        elif headers.get(b":status") != b"200" or not is_grpc(headers.get(b"content-type", b"")):
            self._end(call, http_status(headers))
        else:
            call.encoding = headers.get(b"grpc-encoding", b"identity")

    def _on_trailers(self, event: TrailersReceived) -> None:
        call = self._calls.get(event.stream_id)
        if call is not None:
            self._end(call, read_status(dict(event.headers)))

    def _on_data(self, event: DataReceived) -> None:
        size = event.flow_controlled_length
        self._acknowledge(size)
        call = self._calls.get(event.stream_id)
        if call is None:
            return
        call.arrived += size
        try:
            found = call.reader.feed(event.data)
        except MessageTooLargeError as error:
            call.too_large = error
            self._end(call, Status(StatusCode.RESOURCE_EXHAUSTED, str(error)))
        except BrokenMessageError as error:
            self._end(call, Status(StatusCode.INTERNAL, str(error)))
        else:
            call.padding += size - len(event.data)
            if found:
                call.messages.extend(found)
                self._news.append(call)
            elif not call.messages:
                self.grant(call)

    def _on_stream_ended(self, event: StreamEnded) -> None:
        call = self._calls.get(event.stream_id)
        if call is not None:
            self._end(call, Status(StatusCode.INTERNAL, "the call ended without a status"))

    def _on_reset(self, event: StreamReset) -> None:
        call = self._calls.get(event.stream_id)
        if call is not None:
            self._end(call, reset_status(int(event.error_code)))

    def _end(self, call: ClientCall, status: Status) -> None:
        """A call has ended. Its messages stay until they are taken."""
        del self._calls[call.id]
        if call.reader.partial and status.code == StatusCode.OK:
            status = Status(StatusCode.INTERNAL, "the call ended within a message")
        call.status = status
        self._news.append(call)
        self._end_stream(call, _CANCEL)

    def _end_stream(self, call: ClientCall, error_code: int) -> None:
        """Send nothing more of a call, and reset its stream if that is not closed."""
        if call.outgoing is not None:
            self._forget(call.outgoing)
        if self._is_open(call.id):
            self._reset(call.id, error_code)
            self._late[call.id] = None
            if len(self._late) > _MAX_LATE:
                del self._late[next(iter(self._late))]
