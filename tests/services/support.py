"""A fake platform that returns the requests it gets, and a real HTTP server for tests of the transport."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from flowthings_like import API, Token

CREDS = Token("acc", "tok-of-acc")


class Identity:
    """An encoder that changes nothing."""

    def loads(self, text: Any) -> Any:
        return text

    def dumps(self, value: Any) -> Any:
        return value


def envelope(
    body: Any = None, status: int = 200, *, errors: list[str] | None = None, **head: Any
) -> dict[str, Any]:
    return {
        "head": {
            "ok": status < 400,
            "status": status,
            "errors": errors or [],
            "messages": [],
            "references": {},
            **head,
        },
        "body": body,
    }


def echo(
    method: str, url: str, params: Any = None, data: Any = None, creds: Any = None
) -> tuple[Any, Mapping[str, str], int]:
    """A sender with the original's signature. The body of its answer is the request."""
    asked = {"method": method, "url": url, "params": params, "data": data, "creds": creds}
    return envelope(asked), {}, 200


def make_api(creds: Any = CREDS, **options: Any) -> API:
    """An API whose answers are the requests."""
    chosen: dict[str, Any] = {
        "request": echo,
        "encoder": Identity(),
        "host": "test",
        "ws_host": "ws.test",
        "version": "test",
        **options,
    }
    return API(creds, **chosen)


def asked(
    method: str, path: str, *, params: dict[str, Any] | None = None, data: Any = None
) -> dict[str, Any]:
    """The answer of `echo` to that request."""
    return {
        "method": method,
        "url": f"https://test/vtest/acc{path}",
        "params": params or {},
        "data": data,
        "creds": CREDS,
    }


def answering(body: Any, status: int = 200, **head: Any) -> Callable[..., Any]:
    """A sender that always returns this answer."""
    return lambda *args, **options: (envelope(body, status, **head), {}, status)


@dataclass
class Seen:
    """One request that the server has received."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    connection: int


@dataclass
class Answer:
    """The answer of the server to a request."""

    status: int = 200
    body: bytes = json.dumps(envelope({"id": "f1"})).encode()
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})


@dataclass
class Server:
    """A running HTTP server.

    Attributes:
        address: host and port.
        seen: the requests so far.
        connections: how many connections were accepted.
        answer: makes the answer to a request; it may wait.
    """

    address: str
    seen: list[Seen]
    connections: list[int]
    answer: Callable[[Seen], Answer]


@contextmanager
def serving(
    answer: Callable[[Seen], Answer] = lambda seen: Answer(), *, tls: tuple[Path, Path] | None = None
) -> Iterator[Server]:
    """A server on a free port of this machine, in a thread of this process."""
    state = Server("", [], [], answer)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1
        disable_nagle_algorithm = True

        def setup(self) -> None:
            super().setup()
            state.connections.append(self.client_address[1])

        def any_method(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            headers = {name.lower(): value for name, value in self.headers.items()}
            seen = Seen(self.command, self.path, headers, self.rfile.read(length), self.client_address[1])
            state.seen.append(seen)
            said = state.answer(seen)
            self.send_response(said.status)
            for name, value in said.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(said.body)))
            self.end_headers()
            self.wfile.write(said.body)

        do_GET = do_POST = do_PUT = do_DELETE = do_MGET = do_MPUT = any_method  # noqa: N815

        def log_message(self, format: str, *args: Any) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False
        request_queue_size = 64

        def handle_error(self, request: Any, client_address: Any) -> None:
            """Report nothing: some tests close connections."""

    server = Quiet(("127.0.0.1", 0), Handler)
    if tls is not None:
        certificate, key = tls
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    state.address = f"127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
