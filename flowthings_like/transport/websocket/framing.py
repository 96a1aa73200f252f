"""WebSocket on top of another stream: each package is a binary message, and each message a package.

websocket-client shakes hands and takes frames apart. Messages are put together here: it would copy what it
has for each of the fragments that a node cuts its answers into, 14 thousand of them for 20 MiB.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import websocket
from websocket import ABNF

if TYPE_CHECKING:
    from ..byte_stream import ByteStream
    from ..things.endpoints import Endpoint

__all__ = ["MessageStream"]

_DATA = (ABNF.OPCODE_BINARY, ABNF.OPCODE_TEXT, ABNF.OPCODE_CONT)
HEADERS = 65_536
"""Bytes of the answer to the handshake, at most."""

_OVERHEAD = 64  # one byte of framing for so many of a message, at most; a node needs one for 380


class MessageStream:
    """A stream of messages.

    Args:
        below: connected, TLS and all.
        endpoint: for the URL of the request.
        max_message: bytes of a package's body, at most. What is larger ends the stream.

    Raises:
        OSError: the other end speaks no WebSocket.
    """

    is_websocket = True

    def __init__(self, below: ByteStream, endpoint: Endpoint, max_message: int) -> None:
        self.peer = below.peer
        self._below = below
        self._source = _Source(below, HEADERS)
        self._owed: deque[bytes] = deque()
        self._parts: list[bytes] = []  # of the message that has begun
        try:
            # No locks of its own: one thread reads, and it never writes.
            self._frames: Any = websocket.create_connection(
                f"{endpoint.scheme}://{endpoint.address}{endpoint.path}",
                socket=self._source,
                enable_multithread=False,
                skip_utf8_validation=True,
                suppress_origin=True,
                redirect_limit=0,
            )
        except websocket.WebSocketTimeoutException as error:
            raise TimeoutError(str(error)) from None
        except (websocket.WebSocketException, ValueError) as error:
            raise ConnectionError(f"no WebSocket there: {str(error)[:200]}") from None
        self._source.allow(max_message + max_message // _OVERHEAD + 1024)
        _bound(self._frames.frame_buffer, self._source)

    @property
    def owes(self) -> bool:
        return bool(self._owed) or self._below.owes

    def limit(self, until: float | None, each: float | None = None) -> None:
        self._below.limit(until, each)

    def offer(self, packages: Sequence[bytes | memoryview]) -> bool:
        frames = [self._owed.popleft() for _ in range(len(self._owed))]
        frames += [_frame(package, ABNF.OPCODE_BINARY) for package in packages]
        return self._below.offer(frames)

    def flush(self) -> None:
        self._below.flush()

    def receive(self) -> bytes | None:
        parts = self._parts
        while True:
            try:
                frame = self._frames.recv_frame()
            except websocket.WebSocketConnectionClosedException:
                return b""
            except websocket.WebSocketException as error:
                raise ConnectionError(f"what came is no WebSocket: {error}") from None
            if frame.opcode == ABNF.OPCODE_PING:
                self._owed.append(_frame(frame.data, ABNF.OPCODE_PONG))
                return None
            if frame.opcode == ABNF.OPCODE_CLOSE:
                return b""
            if frame.opcode in _DATA:
                if (frame.opcode == ABNF.OPCODE_CONT) != bool(parts):
                    raise ConnectionError("what came is no WebSocket: fragments out of their order")
                parts.append(frame.data)
                if frame.fin:
                    self._parts = []
                    self._source.taken = 0
                    return b"".join(parts)

    def watch(self, callback: Callable[[], object]) -> bool:
        return False  # websocket-client waits for the rest of a frame

    def unwatch(self) -> None:
        pass

    def delivery(self) -> tuple[int, int]:
        return self._below.delivery()

    def receive_now(self) -> bytes | None:
        raise NotImplementedError

    def acknowledge(self) -> None:
        self._below.acknowledge()

    def close(self) -> None:
        self._below.close()

    def forget(self) -> None:
        self._below.forget()


def _frame(data: bytes | memoryview, opcode: int) -> bytes:
    return bytes(ABNF.create_frame(bytes(data), opcode).format())


def _bound(frames: Any, source: _Source) -> None:
    """Have a frame refused when its header promises too much, before any more of it is read."""
    read_length = frames.recv_length

    def read_and_check() -> None:
        read_length()
        source.check(frames.length)

    frames.recv_length = read_and_check


class _Source:
    """A stream as websocket-client sees it: a socket that is read in small pieces, and bounded.

    Attributes:
        taken: bytes read since the last whole message.
    """

    def __init__(self, below: ByteStream, most: int) -> None:
        self._below = below
        self._most = most
        self._data = b""
        self._at = 0
        self.taken = 0
        self._closed = False

    def recv(self, size: int) -> bytes:
        if self._at == len(self._data):
            self._data, self._at = self._below.receive() or b"", 0
        data = self._data[self._at : self._at + size]
        self._at += len(data)
        self.taken += len(data)
        self.check(0)
        return data

    def allow(self, most: int) -> None:
        """The handshake is done: so many bytes of a message from now on, at most."""
        self._most, self.taken = most, 0

    def check(self, more: int) -> None:
        """Refuse a message that so many bytes more make too long."""
        if self.taken + more > self._most:
            raise ConnectionError(f"more than {self._most} bytes, where no more are taken")

    def send(self, data: bytes) -> int:
        """Used for the handshake only."""
        if not self._below.offer([data]):
            self._below.flush()
        return len(data)

    def gettimeout(self) -> float | None:
        return None

    def settimeout(self, seconds: float | None) -> Any:
        """The stream has one already."""

    def close(self) -> None:
        self._closed = True
        self._below.close()
