"""An HTTP server whose answers a test sets."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

__all__ = ["Asked", "Page", "Web", "serving"]


@dataclass
class Page:
    """An answer: what is sent for a path."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Asked:
    """A request that has come."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Web:
    """Pages by path, and the requests that have come for them.

    Attributes:
        pages: {path: a Page, or a function that writes the whole answer to the connection's file}.
    """

    def __init__(self, port: int) -> None:
        self.port = port
        self.pages: dict[str, Page | Callable[[Any], None]] = {}
        self.asked: list[Asked] = []

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"http://{host}:{self.port}{path}"


class Server(ThreadingHTTPServer):
    daemon_threads = True
    web: Web


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def answer(self) -> None:
        web = self.server.web
        length = int(self.headers.get("Content-Length", 0))
        web.asked.append(Asked(self.command, self.path, dict(self.headers), self.rfile.read(length)))
        page = web.pages.get(self.path.partition("?")[0], Page(status=404))
        if callable(page):
            page(self.wfile)
            self.close_connection = True
            return
        self.send_response(page.status)
        for name, value in page.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(page.body)))
        self.end_headers()
        self.wfile.write(page.body)

    do_GET = do_POST = do_PUT = do_DELETE = answer  # noqa: N815 (the standard library's names)

    def log_message(self, *_: Any) -> None:
        pass


@contextmanager
def serving() -> Iterator[Web]:
    """A server on a free port of 127.0.0.1."""
    with Server(("127.0.0.1", 0), Handler) as server:
        server.web = Web(server.server_address[1])
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield server.web
        finally:
            server.shutdown()
            thread.join()
