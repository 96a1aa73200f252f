"""Makes the calls of one client: finds the server, repeats what may be repeated, and translates errors."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from ...diagnostics.checks.first_use import check_first_use
from ...errors import ConnectionFailed, FlowThingsError
from ...telemetry.event import Family
from ...telemetry.observers import Observed, observed_items, observers
from ...transport.after_fork import LockOfProcess
from ...transport.retry import Clock, Retry
from ...wire.btrdb.errors import BTrDBError, BTRDBServerError, NotSupported, PermissionDenied
from .endpoints import Endpoint
from .needed import needed

if TYPE_CHECKING:
    from ...telemetry.event import CallEvent

__all__ = ["CallChannel", "Connection", "Open"]

T = TypeVar("T")

_log = logging.getLogger("flowthings_like")
_PERMISSION_DENIED, _UNIMPLEMENTED, _UNAUTHENTICATED = 7, 12, 16


class CallChannel(Protocol):
    """What is needed of a channel to a gRPC server; see `transport.grpc.channel.Channel`."""

    concurrency: int

    def unary(self, method: str, request: bytes, timeout: float | None = None) -> bytes:
        """Make a call that has one answer."""

    def stream(self, method: str, request: bytes, timeout: float | None = None) -> Iterator[bytes]:
        """Make a call that has any number of answers."""

    def close(self) -> None:
        """End all connections."""


Open = Callable[[Endpoint, int], CallChannel]
"""Opens a channel to an endpoint, for a number of calls at once."""


class Connection:
    """The calls of one client to one server.

    Args:
        locate: returns the endpoint. It is asked again when the server cannot be reached, because an embedded
            store may have moved to another process.
        open_channel: opens a channel to an endpoint.
        concurrency: calls that may be in flight at once.
        retry: which calls are repeated; None makes each call once.
    """

    def __init__(
        self,
        locate: Callable[[], Endpoint],
        open_channel: Open,
        concurrency: int,
        retry: Retry | None,
        clock: Clock | None = None,
    ) -> None:
        self.locate = locate
        self._open_channel = open_channel
        self._concurrency = concurrency
        self._retry = retry
        self._clock = clock or Clock()
        self._lock = LockOfProcess()
        self._endpoint: Endpoint | None = None
        self._channel: CallChannel | None = None
        self._is_closed = False

    @property
    def concurrency(self) -> int:
        """Calls that may be in flight at once."""
        return self._concurrency

    @concurrency.setter
    def concurrency(self, most: int) -> None:
        self._concurrency = most
        channel = self._channel
        if channel is not None:
            channel.concurrency = most

    @property
    def endpoint(self) -> Endpoint | None:
        """Where the server was found; None before the first call."""
        return self._endpoint

    @property
    def is_closed(self) -> bool:
        """Whether `close` was called."""
        return self._is_closed

    def close(self) -> None:
        """Close the channel. Later calls raise. It may be called again, also after an interruption."""
        self._is_closed = True
        with self._lock.here:  # so that no channel is being opened meanwhile
            channel = self._channel
        if channel is not None:
            channel.close()

    def unary(
        self, method: str, request: bytes, read: Callable[[bytes], T], *, is_repeatable: bool = True
    ) -> T:
        """Make a call that has one answer.

        Args:
            method: the path of the call.
            read: reads the answer, and raises the error that its status says.
            is_repeatable: whether the call may be repeated although the server may have made it already.

        Raises:
            BTrDBError: the server refused the call.
            ConnectionFailed, DeadlineExceeded, InvalidResponse, ResponseTooLarge: as everywhere.
        """
        if observers:
            with Observed(Family.STREAMS, _name(method)) as event:
                return self._unary(method, request, read, is_repeatable, event)
        return self._unary(method, request, read, is_repeatable, None)

    def _unary(
        self,
        method: str,
        request: bytes,
        read: Callable[[bytes], T],
        is_repeatable: bool,
        event: CallEvent | None,
    ) -> T:
        number = 1
        while True:
            try:
                answer: T = self._try(method, lambda channel: read(channel.unary(method, request)))
                if event is not None:
                    event.attempts, event.host = number, self._host
                return answer
            except FlowThingsError as error:
                self._pause(error, number, method, is_repeatable)
            number += 1

    def stream(self, method: str, request: bytes, read: Callable[[bytes], T]) -> Iterator[T]:
        """Make a call that has any number of answers. It is repeated only as long as none has arrived.

        Args and errors are those of `unary`, from the iterator.
        """
        if not observers:
            return self._stream(method, request, read)
        return observed_items(Family.STREAMS, _name(method), self._host, self._stream(method, request, read))

    def _stream(self, method: str, request: bytes, read: Callable[[bytes], T]) -> Iterator[T]:
        number = 1
        while True:
            try:
                answers = self._try(method, lambda channel: channel.stream(method, request))
                first = self._try(method, lambda channel: _next(answers, read))  # noqa: B023 (called at once)
                break
            except FlowThingsError as error:
                self._pause(error, number, method, True)
            number += 1
        try:
            yield from self._rest(method, first, answers, read)
        finally:
            _close(answers)

    @property
    def _host(self) -> str:
        """The server's host and port, for observers; "" before the first call."""
        endpoint = self._endpoint
        return "" if endpoint is None else f"{endpoint.host}:{endpoint.port}"

    def _rest(
        self, method: str, first: T, answers: Iterator[bytes], read: Callable[[bytes], T]
    ) -> Iterator[T]:
        while first is not _NOTHING:
            yield first
            first = self._try(method, lambda channel: _next(answers, read))

    def _try(self, method: str, call: Callable[[CallChannel], Any]) -> Any:
        with needed():
            from ...wire.grpc.status import GrpcError
        try:
            return call(self._opened())
        except GrpcError as error:
            raise _translated(error, method) from error

    def _opened(self) -> CallChannel:
        if self._is_closed:
            raise _closed()
        channel = self._channel
        if channel is not None:
            return channel
        check_first_use("network")
        endpoint = self.locate()  # it may wait, so not with the lock
        with self._lock.here:
            if self._is_closed:
                raise _closed()
            if self._channel is None:
                self._channel = self._open_channel(endpoint, self._concurrency)
                self._endpoint = endpoint
            return self._channel

    def _pause(self, error: FlowThingsError, number: int, method: str, is_repeatable: bool) -> None:
        """Wait before a call is repeated, or raise its error."""
        retry = self._retry
        error.attempts = number
        if retry is None or number >= retry.attempts or not _may_repeat(error, is_repeatable):
            raise error
        pause = retry.pause(number, self._clock.jitter())
        _log.debug("%s: %s; again in %.3f s", method, type(error).__name__, pause)
        self._clock.sleep(pause)
        if isinstance(error, ConnectionFailed):
            self._follow()

    def _follow(self) -> None:
        """Go to where the server is now, if it has moved."""
        endpoint = self.locate()
        with self._lock.here:
            if self._is_closed or endpoint == self._endpoint:
                return
            channel, self._channel = self._channel, None
        if channel is not None:
            channel.close()


