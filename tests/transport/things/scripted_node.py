"""A node whose answers a test decides, over TCP, TLS, UNIX sockets and WebSocket."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep
from typing import Any, TypeVar

from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, BytesMessage, CloseConnection, Ping, Pong, Request
from wsproto.utilities import LocalProtocolError

from flowthings_like.wire.things.packages import EVENT_ID, Kind, Package, PackageParser, package

FRAGMENT = 1524
"""Bytes that a real node puts into one WebSocket frame."""

T = TypeVar("T")

Answer = Callable[["Session", Package], "bytes | None"]


def echo(session: Session, request: Package) -> bytes | None:
    """Answer a ping with a pong, and any other request with its own body."""
    if request.kind == Kind.PING:
        return package(Kind.PONG, request.id)
    return package(Kind.DATA, request.id, request.body)


class SecureEnd:
    """The node's end of a TLS connection, which one thread reads from while others write to it.

    OpenSSL lets only one at a time into a connection, and not every CPython sees to that: whoever writes
    before another has quite returned from writing may be told of a "bad length".
    Here nobody waits in OpenSSL.
    """

    def __init__(self, below: socket.socket, context: ssl.SSLContext) -> None:
        self.below = below
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.layer = context.wrap_bio(self.incoming, self.outgoing, server_side=True)
        self.turn = threading.Lock()
        self.shutdown, self.close = below.shutdown, below.close

    def handshake(self) -> None:
        self._step(self.layer.do_handshake)

    def recv(self, size: int) -> bytes:
        try:
            return self._step(lambda: self.layer.read(size))
        except ssl.SSLZeroReturnError:
            return b""

    def sendall(self, data: bytes) -> None:
        with self.turn:
            self.layer.write(data)
            self.below.sendall(self.outgoing.read())

    def _step(self, step: Callable[[], T]) -> T:
        """Run a step of TLS, with the reading and writing that it needs."""
        while True:
            with self.turn:
                try:
                    return step()
                except ssl.SSLWantReadError:
                    pass
                finally:
                    self.below.sendall(self.outgoing.read())
            records = self.below.recv(65_536)
            if not records:
                raise ConnectionResetError
            with self.turn:
                self.incoming.write(records)


class Session:
    """One connection as the node sees it.

    Attributes:
        requests: what came.
        pongs: how many of its WebSocket pings were answered.
        ended: whether the client, or the node, has ended it.
    """

    def __init__(self, node: Node, below: Any) -> None:
        self.node = node
        self.below = below
        self.requests: list[Package] = []
        self.pongs = 0
        self.ended = False
        self.parser = PackageParser()
        self.frames = WSConnection(ConnectionType.SERVER) if node.websocket else None
        self.turn = threading.Lock()

    def send(self, data: bytes) -> None:
        """Send these bytes; as one message on a WebSocket."""
        with self.turn:
            self._send(data)

    def _send(self, data: bytes) -> None:
        if self.frames is None:
            self.below.sendall(data)
            return
        pieces = [data[at : at + FRAGMENT] for at in range(0, len(data), FRAGMENT)] or [b""]
        said = [
            self.frames.send(BytesMessage(data=piece, message_finished=number == len(pieces)))
            for number, piece in enumerate(pieces, 1)
        ]
        self.below.sendall(b"".join(said))

    def event(self, kind: int, body: bytes = b"") -> None:
        """Send an event."""
        self.send(package(kind, EVENT_ID, body))

    def ping(self) -> None:
        """Send a WebSocket ping."""
        assert self.frames is not None
        with self.turn:
            self.below.sendall(self.frames.send(Ping(b"alive?")))

    def end(self) -> None:
        """Cut the connection."""
        with suppress(OSError):
            self.below.shutdown(socket.SHUT_RDWR)

    def serve(self) -> None:
        try:
            # A TLS node's first read, which also shakes hands, may be refused.
            while data := self.below.recv(65_536):
                for request in self._packages(data):
                    self.requests.append(request)
                    answer = self.node.answer(self, request)
                    if answer is not None:
                        self.send(answer)
                sleep(self.node.pace)
        except (OSError, ValueError, LocalProtocolError):
            pass
        finally:
            self.ended = True
            with suppress(OSError):
                self.below.close()

    def _packages(self, data: bytes) -> list[Package]:
        if self.frames is None:
            return self.parser.feed(data)
        self.frames.receive_data(data)
        found = []
        for event in self.frames.events():
            if isinstance(event, Request):
                self.below.sendall(self.frames.send(AcceptConnection()))
            elif isinstance(event, BytesMessage):
                found += self.parser.feed(bytes(event.data))
            elif isinstance(event, Pong):
                self.pongs += 1
            elif isinstance(event, CloseConnection):
                self.end()
        return found


class Node:
    """A listener whose connections are served by a thread each.

    Attributes:
        answer: what it says to a request; may be changed at any time.
        sessions: all that there ever were.
        pace: seconds to wait before each read.
    """

    def __init__(
        self,
        answer: Answer,
        tls: tuple[Path, Path] | None,
        websocket: bool,
        path: str,
        nodelay: bool,
        listener: socket.socket | None,
    ) -> None:
        self.answer = answer
        self.websocket = websocket
        self.nodelay = nodelay
        self.sessions: list[Session] = []
        self.workers: list[threading.Thread] = []
        self.pace = 0.0
        self.stopping = False
        self.context: ssl.SSLContext | None = None
        if tls is not None:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(*tls)
        if listener is not None:
            self.listener = listener
            self.listener.listen(64)
            self.address = f"127.0.0.1:{self.listener.getsockname()[1]}"
        elif path:
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind(path)
            self.listener.listen(64)
            self.address = path
        else:
            self.listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
            self.address = f"127.0.0.1:{self.listener.getsockname()[1]}"
        secure = tls is not None
        scheme = ("wss" if secure else "ws") if websocket else "things+tls" if secure else "things"
        self.url = f"unix://{path}" if path else f"{scheme}://{self.address}"

    def accept(self) -> None:
        while True:
            below, _ = self.listener.accept()
            if self.stopping:
                below.close()
                return
            self.workers = [worker for worker in self.workers if worker.is_alive()]
            self.workers.append(threading.Thread(target=self._serve, args=(below,), daemon=True))
            self.workers[-1].start()

    def _serve(self, below: socket.socket) -> None:
        connection: Any = below
        if below.family != socket.AF_UNIX:
            below.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, self.nodelay)
        if self.context is not None:
            connection = SecureEnd(below, self.context)
            try:
                connection.handshake()
            except OSError:
                below.close()
                return
        session = Session(self, connection)
        self.sessions.append(session)
        session.serve()

    def open(self) -> list[Session]:
        """The sessions that have not ended."""
        return [session for session in self.sessions if not session.ended]

    def session(self) -> Session:
        """The latest session. Waits for one."""
        wait_until(lambda: bool(self.open()))
        return self.open()[-1]

    def end(self) -> None:
        """Cut all connections."""
        for session in self.open():
            session.end()


@contextmanager
def node(
    answer: Answer = echo,
    *,
    tls: tuple[Path, Path] | None = None,
    websocket: bool = False,
    path: str = "",
    nodelay: bool = True,
    listener: socket.socket | None = None,
) -> Iterator[Node]:
    """A running node. A real one has no `nodelay`. `listener` is bound, and does not listen yet."""
    found = Node(answer, tls, websocket, path, nodelay, listener)
    acceptor = threading.Thread(target=found.accept, daemon=True)
    acceptor.start()
    try:
        yield found
    finally:
        found.stopping = True
        # Closing a listener does not wake a thread that waits in accept; a connection does.
        with socket.socket(found.listener.family) as waker:
            waker.connect(found.listener.getsockname())
            acceptor.join(5)
        found.listener.close()
        found.end()
        for worker in found.workers:
            worker.join(5)


def wait_until(condition: Callable[[], bool], within: float = 30.0) -> None:
    """Wait until a condition holds."""
    until = monotonic() + within
    while not condition():
        assert monotonic() < until, "it did not come about"
        sleep(0.002)
