"""Serves the platform on a local port, in threads of this process."""

from __future__ import annotations

import socket
import sys
import threading
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

if TYPE_CHECKING:
    from ..api import API
    from ..platform.rest.application import Limits

__all__ = ["Server"]

_STEP = 64 * 1024
_METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "MGET", "MPUT")


class Server:
    """A platform on a free local port, with its data in a folder. Use it as a context manager.

    Args:
        folder: the folder with the data. It is created if it is missing.
        account: the account to create.
        limits: a `platform.rest.application.Limits`, for the bounds on searches and bodies that `serve` has.
            None for no bounds.

    Attributes:
        address: host:port.
        account, token: credentials for it. The token is valid while the server runs.
    """

    def __init__(self, folder: str | Path, account: str = "acme", *, limits: Limits | None = None) -> None:
        self._folder = folder
        self._limits = limits
        self.account = account
        self.token = ""
        self.address = ""
        self._platform: Any = None
        self._http: _HTTP | None = None
        self._thread: threading.Thread | None = None

    def api(self, **options: Any) -> API:
        """An API for this server. The options are those of `API`, for instance the `host=` of a proxy."""
        from ..api import API
        from ..credentials import Token

        return API(Token(self.account, self.token), **{"host": self.address, "secure": False, **options})

    def start(self) -> Server:
        """Open the platform and start to listen."""
        from ..platform.embedded import open_platform

        self._platform = open_platform(self._folder, self.account, limits=self._limits)
        self.token = self._platform.token
        self._http = _HTTP(self._platform.front)
        self.address = f"127.0.0.1:{self._http.server_address[1]}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        return self

    def close(self) -> None:
        """Stop listening, wait for the current requests, and close the platform."""
        http, self._http = self._http, None
        if http is None:
            return
        try:
            http.shutdown()
            assert self._thread is not None
            self._thread.join()
            http.server_close()
            self._platform.front.stop()
            http.drain()
        finally:
            self._platform.close()

    def __enter__(self) -> Server:
        return self.start()

    def __exit__(self, *exc_info: object) -> None:
        self.close()


class _HTTP(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # drain() waits for the connections' threads
    request_queue_size = 256

    def __init__(self, application: Any) -> None:
        self.application = application
        self.connections: dict[socket.socket, threading.Thread] = {}
        super().__init__(("127.0.0.1", 0), _Handler)

    def drain(self) -> None:
        """Close every connection when its current request, if it has one, has been answered."""
        for connection, thread in list(self.connections.items()):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RD)
            thread.join()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Report all errors but those of closed connections, which tests cause on purpose."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Body:
    """The body of a request, as a stream that ends after the body."""

    def __init__(self, stream: Any, length: int) -> None:
        self._stream = stream
        self._left = length

    def read(self, size: int) -> bytes:
        taken: bytes = self._stream.read(min(size, self._left))
        self._left = self._left - len(taken) if taken else 0
        return taken


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    timeout = 75  # seconds without a byte from the client
    server: _HTTP

    def setup(self) -> None:
        """A connection was opened."""
        super().setup()
        self.server.connections[self.connection] = threading.current_thread()

    def finish(self) -> None:
        """A connection was closed."""
        self.server.connections.pop(self.connection, None)
        super().finish()

    def answer(self) -> None:
        """Call the application and send its answer."""
        from ..platform.rest.connections import has_hung_up

        started: list[Any] = []
        environ = self._environ()
        body = environ["wsgi.input"] = _Body(self.rfile, int(environ["CONTENT_LENGTH"]))
        environ["flowthings.take_over"] = self._take_over
        environ["flowthings.is_gone"] = partial(has_hung_up, self.connection)
        try:
            chunks: Iterable[bytes] = self.server.application(environ, lambda *said: started.extend(said))
        except StopIteration:  # it has taken over the socket
            self.close_connection = True
            return
        status, headers = started
        self.send_response(int(status[:3]), status[4:])
        for name, value in headers:
            self.send_header(name, value)
        if not any(name == "Content-Length" for name, _ in headers):
            self.send_header("Connection", "close")  # this ends the response
        self.end_headers()
        for chunk in chunks:
            self.wfile.write(chunk)
            self.wfile.flush()
        while body.read(_STEP):  # read the rest of the body: the next request begins behind it
            pass

    def _take_over(self) -> socket.socket:
        """The socket, for a WebSocket."""
        return self.connection  # type: ignore[no-any-return]

    def _environ(self) -> dict[str, Any]:
        path, _, query = self.path.partition("?")
        length = self.headers.get("Content-Length") or "0"
        environ: dict[str, Any] = {
            "REQUEST_METHOD": self.command,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
            "RAW_URI": self.path,
            "QUERY_STRING": query,
            "SERVER_PROTOCOL": self.request_version,
            "REMOTE_ADDR": self.client_address[0],
            "CONTENT_LENGTH": length,
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        for name, value in self.headers.items():
            environ[f"HTTP_{name.upper().replace('-', '_')}"] = value
        return environ

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are not logged."""


for _method in _METHODS:
    setattr(_Handler, f"do_{_method}", _Handler.answer)
