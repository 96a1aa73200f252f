"""A client's connection: handles its login and its requests, sends answers and events in order."""

from __future__ import annotations

import logging
import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

from ....wire.things import errors as things_errors
from ....wire.things.header import ProtocolError
from ....wire.things.packages import EVENT_ID, Kind, Package, package
from ....wire.things.values import UnpackError, pack, unpack
from ...leader.after_fork import abandon_socket
from ...sockets import outbox
from ...sockets.outbox import Outbox
from ..database.database import Database, error_package
from ..requests import REQUESTS
from .framing import Framing, detect_framing

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..authentication import Login
    from ..counters import Counters

__all__ = ["MAX_BYTES_BEFORE_LOGIN", "Session"]

_log = logging.getLogger("flowthings_like.platform.things")

MAX_BYTES_BEFORE_LOGIN = 32 << 10
"""Bytes that a connection may send before it has logged in."""

LOGIN_TIMEOUT = 10.0
"""Seconds within which a connection has to log in."""

MAX_FAILED_LOGINS = 10
"""Wrong credentials that a connection may send before it is closed."""

_READ_SIZE = 64 << 10
_READ_SIZE_BEFORE_LOGIN = 4 << 10


class Host(Protocol):
    """What a session needs of its node.

    Attributes:
        id: the node's number.
        counters: what it has done.
    """

    id: int
    counters: Counters

    def log_in(self, credentials: object) -> Login:
        """Return who the credentials belong to."""

    def mark_authenticated(self, session: Session) -> None:
        """Note that the session has logged in."""

    def database(self, account: str) -> Database:
        """Return the account's database."""

    def refuse_if_closing(self) -> None:
        """Raise NodeError once the node is being closed."""


class Session:
    """A connection, from its first byte to its last.

    Args:
        node: handles logins and gives the database.
        sock: the connected socket. It belongs to the session.
        peer: the client's address, for the log.

    Attributes:
        login: who has logged in, None before that.
        is_closed: whether the connection has ended.
    """

    def __init__(self, node: Host, sock: socket.socket, peer: str) -> None:
        self._node = node
        self._sock = sock
        self.peer = peer
        self.login: Login | None = None
        self.is_closed = False
        self._database: Database | None = None
        self._login_deadline = time.monotonic() + LOGIN_TIMEOUT
        self._failed_logins = 0
        sock.settimeout(outbox.STALL_TIMEOUT)
        self._outbox = Outbox(sock, self.abort)
        self._framing: Framing | None = None
        self._bytes_before_login = 0

    def serve(self) -> None:
        """Answer requests until the connection ends or the client sends what is no package."""
        try:
            self._handle_all()
        except (OSError, EOFError):
            pass  # the client has closed the connection: that is how connections end
        except ProtocolError as error:
            _log.info("the connection from %s was ended: %s", self.peer, error)
        except Exception:
            _log.exception("the connection from %s failed", self.peer)
        finally:
            self.close()

    def send(self, package: bytes) -> None:
        """Send a whole package, in order. Does not wait for the client to read it."""
        framing = self._framing
        assert framing is not None
        self._outbox.send(framing.frame(package))

    def send_status(self, status: str) -> None:
        """Send a node-status event, if the client has logged in."""
        if self.login is not None:
            self.send(package(Kind.NODE_STATUS, EVENT_ID, pack({"id": self._node.id, "status": status})))

    def abort(self) -> None:
        """Close the connection at once, whatever is still to be sent."""
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)

    def abandon(self) -> None:
        """In a forked child: close the inherited socket without any effect on the parent."""
        self._outbox.abandon()
        abandon_socket(self._sock)

    @property
    def unsent(self) -> int:
        """Bytes that the client has not taken yet."""
        return self._outbox.unsent

    def close(self) -> None:
        """Leave all rooms and close the socket. More calls do nothing."""
        self.is_closed = True
        database, self._database = self._database, None
        if database is not None:
            database.disconnect(self)
        self._outbox.close()
        with suppress(OSError):
            self._sock.close()

    def _handle_all(self) -> None:
        start = b""
        while data := self._read():
            if self._framing is None:
                start += data
                self._framing = detect_framing(start, self._outbox.send)
                if self._framing is None:
                    continue
                data, start = start, b""
            if self.login is None:
                self._bytes_before_login += len(data)
                if self._bytes_before_login > MAX_BYTES_BEFORE_LOGIN:
                    raise ProtocolError(f"more than {MAX_BYTES_BEFORE_LOGIN} bytes and no login")
            packages = self._framing.receive(data)
            self._outbox.cork()
            for received in packages:
                self._handle(received)
                if self._failed_logins >= MAX_FAILED_LOGINS:
                    self._outbox.uncork()
                    raise ProtocolError(f"{self._failed_logins} log-ins that were refused")
                if self._outbox.unsent > outbox.HIGH_WATER:
                    self._outbox.uncork()
                    self._outbox.drain()
                    self._outbox.cork()
            self._outbox.uncork()
        self._finish()

    def _finish(self) -> None:
        """Send the answers that are still to come: the client sends no more, but it may still read."""
        if self._database is not None:
            self._database.wait_answered(outbox.STALL_TIMEOUT)
        self._outbox.wait_empty(outbox.STALL_TIMEOUT)

    def _read(self) -> bytes:
        while self.login is None:
            remaining = self._login_deadline - time.monotonic()
            if remaining <= 0:
                raise ProtocolError(f"no login within {LOGIN_TIMEOUT:g} seconds")
            self._sock.settimeout(remaining)
            with suppress(TimeoutError):
                return self._sock.recv(_READ_SIZE_BEFORE_LOGIN)
        while True:
            try:
                return self._sock.recv(_READ_SIZE)
            except TimeoutError:  # a client may be silent for as long as it likes
                continue

    def _handle(self, received: Package) -> None:
        try:
            if received.kind == Kind.PING:
                self.send(package(Kind.PONG, received.id))
            elif received.kind == Kind.AUTH:
                self._log_in(_unpacked(received))
                self.send(package(Kind.OK, received.id))
            else:
                self._request(received)
        except things_errors.ThingsDBError as error:
            self.send(error_package(received.id, error))

    def _log_in(self, credentials: object) -> None:
        """Log in. If that fails, an earlier login stays valid."""
        try:
            login = self._node.log_in(credentials)
        except things_errors.AuthError:
            self._failed_logins += 1
            raise
        database = self._node.database(login.account)
        if self._database not in (None, database):
            self._database.disconnect(self)
        self._sock.settimeout(outbox.STALL_TIMEOUT)
        self.login, self._database = login, database
        self._node.mark_authenticated(self)

    def _request(self, received: Package) -> None:
        self._node.refuse_if_closing()
        login, database = self.login, self._database
        if login is None or database is None:
            raise things_errors.AuthError("authentication is required: send AUTH first")
        handler = REQUESTS.get(received.kind)
        if handler is None:
            raise things_errors.BadDataError(f"this node knows no request of kind {received.kind}")
        self._node.counters.queries += 1
        body: Any = _unpacked(received)
        work: Callable[[Any], bytes] = lambda context: handler(context, received.id, body)  # noqa: E731
        database.execute(self, login.user, received.id, work)


def _unpacked(received: Package) -> Any:
    try:
        return unpack(received.body)
    except UnpackError as error:
        raise things_errors.BadDataError(f"the request's body is not MessagePack: {error}") from None
