"""A TStorage server on loopback that sends the bytes that a script tells it to send."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from struct import pack, unpack_from
from typing import Any

from flowthings_like.green.backends.choice import detect

__all__ = [
    "ACCEPTED",
    "REFUSED",
    "Scripted",
    "Session",
    "end",
    "record",
    "records_server",
    "reply",
    "scripted",
]

ACCEPTED = pack("<iQ", 0, 0)
REFUSED = pack("<iQ", -1, 0)


def record(key: tuple[int, int, int, int, int], payload: bytes) -> bytes:
    """A record in a reply to GET."""
    return pack("<iiqiqq", 32 + len(payload), *key) + payload


def end(acq: int = 77) -> bytes:
    """The end of a reply to GET."""
    return pack("<iiQq", 0, 0, 8, acq)


def reply(*records: bytes, acq: int = 77) -> bytes:
    """A whole reply to GET."""
    return ACCEPTED + b"".join(records) + end(acq)


class Session:
    """One connection of the server.

    Attributes:
        number: how many connections there were before.
        requests: what came, a bytes object for each request.
        ended: whether the other end, or the script, has ended it.
    """

    def __init__(self, number: int, sock: socket.socket) -> None:
        self.number = number
        self.sock = sock
        self.requests: list[bytes] = []
        self.ended = False
        self._data = b""

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)

    def request(self) -> bytes:
        """The next request. Raises EOFError at the end."""
        head = self._exactly(12)
        command, size = unpack_from("<iQ", head)
        found = head + self._exactly(size)
        if command in (5, 6):
            while True:
                mark = self._exactly(4)
                found += mark
                if unpack_from("<i", mark)[0] < 0:
                    break
                size = self._exactly(4)
                found += size + self._exactly(unpack_from("<i", size)[0])
        self.requests.append(found)
        return found

    def _exactly(self, size: int) -> bytes:
        parts, missing = [], size
        while missing:
            if not self._data:
                self._data = self.sock.recv(max(65_536, min(missing, 1 << 20)))
                if not self._data:
                    raise EOFError
            part, self._data = self._data[:missing], self._data[missing:]
            parts.append(part)
            missing -= len(part)
        return b"".join(parts)


class Scripted:
    """The server.

    Attributes:
        host, port: its address.
        sessions: one for each connection.
        failures: what the script has raised.
    """

    def __init__(self, script: Callable[[Session], object], tls: tuple[Path, Path] | None) -> None:
        self.script = script
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.host, self.port = self.listener.getsockname()
        self.sessions: list[Session] = []
        self.failures: list[BaseException] = []
        self.threads: list[Any] = []
        self.stopping = False
        self.context: ssl.SSLContext | None = None
        if tls is not None:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(*tls)

    @property
    def requests(self) -> list[bytes]:
        """What came on all connections."""
        return [request for session in self.sessions for request in session.requests]

    def accept(self) -> None:
        with suppress(OSError):
            while True:
                sock, _ = self.listener.accept()
                if self.stopping:
                    sock.close()
                    return
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                session = Session(len(self.sessions), sock)
                self.sessions.append(session)
                self.threads.append(detect().spawn(self.serve, session))

    def serve(self, session: Session) -> None:
        try:
            if self.context is not None:
                session.sock = self.context.wrap_socket(session.sock, server_side=True)
            self.script(session)
        except (OSError, EOFError):
            pass
        except BaseException as error:
            # eventlet's TLS raises ValueError where the other end hangs up.
            if self.context is None or not isinstance(error, ValueError):
                self.failures.append(error)
        finally:
            session.ended = True
            with suppress(OSError):
                session.sock.close()

    def stop(self) -> None:
        self.stopping = True
        for session in self.sessions:
            with suppress(OSError):
                session.sock.shutdown(socket.SHUT_RDWR)
        with suppress(OSError):  # a thread that waits in accept is woken by a connection only
            socket.create_connection((self.host, self.port), timeout=5).close()


@contextmanager
def scripted(script: Callable[[Session], object], tls: tuple[Path, Path] | None = None) -> Iterator[Scripted]:
    """A running server. Each connection is handled by `script(session)` in a thread of its own."""
    server = Scripted(script, tls)
    acceptor = detect().spawn(server.accept)
    try:
        yield server
    finally:
        server.stop()
        for thread in (*server.threads, acceptor):
            with suppress(Exception):
                detect().get(thread, 5)
        server.listener.close()
        assert server.failures == []


@contextmanager
def records_server(
    answer: Callable[[Session, bytes], bytes | None], tls: tuple[Path, Path] | None = None
) -> Iterator[Scripted]:
    """A running server that sends what `answer(session, request)` returns; None hangs up."""

    def script(session: Session) -> None:
        while (said := answer(session, session.request())) is not None:
            session.send(said)

    with scripted(script, tls) as server:
        yield server
