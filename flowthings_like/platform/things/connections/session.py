"""One client's connection: it comes in, asks, is answered in order, and is told what happens in its rooms."""

from __future__ import annotations

import logging
import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

from ....wire.things import errors as things_errors
from ....wire.things.packages import (
    EVENT_ID,
    Kind,
    Package,
    ProtocolError,
    UnpackError,
    pack,
    package,
    unpack,
)
from ..database.database import Database, refusal
from ..forks import abandon_socket
from ..requests import REQUESTS
from . import outbox
from .framing import Framing, recognise
from .outbox import Outbox

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..authentication import Login
    from ..counters import Counters

__all__ = ["MAX_BYTES_BEFORE_LOGIN", "Session"]

_log = logging.getLogger("flowthings_like.platform.things")

MAX_BYTES_BEFORE_LOGIN = 32 << 10
"""Bytes that a connection may send before it has come in."""

LOGIN_TIMEOUT = 10.0
"""Seconds that it has for that."""

MAX_FAILED_LOGINS = 10
"""How often a connection may give credentials that are not right; then it is ended."""

_ONE_READ = 64 << 10
_FIRST_READS = 4 << 10


class Host(Protocol):
    """What a session asks of its node.

    Attributes:
        id: its number.
        counters: what it has done.
    """

    id: int
    counters: Counters

    def log_in(self, credentials: object) -> Login:
        """Whoever the body of an AUTH package stands for."""

    def mark_authenticated(self, session: Session) -> None:
        """Take note that the session has logged in."""

    def database(self, account: str) -> Database:
        """The account's database."""

    def refuse_if_closing(self) -> None:
        """Raise NodeError once the node is being closed."""


class Session:
    """A connection, from its first byte to its last.

    Args:
        node: who answers.
        sock: the connected socket. It belongs to the session.
        peer: the client's address, for the log.

    Attributes:
        login: who has come in, None before that.
        gone: whether the connection has ended.
    """

    def __init__(self, node: Host, sock: socket.socket, peer: str) -> None:
        self._node = node
        self._sock = sock
        self.peer = peer
        self.login: Login | None = None
        self.gone = False
        self._database: Database | None = None
        self._login_by = time.monotonic() + LOGIN_TIMEOUT
        self._refusals = 0
        sock.settimeout(outbox.STALL_TIMEOUT)
        self._outbox = Outbox(sock, self.abort)
        self._framing: Framing | None = None
        self._unknown = 0  # bytes that came before anybody had come in

    def serve(self) -> None:
        """Answer until the client hangs up, is cut off, or sends what makes no sense."""
        try:
            self._converse()
        except (OSError, EOFError):
            pass  # gone, which is how connections end
        except ProtocolError as error:
            _log.info("the connection from %s was ended: %s", self.peer, error)
        except Exception:
            _log.exception("the connection from %s failed", self.peer)
        finally:
            self.close()

    def send(self, package: bytes) -> None:
        """Send a whole package, in order, without waiting for the client to read it."""
        framing = self._framing
        assert framing is not None
        self._outbox.send(framing.frame(package))

    def tell_status(self, status: str) -> None:
        """Send a node-status event to a client that has come in."""
        if self.login is not None:
            self.send(package(Kind.NODE_STATUS, EVENT_ID, pack({"id": self._node.id, "status": status})))

    def abort(self) -> None:
        """End the connection at once, whatever is on its way."""
        with suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)

    def abandon(self) -> None:
        """In a forked child: let go of the parent's socket without disturbing it."""
        self._outbox.abandon()
        abandon_socket(self._sock)

    @property
    def waiting(self) -> int:
        """Bytes that the client has not taken yet."""
        return self._outbox.waiting

    def close(self) -> None:
        """Let go of everything. More calls do nothing."""
        self.gone = True
        database, self._database = self._database, None
        if database is not None:
            database.drop(self)
        self._outbox.close()
        with suppress(OSError):
            self._sock.close()

    def _converse(self) -> None:
        start = b""
        while data := self._read():
            if self._framing is None:
                start += data
                self._framing = recognise(start, self._outbox.send)
                if self._framing is None:
                    continue
                data, start = start, b""
            if self.login is None:
                self._unknown += len(data)
                if self._unknown > MAX_BYTES_BEFORE_LOGIN:
                    raise ProtocolError(f"more than {MAX_BYTES_BEFORE_LOGIN} bytes and no login")
            packages = self._framing.receive(data)
            self._outbox.hold()
            for received in packages:
                self._answer(received)
                if self._refusals >= MAX_FAILED_LOGINS:
                    self._outbox.release()
                    raise ProtocolError(f"{self._refusals} log-ins that were refused")
                if self._outbox.waiting > outbox.HIGH_WATER:
                    self._outbox.release()
                    self._outbox.wait_for_reader()
                    self._outbox.hold()
            self._outbox.release()
        self._finish()

    def _finish(self) -> None:
        """The client says no more, but it may still listen: it gets the answers that it waits for."""
        if self._database is not None:
            self._database.settle(outbox.STALL_TIMEOUT)
        self._outbox.wait_empty(outbox.STALL_TIMEOUT)

    def _read(self) -> bytes:
        while self.login is None:
            left = self._login_by - time.monotonic()
            if left <= 0:
                raise ProtocolError(f"no login within {LOGIN_TIMEOUT:g} seconds")
            self._sock.settimeout(left)
            with suppress(TimeoutError):
                return self._sock.recv(_FIRST_READS)
        while True:
            try:
                return self._sock.recv(_ONE_READ)
            except TimeoutError:  # nothing said for a while, which is no reason to hang up
                continue

    def _answer(self, received: Package) -> None:
        try:
            if received.kind == Kind.PING:
                self.send(package(Kind.PONG, received.id))
            elif received.kind == Kind.AUTH:
                self._log_in(_unpacked(received))
                self.send(package(Kind.OK, received.id))
            else:
                self._ask(received)
        except things_errors.ThingsDBError as error:
            self.send(refusal(received.id, error))

    def _log_in(self, credentials: object) -> None:
        """A failure leaves whoever was in before."""
        try:
            login = self._node.log_in(credentials)
        except things_errors.AuthError:
            self._refusals += 1
            raise
        database = self._node.database(login.account)
        if self._database not in (None, database):
            self._database.drop(self)
        self._sock.settimeout(outbox.STALL_TIMEOUT)
        self.login, self._database = login, database
        self._node.mark_authenticated(self)

    def _ask(self, received: Package) -> None:
        self._node.refuse_if_closing()
        login, database = self.login, self._database
        if login is None or database is None:
            raise things_errors.AuthError("authentication is required: send AUTH first")
        request = REQUESTS.get(received.kind)
        if request is None:
            raise things_errors.BadDataError(f"this node knows no request of kind {received.kind}")
        self._node.counters.queries += 1
        body: Any = _unpacked(received)
        work: Callable[[Any], bytes] = lambda context: request(context, received.id, body)  # noqa: E731
        database.perform(self, login.user, received.id, work)


def _unpacked(received: Package) -> Any:
    try:
        return unpack(received.body)
    except UnpackError as error:
        raise things_errors.BadDataError(f"the request's body is not MessagePack: {error}") from None
