"""The client end of a WebSocket, on top of any byte stream: handshake, messages, and the answers to pings.

It serves both ThingsDB nodes at `ws://` and `wss://` and live messages.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

import websocket

from .frames import Kind, MessageParser, frame

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..byte_stream import ByteStream
    from .frames import Message

__all__ = ["RedirectError", "WebSocket", "upgrade"]

HEADERS = 65_536
"""Bytes of the answer to the handshake, at most."""

_REDIRECTS = range(300, 400)


class RedirectError(ConnectionError):
    """The server answered with a redirect. It is not followed, because headers and cookies would be sent
    along.

    Attributes:
        status: the answer's status.
        location: the URL in the answer.
    """

    def __init__(self, status: int, location: str) -> None:
        super().__init__(f"{status}, a redirect")
        self.status = status
        self.location = location


def upgrade(below: ByteStream, url: str, most: int, **options: Any) -> WebSocket:
    """Do the handshake on a connection.

    Args:
        below: connected, after the TLS handshake if there is TLS. Its `limit` applies to this handshake.
        url: of the WebSocket.
        most: bytes of a message, at most.
        options: of the handshake; see `websocket.create_connection`.

    Raises:
        OSError: the other end does not speak WebSocket.
        RedirectError: it answers with a redirect.
        TimeoutError: not within the limit.
    """
    source = _HandshakeSocket(below)
    made: Any = websocket.WebSocket(enable_multithread=False)
    try:
        made.connect(url, **{**options, "socket": source, "redirect_limit": 0})
    except websocket.WebSocketTimeoutException as error:
        raise TimeoutError(str(error)) from None
    except (websocket.WebSocketException, ValueError) as error:
        answer = made.handshake_response
        if answer is not None and answer.status in _REDIRECTS:
            raise RedirectError(answer.status, str(answer.headers.get("location") or "")) from None
        raise ConnectionError(f"no WebSocket there: {str(error)[:200]}") from error
    return WebSocket(below, most, source.rest)


class WebSocket:
    """Sends and receives messages. As a `ByteStream` it sends each item as one binary message.

    Args:
        below: a connection after the handshake. The WebSocket owns it from now on.
        most: bytes of a message, at most. A longer one is an error.
        early: bytes that came together with the answer to the handshake.
    """

    is_websocket = True

    def __init__(self, below: ByteStream, most: int, early: bytes = b"") -> None:
        self.peer = below.peer
        self._below = below
        self._parser = MessageParser(most)
        self._owed: deque[bytes] = deque()  # encoded answers to pings
        self._early = early
        self._is_over = False

    # Messages

    def send(self, kind: Kind, data: bytes) -> None:
        """Send one message, and wait until it is sent. One thread at a time may do so.

        Raises:
            OSError: the connection is broken.
        """
        if not self._offer([frame(kind, data)]):
            self._below.flush()

    def send_owed(self) -> None:
        """Answer the pings that have come.

        Raises:
            OSError: the connection is broken.
        """
        if not self._offer([]):
            self._below.flush()

    def receive_messages(self) -> list[Message]:
        """Wait for bytes. Returns the messages that they complete, which may be none.

        Control frames are among them: the last message is of the kind CLOSE. Answers to pings are sent with
            the next message, or by `send_owed`.

        Raises:
            OSError: the connection is broken, ends without CLOSE, or violates the protocol.
            TimeoutError: not within the limit.
        """
        early, self._early = self._early, b""
        return self._parse(early or self._below.receive() or b"")

    def _parse(self, data: bytes) -> list[Message]:
        if not data:
            raise ConnectionResetError("the connection was closed")
        messages = self._parser.feed(data)
        for message in messages:
            if message.kind == Kind.PING:
                self._owed.append(frame(Kind.PONG, message.data))
        return messages

    # As a ByteStream

    @property
    def owes(self) -> bool:
        return bool(self._owed) or self._below.owes

    @property
    def last_heard(self) -> float:
        return self._below.last_heard

    def limit(self, until: float | None, each: float | None = None) -> None:
        self._below.limit(until, each)

    def offer(self, items: Sequence[bytes | memoryview]) -> bool:
        return self._offer([frame(Kind.BINARY, item) for item in items])

    def _offer(self, frames: list[bytes]) -> bool:
        owed = [self._owed.popleft() for _ in range(len(self._owed))]
        return self._below.offer(owed + frames)

    def flush(self) -> None:
        self._below.flush()

    def receive(self) -> bytes | None:
        while not self._is_over:
            said = self._joined(self.receive_messages())
            if said is not None or self.owes:
                return said
        return b""

    def receive_now(self) -> bytes | None:
        if self._is_over:
            return b""
        data, self._early = self._early or self._below.receive_now(), b""
        return None if data is None else self._joined(self._parse(data))

    def _joined(self, messages: list[Message]) -> bytes | None:
        """The bytes of all messages: a hub would not tell of those that were left here. None if there is
        none."""
        said = b"".join([message.data for message in messages if not message.is_control])
        self._is_over = any(message.kind == Kind.CLOSE for message in messages)
        if not said and not self._is_over:
            self._below.acknowledge()  # the other end may hold back the rest of a message until then
            return None
        return said

    def watch(self, callback: Callable[[], object]) -> bool:
        return self._below.watch(callback)

    def unwatch(self) -> None:
        self._below.unwatch()

    def acknowledge(self) -> None:
        self._below.acknowledge()

    def delivery(self) -> tuple[int, int]:
        return self._below.delivery()

    def close(self) -> None:
        self._below.close()

    def forget(self) -> None:
        self._below.forget()


class _HandshakeSocket:
    """Looks like a socket to websocket-client, which reads the answer to the handshake from it byte by byte.

    Attributes:
        rest: bytes that were not read yet; after the handshake those that came after the answer.
    """

    def __init__(self, below: ByteStream) -> None:
        self._below = below
        self._taken = 0
        self.rest = b""

    def recv(self, size: int) -> bytes:
        if not self.rest:
            self.rest = self._below.receive() or b""
        data, self.rest = self.rest[:size], self.rest[size:]
        self._taken += len(data)
        if self._taken > HEADERS:
            raise ConnectionError(f"an answer of more than {HEADERS} bytes to the handshake")
        return data

    def send(self, data: bytes) -> int:
        if not self._below.offer([data]):
            self._below.flush()
        return len(data)

    def gettimeout(self) -> float | None:
        return None

    def settimeout(self, seconds: float | None) -> None:
        """Do nothing: the stream has a limit."""

    def close(self) -> None:
        """Do nothing: the caller of `upgrade` closes the stream."""
