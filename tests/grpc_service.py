"""A gRPC service for tests: the same methods on our server and on grpcio's."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

from flowthings_like.green.backends.choice import detect

METHODS = ("Echo", "Fail", "Count", "Blocks", "Forever", "Sleep", "Headers", "FailLate")
UNARY = ("Echo", "Fail", "Sleep", "Headers")


class Service:
    """The methods of the service. Their requests are text.

    Attributes:
        ended: how many streams have ended, for whatever reason.
        started: how many calls of Sleep have begun.
        abort: ends a call with a status.
    """

    def __init__(self, abort: Any) -> None:
        self.ended = 0
        self.started = 0
        self.sent = 0
        self.abort = abort
        self._lock = threading.Lock()

    def Echo(self, request: bytes, context: Any) -> bytes:
        """The request itself."""
        return request

    def Fail(self, request: bytes, context: Any) -> bytes:
        """Ends with the status and the message of the request: "5 not here"."""
        code, _, message = request.decode().partition(" ")
        self.abort(context, int(code), message)
        return b""

    def FailLate(self, request: bytes, context: Any) -> Iterator[bytes]:
        """Two answers, and then a status."""
        yield b"one"
        yield b"two"
        self.abort(context, 5, "no more")

    def Count(self, request: bytes, context: Any) -> Iterator[bytes]:
        """So many numbers."""
        try:
            for number in range(int(request)):
                yield b"%d" % number
        finally:
            self.note_end()

    def Blocks(self, request: bytes, context: Any) -> Iterator[bytes]:
        """So many blocks of so many bytes: "10 1000"."""
        count, size = map(int, request.split())
        try:
            for number in range(count):
                self.sent = number + 1
                yield number.to_bytes(4, "big") + b"x" * (size - 4)
        finally:
            self.note_end()

    def Forever(self, request: bytes, context: Any) -> Iterator[bytes]:
        """The request, and then nothing until the call ends."""
        try:
            yield request
            self.wait(context)
        finally:
            self.note_end()

    def Sleep(self, request: bytes, context: Any) -> bytes:
        """Answers after so many seconds, or when nobody waits any more."""
        with self._lock:
            self.started += 1
        self.wait(context, float(request))
        self.note_end()
        return b"slept"

    def Headers(self, request: bytes, context: Any) -> bytes:
        """The metadata of that name."""
        return self.metadata(context).get(request.decode(), "").encode()

    def note_end(self) -> None:
        with self._lock:
            self.ended += 1

    # What differs from server to server

    def wait(self, context: Any, seconds: float = 60.0) -> None:
        here = detect()
        for _ in range(int(seconds / 0.01)):
            if context.is_cancelled:
                return
            here.sleep(0.01)

    def metadata(self, context: Any) -> Any:
        return context.metadata
