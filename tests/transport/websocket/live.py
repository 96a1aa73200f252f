"""A platform with live messages: sessions over HTTP, and the part of RFC 6455 that these tests need."""

from __future__ import annotations

import base64
import hashlib
import json
import queue
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

TEXT, CLOSE, PING = 1, 8, 9
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Peer:
    """One WebSocket connection, as the server sees it."""

    def __init__(self, connection: Any, path: str) -> None:
        self.connection = connection
        self.path = path

    def say(self, message: Any) -> None:
        """Send a message; bytes and str go as they are."""
        text = message if isinstance(message, bytes) else json.dumps(message).encode()
        self.frame(TEXT, text)

    def frame(self, opcode: int, payload: bytes) -> None:
        size = len(payload)
        head = (
            bytes([0x80 | opcode, size])
            if size < 126
            else bytes([0x80 | opcode, 126]) + struct.pack(">H", size)
        )
        self.connection.sendall(head + payload)

    def hear(self) -> Any:
        """The next message that is no heartbeat; None at the end."""
        while True:
            opcode, payload = self.read()
            if opcode in (None, CLOSE):
                return None
            if opcode == TEXT and (message := json.loads(payload)) != {"type": "heartbeat"}:
                return message

    def read(self) -> tuple[int | None, bytes]:
        """The next frame: (opcode, payload), (None, b"") at the end."""
        try:
            first, second = self._exactly(2)
            size = second & 0x7F
            if size == 126:
                (size,) = struct.unpack(">H", self._exactly(2))
            mask, payload = self._exactly(4), self._exactly(size)
        except OSError:
            return None, b""
        return first & 0x0F, bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))

    def reply(self, request: Any, body: Any = None, **head: Any) -> None:
        self.say(
            {
                "head": {"ok": True, "status": 200, "errors": [], "msgId": request["msgId"], **head},
                "body": body,
            }
        )

    def cut(self) -> None:
        """Close the connection without a CLOSE frame."""
        self.connection.shutdown(socket.SHUT_RDWR)

    def _exactly(self, size: int) -> bytes:
        found = b""
        while len(found) < size:
            part = self.connection.recv(size - len(found))
            if not part:
                raise ConnectionResetError
            found += part
        return found


class Live:
    """A running server.

    Attributes:
        address: host and port, for `host` and `ws_host` both.
        sessions: how many sessions were granted.
        failures: what went wrong in the `script`, for the test to look at.
    """

    def __init__(self, script: Callable[[Peer, int], None]) -> None:
        self.script = script
        self.sessions = 0
        self.sockets = 0
        self.refusals: queue.Queue[int] = queue.Queue()
        self.failures: list[BaseException] = []
        self.address = ""

    def handle(self, connection: Any, context: ssl.SSLContext | None) -> None:
        if context is not None:
            try:
                connection = context.wrap_socket(connection, server_side=True)
            except OSError:
                connection.close()
                return
        with connection:
            lines = self._request(connection)
            if not lines:
                return
            method, path, _ = lines[0].split(" ")
            headers = {
                name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])
            }
            if method == "POST":
                self._grant(connection)
                return
            key = headers["sec-websocket-key"].encode()
            accept = base64.b64encode(hashlib.sha1(key + _GUID).digest()).decode()
            connection.sendall(
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                f"Sec-WebSocket-Accept: {accept}\r\n\r\n".encode()
            )
            number, self.sockets = self.sockets, self.sockets + 1
            try:
                self.script(Peer(connection, path), number)
            except BaseException as failure:
                self.failures.append(failure)

    def _request(self, connection: Any) -> list[str]:
        text = b""
        while b"\r\n\r\n" not in text:
            part = connection.recv(4096)
            if not part:
                return []
            text += part
        return text.partition(b"\r\n\r\n")[0].decode().split("\r\n")

    def _grant(self, connection: Any) -> None:
        status = 200 if self.refusals.empty() else self.refusals.get()
        self.sessions += status == 200
        head = {"ok": status == 200, "status": status, "errors": [] if status == 200 else ["refused"]}
        body = json.dumps({"head": head, "body": {"id": f"s.{self.sessions}/x"}}).encode()
        connection.sendall(
            f"HTTP/1.1 {status} OK\r\nContent-Type: application/json\r\nConnection: close\r\n"
            f"Content-Length: {len(body)}\r\n\r\n".encode()
            + body
        )


@contextmanager
def live(script: Callable[[Peer, int], None], tls: tuple[Path, Path] | None = None) -> Iterator[Live]:
    """A server that runs `script(peer, number of the connection)` on every WebSocket connection."""
    server = Live(script)
    listener = socket.create_server(("127.0.0.1", 0))
    context = None
    if tls is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*tls)
    server.address = f"127.0.0.1:{listener.getsockname()[1]}"
    workers: list[threading.Thread] = []
    stopping = threading.Event()

    def accept() -> None:
        while True:
            connection, _ = listener.accept()
            if stopping.is_set():
                connection.close()
                return
            workers.append(threading.Thread(target=server.handle, args=(connection, context), daemon=True))
            workers[-1].start()

    acceptor = threading.Thread(target=accept, daemon=True)
    acceptor.start()
    try:
        yield server
    finally:
        stopping.set()
        with socket.create_connection(listener.getsockname(), timeout=5):
            acceptor.join(10)
        listener.close()
        for worker in workers:
            worker.join(10)
    if server.failures:
        raise server.failures[0]
