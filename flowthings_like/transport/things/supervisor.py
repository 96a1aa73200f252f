"""Owns the connection of a ThingsDB client to its cluster: starts it on demand, and again in a forked child.

The connection is kept open by a `ConnectionManager` in a thread of its own. After a loss it connects to the
next node at once, and pauses when all nodes have failed. Callers wait until there is a connection.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any
from weakref import WeakMethod, finalize

from ...errors import ConfigurationError
from ...wire.things.packages import MAX_BODY, Package
from ..after_fork import forget_in_child
from ..retry import Backoff
from .connection import PacketConnection
from .manager import ConnectionManager, ConnectionOptions

if TYPE_CHECKING:
    from ..tls import TLS
    from .endpoints import Endpoint

__all__ = ["Supervisor"]

CONNECT_WITHIN = 10.0
"""Seconds to connect and say hello. A node that shuts down still accepts connections, and answers nothing."""

BACKOFF = Backoff(base=1.0, most=60.0)
"""The pauses between rounds of attempts."""

Hello = Callable[[PacketConnection, "Endpoint", float], object]
OnEvent = Callable[[PacketConnection, Package], object]
OnUp = Callable[[PacketConnection, "Endpoint"], object]
OnDown = Callable[[BaseException | None], object]


class Supervisor:
    """Provides one connection to a cluster, and another one after it is lost.

    It connects when it is first asked for a connection. When the supervisor is garbage-collected its thread
    ends. So it holds bound methods weakly; callbacks of other kinds must not refer to it.

    Args:
        endpoints: returns the nodes. Called before each attempt; the nodes are tried in turn.
        hello: called with each new connection, its node and a deadline; logs in and joins rooms. If it
            raises, the attempt has failed. After AuthError and ConfigurationError no other attempt is made
            until `connection` is called again.
        on_event: called with the connection and each package that answers no call, in their order, also
            during `hello`.
        on_up: called with each connection that is ready, and its node.
        on_down: called with the error when a connection is lost; not after `close`.
        tls: how to verify nodes.
        reconnect: whether to connect after a loss before `connection` is called again.
        backoff: returns the seconds to pause after so many rounds of attempts have failed in a row.
        connect_within: seconds for each attempt, `hello` included.
        keepalive: seconds of silence after which a ping is sent.
        answer_within: seconds after a ping in which something has to come. A dead connection is noticed after
            `keepalive + answer_within` seconds.
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
        self._successors: dict[ConnectionManager | None, ConnectionManager] = {}  # by their predecessors
        self._closed = False

    @property
    def current(self) -> PacketConnection | None:
        """The connection, if there is one now."""
        manager = self._manager
        connection = None if manager is None else manager.current
        return None if connection is None or connection.closed or connection.retired else connection

    @property
    def endpoint(self) -> Endpoint | None:
        """The node at the other end of `current`."""
        return None if self._manager is None or self.current is None else self._manager.endpoint

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._closed

    def connection(self, deadline: float | None = None, *, patient: bool = True) -> PacketConnection:
        """The connection. Waits for one if there is none.

        Args:
            deadline: the `time.monotonic()` until which to wait.
            patient: False to wait only until each node has failed once.

        Raises:
            AuthError: the node refuses the credentials.
            ConnectionFailed: no node could be reached, and `patient` is False.
            DeadlineExceeded: not in time. Its cause is the failure of the last attempt.
            ConfigurationError: the supervisor was closed, or a node's address or the TLS setting is wrong.
        """
        return self.current or self._running_manager().wait(deadline, patient)

    def start(self) -> None:
        """Begin to connect. Does not wait."""
        self._running_manager().ask()

    def move(self) -> None:
        """Replace the connection by one to the next node. The old one is closed when the new one is there and
        the old one's calls are done. Does not wait."""
        self._running_manager().move()

    def close(self) -> None:
        """Close the connection for good. Does not wait."""
        self._closed = True
        if self._manager is not None:
            self._manager.close()

    def wait_closed(self, timeout: float | None = None) -> bool:
        """Wait until the thread and its connections have ended. Returns whether they have."""
        return self._manager is None or self._manager.ended.wait(timeout)

    def _running_manager(self) -> ConnectionManager:
        if self._closed:
            raise ConfigurationError("this client was closed; make a new one")
        manager = self._manager
        if manager is None or manager.forked:
            if manager is not None:
                manager.forget()
            made = ConnectionManager(self._options)
            finalize(self, made.close).atexit = False
            forget_in_child(made)
            # If several threads come here at once, they all use the manager of the first.
            manager = self._manager = self._successors.setdefault(manager, made)
        manager.start()
        return manager


def _weakly(callback: Callable[..., Any] | None) -> Callable[..., Any]:
    """A function that calls a bound method without keeping its object alive. It does nothing after that."""
    if callback is None:
        return lambda *args: None
    if not hasattr(callback, "__self__"):
        return callback
    method = WeakMethod(callback)

    def call(*args: object) -> Any:
        alive = method()
        return () if alive is None else alive(*args)

    return call
