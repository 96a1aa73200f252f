"""Keeps a connection to one of a cluster's nodes open, and hands it to waiting callers."""

from __future__ import annotations

import logging
import random
import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress
from copy import copy
from dataclasses import dataclass
from time import monotonic
from typing import TYPE_CHECKING

from ...errors import ConfigurationError, ConnectionFailed, DeadlineExceeded, FlowThingsError
from ...green.backends.choice import detect
from ...wire.things import errors as things_errors
from ..background_threads import OneThread
from ..reconnect import ReconnectingConnection
from ..tls import TLS, context_for
from .connection import PacketConnection
from .dialing import dial_node

if TYPE_CHECKING:
    from ...green.future import OneShotEvent
    from ...wire.things.packages import Package
    from .endpoints import Endpoint

__all__ = ["ConnectionManager", "ConnectionOptions"]

_log = logging.getLogger("flowthings_like")

STARTING_PAUSE = 0.5
"""Seconds between two rounds of attempts, at most, until the first connection: while a node is starting,
somebody is waiting for it."""


@dataclass(frozen=True)
class ConnectionOptions:
    """The arguments of a `Supervisor`, which documents them."""

    endpoints: Callable[[], Sequence[Endpoint]]
    hello: Callable[[PacketConnection, Endpoint, float], object]
    on_event: Callable[[PacketConnection, Package], object]
    on_up: Callable[[PacketConnection, Endpoint], object]
    on_down: Callable[[BaseException | None], object]
    tls: TLS
    reconnect: bool
    backoff: Callable[[int], float]
    connect_within: float
    keepalive: float
    answer_within: float
    max_body: int


class ConnectionManager(ReconnectingConnection[PacketConnection]):
    """Runs a supervisor's connection in a thread of its own. It does not refer to the supervisor, so that
    that can be garbage-collected.

    Attributes:
        endpoint: the node at the other end of `current`.
    """

    def __init__(self, options: ConnectionOptions) -> None:
        super().__init__(
            reconnect=options.reconnect, keepalive=options.keepalive, answer_within=options.answer_within
        )
        self.options = options
        self.endpoint: Endpoint | None = None
        self._tls = options.tls
        self._new_event = detect().event_factory()
        self._thread = OneThread(self.run)
        self._waiters: list[OneShotEvent] = []
        self._nodes: list[Endpoint] = []
        self._next = random.randrange(1 << 16)  # so that the clients of a cluster begin with different nodes
        self._was_up = False

    # For callers

    def start(self) -> None:
        """Start the thread, unless it runs. Each caller does so: an earlier one may have been interrupted."""
        self._thread.start()

    def wait(self, deadline: float | None, patient: bool) -> PacketConnection:
        """Wait for a connection; see `Supervisor.connection`."""
        refusals, rounds = self.refusals, self.failed_rounds
        self.ask()
        while True:
            event = self._new_event()
            self._waiters.append(event)
            try:
                connection = self.current
                if connection is not None and not connection.closed and not connection.retired:
                    return connection
                failure = self.failure
                if self._closing:
                    raise _unsent(ConnectionFailed("the client was closed, and there was no connection"))
                if failure is not None and self.refusals != refusals:
                    raise copy(failure)  # each caller raises an exception of its own
                waits_on = failure is None or self.failed_rounds == rounds or (patient and _may_pass(failure))
                if not waits_on:
                    raise _unsent(ConnectionFailed(f"no node answers: {failure}")) from failure
                left = None if deadline is None else deadline - monotonic()
                if left is not None and left <= 0:
                    why = "" if failure is None else f": {failure}"
                    raise _unsent(DeadlineExceeded(f"no connection in time{why}")) from failure
                event.wait(left)
            finally:
                with suppress(ValueError):
                    self._waiters.remove(event)

    # Called by the loop

    def _attempt(self) -> PacketConnection:
        self._nodes = nodes = list(self.options.endpoints())
        if not nodes:
            raise ConfigurationError("there is no node to connect to")
        self._next += 1
        self._node = nodes[self._next % len(nodes)]
        return self._greet(self._node)

    def _greet(self, node: Endpoint) -> PacketConnection:
        """Connect to a node and say hello."""
        options = self.options
        deadline = monotonic() + options.connect_within
        if node.is_encrypted:
            self._tls = context_for(self._tls)  # kept, because making one takes some 10 ms
        slot: list[PacketConnection] = []
        on_event = options.on_event

        def hand_on(event: Package) -> None:
            if slot:
                on_event(slot[0], event)

        stream = dial_node(node, deadline, self._tls, options.max_body)
        try:
            connection = PacketConnection(
                stream,
                on_event=hand_on,
                on_close=lambda failure: self._wakeup.set(),
                max_body=options.max_body,
            )
        except BaseException:  # no thread could be started, for one
            stream.close()
            raise
        slot.append(connection)
        try:
            options.hello(connection, node, deadline)
            if self._closing:
                raise ConnectionFailed("the client was closed")
        except BaseException:
            connection.close()
            raise
        return connection

    def _is_final(self, error: Exception) -> bool:
        return isinstance(error, things_errors.AuthError | ConfigurationError)

    def _places(self) -> int:
        return max(1, len(self._nodes))

    def _pause(self, failures: int) -> float:
        pause = self.options.backoff(failures)
        return pause if self._was_up else min(pause, STARTING_PAUSE)

    def _on_up(self, connection: PacketConnection) -> None:
        self._was_up = True
        self.endpoint = self._node
        self._call(self.options.on_up, connection, self._node)

    def _on_down(self, connection: PacketConnection) -> None:
        self.failure = ConnectionFailed(f"{connection.peer}: the connection was lost")
        self._call(self.options.on_down, connection.failure)

    def _on_refused(self, error: Exception) -> None:
        _log.error("no connection: %s", error)

    def _on_failed(self, error: Exception) -> None:
        if not isinstance(error, FlowThingsError):
            _log.exception("connecting to a node failed in an unforeseen way")
        # A node that is restarted is away for a moment, so the first round that fails is no warning.
        replaced = self._was_up or isinstance(error, things_errors.NodeError)
        level = logging.INFO if replaced and self._attempts <= self._places() else logging.WARNING
        _log.log(level, "no connection: %s", error)

    def _on_change(self) -> None:
        for event in self._waiters.copy():
            event.set()

    def _call(self, callback: Callable[..., object], *args: object) -> None:
        try:
            callback(*args)
        except Exception:
            _log.exception("a callback of the connection's failed")


def _may_pass(failure: Exception) -> bool:
    """Whether another attempt may succeed. A node may be starting, and a name may not be known yet; but a
    certificate that is not trusted stays so."""
    return not isinstance(failure.__cause__, ssl.SSLCertVerificationError)


def _unsent(error: ConnectionFailed | DeadlineExceeded) -> ConnectionFailed | DeadlineExceeded:
    error.sent = False
    return error
