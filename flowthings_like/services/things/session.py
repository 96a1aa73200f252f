"""Session: authenticates, makes requests and hands out events, over a client's successive connections."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ...errors import ConnectionFailed, DeadlineExceeded, InvalidResponse
from ...green.backends.choice import detect
from ...telemetry.event import Family
from ...telemetry.observers import Observed, observers
from ...transport.outgoing_values import to_send
from ...transport.retry import Backoff
from ...transport.things.supervisor import Supervisor
from ...wire.things import errors as things_errors
from ...wire.things.packages import Kind, Package
from ...wire.things.status import SHUTTING_DOWN
from ...wire.things.values import pack
from .answers import decode, error_in, value_of

if TYPE_CHECKING:
    from ...transport.things.connection import PacketConnection
    from ...transport.things.endpoints import Endpoint
    from ...transport.tls import TLS
    from .joined_rooms import Rooms

__all__ = ["Session"]

_log = logging.getLogger("flowthings_like")
_ROOM_EVENTS = frozenset((int(Kind.ROOM_EMIT), int(Kind.ROOM_DELETE)))

BACKOFF = Backoff(base=0.05, most=1.0)
"""The pauses before a node that cannot serve now is asked again; without jitter."""

RETRY_TIMEOUT = 60.0
"""Seconds for which such a node is asked again, in a call without a deadline."""


class Session:
    """What a client has from `connect` to `close`. It connects when the first request is made.

    Args:
        nodes: called for the nodes before each attempt to connect. It must not refer to the session, which
            would otherwise never be garbage collected.
        rooms: the client's rooms, which are told of connections and events.
        auth: the credentials: (token,), (user, password), or () for those in the node's URL.
        tls: how to verify nodes; see `dial_node`.
        auto_reconnect: connect again after a loss, and repeat requests that were never sent.
        has_other_nodes: whether there is another node to go to when one shuts down.
    """

    def __init__(
        self,
        nodes: Callable[[], Sequence[Endpoint]],
        rooms: Rooms,
        *,
        auth: tuple[str, ...],
        tls: TLS,
        auto_reconnect: bool,
        has_other_nodes: bool,
    ) -> None:
        self.auth = auth
        self._rooms = rooms
        self._auto_reconnect = auto_reconnect
        self._has_other_nodes = has_other_nodes
        self._was_connected = False
        self._hub = detect().hub()
        self._reconnects: list[Any] = []  # events of those who wait in `reconnect`
        self.supervisor = Supervisor(
            nodes,
            hello=self._handshake,
            on_event=self._dispatch,
            on_up=self._connected,
            on_down=self._disconnected,
            tls=tls,
            reconnect=auto_reconnect,
        )

    # Requests

    def is_in_this_thread(self) -> bool:
        """Whether this OS thread can wait for an answer. On threads all can; under gevent and eventlet only
        the thread whose hub watches the connection."""
        return self._hub is None or self._hub is detect().hub()

    def request(
        self, kind: int, content: Any, deadline: float | None, *, idempotent: bool = False
    ) -> tuple[PacketConnection, Package]:
        """Make a request, and repeat it where that does no harm.

        Args:
            kind: the request's kind.
            content: is packed, with the values of the thunks in it.
            deadline: the `time.monotonic()` until which to wait.
            idempotent: send it again if the connection broke and it may have run already.

        Returns:
            The connection that answered, and its answer.

        Raises:
            ThingsDBError: the answer is an error. A node that cannot serve now has not run the request, and
                is asked again.
            ConnectionFailed, DeadlineExceeded: see `PacketConnection.call`.
        """
        return self.request_packed(kind, pack(content, to_send), deadline, idempotent=idempotent)

    def request_packed(
        self, kind: int, body: bytes, deadline: float | None, *, idempotent: bool
    ) -> tuple[PacketConnection, Package]:
        """`request`, with content that is packed."""
        refusals, until = 0, deadline
        while True:
            connection = self.supervisor.current or self.connection(deadline)
            try:
                answer = connection.call(kind, body, deadline)
            except ConnectionFailed as error:
                if not self.may_repeat(error, idempotent):
                    raise
                continue
            refusal = error_in(answer)
            if refusal is None:
                return connection, answer
            refusals += 1
            pause = BACKOFF.longest(refusals)
            until = until or time.monotonic() + RETRY_TIMEOUT
            if not self.is_temporary(refusal) or time.monotonic() + pause > until:
                raise refusal
            detect().sleep(pause)

    def may_repeat(self, failure: ConnectionFailed, idempotent: bool) -> bool:
        """Whether a request that failed so does no harm when it is sent again."""
        return self._auto_reconnect and (idempotent or not failure.sent)

    @staticmethod
    def is_temporary(refusal: things_errors.ThingsDBError) -> bool:
        """Whether the node only says that it cannot serve now."""
        return isinstance(refusal, things_errors.NodeError)

    def ask(self, kind: int, content: Any, deadline: float) -> tuple[PacketConnection, Any]:
        """Make an idempotent request, for Rooms.

        Returns:
            The connection that answered, and the value of its answer.
        """
        if not observers:
            return self._ask(kind, content, deadline)
        with Observed(Family.THINGS, Kind(kind).name.lower()) as event:
            asked = self._ask(kind, content, deadline)
            event.host = asked[0].peer
            return asked

    def _ask(self, kind: int, content: Any, deadline: float) -> tuple[PacketConnection, Any]:
        connection, answer = self.request(kind, content, deadline, idempotent=True)
        return connection, value_of(answer)

    # Connections

    @property
    def current(self) -> PacketConnection | None:
        """The connection, if there is one right now."""
        return self.supervisor.current

    def connection(self, deadline: float | None, *, patient: bool = True) -> PacketConnection:
        """Wait for a connection. Attempts are repeated until the deadline.

        Args:
            deadline: the `time.monotonic()` until which to wait.
            patient: False to wait only until each node has failed once.

        Raises:
            AuthError: the node does not accept the credentials.
            ConnectionFailed: no node is to be trusted, the session is closed, or it does not reconnect by
                itself; or, if not `patient`, no node answers.
            DeadlineExceeded: there was none in time; its text says why.
        """
        supervisor = self.supervisor
        if supervisor.closed:
            raise _unsent("the client was closed")
        if self._was_connected and not self._auto_reconnect:
            connection = supervisor.current
            if connection is None:
                raise _unsent("the connection was lost; call reconnect()")
            return connection
        return supervisor.connection(deadline, patient=patient)

    def reconnect(self, deadline: float | None) -> None:
        """Go to the next node, and wait until that is done.

        Raises:
            DeadlineExceeded: it was not done in time.
            AuthError, ConnectionFailed: see `connection`.
        """
        supervisor = self.supervisor
        if supervisor.current is None:
            supervisor.connection(deadline)
            return
        reconnected = detect().event()
        self._reconnects.append(reconnected)
        try:
            supervisor.move()
            if not reconnected.wait(None if deadline is None else max(0.0, deadline - time.monotonic())):
                raise DeadlineExceeded("no other connection in time; the one there was is still used")
        finally:
            with suppress(ValueError):
                self._reconnects.remove(reconnected)

    def close(self) -> None:
        """Close the connection for good. Returns at once."""
        self.supervisor.close()

    # Callbacks of the supervisor

    def _handshake(self, connection: PacketConnection, endpoint: Endpoint, deadline: float) -> None:
        """Send a keep-alive, authenticate, and join all rooms again, in one write."""
        auth = self.auth or endpoint.auth
        rejoin = self._rooms.begin_rejoin(connection)
        try:
            requests = [(Kind.PING, b"")]
            if auth:
                requests.append((Kind.AUTH, pack(auth[0] if len(auth) == 1 else auth)))
                requests.extend((Kind.JOIN, pack(content)) for content in rejoin.requests())
            answers = connection.pipeline(requests, deadline)
            if answers[0].kind != Kind.PONG:
                raise InvalidResponse(f"{connection.peer} does not speak ThingsDB's protocol")
            if auth:
                value_of(answers[1])
                rejoin.take_in(answers[2:], deadline)
            self._rooms.finish_rejoin(rejoin)
        except BaseException:
            self._rooms.cancel_rejoin(rejoin)
            raise

    def _connected(self, connection: PacketConnection, endpoint: Endpoint) -> None:
        self._was_connected = True
        while self._reconnects:
            self._reconnects.pop().set()

    def _disconnected(self, failure: BaseException | None) -> None:
        self._rooms.lost()

    def _dispatch(self, connection: PacketConnection, event: Package) -> None:
        """Hand out an event. Called by the connection's event dispatcher, so it must not wait."""
        kind = event.kind
        if kind in _ROOM_EVENTS:
            self._rooms.deliver(connection, kind, decode(event.body))
        elif kind == Kind.NODE_STATUS:
            said = decode(event.body)
            _log.debug("node %s of %s: %s", said.get("id"), connection.peer, said.get("status"))
            is_leaving = said.get("status") == SHUTTING_DOWN and connection is self.current
            if is_leaving and self._auto_reconnect:
                if self._has_other_nodes:
                    self.supervisor.move()
                else:  # the node still answers what it was sent; new requests wait for the next connection
                    connection.retired = True
        elif kind == Kind.WARNING:
            said = decode(event.body)
            _log.warning("%s: %s (%s)", connection.peer, said.get("warn_msg"), said.get("warn_code"))


def _unsent(reason: str) -> ConnectionFailed:
    error = ConnectionFailed(reason)
    error.sent = False
    return error
