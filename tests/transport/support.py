"""Servers that send exact bytes, a slow one in another process, and other helpers."""

from __future__ import annotations

import json
import os
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from flowthings_like.transport.http.native_transport import NativeTransport
from flowthings_like.transport.retry import as_timeout
from flowthings_like.wire.http import Answer, header_lines

Certificate = tuple[Path, Path]


class Raw:
    """A server in a thread of this process.

    Attributes:
        url: where it is, without a slash at the end.
        requests: what came, one bytes object for each request.
        accepted: how many connections there were.
    """

    def __init__(
        self, script: Callable[[int, bytes], bytes | None], tls: Certificate | None, host: str
    ) -> None:
        self.script = script
        self.requests: list[bytes] = []
        self.accepted = 0
        self.stopping = False
        self.context: ssl.SSLContext | None = None
        if tls is not None:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(*tls)
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.listener = socket.create_server((host, 0), family=family, backlog=64)
        self.address = f"{f'[{host}]' if ':' in host else host}:{self.listener.getsockname()[1]}"
        self.url = f"{'http' if tls is None else 'https'}://{self.address}"
        self.workers: list[threading.Thread] = []
        self.open: set[socket.socket] = set()

    def accept(self) -> None:
        while True:
            connection, _ = self.listener.accept()
            if self.stopping:
                connection.close()
                return
            self.accepted += 1
            self.open.add(connection)
            self.workers.append(threading.Thread(target=self.serve, args=(connection,), daemon=True))
            self.workers[-1].start()

    def serve(self, connection: socket.socket) -> None:
        plain = connection
        with suppress(OSError, ValueError):
            if self.context is not None:
                connection = self.context.wrap_socket(connection, server_side=True)
                self.open = {connection} | self.open - {plain}
            while request := read_request(connection):
                self.requests.append(request)
                said = self.script(len(self.requests), request)
                if said is None:
                    break
                connection.sendall(said)
        self.open -= {plain, connection}
        with suppress(OSError):
            connection.close()


def read_request(connection: socket.socket) -> bytes:
    """One request with its body; nothing at the end of the connection."""
    found = b""
    while b"\r\n\r\n" not in found:
        part = connection.recv(65536)
        if not part:
            return b""
        found += part
    head, _, body = found.partition(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    while len(body) < length:
        part = connection.recv(65536)
        if not part:
            return b""
        body += part
    return head + b"\r\n\r\n" + body


@contextmanager
def raw(
    script: Callable[[int, bytes], bytes | None] | bytes,
    tls: Certificate | None = None,
    host: str = "127.0.0.1",
) -> Iterator[Raw]:
    """A running server. What `script(number of the request, request)` returns is said; None hangs up."""
    server = Raw((lambda number, request: script) if isinstance(script, bytes) else script, tls, host)
    acceptor = threading.Thread(target=server.accept, daemon=True)
    acceptor.start()
    try:
        yield server
    finally:
        server.stopping = True
        # Closing a listener does not end a wait in accept; a connection does.
        with socket.create_connection(server.listener.getsockname()[:2], timeout=5):
            acceptor.join(5)
        server.listener.close()
        for connection in list(server.open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for worker in server.workers:
            worker.join(5)


def answer(body: bytes = b"", status: str = "200 OK", **headers: str) -> bytes:
    """An answer; header names are written with underscores."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class Slow:
    """A server in another process that sends its answers in pieces. See `slow_server`."""

    bundle = ""

    def __init__(self, address: str, secure: bool) -> None:
        self.address = address
        self.secure = secure
        self.url = f"{'https' if secure else 'http'}://{address}"
        self._control = socket.create_connection(_host_and_port(address), timeout=30)

    def connections(self) -> int:
        """How many connections the server sees open, but for this one's own."""
        self._control.sendall(b"?")
        return int(self._control.recv(16))

    def close(self) -> None:
        self._control.close()


@contextmanager
def slow_server(tls: Certificate | None = None) -> Iterator[Slow]:
    """A running one. It answers /<number> with {"number": …} in pieces, /quick/<number> in one."""
    command = [sys.executable, str(Path(__file__).with_name("slow.py")), *map(str, tls or ())]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            slow = Slow(f"127.0.0.1:{int(process.stdout.readline())}", tls is not None)
            try:
                yield slow
            finally:
                slow.close()
        finally:
            process.stdin.close()
            process.terminate()


def handle(
    transport: NativeTransport,
    method: str,
    url: str,
    headers: Mapping[str, Any] | None = None,
    body: bytes | None = None,
    timeout: Any = 20,
    **options: Any,
) -> Answer:
    """Send one request through the native transport."""
    lines = header_lines(headers or {})
    return transport.handle(method, url, lines, body, timeout=as_timeout(timeout), **options)


def sockets() -> int:
    """How many sockets this process has open."""
    found = 0
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 (Path.iterdir keeps a descriptor open meanwhile)
        with suppress(OSError):
            found += os.readlink(f"/proc/self/fd/{name}").startswith("socket:")  # noqa: PTH115
    return found


def number_in(body: bytes) -> int:
    """Which request an answer of the slow server belongs to."""
    return int(json.loads(body)["body"]["number"])


def _host_and_port(address: str) -> tuple[str, int]:
    host, _, port = address.partition(":")
    return host, int(port)
