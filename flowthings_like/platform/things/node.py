"""The node: its listeners, the sessions of its clients, and the database of each account."""

from __future__ import annotations

import itertools
import logging
import time
from enum import Enum, auto
from typing import TYPE_CHECKING

from ...green.backends import choice as backend
from ...wire.things import errors as things_errors
from ...wire.things.status import OFFLINE, SHUTTING_DOWN
from ..leader.after_fork import abandon_in_children
from ..sockets.listener import Listener
from .authentication import Authenticator, Login
from .connections.session import Session
from .counters import Counters
from .database import tables
from .database.database import Database

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence

    from ..resources.access.accounts import Accounts
    from ..store.store import Store

__all__ = ["Node"]

_log = logging.getLogger("flowthings_like.platform.things")

MAX_UNAUTHENTICATED = 128
"""Connections that have not logged in yet. One more, and the oldest of them is closed."""

DRAIN_TIMEOUT = 2.0
"""Seconds that `close` waits for commits under way, and for clients to read what was sent to them."""

QUIET_PERIOD = 0.03
"""Seconds without a request after which a node that is being closed ends its connections.

By then its clients have been told, and a client that had its address and was about to connect has done so.
"""

SWEEP_INTERVAL = 5.0
"""Seconds between two looks at what Python's garbage collector took: things that refer to each other."""

_POLL_INTERVAL = 0.005


class _State(Enum):
    """The life of a node: it only goes forward."""

    OPEN = auto()
    DRAINING = auto()
    """Requests are refused. Those before are being answered."""
    CLOSED = auto()
    """Connections are closed as soon as they are accepted."""


class Node:
    """Listens as soon as it is made.

    Args:
        store: where everything is stored.
        accounts: the platform's accounts, which can log in.
        secret: a password that every account can log in with.
        host: the address to listen at.
        ports: the ports to listen on; 0 takes a free one. Each accepts TCP and WebSockets.

    Attributes:
        addresses: (host, port) of each port it listens on.
        counters: what it has done.
        started: when it started, by the monotonic clock.
        id: 0, because there is only one node.

    Raises:
        ConfigurationError: it cannot listen there.
    """

    id = 0

    def __init__(
        self, store: Store, accounts: Accounts, secret: str, host: str, ports: Sequence[int]
    ) -> None:
        self._store = store
        self._authenticator = Authenticator(store, accounts, secret)
        self._numbers = itertools.count(store.read(tables.highest_collection) + 1)
        self._databases: dict[str, Database] = {}
        self._sessions: set[Session] = set()
        self._unauthenticated: dict[Session, None] = {}  # the oldest first
        self._reserved: dict[str, str] = {}  # names of users, and the accounts that they belong to
        self._state = _State.OPEN
        self._last_refused = 0.0
        self._closed = backend.detect().event()
        self.counters = Counters()
        self.started = time.monotonic()
        self._listeners: list[Listener] = []
        try:
            for port in ports:
                self._listeners.append(Listener(host, port, self._serve, "the things node"))
        except BaseException:
            self._end_connections()
            raise
        self.addresses = [listener.address for listener in self._listeners]
        backend.detect().spawn(self._sweep)
        abandon_in_children(self)

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        return len(self._sessions)

    def mark_authenticated(self, session: Session) -> None:
        """Note that a session has logged in. More calls do nothing."""
        self._unauthenticated.pop(session, None)

    def log_in(self, credentials: object) -> Login:
        """Return who the credentials of an AUTH package belong to. Raises what `authenticate` raises."""
        return self._authenticator.authenticate(credentials)

    def reserve(self, name: str, account: str) -> bool:
        """Reserve a user's name for an account.

        Returns:
            False if the name is that of an account, or of a user of another account.
        """
        # A user that another database is about to store is not on disk yet. setdefault is atomic: of two
        # accounts that reserve one name, one gets it.
        owner = self._reserved.setdefault(name, account)
        return owner == account and not self._authenticator.is_taken(name, account)

    def database(self, account: str) -> Database:
        """Return the account's database. Raises NodeError once the node is being closed."""
        self.refuse_if_closing()
        found = self._databases.get(account)
        if found is None:
            # setdefault is atomic: two threads that come at once get the same one.
            found = self._databases.setdefault(account, Database(account, self._store, self._numbers, self))
        return found

    def refuse_if_closing(self) -> None:
        """Raise NodeError, which says that nothing was run, once the node is being closed."""
        if self._state is not _State.OPEN:
            self._last_refused = time.monotonic()
            raise things_errors.NodeError("the node is shutting down")

    def close(self) -> None:
        """Tell the clients, answer the requests that came before, refuse later ones, and end the connections.

        A request that comes from now on is answered with NodeError, so its client knows that it was not run.
        The connections end when no request has come for QUIET_PERIOD: a client that was told sends no more.
        """
        if self._state is not _State.OPEN:
            return
        self._state = _State.DRAINING
        self._closed.set()
        for session in list(self._sessions):
            session.send_status(SHUTTING_DOWN)
        for database in list(self._databases.values()):
            database.wait_answered(DRAIN_TIMEOUT)
        self._last_refused = time.monotonic()
        self._wait(lambda: time.monotonic() - self._last_refused > QUIET_PERIOD)
        for listener in self._listeners:
            listener.close()
        for session in list(self._sessions):
            session.send_status(OFFLINE)
        self._wait(lambda: not any(session.unsent for session in list(self._sessions)))
        self._end_connections()

    def abandon(self) -> None:
        """In a forked child: close the inherited sockets without any effect on the parent."""
        self._state = _State.CLOSED
        for listener in self._listeners:
            listener.abandon()
        for session in list(self._sessions):
            session.abandon()

    def _serve(self, sock: socket.socket, peer: str) -> None:
        """Serve one connection until it ends."""
        try:
            session = Session(self, sock, peer)
        except BaseException:
            sock.close()
            raise
        self._sessions.add(session)
        self._unauthenticated[session] = None
        try:
            if len(self._unauthenticated) > MAX_UNAUTHENTICATED:
                next(iter(list(self._unauthenticated))).abort()
            if self._state is not _State.CLOSED:
                session.serve()
        finally:
            self._sessions.discard(session)
            self._unauthenticated.pop(session, None)
            session.close()

    def _sweep(self) -> None:
        # In a forked child `abandon` changes the state but sets no event: hence the second condition.
        while not (self._closed.wait(SWEEP_INTERVAL) or self._state is not _State.OPEN):
            for database in list(self._databases.values()):
                try:
                    database.sweep()
                except Exception:
                    _log.exception("what is gone from memory could not be deleted")

    def _end_connections(self) -> None:
        self._state = _State.CLOSED
        for listener in self._listeners:
            listener.close()
        for session in list(self._sessions):
            session.abort()
        self._wait(lambda: not self._sessions)

    def _wait(self, done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + DRAIN_TIMEOUT
        while not done() and time.monotonic() < deadline:
            backend.detect().sleep(_POLL_INTERVAL)
