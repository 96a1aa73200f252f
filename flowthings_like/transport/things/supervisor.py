"""Keeps one connection to a cluster of nodes up, whether anybody calls or not.

A thread of its own connects, shakes hands, asks for signs of life, and after a loss begins anew: the next
node at once, and when all have failed after a pause. Callers ask it for the connection and wait until there
is one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any
from weakref import WeakMethod, finalize

from ...errors import ConfigurationError
from ...wire.things.packages import MAX_BODY, Package
from ..forks import forget_in_child
from ..retry import Backoff
from .connection import PacketConnection
from .manager import ConnectionManager, ConnectionOptions

if TYPE_CHECKING:
    from ..tls import TLS
    from .endpoints import Endpoint

__all__ = ["Supervisor"]

CONNECT_WITHIN = 10.0
"""Seconds for connecting and the handshake. A node that shuts down still takes connections, and is mute."""

BACKOFF = Backoff(base=1.0, most=60.0)

Hello = Callable[[PacketConnection, "Endpoint", float], object]
OnEvent = Callable[[PacketConnection, Package], object]
OnUp = Callable[[PacketConnection, "Endpoint"], object]
OnDown = Callable[[BaseException | None], object]


class Supervisor:
    """One connection that is always there, as far as that goes.

    It starts when it is first asked for a connection. A forked child begins anew. When the supervisor is
    forgotten its thread ends; so callbacks that are bound methods are held weakly, and others should not
    refer to it.

    Args:
        endpoints: asked for the nodes before each attempt; each gets its turn.
        hello: authenticates and joins on a new connection, by the given `time.monotonic()`. What it raises
            counts as a failure of the node; AuthError and ConfigurationError end the attempts until somebody
            asks again.
        on_event: called with the connection and what came unasked on it, hello included, in its order.
        on_up: called with each connection that is ready, and the node it leads to.
        on_down: called when it is lost, with the reason; not after `close`.
        tls: how to verify nodes, see `dial_node`.
        reconnect: whether to connect again after a loss before somebody asks.
        backoff: seconds to wait before a round of attempts, by its number; after a success numbers begin
            with 0 again.
        connect_within: seconds for each attempt, hello included.
        keepalive: seconds of silence after which the node is asked for a sign of life.
        answer_within: seconds it has for that. Together they are the time in which a connection that is dead
            without a word is noticed.
        max_body: bytes of an answer's body, at most.
    """

    def __init__(
        self,
        endpoints: Callable[[], Sequence[Endpoint]],
        *,
        hello: Hello,
        on_event: OnEvent,
        on_up: OnUp | None = None,
        on_down: OnDown | None = None,
        tls: TLS = None,
        reconnect: bool = True,
        backoff: Callable[[int], float] = BACKOFF.pause,
        connect_within: float = CONNECT_WITHIN,
        keepalive: float = 30.0,
        answer_within: float = 5.0,
        max_body: int = MAX_BODY,
    ) -> None:
        self._options = ConnectionOptions(
            _weakly(endpoints),
            _weakly(hello),
            _weakly(on_event),
            _weakly(on_up),
            _weakly(on_down),
            tls,
            reconnect,
            backoff,
            connect_within,
            keepalive,
            answer_within,
            max_body,
        )
        self._manager: ConnectionManager | None = None
        self._heirs: dict[ConnectionManager | None, ConnectionManager] = {}  # by whose place they took
        self._closed = False

    @property
    def current(self) -> PacketConnection | None:
        """The connection, if there is one right now."""
        manager = self._manager
        connection = None if manager is None else manager.current
        return None if connection is None or connection.closed or connection.retired else connection

    @property
    def endpoint(self) -> Endpoint | None:
        """The node that `current` leads to."""
        return None if self._manager is None or self.current is None else self._manager.endpoint

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    def connection(self, deadline: float | None = None, *, patient: bool = True) -> PacketConnection:
        """The connection; waits for one if there is none.

        Args:
            deadline: the `time.monotonic()` until which to wait.
            patient: whether to wait for as long as that takes; else only until each node has failed once.

        Raises:
            AuthError: the node does not take the credentials.
            ConnectionFailed: no node could be reached, and `patient` is False.
            DeadlineExceeded: not in time; its cause is what kept the last node from it.
            ConfigurationError: the supervisor was closed, or what it was given is of no use.
        """
        return self.current or self._alive().wait(deadline, patient)

    def start(self) -> None:
        """Begin to connect, without waiting for it."""
        self._alive().ask()

    def move(self) -> None:
        """Go to the next node, as this one is about to end: a new connection first, then the old one is
        closed, as soon as its calls are done. Returns at once."""
        self._alive().move()

    def close(self) -> None:
        """Close the connection and make no other, ever. Returns at once."""
        self._closed = True
        if self._manager is not None:
            self._manager.close()

    def wait_closed(self, timeout: float | None = None) -> bool:
        """Wait until the thread and its connections have ended; False if that took too long."""
        return self._manager is None or self._manager.ended.wait(timeout)

    def _alive(self) -> ConnectionManager:
        if self._closed:
            raise ConfigurationError("this client was closed; make a new one")
        manager = self._manager
        if manager is None or manager.forked:
            if manager is not None:
                manager.forget()
            made = ConnectionManager(self._options)
            finalize(self, made.close).atexit = False
            forget_in_child(made)
            # Of all who come here at once only one has made the manager that is used.
            manager = self._manager = self._heirs.setdefault(manager, made)
        manager.start()
        return manager


def _weakly(callback: Callable[..., Any] | None) -> Callable[..., Any]:
    """`callback`, without holding the object whose method it is; nothing happens once that is gone."""
    if callback is None:
        return lambda *args: None
    if not hasattr(callback, "__self__"):
        return callback
    method = WeakMethod(callback)

    def call(*args: object) -> Any:
        alive = method()
        return () if alive is None else alive(*args)

    return call
