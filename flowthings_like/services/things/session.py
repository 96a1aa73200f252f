"""A client's time with its nodes: who it says it is, how its calls are made, where events go."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ...errors import ConnectionFailed, DeadlineExceeded, InvalidResponse
from ...green.backends.contract import detect
from ...transport.things.supervisor import Supervisor
from ...transport.values import resolve
from ...wire.things import errors as things_errors
from ...wire.things.packages import Kind, Package
from ...wire.things.status import SHUTTING_DOWN
from ...wire.things.values import pack
from .answers import decode, refusal_in, value_of

if TYPE_CHECKING:
    from ...transport.things.connection import PacketConnection
    from ...transport.things.endpoints import Endpoint
    from ...transport.tls import TLS
    from .rooms import Rooms

__all__ = ["Session"]

_log = logging.getLogger("flowthings_like")
_ROOM_EVENTS = frozenset((int(Kind.ROOM_EMIT), int(Kind.ROOM_DELETE)))

FIRST_PAUSE, LONGEST_PAUSE = 0.05, 1.0
"""Seconds before a node that cannot serve now is asked again."""

PATIENCE = 60.0
"""Seconds for which it is asked again, in a call without a deadline."""


class Session:
    """From `connect` to `close`, over as many connections as it takes. Nothing is sent before the first call.

    Args:
        nodes: asked for the nodes before each attempt to connect. It must not refer to the session.
        rooms: the client's rooms, which are told of connections and events.
        auth: who asks: (token,), (user, password), or () for whoever the node's URL says.
        tls: how to verify nodes; see `dial_node`.
        auto_reconnect: connect again by itself after a loss, and make calls again that were never sent.
        several: whether there is another node to go to when one shuts down.
    """

    def __init__(
        self,
        nodes: Callable[[], Sequence[Endpoint]],
        rooms: Rooms,
        *,
        auth: tuple[str, ...],
        tls: TLS,
        auto_reconnect: bool,
        several: bool,
    ) -> None:
        self.auth = auth
        self._rooms = rooms
        self._auto_reconnect = auto_reconnect
        self._several = several
        self._was_up = False
        self._hub = detect().hub()
        self._arrivals: list[Any] = []  # events to set when there is a new connection
        self.supervisor = Supervisor(
            nodes,
            hello=self._greet,
            on_event=self._hear,
            on_up=self._up,
            on_down=self._down,
            tls=tls,
            reconnect=auto_reconnect,
        )

    # Calls

    def is_here(self) -> bool:
        """Whether a call can be waited for in this OS thread: on threads always, else in the hub's own."""
        return self._hub is None or self._hub is detect().hub()

    def request(
        self, kind: int, content: Any, deadline: float | None, *, idempotent: bool = False
    ) -> tuple[PacketConnection, Package]:
        """Make a call until it is answered for good.

        Args:
            kind, content: the request; `content` is packed, with what thunks in it stand for.
            deadline: the `time.monotonic()` until which to wait.
            idempotent: send it again if the connection broke and it may have run already.

        Returns:
            The connection that answered, and its answer.

        Raises:
            ThingsDBError: the answer is an error. A node that cannot serve now is asked again, as it has not
                run anything.
            ConnectionFailed, DeadlineExceeded: see `PacketConnection.call`.
        """
        return self.complete(kind, pack(content, resolve), deadline, idempotent=idempotent)

    def complete(
        self, kind: int, body: bytes, deadline: float | None, *, idempotent: bool
    ) -> tuple[PacketConnection, Package]:
        """`request`, with its content packed."""
        pause, enough = FIRST_PAUSE, deadline
        while True:
            connection = self.supervisor.current or self.connection(deadline)
            try:
                answer = connection.call(kind, body, deadline)
            except ConnectionFailed as error:
                if not self.may_repeat(error, idempotent):
                    raise
                continue
            refusal = refusal_in(answer)
            if refusal is None:
                return connection, answer
            enough = enough or time.monotonic() + PATIENCE
            if not self.is_passing(refusal) or time.monotonic() + pause > enough:
                raise refusal
            detect().sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    def may_repeat(self, failure: ConnectionFailed, idempotent: bool) -> bool:
        """Whether a call that ended so does no harm if it is made again."""
        return self._auto_reconnect and (idempotent or not failure.sent)

    @staticmethod
    def is_passing(refusal: things_errors.ThingsDBError) -> bool:
        """Whether the node only says that it cannot serve now."""
        return isinstance(refusal, things_errors.NodeError)

    def ask(self, kind: int, content: Any, deadline: float) -> tuple[PacketConnection, Any]:
        """For `Rooms`: a request that may be made twice; the connection, and the answer's value."""
        connection, answer = self.request(kind, content, deadline, idempotent=True)
        return connection, value_of(answer)

    # Connections

    @property
    def current(self) -> PacketConnection | None:
        """The connection, if there is one right now."""
        return self.supervisor.current

    def connection(self, deadline: float | None, *, patient: bool = True) -> PacketConnection:
        """The connection; waits for it, and goes on trying until the deadline.

        Args:
            patient: False to wait only until each node has failed once.

        Raises:
            AuthError: the node does not take the credentials.
            ConnectionFailed: no node is to be trusted, the session is closed, or it does not reconnect by
                itself; and no node answers, if not `patient`.
            DeadlineExceeded: there was none in time; its text says why.
        """
        supervisor = self.supervisor
        if supervisor.closed:
            raise _unsent("the client was closed")
        if self._was_up and not self._auto_reconnect:
            connection = supervisor.current
            if connection is None:
                raise _unsent("the connection was lost; call reconnect()")
            return connection
        return supervisor.connection(deadline, patient=patient)

    def reconnect(self, deadline: float | None) -> None:
        """Go to the next node, and wait until that is done.

        Raises: as `connection` does.
        """
        supervisor = self.supervisor
        if supervisor.current is None:
            supervisor.connection(deadline)
            return
        arrived = detect().event()
        self._arrivals.append(arrived)
        try:
            supervisor.move()
            if not arrived.wait(None if deadline is None else max(0.0, deadline - time.monotonic())):
                raise DeadlineExceeded("no other connection in time; the one there was is still used")
        finally:
            with suppress(ValueError):
                self._arrivals.remove(arrived)

    def close(self) -> None:
        """End it. Returns at once."""
        self.supervisor.close()

    def _greet(self, connection: PacketConnection, endpoint: Endpoint, deadline: float) -> None:
        """What is first said on a connection, all in one write: a sign of life, who asks, which rooms."""
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

    def _up(self, connection: PacketConnection, endpoint: Endpoint) -> None:
        self._was_up = True
        while self._arrivals:
            self._arrivals.pop().set()

    def _down(self, failure: BaseException | None) -> None:
        self._rooms.lost()

    # Events; called by the connection's reader, which must not wait

    def _hear(self, connection: PacketConnection, event: Package) -> None:
        kind = event.kind
        if kind in _ROOM_EVENTS:
            self._rooms.deliver(connection, kind, decode(event.body))
        elif kind == Kind.NODE_STATUS:
            said = decode(event.body)
            _log.debug("node %s of %s: %s", said.get("id"), connection.peer, said.get("status"))
            leaving = said.get("status") == SHUTTING_DOWN and connection is self.current
            if leaving and self._auto_reconnect:
                if self._several:
                    self.supervisor.move()
                else:  # its calls are answered, and new ones wait for whatever comes after it
                    connection.retired = True
        elif kind == Kind.WARNING:
            said = decode(event.body)
            _log.warning("%s: %s (%s)", connection.peer, said.get("warn_msg"), said.get("warn_code"))


def _unsent(reason: str) -> ConnectionFailed:
    error = ConnectionFailed(reason)
    error.sent = False
    return error
