"""Calls to one gRPC server, over as few connections as it allows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl

__all__ = ["Channel"]

MAX_MESSAGE_BYTES = 64 << 20
"""Bytes of one message, at most, before and after decompression."""

CONCURRENCY = 1000
"""Calls of one channel that may be in flight at once."""


class Channel:
    """Makes calls to one gRPC server. Any number of threads may use it, and a forked child may.

    All calls share one HTTP/2 connection. When the server allows no more calls on it, another one is opened.
    A connection is made when the first call needs it. Under gevent and eventlet each OS thread has its own.

    Args:
        host, port: where the server listens.
        tls: False for clear text; True to trust certifi's authorities; a path for those in that bundle or
            folder; or a context that is used as it is.
        metadata: (name, value) pairs that are sent with each call, such as
            `("authorization", "Bearer …")`. Never shown in an error or a repr.
        max_message_bytes: bytes of one answer, at most. A larger one ends its call while it arrives.
        timeout: seconds for each unary call, and for each message of a stream; None for any number.
        concurrency: calls that may be in flight at once; another call waits until one has ended. Writable.
        compression: "gzip" to compress requests; None to send them as they are.
    """

    def __init__(
        self,
        host: str,
        port: int,
        *,
        tls: bool | str | ssl.SSLContext = False,
        metadata: Sequence[tuple[str, str]] = (),
        max_message_bytes: int = MAX_MESSAGE_BYTES,
        timeout: float | None = 60.0,
        concurrency: int = CONCURRENCY,
        compression: str | None = None,
    ) -> None:
        raise NotImplementedError

    @property
    def concurrency(self) -> int:
        """Calls that may be in flight at once."""
        raise NotImplementedError

    @concurrency.setter
    def concurrency(self, most: int) -> None:
        raise NotImplementedError

    def unary(self, method: str, request: bytes, timeout: float | None = None) -> bytes:
        """Make a call that has one answer.

        Args:
            method: the path, such as "/v5api.BTrDB/Insert".
            request: the encoded message.
            timeout: seconds for the whole call; None takes the channel's. The server is told.

        Returns:
            The encoded answer.

        Raises:
            GrpcError: the server ended the call with another status than OK.
            DeadlineExceeded: not in time, by this clock or the server's.
            ConnectionFailed: no connection, or it broke; `sent` is False if the server has not seen the call.
            ResponseTooLarge: the answer is larger than `max_message_bytes`.
            InvalidInput: the method or the metadata cannot be sent.
        """
        raise NotImplementedError

    def stream(self, method: str, request: bytes, timeout: float | None = None) -> Iterator[bytes]:
        """Make a call that has any number of answers.

        The call begins with the first `next`. It ends, and the server is told, when the iterator is closed,
        dropped or interrupted. A server that is faster than the consumer is held up: what waits here is
        bounded by one message and `STREAM_WINDOW` bytes.

        Args:
            method, request: as for `unary`.
            timeout: seconds for the whole call. None lets each message take the channel's `timeout`.

        Yields:
            The encoded messages, in order.

        Raises:
            As `unary`, from the iterator.
        """
        raise NotImplementedError

    def close(self) -> None:
        """End all connections; calls in flight fail with ConnectionFailed. More calls do nothing."""
        raise NotImplementedError
