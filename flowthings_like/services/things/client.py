"""Client: ThingsDB's queries and procedures, as calls that block."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from ...diagnostics.checks.moments import first_time
from ...diagnostics.checks.seen_running import foreign_call
from ...errors import ConfigurationError, ConnectionFailed, InvalidInput
from ...green.calls.marks import plain
from ...transport.forks import LockOfProcess
from ...transport.things.endpoints import DEFAULT_PORT
from ...wire.things.packages import Kind
from ..in_parallel import InParallel
from .answers import set_package_fail_file
from .arguments import check_auth, check_scope, check_timeout, deadline_in, endpoint_at, endpoints_of
from .calls import Calls
from .rooms import Rooms

if TYPE_CHECKING:
    import ssl

    from ...transport.things.endpoints import Endpoint
    from ...transport.tls import TLS
    from .handlers import BaseRoom
    from .parallel import AsyncClient, LazyClient
    from .session import Session

    Nodes = Callable[[], Sequence[Endpoint]]

__all__ = ["Client", "set_package_fail_file"]


class Client(Calls, InParallel):
    """A client of ThingsDB, or of the node in an embedded platform.

    Any number of threads and green threads may use one client: their calls share its connection. Under gevent
    and eventlet that belongs to the OS thread which opened it; a call in another one has a connection for
    itself, to the same node. Rooms are joined and left where the client's own connection is.

    Args:
        auto_reconnect: connect again, and join all rooms again, when the connection is lost; and go to
            another node of the pool when this one shuts down. If False, `reconnect()` does.
        ssl: True for TLS that verifies the node by the usual authorities, a str for the bundle of one's own,
            or an SSLContext that is used as it is. Not needed where a URL says wss:// or things+tls://.
        loop: None. There is no event loop.
        timeout: seconds for each call that is not given its own; None waits for as long as it takes.

    Raises:
        InvalidInput: one of these cannot work.
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
        self._wanted_lib: Callable[[], Any] = lambda: None
        self._rooms = Rooms()
        self._lock = LockOfProcess()

    def __repr__(self) -> str:
        return f"<Client of ThingsDB: {self.connection_info()}>"

    @property
    def _itself(self) -> Client:
        """What is behind a view of `async_()` or `lazy()`: those hand private names through."""
        return self

    @classmethod
    def _of(
        cls, nodes: Nodes, tls: TLS, timeout: float | None, async_lib: Callable[[], Any] = lambda: None
    ) -> Client:
        """A client that connects by itself when it is first used. The nodes' URLs say who asks."""
        client = cls(timeout=timeout)
        client._nodes, client._tls, client._wanted_lib = nodes, tls, async_lib
        return client

    def _async_lib(self) -> Any:
        return self._wanted_lib()

    if TYPE_CHECKING:

        def async_(self, pool: Any = None) -> AsyncClient: ...
        def lazy(self, pool: Any = None) -> LazyClient: ...

    # Connecting

    def connect(self, host: str, port: int = DEFAULT_PORT, timeout: float | None = 5) -> None:
        """Connect to a node; `authenticate` comes next, unless the URL says who asks. It tries once:
        `connect_pool` waits for nodes that are being started.

        Args:
            host: a name, an address, or a URL: ws://host:9270, wss://…, things://user:password@host:9200,
                things+tls://…, unix:///path.
            port: not looked at when a URL is given.
            timeout: seconds for all of it; None waits for as long as it takes.

        Raises:
            ConnectionFailed, DeadlineExceeded: the node does not answer.
            ConfigurationError: the client is connected, or the address cannot be one.
        """
        self._open([endpoint_at(host, port, encrypted=self._encrypted)], (), timeout, patient=False)

    def connect_pool(
        self, pool: Iterable[str | tuple[str, int]], *auth: str | tuple[str, str], timeout: float | None = 30
    ) -> None:
        """Connect to any of several nodes and authenticate there. When a node shuts down or is lost, the
        client goes to the next.

        A node that is not there yet, or not ready, is tried again until the time is up. So is a name that is
        not known; wrong credentials, and a certificate that is not trusted, are told at once.

        Args:
            pool: of each node its host or URL, or (host, port).
            auth: as for `authenticate`.
            timeout: seconds for all of it; None waits for as long as it takes.

        Raises:
            AuthError: the credentials are wrong.
            DeadlineExceeded: none of the nodes answers; the text says what was wrong with the last one.
            ConnectionFailed: none of them is to be trusted.
            ConfigurationError: the client is connected, or an address cannot be one.
        """
        nodes = endpoints_of(pool, encrypted=self._encrypted)
        self._open(nodes, check_auth(auth), timeout, patient=True)

    def authenticate(self, *auth: str | tuple[str, str], timeout: float | None = 5) -> None:
        """Say who asks, now and on later connections.

        Args:
            auth: a token, or a user's name and password, as two arguments or as a tuple.
            timeout: seconds to wait for the answer; None waits for as long as it takes.

        Raises:
            AuthError: they are wrong. Who was authenticated before still is.
        """
        checked = check_auth(auth)
        session = self._connected()
        content = checked[0] if len(checked) == 1 else checked
        session.request(Kind.AUTH, content, deadline_in(timeout), idempotent=True)
        session.auth = checked

    def reconnect(self, timeout: float | None = 10) -> None:
        """Connect anew, to the next node of a pool; the old connection ends when its calls are done.

        Args:
            timeout: seconds to wait for the new one; None waits for as long as it takes.

        Raises:
            ConnectionFailed, DeadlineExceeded: there was none; the old connection, if there is one, stays.
        """
        self._connected().reconnect(deadline_in(timeout))

    @plain
    def close(self) -> None:
        """Close the connection, for good: rooms are no longer joined, and later calls raise, unless `connect`
        is called again. Returns at once."""
        with self._lock.here:
            self._was_closed = True
            self._ended = self._session or self._ended
            self._session = self._nodes = None
        # Whoever was interrupted in one of these steps may close again: each can be done twice.
        self._rooms.end()
        if self._ended is not None:
            self._ended.close()

    def wait_closed(self) -> None:
        """Wait until the connection that `close` has ended is closed."""
        if self._ended is not None:
            self._ended.supervisor.wait_closed()

    def close_and_wait(self) -> None:
        """`close`, then `wait_closed`."""
        self.close()
        self.wait_closed()

    # What one may ask it

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
        """The address of the node that it is connected to, "host:port", or "disconnected"."""
        connection = None if self._session is None else self._session.current
        return "disconnected" if connection is None else connection.peer

    @plain
    def address(self) -> tuple[str, int, str, str]:
        """Where any other ThingsDB client can join in: (host, port, user, password). Mind the password.

        Raises:
            ConfigurationError: the node has no host, or is not entered with a name and a password.
        """
        session = self._connected()
        node = session.supervisor.endpoint or self._the_nodes()()[0]
        auth = session.auth or node.auth
        if not node.host or len(auth) != 2:
            raise ConfigurationError(f"{node} is not entered with a host, a port, a user and a password")
        return node.host, node.port, auth[0], auth[1]

    @plain
    def set_default_scope(self, scope: str) -> None:
        """Set the scope of calls that name none: "//stuff", "@:stuff", "/node"… At first it is "@t".

        Raises:
            ValueError: it is none.
        """
        self._scope = check_scope(scope)

    @plain
    def get_default_scope(self) -> str:
        """The scope of calls that name none."""
        return self._scope

    @plain
    def get_rooms(self) -> tuple[BaseRoom, ...]:
        """The Room objects that have joined."""
        return self._rooms.joined()

    @plain
    def get_event_loop(self) -> None:
        """There is none.

        Raises:
            ConfigurationError: always.
        """
        raise ConfigurationError("there is no event loop: calls block; spawn green threads to make several")

    # How it connects

    def _connected(self) -> Session:
        """The session; begins one if the client knows its nodes."""
        with self._lock.here:
            if self._session is None:
                self._session = self._begin(self._the_nodes(), (), False)
            return self._session

    def _at_home(self) -> Session:
        """The session, for what belongs to its connection.

        Raises:
            WrongThread: this is another OS thread than the one in which that is.
        """
        session = self._connected()
        if not session.is_here():
            raise foreign_call()
        return session

    def _the_nodes(self) -> Nodes:
        if self._nodes is None:
            state = "was closed" if self._was_closed else "is not connected"
            error = ConnectionFailed(f"the client {state}; call connect() or connect_pool() to use it")
            error.sent = False
            raise error
        return self._nodes

    def _elsewhere(self, home: Session) -> Session:
        node, nodes = home.supervisor.endpoint, self._the_nodes()
        return self._begin(nodes if node is None else lambda: [node], home.auth, False, Rooms())

    def _begin(
        self, nodes: Nodes, auth: tuple[str, ...], several: bool, rooms: Rooms | None = None
    ) -> Session:
        # Brings in ssl and sockets: only now, so that a program may patch them after it has imported this.
        from .session import Session

        first_time("network")
        return Session(
            nodes,
            self._rooms if rooms is None else rooms,
            auth=auth,
            tls=self._tls,
            auto_reconnect=self._auto_reconnect,
            several=several,
        )

    def _open(
        self, nodes: list[Endpoint], auth: tuple[str, ...], timeout: float | None, *, patient: bool
    ) -> None:
        """Connect to one of the nodes; when that fails the client is as it was."""
        deadline = deadline_in(timeout)
        session = self._begin(lambda: nodes, auth, len(nodes) > 1)
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
