"""Fetches a URL for a task: within a deadline and a size, and from permitted addresses only."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from ...about import VERSION
from ...wire.http import (
    Answer,
    BodyTooLargeError,
    PackingError,
    ProtocolError,
    ResponseParser,
    UnsafeRequestError,
    header_lines,
    request_head,
)
from ..problems import BadRequest, Problem, TooLarge, Unavailable

if TYPE_CHECKING:
    from .addresses import AddressRules, Resolved

__all__ = ["FetchFailed", "FetchLimits", "FetchTimeout", "FetchedRequest", "Fetcher", "check_request"]

METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE", "HEAD")

_STEP = 0.5
"""Seconds between two looks at whether the platform is being closed, while an answer is awaited."""

_PIECE = 65_536
_REDIRECTS = frozenset((301, 302, 303, 307, 308))
_OF_CONNECTION = frozenset(
    (
        *("connection", "content-length", "expect", "host", "keep-alive", "proxy-authorization"),
        *("proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"),
    )
)
"""Headers that the platform writes itself, in lower case."""
_HARMLESS = frozenset(("accept", "accept-language", "if-modified-since", "if-none-match", "user-agent"))
"""Headers that are no secret, and are sent on to another host at a redirect."""
_DEFAULT_PORTS = {"http": 80, "https": 443}


class FetchFailed(Problem):
    """The other side cannot be reached, or answers what is no HTTP."""

    status = 502


class FetchTimeout(Problem):
    """The other side took too long."""

    status = 504


@dataclass(frozen=True)
class FetchLimits:
    """Limits on one fetch.

    Attributes:
        seconds: for all of it, redirects included.
        connect_seconds: for one address to accept a connection.
        body: bytes of the answer, as it comes and unpacked.
        redirects: how many are followed.
    """

    seconds: float = 30.0
    connect_seconds: float = 10.0
    body: int = 8 << 20
    redirects: int = 5


@dataclass(frozen=True)
class FetchedRequest:
    """What to fetch.

    Attributes:
        uri: an http or https URL.
        method: one of METHODS.
        headers: further headers.
        body: what is sent; None for nothing.
    """

    uri: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None


def check_request(request: FetchedRequest) -> SplitResult:
    """The URL of a request, split.

    Raises:
        BadRequest: the request is none that a task may make.
    """
    url = _split(request.uri)
    if request.method not in METHODS:
        raise BadRequest(f"method must be one of {', '.join(METHODS)}")
    for name, value in request.headers.items():
        if not isinstance(value, str):
            raise BadRequest(f"headers: {name} must be a string")
        if name.lower() in _OF_CONNECTION:
            raise BadRequest(f"headers: {name} is set by the platform")
    try:
        header_lines(request.headers)
    except UnsafeRequestError as error:
        raise BadRequest(f"headers: {error}") from None
    return url


class Fetcher:
    """Fetches URLs, each over a connection of its own. Usable from any number of threads.

    Args:
        rules: which addresses it may connect to.
        limits: what one fetch may use.
        tls: makes the TLS settings, at the first https URL; None for the system's authorities.
    """

    def __init__(
        self,
        rules: AddressRules,
        limits: FetchLimits | None = None,
        tls: Callable[[], ssl.SSLContext] = ssl.create_default_context,
    ) -> None:
        self._rules = rules
        self._limits = limits or FetchLimits()
        self._make_tls = tls
        self._tls: ssl.SSLContext | None = None
        self._is_closed = False

    def fetch(self, request: FetchedRequest) -> Answer:
        """Make a request and follow its redirects; every address on the way is checked.

        At a redirect to another host, only headers that cannot be a secret are sent on.

        Returns:
            the last answer, whatever its status; its body is unpacked.

        Raises:
            BadRequest: it is no request that a task may make, or a redirect leads to a bad URL.
            ForbiddenAddress, UnknownHost: as AddressRules.resolve.
            FetchTimeout, FetchFailed, TooLarge.
            Unavailable: the fetcher was closed meanwhile.
        """
        deadline = time.monotonic() + self._limits.seconds
        for _ in range(self._limits.redirects + 1):
            url = check_request(request)
            answer = self._exchange(request, url, deadline)
            location = answer.headers.get("location")
            if answer.status not in _REDIRECTS or location is None:
                return answer
            request = _redirected(request, url, answer.status, location)
        raise FetchFailed(f"{_shown(url)} redirects more than {self._limits.redirects} times")

    def close(self) -> None:
        """End the fetches under way with Unavailable, within half a second or a connection's time-out."""
        self._is_closed = True

    def _exchange(self, request: FetchedRequest, url: SplitResult, deadline: float) -> Answer:
        host, port = _host_and_port(url)
        addresses = self._rules.resolve(host, port)
        data = _request_bytes(request, url)
        parser = ResponseParser()
        try:
            parser.begin(request.method, self._limits.body)
            sock = self._connect(addresses, url, deadline)
            try:
                if url.scheme == "https":
                    sock = self._start_tls(sock, host, deadline)
                sock.settimeout(_remaining(deadline))
                sock.sendall(data)
                self._receive(sock, parser, deadline)
            finally:
                sock.close()
            return parser.answer()
        except TimeoutError:
            raise FetchTimeout(f"{_shown(url)} took more than {self._limits.seconds:g} s") from None
        except OSError as error:  # ssl.SSLError among them
            reason = getattr(error, "verify_message", None) or error.strerror or str(error)
            raise FetchFailed(f"{_shown(url)} cannot be fetched: {reason}") from error
        except BodyTooLargeError:
            raise TooLarge(f"{_shown(url)} sends more than {self._limits.body} bytes") from None
        except (ProtocolError, PackingError) as error:
            raise FetchFailed(f"{_shown(url)}: {error}") from None
        finally:
            parser.release()

    def _connect(self, addresses: list[Resolved], url: SplitResult, deadline: float) -> socket.socket:
        failure: OSError | None = None
        for address in addresses:
            sock = socket.socket(address.family, socket.SOCK_STREAM)
            try:
                sock.settimeout(min(_remaining(deadline), self._limits.connect_seconds))
                sock.connect(address.sockaddr)
            except OSError as error:
                sock.close()
                failure = error
            except BaseException:
                sock.close()
                raise
            else:
                return sock
        raise failure or FetchFailed(f"{_shown(url)} has no address")

    def _start_tls(self, sock: socket.socket, host: str, deadline: float) -> socket.socket:
        if self._tls is None:
            self._tls = self._make_tls()
        sock.settimeout(_remaining(deadline))
        return self._tls.wrap_socket(sock, server_hostname=host)

    def _receive(self, sock: socket.socket, parser: ResponseParser, deadline: float) -> None:
        while not parser.complete:
            if self._is_closed:
                raise Unavailable("the platform is being closed")
            sock.settimeout(min(_remaining(deadline), _STEP))
            try:
                data = sock.recv(_PIECE)
            except TimeoutError:
                continue
            if not data:
                if not parser.finish():
                    raise ProtocolError("the connection ended within the answer")
                return
            parser.feed(data)


