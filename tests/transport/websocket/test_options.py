"""Options of `websocket.connect` that reach the socket, TLS and the handshake."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from flowthings_like import ConfigurationError, ConnectionFailed
from tests.transport.support import answer, raw

from .live import Live, Peer, live
from .test_live import api_for, run


def say_nothing(peer: Peer, number: int) -> None:
    pass


@contextmanager
def proxy() -> Iterator[tuple[str, int, list[str]]]:
    """A proxy for CONNECT: its host, its port, and the first lines of the requests that it gets."""
    asked: list[str] = []
    workers: list[threading.Thread] = []

    def carry(one: socket.socket, other: socket.socket) -> None:
        with suppress(OSError):
            while data := one.recv(65_536):
                other.sendall(data)
            other.shutdown(socket.SHUT_RDWR)

    def serve(client: socket.socket) -> None:
        head = client.recv(4096).decode()
        asked.append(head.partition("\r\n")[0])
        host, _, port = head.split()[1].rpartition(":")
        with client, socket.create_connection((host, int(port))) as target:
            client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
            back = threading.Thread(target=carry, args=(target, client), daemon=True)
            back.start()
            carry(client, target)
            back.join(10)

    def accept() -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                workers.append(threading.Thread(target=serve, args=(client,), daemon=True))
                workers[-1].start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=accept, daemon=True).start()
        yield (*listener.getsockname(), asked)
        for worker in workers:
            worker.join(10)


def connect(server: Live, **options: Any) -> None:
    """Open a connection, and wait until the server closes it."""
    secure = options.pop("secure", False)
    with api_for(server, secure=secure, verify_ssl=options.pop("verify_ssl", True)) as api:
        run(api.websocket.connect(reconnect=False, **options))


@pytest.mark.parametrize("secure", [False, True])
@pytest.mark.parametrize("how", ["option", "environment"])
def test_a_proxy(
    secure: bool, how: str, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    with proxy() as (host, port, asked), live(say_nothing, certificate if secure else None) as server:
        api = api_for(server, secure=secure, verify_ssl=str(certificate[0]))
        with api:
            options: dict[str, Any] = {}
            if how == "option":
                options = {"http_proxy_host": host, "http_proxy_port": port, "http_no_proxy": ["nowhere"]}
            # The request for the session, which is made here, does not use the proxy.
            client = api.websocket.connect(reconnect=False, **options)
            if how == "environment":
                monkeypatch.setenv("https_proxy" if secure else "http_proxy", f"http://{host}:{port}")
                monkeypatch.setenv("no_proxy", "nowhere")
            run(client)
        assert server.sockets == 1
        assert asked == [f"CONNECT {server.address} HTTP/1.1"]


def test_options_of_tls(certificate: tuple[Path, Path]) -> None:
    with live(say_nothing, certificate) as server:
        bundle = str(certificate[0])
        context = ssl.create_default_context(cafile=bundle)
        for sslopt in (
            {"ca_certs": bundle},
            {"ca_certs": bundle, "check_hostname": False, "ciphers": "DEFAULT"},
            {"context": context},
        ):
            connect(server, secure=True, verify_ssl=bundle, sslopt=sslopt)
        with pytest.warns(Warning, match="Unverified TLS"):
            connect(server, secure=True, verify_ssl=bundle, sslopt={"cert_reqs": ssl.CERT_NONE})
        assert server.sockets == 4
        with pytest.raises(ConfigurationError, match="sslopt: ssl_version is not known"):
            connect(server, secure=True, verify_ssl=bundle, sslopt={"ssl_version": 1})


@pytest.mark.parametrize("name", ["class_", "socket"])
def test_options_that_cannot_be_honoured(name: str) -> None:
    with live(say_nothing) as server, pytest.raises(ConfigurationError, match=name):
        connect(server, **{name: object()})


def test_options_of_the_socket_and_the_handshake() -> None:
    granted = answer(b'{"head": {"ok": true}, "body": {"id": "s1"}}', Connection="close")
    heads: list[str] = []

    def script(number: int, request: bytes) -> bytes:
        if request.startswith(b"POST"):
            return granted
        heads.append(request.decode().lower())
        return answer(status="404 Not Found")

    with raw(script) as server, pytest.raises(ConnectionFailed, match="WebSocketBadStatusException"):
        connect(
            server,  # type: ignore[arg-type]
            header=["X-Mine: 1"],
            cookie="id=2",
            origin="http://elsewhere",
            subprotocols=["one"],
            sockopt=[(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)],
            timeout=5,
        )
    for line in ("x-mine: 1", "cookie: id=2", "origin: http://elsewhere", "sec-websocket-protocol: one"):
        assert f"\r\n{line}\r\n" in heads[0]
