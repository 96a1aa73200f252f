"""Calls a WSGI application in this process instead of a server.

`call` does it for the sender. `WSGIAdapter` does it for requests, so that hooks and a session of the caller's
work as they do over a network. There is no socket, and no HTTP text is written or parsed. Time-outs do not
apply: a call in this process cannot be given up half way.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Iterable, Mapping
from http.client import responses
from typing import Any, cast
from urllib.parse import unquote_to_bytes

import requests
from requests.adapters import BaseAdapter
from requests.structures import CaseInsensitiveDict

from ...errors import InvalidInput
from ...wire.http import Answer, Headers

__all__ = ["WSGIAdapter", "call"]


def call(application: Any, method: str, url: str, headers: Mapping[str, Any], body: bytes | None) -> Answer:
    """Call an application and return its whole answer.

    Args:
        application: a WSGI application. PATH_INFO is the decoded path; RAW_URI is path and query as they
            were given, so that an encoded slash can be told from a plain one.
        method: the verb, in capitals.
        url: with its query, percent-encoded.
        headers: of the request, each name once.
        body: None for none.
    """
    started = _StartResponse()
    chunks = application(_environ(method, url, headers, body or b""), started)
    try:
        found = b"".join(chunks)
    finally:
        close = getattr(chunks, "close", None)
        if close is not None:
            close()
    if started.written:
        found = b"".join(started.written) + found
    status = int(started.status[:3])
    reason = started.status[4:] or responses.get(status, "")
    raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in started.headers]
    return Answer(status, reason, Headers(raw), found)


class WSGIAdapter(BaseAdapter):
    """An adapter for requests that calls an application.

    Args:
        application: see `call`.
    """

    def __init__(self, application: Any) -> None:
        super().__init__()
        self.application = application

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: Any = None,
        verify: Any = True,
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """Call the application and return its whole answer."""
        headers = cast("Mapping[str, Any]", request.headers)
        answer = call(self.application, request.method or "", request.url or "", headers, _body(request.body))
        return _response(request, answer, self)

    def close(self) -> None:
        """Nothing to close: the application belongs to whoever made it."""


class _StartResponse:
    """The callable start_response of WSGI; keeps the status and headers that it is given."""

    def __init__(self) -> None:
        self.status = ""
        self.headers: list[tuple[str, str]] = []
        self.written: list[bytes] = []

    def __call__(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], None]:
        if exc_info is not None and self.written:
            raise exc_info[1].with_traceback(exc_info[2])
        self.status, self.headers = status, headers
        return self.written.append


def _environ(method: str, url: str, headers: Mapping[str, Any], body: bytes) -> dict[str, Any]:
    scheme, _, rest = url.partition("://")
    host, slash, target = rest.partition("/")
    target = slash + target or "/"
    path, _, query = target.partition("?")
    environ: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1") if "%" in path else path,
        "RAW_URI": target,
        "QUERY_STRING": query,
        "SERVER_NAME": host,
        "SERVER_PORT": "443" if scheme == "https" else "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": host,
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scheme,
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in headers.items():
        environ["HTTP_" + name.upper().replace("-", "_")] = value
    content_type = environ.pop("HTTP_CONTENT_TYPE", None)
    if content_type is not None:
        environ["CONTENT_TYPE"] = content_type
    environ.pop("HTTP_CONTENT_LENGTH", None)
    environ["CONTENT_LENGTH"] = str(len(body))
    return environ


def _body(body: Any) -> bytes:
    if body is None:
        return b""
    if isinstance(body, bytes):
        return body
    if isinstance(body, str):
        return body.encode()
    if hasattr(body, "read"):
        return _body(body.read())
    if isinstance(body, Iterable):
        return b"".join(_body(part) for part in body)
    raise InvalidInput(f"a request's body cannot be a {type(body).__name__}")


def _response(request: requests.PreparedRequest, answer: Answer, adapter: WSGIAdapter) -> requests.Response:
    response = requests.Response()
    response.status_code = answer.status
    response.reason = answer.reason
    response.headers = CaseInsensitiveDict(answer.headers)
    response.url = request.url or ""
    response.request = request
    response.encoding = "utf-8"
    response.raw = io.BytesIO(answer.body)
    # It counts as read: nothing is left to wait for.
    response._content = answer.body
    response._content_consumed = True  # type: ignore[attr-defined]
    response.connection = adapter  # type: ignore[assignment]
    return response
