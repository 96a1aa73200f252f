"""A session that is connected by a WebSocket: one thread reads from it, another one writes to it."""

from __future__ import annotations

import logging
import socket
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ...green.backends import choice as backend
from ...wire.live import GOING_AWAY, INVALID_TEXT, NORMAL, POLICY, PROTOCOL_ERROR, TOO_BIG
from ...wire.websocket import PONG, close_frame, server_frame
from .outgoing import Batch

if TYPE_CHECKING:
    from .outgoing import Ending
    from .session import Session

__all__ = ["IDLE", "MAX_MESSAGE", "STALL", "serve"]

_log = logging.getLogger("flowthings_like.platform")

IDLE = 90.0
"""Seconds without anything from a client, not even a heartbeat, after which its session is ended."""

STALL = 20.0
"""Seconds in which a client may take nothing of what is sent to it before its session is ended."""

MAX_MESSAGE = 4 << 20
"""Bytes of a client's message, at most."""

_READ_SIZE = 64 << 10
_WAIT = 2.0  # seconds after which a waiting writer looks whether the session has ended
_FAREWELL = 5.0  # seconds that the last frames may take


def serve(sock: Any, session: Session) -> None:
    """Serve a session until its client has gone or was cut off.

    Args:
        sock: the socket, after the handshake. It is shut down, and left to the caller to be closed.
        session: is closed at the end.
    """
    sock.settimeout(STALL)
    with suppress(OSError):  # a socket of another kind
        # A push must not wait until the client's kernel has acknowledged the one before.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    session.outgoing.on_overflow = lambda: _shut_down(sock)
    writing = backend.detect().spawn(_write, sock, session)
    try:
        _read(sock, session)
    except OSError:
        pass  # the client has gone
    finally:
        session.close()
        with suppress(Exception):
            backend.detect().get(writing, _FAREWELL)
        _shut_down(sock)


def _read(sock: Any, session: Session) -> None:
    """Read requests until the connection or the session ends."""
    incoming = _Incoming(session)
    heard = time.monotonic()
    while session.outgoing.ending is None:
        try:
            data = sock.recv(_READ_SIZE)
        except TimeoutError:
            if time.monotonic() - heard > IDLE:
                session.end(GOING_AWAY, f"nothing was heard for {IDLE:g} seconds, not even a heartbeat")
            continue
        if not data:
            return
        heard = time.monotonic()
        incoming.feed(data)


def _write(sock: Any, session: Session) -> None:
    """Write what there is to send until the session ends. Then say why, and shut the socket down."""
    try:
        while True:
            batches = session.output(_WAIT)
            if batches:
                sock.sendall(b"".join([batch.frames() for batch in batches]))
            elif session.outgoing.ending is not None:
                sock.sendall(_farewell(session.outgoing.ending))
                return
    except OSError:  # the client has gone, or takes nothing
        session.end(POLICY, "the client takes nothing")
    except Exception:
        _log.exception("a live session failed")
        session.end(GOING_AWAY, "the platform failed")
    finally:
        _shut_down(sock)


def _farewell(ending: Ending) -> bytes:
    return close_frame(ending.code, ending.reason)


def _shut_down(sock: Any) -> None:
    """Wake the threads that read from the socket or are blocked in writing to it."""
    with suppress(OSError):
        getattr(sock, "_sock", sock).shutdown(socket.SHUT_RDWR)


class _Incoming:
    """Parses what a client sends, and hands its messages to the session."""

    def __init__(self, session: Session) -> None:
        from wsproto.connection import Connection, ConnectionType

        self._session = session
        self._connection = Connection(ConnectionType.SERVER)
        self._parts: list[bytes] = []
        self._size = 0

    def feed(self, data: bytes) -> None:
        """Handle the messages that `data` completes."""
        from wsproto import events
        from wsproto.utilities import RemoteProtocolError

        session = self._session
        try:
            self._connection.receive_data(data)
            for event in self._connection.events():
                if isinstance(event, events.Message):
                    self._add(event)
                elif isinstance(event, events.Ping):
                    session.outgoing.add(Batch.control(server_frame(PONG, bytes(event.payload))))
                elif isinstance(event, events.CloseConnection):
                    self._closed(event)
                if session.outgoing.ending is not None:
                    return
        except RemoteProtocolError as error:
            session.end(PROTOCOL_ERROR, f"what came is no WebSocket: {error}")

    def _closed(self, event: Any) -> None:
        """End the session because of a CLOSE frame, or of bytes that are no frame: wsproto tells both so."""
        if event.code in (PROTOCOL_ERROR, INVALID_TEXT):
            self._session.end(event.code, f"what came is no WebSocket: {event.reason}")
        else:
            self._session.end(NORMAL, "the client has closed the session")

    def _add(self, event: Any) -> None:
        part = event.data.encode() if isinstance(event.data, str) else bytes(event.data)
        self._size += len(part)
        if self._size > MAX_MESSAGE:
            self._session.end(TOO_BIG, f"a message of more than {MAX_MESSAGE} bytes")
            return
        self._parts.append(part)
        if event.message_finished:
            message = b"".join(self._parts)
            self._parts, self._size = [], 0
            while not self._session.outgoing.wait_for_room(STALL):
                if self._session.outgoing.ending is not None:
                    return
            self._session.receive(message)
