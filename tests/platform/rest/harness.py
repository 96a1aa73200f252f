"""Calls a WSGI application as a server would, without one."""

from __future__ import annotations

import gzip
import io
import json
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from flowthings_like.platform.embedded import Platform


@dataclass
class Reply:
    """What came back: the status line's number, the headers, the raw body."""

    status: int
    headers: dict[str, str]
    content: bytes

    @property
    def envelope(self) -> Any:
        packed = self.headers.get("Content-Encoding") == "gzip"
        return json.loads(gzip.decompress(self.content) if packed else self.content)

    @property
    def head(self) -> Any:
        return self.envelope["head"]

    @property
    def body(self) -> Any:
        return self.envelope["body"]

    @property
    def error(self) -> str:
        """The one error of a failure, after checking that it looks like one."""
        head = self.head
        assert head["ok"] is False
        assert head["status"] == self.status >= 400
        assert self.body == {}
        (error,) = head["errors"]
        assert error
        return str(error)

    def ok(self, status: int = 200) -> Any:
        """The body of a success."""
        assert self.status == status, self.content
        assert self.head["ok"] is True
        assert self.head["status"] == status
        assert self.head["errors"] == []
        return self.body


class Client:
    """Makes requests of one application as one caller."""

    def __init__(
        self, application: Any, token: str | None, account: str = "acme", version: str = "v4.0"
    ) -> None:
        self.application = application
        self.token = token
        self.account = account
        self.version = version

    def __call__(self, method: str, path: str, body: Any = None, **extra: Any) -> Reply:
        """`path` follows the account and is sent as it is; `body` is JSON, or bytes to send as they are."""
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        uri = f"/{self.version}/{self.account}{path}"
        return self.raw(method, uri, raw, **extra)

    def raw(self, method: str, uri: str, raw: bytes = b"", **extra: Any) -> Reply:
        path, _, query = uri.partition("?")
        environ = {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote(path, "latin-1"),
            "RAW_URI": uri,
            "QUERY_STRING": query,
            "CONTENT_LENGTH": str(len(raw)),
            "wsgi.input": io.BytesIO(raw),
            "wsgi.url_scheme": "http",
            **({} if self.token is None else {"HTTP_X_AUTH_TOKEN": self.token}),
            **extra,
        }
        seen: list[Any] = []
        content = b"".join(self.application(environ, lambda status, headers: seen.append((status, headers))))
        ((status, headers),) = seen
        named = dict(headers)
        assert len(named) == len(headers)
        if method != "HEAD":
            assert named["Content-Length"] == str(len(content))
        assert named["Content-Type"] == "application/json; charset=utf-8"
        return Reply(int(status.split()[0]), named, content)

    def get(self, path: str, **extra: Any) -> Reply:
        return self("GET", path, **extra)

    def post(self, path: str, body: Any, **extra: Any) -> Reply:
        return self("POST", path, body, **extra)

    def put(self, path: str, body: Any, **extra: Any) -> Reply:
        return self("PUT", path, body, **extra)

    def delete(self, path: str) -> Reply:
        return self("DELETE", path)

    def flow(self, name: str, **members: Any) -> Any:
        """A new flow /<account>/<name>."""
        return self.post("/flow", {"path": f"/{self.account}/{name}", **members}).ok(201)

    def as_(self, token: str | None, account: str | None = None) -> Client:
        """The same application, called by somebody else, about another account if one is named."""
        return Client(self.application, token, account or self.account, self.version)

    def speaking(self, version: str) -> Client:
        """The same caller, asking in another version."""
        return Client(self.application, self.token, self.account, version)


def client_of(platform: Platform) -> Client:
    """A client that calls as the platform's own account."""
    return Client(platform.application, platform.token, platform.account)