def _name(method: str) -> str:
    return method.rpartition("/")[2]


_NOTHING: Any = object()


def _next(answers: Iterator[bytes], read: Callable[[bytes], T]) -> T:
    for answer in answers:
        return read(answer)
    nothing: T = _NOTHING
    return nothing


def _close(answers: Iterator[bytes]) -> None:
    """End a call whose answers are not wanted any more."""
    close = getattr(answers, "close", None)
    if close is not None:
        close()


def _may_repeat(error: FlowThingsError, is_repeatable: bool) -> bool:
    if not error.retryable:
        return False
    if isinstance(error, ConnectionFailed):
        return is_repeatable or not error.sent
    if isinstance(error, BTrDBError):
        # With a code of BTrDB's own the server says that it did nothing.
        return is_repeatable or error.code != 0
    return False  # the time is up


def _translated(error: Any, method: str) -> BTrDBError:
    """The exception for a gRPC status. It names neither the key nor a stream."""
    from ...wire.btrdb.status import error_from_text

    if error.code == _UNIMPLEMENTED:
        return NotSupported(f"this server does not have the call {method}")
    if error.code == _UNAUTHENTICATED:
        return PermissionDenied("the server refused the API key, or needs one")
    if error.code == _PERMISSION_DENIED:
        return PermissionDenied("the API key does not give the right to do this, or there is no such stream")
    known = error_from_text(error.message)
    if known is not None:
        return known
    translated = BTRDBServerError(str(error))
    translated.retryable = error.retryable
    return translated


def _closed() -> ConnectionFailed:
    error = ConnectionFailed("the client was closed; make a new one")
    error.sent = error.retryable = False
    return error
