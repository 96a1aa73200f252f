"""Follows a flow: hands out its drops one after the other, and waits for more.

A follower has a connection of its own, which is read when the next drop is asked for: there is no thread. If
the connection is lost, or the program takes the drops so slowly that the platform cuts it off, the follower
connects again and goes on after the last drop that came. The platform numbers the arrivals of a flow, so
there is neither a gap nor a double.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import date
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar

from ...errors import ConfigurationError, FlowThingsError, InvalidInput, InvalidResponse, from_status
from ...transport.outgoing_values import milliseconds, resolve
from ...transport.websocket.live_session import LiveSession
from ...transport.websocket.opening import Opening
from ...wire.live import Cursor, Since, Start
from .live_sessions import new_session

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable
    from typing import TypeAlias

    from ...transport.http.client import Connection
    from ...transport.websocket.opening import AnyConnection

    Drop: TypeAlias = Any

__all__ = ["Follower", "parse_since"]

HEARTBEAT = 20.0
"""Seconds between two heartbeats while the follower is waiting."""

_TICK = 5.0  # seconds that one read or write may take


T = TypeVar("T")


class _Subscription:
    """The state of one subscription over several connections. Implements `live_session.Listener`.

    Attributes:
        messages: pushes that have come and were not handed out.
        cursor: of the last push that was handed out, or of the beginning; None while that is not known.
        is_active: whether the platform has confirmed it on this connection.
        error: why there will be no more drops; None while there may be some.
    """

    def __init__(self, connection: Connection, flow: str, filter: str, since: Since, hints: bool) -> None:
        self.messages: deque[dict[str, Any]] = deque()
        self.cursor = str(since.value) if since.start is Start.CURSOR else None
        self.is_active = False
        self.error: FlowThingsError | None = None
        self._since = since
        self._connection = connection
        self._decode = connection.decode
        self._opening = Opening(connection, partial(new_session, connection, retry=False))
        self._request = {"object": "drop", "type": "subscribe", "msgId": 0, "hints": hints}
        self._request["path" if flow.startswith("/") else "flowId"] = flow
        if filter:
            self._request["filter"] = filter

    def connect(self, hold: Callable[[socket.socket], object]) -> AnyConnection:
        return self._opening.open(hold, _TICK)

    def connected(self, connection: AnyConnection) -> None:
        last = self.messages[-1]["cursor"] if self.messages else self.cursor
        since = self._since.as_json() if last is None else {"cursor": last}
        encoded = self._connection.encode({**self._request, "since": since})
        connection.send(encoded.encode() if isinstance(encoded, str) else encoded)

    def heard(self, text: bytes) -> None:
        message = self._decode(text)
        if "cursor" in message:
            self.messages.append(message)  # one call into C: it has come, or it is asked for again
        elif isinstance(message.get("head"), Mapping):
            self._replied(message["head"], message.get("body"))
        elif message.get("type") == "message":
            raise _no_cursor()

    def tick(self) -> None:
        """Nothing is due."""

    def failed(self, error: Exception) -> None:
        """Another attempt follows."""

    def refused(self, error: FlowThingsError) -> None:
        self.error = error

    def lost(self, connection: AnyConnection) -> None:
        self.is_active = False

    def _replied(self, head: Mapping[str, Any], body: Any) -> None:
        if head.get("ok", True):
            cursor = body.get("cursor") if isinstance(body, Mapping) else None
            if not isinstance(cursor, str):
                raise _no_cursor()
            self.cursor = self.cursor or cursor
            self.is_active = True
            return
        status = head.get("status") or 0
        error = from_status(status)(
            [str(part) for part in head.get("errors") or ()],
            status=status,
            method="subscribe",
            path=str(self._request.get("flowId") or self._request.get("path")),
            creds=str(self._connection.creds.account),
        )
        self.error = error


class Follower(Iterator[T]):
    """The drops of a flow from some point on, as an iterator that waits; made by `api.drop(flow).follow()`.

    One thread at a time may use it. `close()` it, or use it as a context manager.
    """

    def __init__(
        self,
        connection: Connection,
        flow: str,
        *,
        filter: str = "",
        since: Since,
        timeout: float | None = None,
        hints: bool = False,
    ) -> None:
        self._timeout = timeout
        self._flow = flow
        self._closed = False
        self._subscription = _Subscription(connection, flow, filter, since, hints)
        self._messages = self._subscription.messages
        self._session = self._new_session()

    @property
    def cursor(self) -> str:
        """Where the flow goes on after the last drop that was handed out, for `follow(since=…)`."""
        return self._subscription.cursor or ""

    def __iter__(self) -> Follower[T]:
        return self

    def __next__(self) -> T:
        """The next drop. Waits for it, for the follower's time-out at most, and ends the loop then.

        Raises:
            FlowThingsError: the flow was deleted, or the right to read it was lost; see `follow`.
            ConfigurationError: the follower was closed.
        """
        if not self._messages:
            self._wait(self._has_messages, self._timeout)
            if not self._messages:
                raise StopIteration
        return self._take()

    def get(self, timeout: float | None = None) -> T | None:
        """The next drop; None if none comes within so many seconds. 0 only looks at what has come.

        Raises:
            As `__next__`.
        """
        self._wait(self._has_messages, timeout)
        return self._take() if self._messages else None

    def open(self, timeout: float | None = None) -> None:
        """Wait until the platform has confirmed the subscription. `follow` has done so already.

        Raises:
            FlowThingsError: there is no such flow, it may not be read, or the filter is none; or the platform
                cannot be reached in a way that trying again does not change.
        """
        subscription = self._subscription
        self._wait(lambda: subscription.is_active, timeout)

    def close(self) -> None:
        """Close the connection. More calls do nothing."""
        self._closed = True
        self._session.finish()

    def __enter__(self) -> Follower[T]:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __del__(self) -> None:
        with suppress(Exception):  # it may be half made, or the interpreter may be ending
            if not self._closed:
                self._session.abandon()

    def __repr__(self) -> str:
        return f"<Follower of {self._flow}{', closed' if self._closed else ''}>"

    def _has_messages(self) -> bool:
        return bool(self._messages)

    def _take(self) -> T:
        message = self._messages[0]
        self._subscription.cursor = message["cursor"]  # first: if this is interrupted, it is taken again
        self._messages.popleft()
        drop: T = message["value"]
        return drop

    def _wait(self, condition: Callable[[], bool], timeout: float | None) -> None:
        """Receive until a condition holds, or the time is up."""
        until = None if timeout is None else monotonic() + timeout
        while not condition():
            if self._closed:
                raise ConfigurationError("this follower was closed; call follow() again")
            error = self._subscription.error
            if error is not None:
                self.close()
                raise error
            left = _TICK if until is None else until - monotonic()
            self._advance(max(0.0, left))
            if left <= 0 and not condition():
                return

    def _advance(self, seconds: float) -> None:
        try:
            self._session.advance(seconds)
        except FlowThingsError as error:
            self._subscription.error = error
        except BaseException:
            # Part of a message may be lost. The next connection begins after the last whole one.
            self._renew()
            raise

    def _renew(self) -> None:
        """Give up the connection. The next call opens another one, without a pause."""
        self._session.abandon()
        self._subscription.is_active = False
        self._session = self._new_session()

    def _new_session(self) -> LiveSession:
        return LiveSession(self._subscription, reconnect=True, heartbeat=HEARTBEAT)


def parse_since(given: Any) -> Since:
    """Where a caller wants to begin.

    Args:
        given: "now" or "start"; a drop, or the id of one; a follower's cursor; a datetime, a date, or ms
            since the epoch.

    Raises:
        InvalidInput: it is none of these.
    """
    given = resolve(given)
    if isinstance(given, Mapping):
        given = given.get("id")
    if isinstance(given, date):
        return Since(Start.TIME, milliseconds(given))
    if isinstance(given, int) and not isinstance(given, bool) and given >= 0:
        return Since(Start.TIME, given)
    if given in ("now", "start"):
        return Since(Start(given))
    if isinstance(given, str) and given[:1] == "d":
        return Since(Start.DROP, given)
    with suppress(ValueError):
        return Since(Start.CURSOR, Cursor.parse(given))
    raise InvalidInput(
        'follow: since must be "now", "start", a drop or its id, a datetime, milliseconds since 1970, or the '
        f"cursor of a follower, not {given!r}"
    )


def _no_cursor() -> InvalidResponse:
    return InvalidResponse(
        "this platform does not tell where a flow goes on, which follow() needs; "
        "api.websocket.connect() gets its live messages"
    )
