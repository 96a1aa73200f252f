"""A requests.Response over an answer that came without requests; what is not looked at is not made."""

from __future__ import annotations

import email.message
import io
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import requests
from requests.cookies import MockRequest, MockResponse, RequestsCookieJar
from requests.structures import CaseInsensitiveDict
from requests.utils import get_encoding_from_headers

if TYPE_CHECKING:
    from ...wire.http import Answer

__all__ = ["DirectResponse"]


class DirectResponse(requests.Response):
    """A response whose headers, cookies, request and so on come into being when they are asked for.

    Args:
        answer: what came.
        asked: (method, URL, header lines, body), what was sent.
        seconds: how long that took.
        adapter: what requests would have sent it through.
    """

    def __init__(
        self, answer: Answer, asked: tuple[str, str, bytes, bytes | None], seconds: float, adapter: Any
    ) -> None:
        # Not super().__init__(), which makes the very things that are left for later.
        self._answer = answer
        self._asked = asked
        self._seconds = seconds
        self._adapter = adapter
        self._content = answer.body
        self._content_consumed = True
        self._next = None
        self.status_code = answer.status
        self.reason = answer.reason
        self.url = asked[1]

    def __getattr__(self, name: str) -> Any:
        make = _LATER.get(name)
        if make is None or "_answer" not in self.__dict__:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        made = self.__dict__[name] = make(self)
        return made

    def keep_cookies(self, jar: Any) -> None:
        """Put the cookies that came into a jar."""
        message = email.message.Message()
        for name, value in self._answer.headers.raw:
            message[name.decode("latin-1")] = value.decode("latin-1")
        jar.extract_cookies(MockResponse(message), MockRequest(self.request))


def _cookies(response: DirectResponse) -> RequestsCookieJar:
    jar = RequestsCookieJar()
    response.keep_cookies(jar)
    return jar


def _request(response: DirectResponse) -> requests.PreparedRequest:
    method, url, lines, body = response._asked
    request = requests.PreparedRequest()
    request.method, request.url, request.body = method, url, body
    request.headers = CaseInsensitiveDict()
    for line in lines.decode("latin-1").split("\r\n")[:-1]:
        name, _, value = line.partition(": ")
        request.headers[name] = value
    if body is not None or method not in ("GET", "HEAD"):
        request.headers["Content-Length"] = str(len(body or b""))
    request._cookies = RequestsCookieJar()  # type: ignore[attr-defined]
    return request


_LATER: dict[str, Callable[[DirectResponse], Any]] = {
    "headers": lambda response: CaseInsensitiveDict(response._answer.headers),
    "cookies": _cookies,
    "request": _request,
    "encoding": lambda response: get_encoding_from_headers(response.headers),
    "history": lambda response: [],
    "elapsed": lambda response: timedelta(seconds=response._seconds),
    "raw": lambda response: io.BytesIO(response._answer.body),
    "connection": lambda response: response._adapter,
}
