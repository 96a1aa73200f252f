"""The node: what listens, who is connected, and the databases of the accounts."""

from __future__ import annotations

import itertools
import logging
import time
from typing import TYPE_CHECKING

from ...green.backends import contract as backend
from ...wire.things import errors as things_errors
from .authentication import Authenticator, Login
from .connections.listener import Listener
from .connections.session import Session
from .counters import Counters
from .database import tables
from .database.database import Database
from .forks import abandon_in_children

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence

    from ..resources.access.accounts import Accounts
    from ..store.store import Store

__all__ = ["Node"]

_log = logging.getLogger("flowthings_like.platform.things")

MAX_UNAUTHENTICATED = 128
"""Connections that have not come in yet; one more, and the one that has taken longest is ended."""

PATIENCE = 2.0
"""Seconds that `close` gives to commits under way, and to clients to read what was said to them."""


QUIET = 0.03
"""Seconds without a request after which a node that is being closed hangs up: its clients have been told, and
whoever knew where it is and was about to connect has done so."""

SWEEP = 5.0
"""Seconds between two looks at what Python's collector took: things, and rooms in them, that form circles."""


class Node:
    """Listens as soon as it is made.

    Args:
        store: where everything is kept.
        accounts: who may come in.
        secret: the password that opens every account.
        host: the address to listen at.
        ports: where; 0 takes one that is free. Each takes TCP and WebSockets alike.

    Attributes:
        addresses: (host, port) of each port, as it came to be.
        counters: what it has done.
        started: seconds since the epoch.
        id: 0, there is only one.

    Raises:
        ConfigurationError: it cannot listen there.
    """

    id = 0

    def __init__(
        self, store: Store, accounts: Accounts, secret: str, host: str, ports: Sequence[int]
    ) -> None:
        self._store = store
        self._logins = Authenticator(store, accounts, secret)
        self._numbers = itertools.count(store.read(tables.highest_collection) + 1)
        self._databases: dict[str, Database] = {}
        self._sessions: set[Session] = set()
        self._unauthenticated: dict[Session, None] = {}  # who has not come in yet, the oldest first
        self._names: dict[str, str] = {}
        self._closing = False
        self._refused = 0.0  # when something last came after that
        self._ended = False
        self._closed = backend.detect().event()
        self.counters = Counters()
        self.started = time.monotonic()
        self._listeners: list[Listener] = []
        try:
            for port in ports:
                self._listeners.append(Listener(host, port, self._converse))
        except BaseException:
            self._hang_up()
            raise
        self.addresses = [listener.address for listener in self._listeners]
        backend.detect().spawn(self._sweep)
        abandon_in_children(self)

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        return len(self._sessions)

    def mark_authenticated(self, session: Session) -> None:
        """A session is no stranger any more. More calls do nothing."""
        self._unauthenticated.pop(session, None)

    def log_in(self, credentials: object) -> Login:
        """Whoever the body of an AUTH package stands for. Raises what Authenticator.check raises."""
        return self._logins.check(credentials)

    def reserve(self, name: str, account: str) -> bool:
        """Keep a user's name for an account; False if an account has it, or a user of another account."""
        # What others are about to store is not on disk yet: setdefault, which is atomic, tells them apart.
        return self._names.setdefault(name, account) == account and not self._logins.is_taken(name, account)

    def database(self, account: str) -> Database:
        """The account's database."""
        self.refuse_if_closing()
        found = self._databases.get(account)
        if found is None:
            # setdefault is atomic: two threads that come at once agree on one.
            found = self._databases.setdefault(account, Database(account, self._store, self._numbers, self))
        return found

    def refuse_if_closing(self) -> None:
        """Raise NodeError, which says that nothing was run, once the node is being closed."""
        if self._closing:
            self._refused = time.monotonic()
            raise things_errors.NodeError("the node is shutting down")

    def close(self) -> None:
        """Take nobody in any more, tell the clients, answer what was asked, and hang up.

        What comes from then on is answered, too: by a NodeError, so that whoever asks knows that it was not
        run. It hangs up when nothing has come for a moment: a client that was told asks no more.
        """
        if self._closing:
            return
        self._closing = True
        self._closed.set()
        for session in list(self._sessions):
            session.tell_status("SHUTTING_DOWN")
        for database in list(self._databases.values()):
            database.settle(PATIENCE)
        self._refused = time.monotonic()
        self._wait(lambda: time.monotonic() - self._refused > QUIET)
        for listener in self._listeners:
            listener.close()
        for session in list(self._sessions):
            session.tell_status("OFFLINE")
        self._wait(lambda: not any(session.waiting for session in list(self._sessions)))
        self._hang_up()

    def abandon(self) -> None:
        """In a forked child: let go of the parent's sockets without disturbing them."""
        self._closing = self._ended = True
        for listener in self._listeners:
            listener.abandon()
        for session in list(self._sessions):
            session.abandon()

    def _converse(self, sock: socket.socket, peer: str) -> None:
        try:
            session = Session(self, sock, peer)
        except BaseException:
            sock.close()
            raise
        self._sessions.add(session)
        self._unauthenticated[session] = None
        try:
            if len(self._unauthenticated) > MAX_UNAUTHENTICATED:
                next(iter(list(self._unauthenticated))).abort()  # who has taken longest
            if not self._ended:
                session.serve()
        finally:
            self._sessions.discard(session)
            self._unauthenticated.pop(session, None)
            session.close()

    def _sweep(self) -> None:
        while not (self._closed.wait(SWEEP) or self._closing):  # a forked child is not woken
            for database in list(self._databases.values()):
                try:
                    database.sweep()
                except Exception:
                    _log.exception("what is gone from memory could not be deleted")

    def _hang_up(self) -> None:
        self._ended = True
        for listener in self._listeners:
            listener.close()
        for session in list(self._sessions):
            session.abort()
        self._wait(lambda: not self._sessions)

    def _wait(self, done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + PATIENCE
        while not done() and time.monotonic() < deadline:
            backend.detect().sleep(0.005)
