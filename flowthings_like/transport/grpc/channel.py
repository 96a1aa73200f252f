"""Calls to one gRPC server, over as few connections as it allows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from time import monotonic
from typing import TYPE_CHECKING
from weakref import finalize

from ...errors import ConfigurationError, ConnectionFailed, InvalidInput, ResponseTooLarge
from ...green.backends.fairness import LARGE, SLICE, fair_yield, join_fairly
from ...wire.grpc.messages import BrokenMessageError, Message, MessageTooLargeError, compress, inflate
from ...wire.grpc.metadata import Header, check_metadata, check_method, request_headers
from ...wire.grpc.status import GrpcError, StatusCode
from ...wire.grpc.timeouts import encode_timeout
from ..call_scope import limit_call
from ..connection_pool import Pool

if TYPE_CHECKING:
    import ssl

    from .call import Call, Handle
    from .connection import GrpcConnection
    from .connections import Connections

__all__ = ["CONCURRENCY", "MAX_MESSAGE_BYTES", "Channel"]

MAX_MESSAGE_BYTES = 64 << 20
"""Bytes of one message, at most, before and after decompression."""

CONCURRENCY = 1000
"""Calls of one channel that may be in flight at once."""

_LARGEST = (1 << 32) - 1  # bytes of a message, whose prefix has four for its length
_LONGEST = 1e8  # seconds

ATTEMPTS = 3
"""How often a call is begun that the server has certainly not seen, such as one after its GOAWAY."""


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
            Under gevent and eventlet it counts for each OS thread.
        compression: "gzip" to compress requests; None to send them as they are.

    Raises:
        InvalidInput: metadata that cannot be sent, or another argument that makes no sense.
        ConfigurationError: the package h2 is missing.
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
        if compression not in (None, "gzip"):
            raise InvalidInput(f"compression is {compression!r}; give 'gzip' or None")
        self.timeout = _checked(timeout)
        self.max_message_bytes = max_message_bytes
        self._compresses = compression is not None
        self._authority = (f"[{host}]:{port}" if ":" in host else f"{host}:{port}").encode()
        self._is_secure = tls is not False
        self._metadata = check_metadata(metadata)
        self._headers: dict[str, list[Header]] = {}
        self._permits: Pool[object] = Pool(f"calls to {host}:{port}", object, _drop, size=1, idle_for=3600.0)
        self.concurrency = concurrency
        self._epoch = 0  # how often it was closed
        self._connections = connections = _connections(host, port, tls)
        finalize(self, connections.close).atexit = False

    def __repr__(self) -> str:
        return f"Channel({self._connections.peer})"

    @property
    def concurrency(self) -> int:
        """Calls that may be in flight at once."""
        return self._permits.size

    @concurrency.setter
    def concurrency(self, most: int) -> None:
        if isinstance(most, bool) or not isinstance(most, int) or most < 1:
            raise InvalidInput(f"concurrency is {most!r}; give a whole number, 1 or more")
        self._permits.size = most

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
            InvalidInput: the method cannot be called, the request is not bytes, or the time-out is none.
        """
        limit = self.timeout if timeout is None else _checked(timeout)
        deadline = limit_call(None if limit is None else monotonic() + limit)
        headers = self._headers_of(method)
        request = self._packed(_encoded(request))
        with self._permits.lease(deadline) as lease:
            answer = self._unary(method, headers, request, deadline)
            lease.complete()
        return answer

    def stream(self, method: str, request: bytes, timeout: float | None = None) -> Iterator[bytes]:
        """Make a call that has any number of answers.

        The call begins with the first `next`. It ends, and the server is told, when the iterator is closed,
        dropped or interrupted. A server that is faster than the consumer is held up: what waits here is
        bounded by one message and a window of 1 MiB.

        Args:
            method, request: as for `unary`.
            timeout: seconds for the whole call. None lets each message take the channel's `timeout`.

        Yields:
            The encoded messages, in order.

        Raises:
            As `unary`, from the iterator.
        """
        headers = self._headers_of(method)
        return self._stream(method, headers, _encoded(request), _checked(timeout))

    def close(self) -> None:
        """End all connections; calls in flight fail with ConnectionFailed. A later call connects again."""
        self._epoch += 1
        self._connections.close()

    # One call

    def _unary(self, method: str, headers: list[Header], request: bytes, deadline: float | None) -> bytes:
        epoch = self._epoch
        for attempt in range(1, ATTEMPTS + 1):
            connection, handle = self._new_call(headers, request, deadline, is_unary=True)
            try:
                connection.begin(handle)
                message = connection.next_message(handle, method, deadline)
                return self._answer(handle.call, message, method)
            except ConnectionFailed as error:
                if error.sent or attempt == ATTEMPTS or epoch != self._epoch:
                    raise
            finally:
                connection.cancel(handle)
        raise AssertionError("the loop returns or raises")

    def _stream(
        self, method: str, headers: list[Header], request: bytes, timeout: float | None
    ) -> Iterator[bytes]:
        deadline = limit_call(None if timeout is None else monotonic() + timeout)
        request = self._packed(request)
        epoch = self._epoch
        with self._permits.lease(self._until(deadline)) as lease:
            for attempt in range(1, ATTEMPTS + 1):
                connection, handle = self._new_call(headers, request, deadline, is_unary=False)
                try:
                    connection.begin(handle)
                    yield from self._messages(connection, handle, method, deadline)
                    lease.complete()
                    return
                except ConnectionFailed as error:
                    if error.sent or attempt == ATTEMPTS or epoch != self._epoch:
                        raise
                finally:
                    connection.cancel(handle)

    def _messages(
        self, connection: GrpcConnection, handle: Handle, method: str, deadline: float | None
    ) -> Iterator[bytes]:
        slice_until = monotonic() + SLICE
        while True:
            message = connection.next_message(handle, method, self._until(deadline))
            if message is None:
                return
            yield self._decoded(handle.call, message, method)
            if monotonic() > slice_until:  # many may have come at once, and the consumer need not wait
                fair_yield()
                slice_until = monotonic() + SLICE

    def _new_call(
        self, headers: list[Header], request: bytes, deadline: float | None, *, is_unary: bool
    ) -> tuple[GrpcConnection, Handle]:
        connection = self._connections.acquire(self._until(deadline))
        if deadline is not None:
            left = max(0.0, deadline - monotonic())
            headers = [*headers, (b"grpc-timeout", encode_timeout(left))]
        handle = connection.new_call(
            headers, request, self.max_message_bytes, is_unary=is_unary, is_compressed=self._compresses
        )
        return connection, handle

    def _until(self, deadline: float | None) -> float | None:
        """The deadline, or that of a single step of a call that has none."""
        if deadline is None and self.timeout is not None:
            return monotonic() + self.timeout
        return deadline

    def _headers_of(self, method: str) -> list[Header]:
        headers = self._headers.get(method)
        if headers is None:
            encoding = b"gzip" if self._compresses else None
            path = check_method(method)
            headers = request_headers(path, self._authority, self._is_secure, encoding, self._metadata)
            self._headers[method] = headers
        return headers

    def _packed(self, request: bytes) -> bytes:
        return join_fairly(compress(request)) if self._compresses else request

    def _answer(self, call: Call, message: Message | None, method: str) -> bytes:
        """The one message of a unary call."""
        if message is None or call.messages:
            count = len(call.messages) + (message is not None)
            raise GrpcError(
                StatusCode.INTERNAL, f"the server sent {count} answers in the place of one", method
            )
        return self._decoded(call, message, method)

    def _decoded(self, call: Call, message: Message, method: str) -> bytes:
        try:
            if message.is_compressed:
                pieces = inflate(message, call.encoding, self.max_message_bytes)
                return join_fairly(pieces)
        except MessageTooLargeError as error:
            where = f"{self._connections.peer}{method}"
            raise ResponseTooLarge(f"{where}: {error}; see max_message_bytes") from None
        except BrokenMessageError as error:
            raise GrpcError(StatusCode.INTERNAL, str(error), method) from None
        return message.raw() if message.size < LARGE else join_fairly(message.pieces)


def _checked(timeout: float | None) -> float | None:
    if timeout is None:
        return None
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not timeout > 0:
        raise InvalidInput(f"timeout is {timeout!r}; give seconds above 0, or None for no limit")
    return min(float(timeout), _LONGEST)


def _encoded(request: bytes) -> bytes:
    """The request as bytes that nobody changes while they are sent."""
    if not isinstance(request, bytes | bytearray | memoryview):
        raise InvalidInput(f"the request is a {type(request).__name__}; give an encoded message, as bytes")
    if len(request) > _LARGEST:
        raise InvalidInput(f"the request has {len(request)} bytes, and gRPC sends {_LARGEST} at most")
    return bytes(request)


def _drop(permit: object) -> None:
    """A permit that was not given back needs no end."""


def _connections(host: str, port: int, tls: bool | str | ssl.SSLContext) -> Connections:
    try:  # what uses h2 is imported when it is needed: most programs make no such calls
        from .connections import Connections
    except ImportError as error:
        raise ConfigurationError(
            f"gRPC needs the package h2, which cannot be imported here ({error}); "
            "run: pip install 'flowthings_like[streams]'"
        ) from error
    return Connections(host, port, tls)