def _remaining(deadline: float) -> float:
    """Seconds until then. Raises TimeoutError if there are none."""
    found = deadline - time.monotonic()
    if found <= 0:
        raise TimeoutError
    return found


def _split(uri: str) -> SplitResult:
    try:
        url = urlsplit(uri)
        port, host = url.port, url.hostname
    except ValueError:
        raise BadRequest("uri must be a URL such as https://example.com/data.json") from None
    if url.scheme not in _DEFAULT_PORTS or not host or port == 0:
        raise BadRequest("uri must be a URL such as https://example.com/data.json")
    if url.username is not None or url.password is not None:
        raise BadRequest("uri must hold no user and password: send them in the header Authorization")
    return url


def _host_and_port(url: SplitResult) -> tuple[str, int]:
    host = url.hostname or ""
    try:
        ascii_host = host if ":" in host else host.encode("idna").decode("ascii")
    except UnicodeError:
        raise BadRequest("uri has a host that cannot be a name") from None
    return ascii_host, url.port or _DEFAULT_PORTS[url.scheme]


def _request_bytes(request: FetchedRequest, url: SplitResult) -> bytes:
    host, port = _host_and_port(url)
    shown = f"[{host}]" if ":" in host else host
    target = quote(url.path or "/", safe="/%:@!$&'()*+,;=~-._")
    if url.query:
        target += "?" + quote(url.query, safe="/%:@!$&'()*+,;=~-._?")
    own = {
        "Host": shown if port == _DEFAULT_PORTS[url.scheme] else f"{shown}:{port}",
        "User-Agent": f"flowthings_like/{VERSION}",
        "Accept": "*/*",
        "Accept-Encoding": "gzip, deflate",
    }
    given = {name.lower() for name in request.headers}
    headers = {name: value for name, value in own.items() if name.lower() not in given}
    try:
        lines = header_lines({**headers, **request.headers, "Connection": "close"})
        length = None if request.body is None else len(request.body)
        return request_head(request.method, target, lines, length) + (request.body or b"")
    except UnsafeRequestError as error:
        raise BadRequest(f"the request cannot be made: {error}") from None


def _redirected(request: FetchedRequest, url: SplitResult, status: int, location: str) -> FetchedRequest:
    target = urljoin(request.uri, location)
    new = _split(target)
    if url.scheme == "https" and new.scheme == "http":
        raise FetchFailed(f"{_shown(url)} redirects from https to http, which is not followed")
    headers = request.headers
    if (new.scheme, *_host_and_port(new)) != (url.scheme, *_host_and_port(url)):
        headers = {name: value for name, value in headers.items() if name.lower() in _HARMLESS}
    method, body = request.method, request.body
    if method != "HEAD" and (status == 303 or (status in (301, 302) and method == "POST")):
        method, body = "GET", None
    return FetchedRequest(target, method, headers, body)


def _shown(url: SplitResult) -> str:
    """The URL without its query, which may hold a key."""
    return f"{url.scheme}://{url.netloc.rpartition('@')[2]}{url.path}"
