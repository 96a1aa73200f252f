"""The client end of a WebSocket, on top of any byte stream: the handshake, messages, pings and their answers.

Both ThingsDB nodes at `ws://` and `wss://` and live messages are spoken to through it.
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
    """The server sends the client elsewhere. That is never followed: headers and cookies would travel along.

    Attributes:
        status: the answer's status.
        location: where to.
    """

    def __init__(self, status: int, location: str) -> None:
        super().__init__(f"{status}, a redirect")
        self.status = status
        self.location = location


def upgrade(below: ByteStream, url: str, most: int, **options: Any) -> WebSocket:
    """Make a WebSocket of a connection.

    Args:
        below: connected, TLS and all, with a limit for the handshake. The WebSocket owns it from now on.
        url: that of the request.
        most: bytes of a message, at most.
        options: of the handshake, as `websocket.create_connection` takes them.

    Raises:
        OSError: the other end speaks no WebSocket. RedirectError: it names another place.
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
    """A WebSocket. As a `ByteStream` each item travels as one binary message.

    Args:
        below: after the handshake.
        most: bytes of a message, at most. What is larger ends the connection.
        early: what came with the answer to the handshake.
    """

    is_websocket = True

    def __init__(self, below: ByteStream, most: int, early: bytes = b"") -> None:
        self.peer = below.peer
        self._below = below
        self._parser = MessageParser(most)
        self._owed: deque[bytes] = deque()  # answers to pings
        self._early = early
        self._is_over = False

    # Messages

    def send(self, kind: Kind, data: bytes) -> None:
        """Send one message, and wait until it is out. One thread at a time may do so.

        Raises:
            OSError: the connection is broken.
        """
        if not self._offer([frame(kind, data)]):
            self._below.flush()

    def send_owed(self) -> None:
        """Send the answers to pings that have come, and wait until they are out.

        Raises:
            OSError: the connection is broken.
        """
        if not self._offer([]):
            self._below.flush()

    def receive_messages(self) -> list[Message]:
        """Wait for bytes: the messages that they complete, control frames included, and maybe none.

        The end is a message of the kind CLOSE. Pings are answered with what is sent next; see `owes`.

        Raises:
            OSError: the connection is broken or ends without CLOSE, or what came is no WebSocket.
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
        """What the messages say, all of it: a hub tells only of what is still in the socket. None if no
        message is complete."""
        said = b"".join([message.data for message in messages if not message.is_control])
        self._is_over = any(message.kind == Kind.CLOSE for message in messages)
        if not said and not self._is_over:
            self._below.acknowledge()  # the rest of a message may wait for that
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
    """A stream as websocket-client sees it during the handshake: a socket that is read byte by byte.

    Attributes:
        rest: what came after the answer.
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
        """The stream has a limit of its own."""

    def close(self) -> None:
        """Whoever has opened the stream closes it."""
