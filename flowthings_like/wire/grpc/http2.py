"""One end of an HTTP/2 connection: h2, with the windows, the queues and the bounds that gRPC needs."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import Event, RemoteSettingsChanged, WindowUpdated
from h2.settings import SettingCodes, Settings
from hyperframe.frame import GoAwayFrame, WindowUpdateFrame

from .frames import GoAway, ProtocolViolation

if TYPE_CHECKING:
    from .limits import Http2Limits
    from .outgoing import Outgoing

__all__ = ["Http2Connection"]

_MAX_FRAME = 256 << 10
"""Bytes of a frame that is sent, at most, even if the other end allows more: others wait behind it."""

_MAX_TABLE = 4096
"""Bytes of the table of sent headers, even if the other end allows more: it is searched in order."""

_FIRST_WINDOW = 65_535
"""The connection's window at the beginning; HTTP/2 says so."""


class Http2Connection:
    """The common part of both ends. Not safe for threads: only one at a time may call it.

    What is to be sent is queued by stream. `take` frames it as far as the windows allow, one frame of each
    stream in turn.

    Args:
        limits: what the other end may send.
        is_client: which end this is.
    """

    def __init__(self, limits: Http2Limits, *, is_client: bool) -> None:
        self.limits = limits
        self._h2 = h2 = H2Connection(
            H2Configuration(
                client_side=is_client,
                header_encoding=None,
                # Our own headers are checked where they are made. Those of a server are only looked up by
                # name. Both checks would take a third of the time of a small call.
                validate_outbound_headers=False,
                normalize_outbound_headers=False,
                validate_inbound_headers=not is_client,
                normalize_inbound_headers=False,
            )
        )
        settings = {
            SettingCodes.INITIAL_WINDOW_SIZE: limits.stream_window,
            SettingCodes.MAX_FRAME_SIZE: limits.frame_bytes,
            SettingCodes.MAX_HEADER_LIST_SIZE: limits.header_bytes,
            SettingCodes.MAX_CONCURRENT_STREAMS: limits.streams,
            SettingCodes.ENABLE_PUSH: 0,
        }
        h2.local_settings = Settings(client=is_client, initial_values=settings)
        h2.max_inbound_frame_size = limits.frame_bytes
        h2.decoder.max_header_list_size = limits.header_bytes
        self._ready: deque[Outgoing] = deque()
        self._blocked: dict[int, Outgoing] = {}
        self._unacknowledged = 0  # bytes that came on all streams
        self._dropped = 0  # bytes that came and that h2 has not seen
        self._updates = b""  # frames that acknowledge those
        self._handlers: dict[type[Event], Callable[[Any], object]] = {
            RemoteSettingsChanged: self._on_settings,
            WindowUpdated: self._on_window,
        }
        h2.initiate_connection()
        h2.increment_flow_control_window(limits.connection_window - _FIRST_WINDOW)

    # Sending

    @property
    def wants_to_send(self) -> bool:
        """Whether `take` would return something because of a stream. What else there is, it returns too."""
        return bool(self._ready) and self._h2.outbound_flow_control_window > 0

    def take(self, most: int) -> bytes:
        """Take bytes to send: all frames that are due, and about `most` bytes of what waits on streams."""
        sent, ready = 0, self._ready
        while ready and sent < most:
            outgoing = ready.popleft()
            outgoing.is_queued = False
            if self._is_open(outgoing.id):
                sent += self._send_some(outgoing)
            else:  # the other end has reset it
                outgoing.clear()
            if self._h2.outbound_flow_control_window <= 0:
                break
        data = self._h2.data_to_send()
        if self._updates:
            data, self._updates = data + self._updates, b""
        return data

    def goaway_frame(self, error_code: int = 0, text: bytes = b"") -> bytes:
        """A GOAWAY frame, with which nothing changes here. h2's own would end the calls in flight."""
        last = self._h2.highest_inbound_stream_id
        frame = GoAwayFrame(0, last_stream_id=last, error_code=error_code, additional_data=text)
        return bytes(frame.serialize())

    def _send_some(self, outgoing: Outgoing) -> int:
        """Send one frame of a stream, and queue it again if it has more. Returns how many bytes it has."""
        h2, stream_id = self._h2, outgoing.id
        sent = 0
        if outgoing.size:
            room = min(h2.local_flow_control_window(stream_id), h2.max_outbound_frame_size, _MAX_FRAME)
            if room <= 0:
                if h2.outbound_flow_control_window <= 0:
                    self._queue(outgoing)
                else:
                    self._blocked[stream_id] = outgoing
                return 0
            data = outgoing.take(room)
            sent = len(data)
            is_last = outgoing.is_ended and not outgoing.size and outgoing.trailers is None
            h2.send_data(stream_id, data, end_stream=is_last)
            if is_last:
                self._on_sent(outgoing)
                return sent
        if outgoing.size:
            self._queue(outgoing)
        elif outgoing.is_ended:
            if outgoing.trailers is None:
                h2.end_stream(stream_id)
            else:
                h2.send_headers(stream_id, outgoing.trailers, end_stream=True)
            self._on_sent(outgoing)
        return sent

    def _queue(self, outgoing: Outgoing) -> None:
        """Have `take` send what a stream has, unless it waits for its window."""
        if not outgoing.is_queued and outgoing.id not in self._blocked:
            outgoing.is_queued = True
            self._ready.append(outgoing)

    def _forget(self, outgoing: Outgoing) -> None:
        """Send nothing more of a stream."""
        outgoing.clear()
        outgoing.is_ended = False
        self._blocked.pop(outgoing.id, None)

    def _on_sent(self, outgoing: Outgoing) -> None:
        """All of a stream was framed."""

    def _is_open(self, stream_id: int) -> bool:
        """Whether something can be sent on a stream. h2 may have handled the frame that has closed it, while
        events of earlier frames are still to be handled here."""
        stream = self._h2.streams.get(stream_id)
        return stream is not None and not stream.closed

    def _reset(self, stream_id: int, error_code: int) -> None:
        """Reset a stream, if it is open."""
        if self._is_open(stream_id):
            self._h2.reset_stream(stream_id, error_code)

    # Receiving

    def _receive(self, piece: bytes | GoAway) -> None:
        """Handle a piece of what came; see `FrameScreen.feed`.

        Raises:
            ProtocolViolation: it violates HTTP/2.
        """
        if isinstance(piece, GoAway):
            self._on_goaway(piece)
            return
        handlers = self._handlers
        try:
            events = self._h2.receive_data(piece)
        except Exception as error:  # also what h2 does not foresee: the bytes come from outside
            code = getattr(error, "error_code", 1)
            raise ProtocolViolation(f"{type(error).__name__}: {error}", int(code)) from error
        for event in events:
            handler = handlers.get(type(event))
            if handler is not None:
                handler(event)

    def _on_goaway(self, goaway: GoAway) -> None:
        """The other end begins no more streams."""

    def _acknowledge(self, size: int) -> None:
        """Note that bytes came on a stream. The connection's window is opened again at once: how much waits
        on a stream is up to that stream's window, so a slow consumer does not hold up the others."""
        self._unacknowledged += size
        if self._unacknowledged * 4 >= self.limits.connection_window:
            size, self._unacknowledged = self._unacknowledged, 0
            self._h2.increment_flow_control_window(size)

    def _acknowledge_dropped(self, size: int) -> None:
        """The same for bytes that h2 has not seen. It does not count them, so it must not give them back."""
        self._dropped += size
        if self._dropped * 4 >= self.limits.connection_window:
            self._updates += WindowUpdateFrame(0, window_increment=self._dropped).serialize()
            self._dropped = 0

    def _open_window(self, stream_id: int, size: int) -> bool:
        """Let the other end send more on a stream. Returns False if the stream is closed."""
        stream = self._h2.streams.get(stream_id)
        if stream is None or not stream.open:
            return False
        self._h2.increment_flow_control_window(size, stream_id)
        return True

    def _on_settings(self, event: RemoteSettingsChanged) -> None:
        changed = event.changed_settings
        if SettingCodes.HEADER_TABLE_SIZE in changed:
            encoder = self._h2.encoder
            encoder.header_table_size = min(encoder.header_table_size, _MAX_TABLE)
        if SettingCodes.INITIAL_WINDOW_SIZE in changed:
            for stream_id in list(self._blocked):
                self._queue(self._blocked.pop(stream_id))

    def _on_window(self, event: WindowUpdated) -> None:
        if event.stream_id:
            outgoing = self._blocked.pop(event.stream_id, None)
            if outgoing is not None:
                self._queue(outgoing)
