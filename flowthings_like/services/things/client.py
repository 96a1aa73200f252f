"""Client: connects to ThingsDB, authenticates, and makes its calls in blocking style."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from ...diagnostics.checks.first_use import check_first_use
from ...errors import ConfigurationError, ConnectionFailed, InvalidInput
from ...green.calls.markers import plain
from ...green.wrong_thread import foreign_call
from ...transport.after_fork import LockOfProcess
from ...transport.things.endpoints import DEFAULT_PORT
from ...wire.things.packages import Kind
from ..in_parallel import InParallel
from .answers import set_package_fail_file
from .arguments import check_auth, check_scope, check_timeout, deadline_in, endpoint_at, endpoints_of
from .joined_rooms import Rooms
from .thing_queries import ThingQueries

if TYPE_CHECKING:
    import ssl

    from ...transport.things.endpoints import Endpoint
    from ...transport.tls import TLS
    from .handlers import BaseRoom
    from .parallel import AsyncClient, LazyClient
    from .session import Session

    Nodes = Callable[[], Sequence[Endpoint]]

__all__ = ["Client", "set_package_fail_file"]


class Client(ThingQueries, InParallel):
    """A client of ThingsDB, or of the node in an embedded platform.

    Any number of threads and green threads may use one client: their calls share its connection. Under gevent
    and eventlet the connection belongs to the OS thread that opened it. A call in another OS thread opens a
    connection of its own, to the same node. Rooms are joined and left in the thread of the client's own
    connection.

    Args:
        auto_reconnect: connect again, and rejoin all rooms, when the connection is lost; and go to another
            node of the pool when this one shuts down. If False, only `reconnect()` does.
        ssl: True for TLS that verifies the node against the usual authorities, a str for the path of a bundle
            of authorities, or an SSLContext. A URL with wss:// or things+tls:// needs no `ssl`.
        loop: must be None, because there is no event loop.
        timeout: seconds for each call that has no `timeout` of its own; None waits without limit.

    Raises:
        InvalidInput: an argument is not valid.
    """

    def __init__(
        self,
        auto_reconnect: bool = True,
        ssl: bool | str | ssl.SSLContext | None = None,
        loop: None = None,
        *,
        timeout: float | None = None,
    ) -> None:
        if loop is not None:
            raise InvalidInput("there is no event loop here: calls block; leave out loop=")
        self._auto_reconnect = bool(auto_reconnect)
        self._encrypted = bool(ssl)
        self._tls: TLS = None if isinstance(ssl, bool) else ssl
        self._timeout = check_timeout(timeout)
        self._scope = "@t"
        self._nodes: Nodes | None = None
        self._session: Session | None = None
        self._ended: Session | None = None  # for wait_closed
        self._was_closed = False
        self._choose_lib: Callable[[], Any] = lambda: None
        self._rooms = Rooms()
        self._lock = LockOfProcess()

    def __repr__(self) -> str:
        return f"<Client of ThingsDB: {self.connection_info()}>"

    @property
    def _itself(self) -> Client:
        """The client behind a view of `async_()` or `lazy()`, which passes private names through."""
        return self

    @classmethod
    def _of(
        cls, nodes: Nodes, tls: TLS, timeout: float | None, async_lib: Callable[[], Any] = lambda: None
    ) -> Client:
        """A client that connects when it is first used. The credentials are in the nodes' URLs."""
        client = cls(timeout=timeout)
        client._nodes, client._tls, client._choose_lib = nodes, tls, async_lib
        return client

    def _async_lib(self) -> Any:
        return self._choose_lib()

    if TYPE_CHECKING:

        def async_(self, pool: Any = None) -> AsyncClient: ...
        def lazy(self, pool: Any = None) -> LazyClient: ...

    # Connecting

    def connect(self, host: str, port: int = DEFAULT_PORT, timeout: float | None = 5) -> None:
        """Connect to a node. Call `authenticate` next, unless the URL has the credentials. It tries once:
        `connect_pool` waits for nodes that are being started.

        Args:
            host: a name, an address, or a URL: ws://host:9270, wss://…, things://user:password@host:9200,
                things+tls://…, unix:///path.
            port: ignored when a URL is given.
            timeout: seconds for all of it; None waits without limit.

        Raises:
            ConnectionFailed, DeadlineExceeded: the node does not answer.
            ConfigurationError: the client is connected, or the address is not valid.
        """
        self._open([endpoint_at(host, port, encrypted=self._encrypted)], (), timeout, patient=False)

    def connect_pool(
        self, pool: Iterable[str | tuple[str, int]], *auth: str | tuple[str, str], timeout: float | None = 30
    ) -> None:
        """Connect to one of several nodes and authenticate there. When the node shuts down or is lost, the
        client goes to the next.

        A node that is not there yet, or not ready, is tried again until the time is up, and so is a name that
        does not resolve. Wrong credentials, and a certificate that is not trusted, are raised at once.

        Args:
            pool: of each node its host or URL, or (host, port).
            auth: as for `authenticate`.
            timeout: seconds for all of it; None waits without limit.

        Raises:
            AuthError: the credentials are wrong.
            DeadlineExceeded: none of the nodes answers; the text says why the last one did not.
            ConnectionFailed: none of them has a certificate that is trusted.
            ConfigurationError: the client is connected, or an address is not valid.
        """
        nodes = endpoints_of(pool, encrypted=self._encrypted)
        self._open(nodes, check_auth(auth), timeout, patient=True)

    def authenticate(self, *auth: str | tuple[str, str], timeout: float | None = 5) -> None:
        """Log in, on this connection and on later ones.

        Args:
            auth: a token, or a user's name and password, as two arguments or as a tuple.
            timeout: seconds to wait for the answer; None waits without limit.

        Raises:
            AuthError: the credentials are wrong. Those that were used before stay in use.
        """
        checked = check_auth(auth)
        session = self._opened()
        content = checked[0] if len(checked) == 1 else checked
        session.request(Kind.AUTH, content, deadline_in(timeout), idempotent=True)
        session.auth = checked

    def reconnect(self, timeout: float | None = 10) -> None:
        """Connect again, to the next node of a pool. The old connection is closed when its calls are done.

        Args:
            timeout: seconds to wait for the new one; None waits without limit.

        Raises:
            ConnectionFailed, DeadlineExceeded: no node answers. The old connection, if there is one, stays.
        """
        self._opened().reconnect(deadline_in(timeout))

    @plain
    def close(self) -> None:
        """Close the connection for good and leave all rooms. Later calls raise, until `connect` is called
        again. Returns at once."""
        with self._lock.here:
            self._was_closed = True
            self._ended = self._session or self._ended
            self._session = self._nodes = None
        # A caller who was interrupted in one of these steps may close again: each can be done twice.
        self._rooms.end()
        if self._ended is not None:
            self._ended.close()

    def wait_closed(self) -> None:
        """Wait until the connection is closed, after `close`."""
        if self._ended is not None:
            self._ended.supervisor.wait_closed()

    def close_and_wait(self) -> None:
        """Call `close`, then `wait_closed`."""
        self.close()
        self.wait_closed()

    # State

    @plain
    def is_connected(self) -> bool:
        """Whether there is a connection right now."""
        return self._session is not None and self._session.current is not None

    @plain
    def is_websocket(self) -> bool:
        """Whether the connection is a WebSocket."""
        node = None if self._session is None else self._session.supervisor.endpoint
        return node is not None and node.is_websocket

    @plain
    def connection_info(self) -> str:
        """The address of the connected node, "host:port", or "disconnected"."""
        connection = None if self._session is None else self._session.current
        return "disconnected" if connection is None else connection.peer

    @plain
    def address(self) -> tuple[str, int, str, str]:
        """What any other ThingsDB client needs to connect: (host, port, user, password). It has the password!

        Raises:
            ConfigurationError: the node has no host, or the credentials are not a name and a password.
        """
        session = self._opened()
        node = session.supervisor.endpoint or self._known_nodes()()[0]
        auth = session.auth or node.auth
        if not node.host or len(auth) != 2:
            raise ConfigurationError(f"{node} has no address of host, port, user and password")
        return node.host, node.port, auth[0], auth[1]

    @plain
    def set_default_scope(self, scope: str) -> None:
        """Set the scope of calls that are given none: "//stuff", "@:stuff", "/node"… At first it is "@t".

        Raises:
            ValueError: it is not a scope.
        """
        self._scope = check_scope(scope)

    @plain
    def get_default_scope(self) -> str:
        """The scope of calls that are given none."""
        return self._scope

    @plain
    def get_rooms(self) -> tuple[BaseRoom, ...]:
        """The Room objects that have joined."""
        return self._rooms.joined()

    @plain
    def get_event_loop(self) -> None:
        """Raises an error, because there is no event loop.

        Raises:
            ConfigurationError: always.
        """
        raise ConfigurationError("there is no event loop: calls block; spawn green threads to make several")

    # Sessions

    def _opened(self) -> Session:
        with self._lock.here:
            if self._session is None:
                self._session = self._new_session(self._known_nodes(), ())
            return self._session

    def _session_of_rooms(self) -> Session:
        """The client's own session, over whose connections it joins rooms.

        Raises:
            WrongThread: this OS thread is not the one to which its connection belongs.
        """
        session = self._opened()
        if not session.is_in_this_thread():
            raise foreign_call()
        return session

    def _session_for_thread(self, session: Session) -> Session:
        node, nodes = session.supervisor.endpoint, self._known_nodes()
        return self._new_session(nodes if node is None else lambda: [node], session.auth, rooms=Rooms())

    def _known_nodes(self) -> Nodes:
        if self._nodes is None:
            state = "was closed" if self._was_closed else "is not connected"
            error = ConnectionFailed(f"the client {state}; call connect() or connect_pool() to use it")
            error.sent = False
            raise error
        return self._nodes

    def _new_session(
        self,
        nodes: Nodes,
        auth: tuple[str, ...],
        *,
        has_other_nodes: bool = False,
        rooms: Rooms | None = None,
    ) -> Session:
        # Brings in ssl and sockets: only now, so that a program may patch them after it has imported this.
        from .session import Session

        check_first_use("network")
        return Session(
            nodes,
            self._rooms if rooms is None else rooms,
            auth=auth,
            tls=self._tls,
            auto_reconnect=self._auto_reconnect,
            has_other_nodes=has_other_nodes,
        )

    def _open(
        self, nodes: list[Endpoint], auth: tuple[str, ...], timeout: float | None, *, patient: bool
    ) -> None:
        """Connect to one of the nodes. If that fails, the client is as it was."""
        deadline = deadline_in(timeout)
        session = self._new_session(lambda: nodes, auth, has_other_nodes=len(nodes) > 1)
        try:
            with self._lock.here:
                if self._session is not None or self._nodes is not None:
                    raise ConfigurationError(
                        "the client is connected, or being connected; call close() first"
                    )
                self._session, self._nodes = session, lambda: nodes
            session.connection(deadline, patient=patient)
        except BaseException:
            if self._session is session:
                self.close()
            raise
